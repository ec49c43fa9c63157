//! Features of recordings: decoded on all cores, a group ahead of the device that computes MFCC of those before.

use std::path::{Path, PathBuf};

use super::{Acoustic, Intake, PrepareError, RecordingEvent, VectorTables};
use crate::audio::change::Change;
use crate::audio::mfcc::MfccSettings;
use crate::audio::vectors::VectorFrontEnd;
use crate::audio::{AudioError, decode};
use crate::backend::ops::{Deltas, Mfcc};
use crate::backend::{Backend, BackendError, MfccTables, Ragged, as_f32};
#[cfg(feature = "threads")]
use crate::base::parallel::*;
use crate::base::remedy;
use crate::corpus::{Corpus, LeftOut, Utterance};
use crate::dataset::doubles::{Doubles, of_samples};

/// Samples that go to the device together, some four minutes: its matrices then are some 30 MB.
pub(crate) const DEVICE_SAMPLES: usize = 1 << 22;
/// Recordings decoded ahead of the device, by their files' size and number, so that what is decoded fits into memory
/// whatever the corpus.
pub(crate) const GROUP_BYTES: u64 = 8 << 20;
pub(crate) const GROUP_CLIPS: usize = 64;

/// Reads the recordings of a corpus, changed where they are those of copies, and computes their features, and vectors besides.
pub(super) async fn read<B: Backend>(
    backend: &B,
    corpus: &Corpus,
    settings: &MfccSettings,
    vectors: &[VectorFrontEnd],
    Intake { missing, features, observe }: &mut Intake<'_>,
) -> Result<Acoustic, PrepareError> {
    let utterances = &corpus.utterances;
    let tables = MfccTables::new(backend, settings)?;
    let vectors = vectors.iter().map(|&front_end| VectorTables::new(backend, front_end)).collect::<Result<Vec<_>, _>>()?;
    let mut acoustic = Acoustic {
        kept: vec![false; utterances.len()],
        columns: settings.columns(),
        settings: settings.recorded(),
        vectors: vec![Vec::new(); vectors.len()],
        ..Acoustic::default()
    };
    let (mut hashes, mut silent) = (Vec::new(), Vec::new());
    let mut waiting = Waiting::default();
    let recording = |utterance: &Utterance| Recording {
        path: utterance.audio.clone(),
        change: corpus.copies.get(&utterance.id).map(|copy| (copy.change, utterance.id.clone())),
    };
    let recordings = utterances.iter().map(recording).collect();
    for (place, (utterance, clip)) in utterances.iter().zip(decode_ahead(recordings)).enumerate() {
        let is_copy = corpus.copies.contains_key(&utterance.id);
        match clip {
            Ok((samples, hash)) => {
                acoustic.kept[place] = true;
                hashes.push(hash);
                silent.extend((hash.is_none() && !is_copy).then(|| utterance.id.clone()));
                waiting.add(utterance.audio.clone(), samples);
            }
            // What it is a copy of is left out, and said to be.
            Err(_) if is_copy => {}
            Err(error) => missing.add(LeftOut { id: utterance.id.clone(), reason: remedy::line(&error) }, *observe)?,
        }
        if waiting.samples >= DEVICE_SAMPLES || place + 1 == utterances.len() {
            let waiting = std::mem::take(&mut waiting);
            waiting.vectors(backend, &vectors, &mut acoustic).await?;
            waiting.extract(backend, &tables, *features).await?.into_iter().for_each(|frames| acoustic.add(frames));
        }
        observe(RecordingEvent::Done(place + 1));
    }
    if !hashes.is_empty() {
        observe(RecordingEvent::Silent(&silent));
        observe(RecordingEvent::Doubles(&Doubles::of_hashes(&hashes)));
    }
    acoustic.recordings = hashes;
    Ok(acoustic)
}

/// Recordings on their way to the device.
#[derive(Default)]
struct Waiting {
    paths: Vec<PathBuf>,
    clips: Vec<Vec<f32>>,
    samples: usize,
}

impl Waiting {
    fn add(&mut self, path: PathBuf, samples: Vec<f32>) {
        self.samples += samples.len();
        self.paths.push(path);
        self.clips.push(samples);
    }

