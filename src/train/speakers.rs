//! Predictions of a model that is normalised by speaker: what a speaker says is heard whole before any of it is predicted.

use std::path::{Path, PathBuf};

use super::TrainError;
use super::speech::{Said, SpeechInference};
use super::spoken::Spoken;
use crate::backend::Backend;
use crate::dataset::store::StoreError;
use crate::dataset::{Spool, UtteranceInfo};

/// Utterances that come a few at a time, with who speaks them; their features wait in a file.
pub(crate) struct Speakers<'s, 'p, B: Backend> {
    inference: &'s mut SpeechInference<'p, B>,
    folder: PathBuf,
    spool: Spool,
    said: Said,
    utterances: Vec<UtteranceInfo>,
}

impl<'s, 'p, B: Backend> Speakers<'s, 'p, B> {
    /// None yet; the file lies in `folder`, without a name.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn new(inference: &'s mut SpeechInference<'p, B>, folder: &Path) -> Result<Self, TrainError> {
        let spool = Spool::within(folder).map_err(unwritten(folder))?;
        Ok(Self { inference, folder: folder.into(), spool, said: Said::default(), utterances: Vec::new() })
    }

    /// Takes more utterances; each without a speaker is one of its own.
    ///
    /// # Errors
    /// [`TrainError::Missing`], a full disk, or whatever went wrong on the device.
    pub(crate) async fn add(&mut self, utterances: &[Spoken], speakers: &[Option<String>]) -> Result<(), TrainError> {
        for part in super::spoken::parts(utterances) {
            let (features, said) = self.inference.read(part).await?;
            self.spool.push(&features).map_err(unwritten(&self.folder))?;
            self.said.extend(said);
        }
        for speaker in speakers {
            let place = self.utterances.len();
            // By their first letter, names that are given and places never are the same.
            let speaker = speaker.as_ref().map_or_else(|| format!("#{place}"), |name| format!("={name}"));
            self.utterances.push(UtteranceInfo { id: place.to_string(), speaker: Some(speaker), ..Default::default() });
        }
        Ok(())
    }

    /// Probability of each class for every utterance, as an evaluation of a data set with these speakers has them; none of one whose
    /// results are not finite numbers.
    ///
    /// # Errors
    /// A file that cannot be read, or whatever went wrong on the device.
    pub(crate) async fn predict_each(self) -> Result<Vec<Option<Vec<f64>>>, TrainError> {
        let features = self.spool.into_rows(&self.folder)?;
        self.inference.lay_out(features, &self.said, self.utterances);
        self.inference.probabilities().await
    }
}

fn unwritten(folder: &Path) -> impl Fn(std::io::Error) -> TrainError {
    move |source| StoreError::Write { path: folder.into(), source }.into()
}
