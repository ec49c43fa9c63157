//! An utterance as it is given to a trained model: recording, words, and what else it reads.

use std::collections::BTreeMap;

use super::evaluate::BATCH;
use crate::base::streams::TEXT;
use crate::corpus::Alignment;
use crate::dataset::FeatureMatrix;
use crate::prepare::DEVICE_SAMPLES;
use crate::text::tokenise;

/// What is spoken, as it is given. A modality that the model does not use may be missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spoken {
    /// Mono, 16 kHz.
    pub samples: Option<Vec<f32>>,
    /// Acoustic features that another program computed, for a model that was trained on such.
    pub features: Option<FeatureMatrix>,
    /// The words as they are written; they are made into tokens as in preparation.
    pub text: Option<String>,
    /// Features beside recording and words, by the stream that the model reads; of one that is missing it reads a row of zeros. Those of
    /// the words themselves, [`TEXT`], which a model that was trained on such needs.
    pub further: Further,
    /// When the words are said, for a model that is told; where it is not known, or other words are, they are spread evenly.
    pub alignment: Option<Alignment>,
}

/// Features of an utterance beside recording and words.
pub type Further = BTreeMap<&'static str, FeatureMatrix>;

impl Spoken {
    /// When its tokens are said, where that is known.
    pub(super) fn times(&self) -> Option<Vec<[f32; 2]>> {
        let alignment = self.alignment.as_ref()?;
        match self.further.get(TEXT) {
            Some(features) => alignment.times_of_rows(features.rows()),
            None => alignment.times(&tokenise(self.text.as_deref().unwrap_or_default())),
        }
    }
}

/// The utterances in parts that go to the device together: no more samples, or numbers of features, than it takes at a time, but at
/// least one utterance.
pub(super) fn parts(mut utterances: &[Spoken]) -> impl Iterator<Item = &[Spoken]> {
    std::iter::from_fn(move || {
        let (now, later) = utterances.split_at(together(utterances).min(utterances.len()));
        utterances = later;
        Some(now).filter(|now| !now.is_empty())
    })
}

/// How many of the utterances go to the device together.
fn together(utterances: &[Spoken]) -> usize {
    let mut samples = 0;
    let fits = utterances.iter().take(BATCH).take_while(|utterance| {
        let matrices = utterance.features.iter().chain(utterance.further.values());
        samples += utterance.samples.as_ref().map_or(0, Vec::len) + matrices.map(|own| own.values.len()).sum::<usize>();
        samples <= DEVICE_SAMPLES
    });
    fits.count().max(1)
}
