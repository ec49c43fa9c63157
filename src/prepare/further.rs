//! Features beside recording and words: of pictures a row a picture, of prosody and functionals a row an utterance, which any program
//! may have computed. An utterance may lack them; it then has one row of zeros.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

#[cfg(feature = "cli")]
use super::feature_files;
use super::{PrepareError, RecordingEvent, Whole};
use crate::base::streams::is_vector;
use crate::corpus::{Corpus, FeatureSource, Utterance};
use crate::dataset::{DataStream, FeatureMatrix, FeatureRows, Frames, MatrixFileError, VectorTable, Vectors};

/// Where frames that are read go, by the stream that they belong to.
pub(super) type Sink<'a> = &'a mut dyn FnMut(&'static str, &[f32]) -> io::Result<()>;

/// Reads every such stream of the corpus, for the utterances that are left of it; the rows of frames go to `sink`.
///
/// # Errors
/// A file that cannot be read or is of another kind than the first, a stream that no utterance has.
pub(super) fn read(
    corpus: &Corpus,
    whole: &Whole,
    sink: Sink<'_>,
    observe: &mut dyn FnMut(RecordingEvent<'_>),
) -> Result<Vec<(&'static str, DataStream)>, PrepareError> {
    let mut streams = Vec::new();
    for (&stream, source) in &corpus.further {
        let mut lacking = BTreeSet::new();
        let columns = whole.columns(stream);
        let is_vector = is_vector(stream);
        let read = match source {
            FeatureSource::Files(files) if is_vector => vectors(&corpus.utterances, columns, &mut lacking, |utterance| {
                let file = |path: &PathBuf| FeatureMatrix::read_vector(path).map(|vector| (path.clone(), vector.values));
                Ok(files.get(&utterance.id).map(file).transpose()?)
            })?,
            FeatureSource::Files(files) => frames((stream, columns), &corpus.utterances, files, &mut lacking, sink)?,
            FeatureSource::Table(path) if is_vector => {
                let table = VectorTable::read(path)?;
                vectors(&corpus.utterances, columns, &mut lacking, |utterance| {
                    Ok(table.of(corpus.own_id(utterance), &utterance.audio).map(|vector| (path.clone(), vector.to_vec())))
                })?
            }
            // They came with the frames of the recordings.
            FeatureSource::Recordings(_) => continue,
            FeatureSource::Table(path) => return Err(PrepareError::NoFolder { path: path.clone() }),
        };
        if lacking.len() == corpus.utterances.len() && columns == 0 {
            return Err(PrepareError::NoFeatures { stream, utterances: lacking.len() });
        }
        if !lacking.is_empty() {
            let lacking: Vec<String> = lacking.into_iter().map(|place| corpus.utterances[place].id.clone()).collect();
            observe(RecordingEvent::Lacking { stream, utterances: &lacking });
        }
        streams.push((stream, read));
    }
    Ok(streams)
}

/// Columns of the first file of each such stream that is read from files, and of its first vector in a table.
///
/// # Errors
/// A table that cannot be read.
#[cfg(feature = "cli")]
pub(super) fn columns(corpus: &Corpus) -> Result<BTreeMap<&'static str, usize>, PrepareError> {
    let mut columns = BTreeMap::new();
    for (&stream, source) in &corpus.further {
        let first = match source {
            FeatureSource::Files(files) if is_vector(stream) => {
                let first = |utterance: &Utterance| Some(FeatureMatrix::read_vector(files.get(&utterance.id)?).ok()?.values.len());
                corpus.utterances.iter().find_map(first)
            }
            FeatureSource::Files(files) => feature_files::columns(&corpus.utterances, files),
            FeatureSource::Table(path) if is_vector(stream) => {
                let table = VectorTable::read(path)?;
                corpus.utterances.iter().find_map(|utterance| Some(table.of(corpus.own_id(utterance), &utterance.audio)?.len()))
            }
            FeatureSource::Table(_) | FeatureSource::Recordings(_) => None,
        };
        columns.extend(first.map(|columns| (stream, columns)));
    }
    Ok(columns)
}

/// Frames, a file an utterance, of so many columns, or where they are 0 of as many as the first.
fn frames(
    (stream, columns): (&'static str, usize),
    utterances: &[Utterance],
    files: &BTreeMap<String, PathBuf>,
    lacking: &mut BTreeSet<usize>,
    sink: Sink<'_>,
) -> Result<DataStream, PrepareError> {
    let mut frames = Frames { columns, values: FeatureRows::default(), offsets: vec![0] };
    let mut end = 0;
    for (place, utterance) in utterances.iter().enumerate() {
        match files.get(&utterance.id) {
            Some(path) => {
                let matrix = FeatureMatrix::read(path)?;
                frames.columns = same_columns(path, frames.columns, matrix.columns)?;
                sink(stream, &matrix.values).map_err(PrepareError::Write)?;
                end += matrix.rows();
            }
            None => drop(lacking.insert(place)),
        }
        frames.offsets.push(end);
    }
    Ok(DataStream::Frames(frames))
}

/// A vector an utterance, with the file that it is from, of so many columns, or where they are 0 of as many as the first.
fn vectors(
    utterances: &[Utterance],
    mut columns: usize,
    lacking: &mut BTreeSet<usize>,
    read: impl Fn(&Utterance) -> Result<Option<(PathBuf, Vec<f32>)>, PrepareError>,
) -> Result<DataStream, PrepareError> {
    let mut rows = Vec::new();
    for (place, utterance) in utterances.iter().enumerate() {
        let row = read(utterance)?;
        match &row {
            Some((path, vector)) => columns = same_columns(path, columns, vector.len())?,
            None => drop(lacking.insert(place)),
        }
        rows.push(row.map(|(_, vector)| vector));
    }
    let values: Vec<f32> = rows.into_iter().flat_map(|row| row.unwrap_or_else(|| vec![0.0; columns])).collect();
    Ok(DataStream::Vector(Vectors { columns, values: values.into() }))
}

/// The columns of all, which are those of the first.
fn same_columns(path: &Path, expected: usize, found: usize) -> Result<usize, MatrixFileError> {
    if expected == 0 || expected == found { Ok(found) } else { Err(MatrixFileError::Columns { path: path.into(), found, expected }) }
}