    /// Computes the features of those that wait; returns the frames of each.
    async fn extract<B: Backend>(
        &self,
        backend: &B,
        tables: &MfccTables<B>,
        features: &mut dyn FnMut(&[f32]) -> std::io::Result<()>,
    ) -> Result<Vec<usize>, PrepareError> {
        let Self { paths, clips, .. } = self;
        if clips.is_empty() {
            return Ok(Vec::new());
        }
        let (values, frames) = extract(backend, tables, clips).await.map_err(|error| self.failed(error))?;
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            let mut row = place / tables.settings.columns();
            let clip = frames.iter().position(|&count| {
                let within = row < count;
                row = row.saturating_sub(count);
                within
            });
            return Err(PrepareError::NotFinite { path: paths[clip.unwrap_or(0)].clone() });
        }
        features(&values).map_err(PrepareError::Write)?;
        Ok(frames)
    }

    /// Computes the vectors of those that wait.
    async fn vectors<B: Backend>(&self, backend: &B, tables: &[VectorTables<B>], acoustic: &mut Acoustic) -> Result<(), PrepareError> {
        for (tables, vectors) in tables.iter().zip(&mut acoustic.vectors).filter(|_| !self.clips.is_empty()) {
            let values = tables.extract(backend, &self.clips).await.map_err(|error| self.failed(error))?;
            if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                return Err(PrepareError::NotFinite { path: self.paths[place / tables.front_end.columns()].clone() });
            }
            vectors.extend(values);
        }
        Ok(())
    }

    /// What a fault of the device means: where it is a limit, that the longest recording is too long for it.
    fn failed(&self, error: BackendError) -> PrepareError {
        let longest = self.clips.iter().zip(&self.paths).max_by_key(|(clip, _)| clip.len());
        PrepareError::of_recording(error, longest.map_or(Path::new(""), |(_, path)| path))
    }
}

/// A recording, and what is changed of it for the copy of that name.
struct Recording {
    path: PathBuf,
    change: Option<(Change, String)>,
}

impl Recording {
    fn clip(&self) -> Decoded {
        let samples = decode(&self.path)?;
        Ok(match &self.change {
            // Copies go with what they are of, whatever else they are like.
            Some((change, name)) => (change.of(&samples, name), None),
            None => {
                let hash = of_samples(&samples);
                (samples, hash)
            }
        })
    }
}

/// A recording's samples, and [`of_samples`] of them.
type Decoded = Result<(Vec<f32>, Option<u64>), AudioError>;

/// Decodes the recordings on all cores, a group ahead of whoever takes them; they come in order. Work ends when nobody
/// takes them any more.
#[cfg(feature = "threads")]
fn decode_ahead(recordings: Vec<Recording>) -> impl Iterator<Item = Decoded> {
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Vec<Decoded>>(1);
    std::thread::spawn(move || {
        for group in groups(&recordings) {
            let clips = group.par_iter().map(Recording::clip).collect();
            if sender.send(clips).is_err() {
                break;
            }
        }
    });
    receiver.into_iter().flatten()
}

/// Decodes the recordings one after the other, as they are taken.
#[cfg(not(feature = "threads"))]
fn decode_ahead(recordings: Vec<Recording>) -> impl Iterator<Item = Decoded> {
    recordings.into_iter().map(|recording| recording.clip())
}

/// Runs of recordings that are decoded together.
#[cfg(feature = "threads")]
fn groups(recordings: &[Recording]) -> Vec<&[Recording]> {
    let size = |recording: &Recording| recording.path.metadata().map_or(0, |metadata| metadata.len());
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (place, recording) in recordings.iter().enumerate() {
        bytes += size(recording);
        if bytes >= GROUP_BYTES || place + 1 - start == GROUP_CLIPS || place + 1 == recordings.len() {
            groups.push(&recordings[start..=place]);
            (start, bytes) = (place + 1, 0);
        }
    }
    groups
}

/// Features of some clips: `[frames, columns]` of all, and the frames of each.
///
/// # Errors
/// Whatever went wrong on the device.
pub async fn extract<B: Backend>(backend: &B, tables: &MfccTables<B>, clips: &[Vec<f32>]) -> Result<(Vec<f32>, Vec<usize>), BackendError> {
    let (matrix, _, frames) = frames_of(backend, tables, clips);
    Ok((as_f32(backend.read(&matrix).await?), frames))
}

/// The same where it was computed, with its layout.
pub(super) fn frames_of<B: Backend>(backend: &B, tables: &MfccTables<B>, clips: &[Vec<f32>]) -> (B::Tensor, Ragged<B>, Vec<usize>) {
    let frames: Vec<usize> = clips.iter().map(|clip| tables.settings.frames(clip.len())).collect();
    let lengths = |counts: &mut dyn Iterator<Item = usize>| -> Vec<u32> { counts.map(|count| count as u32).collect() };
    let utterance_rows = Ragged::new(backend, &lengths(&mut clips.iter().map(Vec::len)));
    let frame_rows = Ragged::new(backend, &lengths(&mut frames.iter().copied()));
    let samples = clips.concat();
    let samples = backend.upload(&samples, [samples.len(), 1]);
    let mfcc = Mfcc { samples, utterances: utterance_rows, frames: frame_rows.clone(), tables: tables.clone() };
    let features = backend.run(&mfcc);
    let matrix = match &tables.deltas {
        Some(filter) => backend.run(&Deltas { x: features, frames: frame_rows.clone(), filter: filter.clone() }),
        None => features,
    };
    (matrix, frame_rows, frames)
}
