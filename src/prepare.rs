//! From a corpus to a prepared data set: recordings decoded on all cores, MFCC on the device, transcripts as rows of
//! word vectors.

use rayon::prelude::*;
use thiserror::Error;

use crate::audio::AudioError;
use crate::audio::mfcc::{MfccError, MfccSettings, MfccTables};
use crate::backend::{Backend, BackendError, Matrix, Ragged, as_f32};
use crate::corpus::{Corpus, CorpusError, Utterance};
use crate::dataset::{Dataset, UtteranceInfo};
use crate::text::TextTable;

/// What can stop a preparation.
#[derive(Debug, Error)]
pub enum PrepareError {
    #[error(transparent)]
    Audio(#[from] AudioError),
    #[error(transparent)]
    FrontEnd(#[from] MfccError),
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Recordings whose features are computed together.
const CLIPS: usize = 32;

/// Reads every recording with `decode` (mono, 16 kHz) and puts features and tokens together.
///
/// `observe` is told how many utterances are done.
///
/// # Errors
/// [`PrepareError`], naming the recording.
pub async fn prepare<B: Backend>(
    backend: &B,
    corpus: &Corpus,
    text: TextTable,
    settings: &MfccSettings,
    decode: impl Fn(&Utterance) -> Result<Vec<f32>, AudioError> + Sync,
    observe: &mut dyn FnMut(usize),
) -> Result<Dataset, PrepareError> {
    let tables = MfccTables::new(backend, settings)?;
    let mut features = Vec::new();
    let mut frame_offsets = vec![0];
    for (part, utterances) in corpus.utterances.chunks(CLIPS).enumerate() {
        let clips: Vec<Vec<f32>> = utterances.par_iter().map(&decode).collect::<Result<_, _>>()?;
        let (values, frames) = extract(backend, &tables, &clips).await?;
        features.extend(values);
        for count in frames {
            frame_offsets.push(frame_offsets[frame_offsets.len() - 1] + count);
        }
        observe(part * CLIPS + utterances.len());
    }
    Ok(Dataset {
        corpus: corpus.name.clone(),
        classes: corpus.classes.clone(),
        vocabulary: text.vocabulary,
        utterances: corpus.utterances.iter().map(UtteranceInfo::from).collect(),
        feature_settings: serde_json::json!(settings),
        coefficients: settings.coefficients,
        features,
        frame_offsets,
        tokens: text.tokens,
        token_offsets: text.offsets,
        vectors: text.vectors,
        labels: corpus.labels().into_iter().map(|label| label as u32).collect(),
    })
}

/// MFCC of some clips: `[frames, coefficients]` of all, and the frames of each.
///
/// # Errors
/// Whatever went wrong on the device.
pub async fn extract<B: Backend>(backend: &B, tables: &MfccTables<B>, clips: &[Vec<f32>]) -> Result<(Vec<f32>, Vec<usize>), BackendError> {
    let frames: Vec<usize> = clips.iter().map(|clip| tables.settings.frames(clip.len())).collect();
    let lengths = |counts: &mut dyn Iterator<Item = usize>| -> Vec<u32> { counts.map(|count| count as u32).collect() };
    let utterance_rows = Ragged::new(backend, &lengths(&mut clips.iter().map(Vec::len)));
    let frame_rows = Ragged::new(backend, &lengths(&mut frames.iter().copied()));
    let samples = clips.concat();
    let samples = backend.upload(&samples, [samples.len(), 1]);
    let matrix = backend.mfcc(&samples, &utterance_rows, &frame_rows, tables);
    debug_assert_eq!(matrix.rows(), frame_rows.rows());
    let values = backend.read(&matrix).await?;
    Ok((as_f32(values), frames))
}
