//! A trained model for new utterances.

use std::path::Path;

use super::vocabulary::{self, Vocabulary};
use super::{Checkpoint, TrainError, run};
use crate::audio::mfcc::MfccTables;
use crate::backend::Backend;
use crate::dataset::{Dataset, UtteranceInfo};
use crate::prepare::extract;
use crate::text::tokenise;

/// A model with what it needs to read audio and text.
pub struct Predictor {
    pub checkpoint: Checkpoint,
    vocabulary: Vocabulary,
}

impl Predictor {
    /// The best model of a run folder.
    ///
    /// # Errors
    /// [`TrainError`], naming the file.
    pub fn load(folder: &Path) -> Result<Self, TrainError> {
        let checkpoint = Checkpoint::load(&folder.join(run::files::BEST))?;
        Ok(Self { checkpoint, vocabulary: Vocabulary::load(&folder.join(vocabulary::FILE))? })
    }

    /// Probability of each class, in the order of the model's classes.
    ///
    /// `samples`: mono, 16 kHz. Where the model is normalised by speaker, the clip is a speaker of its own.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub async fn predict<B: Backend>(&self, backend: &B, samples: &[f32], text: &str) -> Result<Vec<f64>, TrainError> {
        let tables = MfccTables::new(backend, &self.vocabulary.front_end)?;
        let (features, frames) = extract(backend, &tables, &[samples.to_vec()]).await?;
        let tokens: Vec<i32> = tokenise(text).iter().map(|token| self.vocabulary.row(token)).collect();
        let data = Dataset {
            classes: self.checkpoint.classes.clone(),
            vocabulary: self.vocabulary.words.clone(),
            utterances: vec![UtteranceInfo { speaker: Some("unknown".into()), ..Default::default() }],
            feature_settings: serde_json::json!(self.vocabulary.front_end),
            coefficients: self.vocabulary.front_end.columns(),
            features: features.into(),
            frame_offsets: vec![0, frames[0]],
            token_offsets: vec![0, tokens.len()],
            tokens,
            vectors: self.vocabulary.vectors.clone(),
            labels: vec![0],
            ..Dataset::default()
        };
        let mut evaluation = self.checkpoint.evaluate(backend, &data, &[0]).await?;
        Ok(evaluation.predictions.remove(0).probabilities)
    }
}
