//! What must hold of a prepared data set before a kernel may index by it.

#[cfg(feature = "files")]
use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::error::DatasetError;
use super::features::FeatureRows;
use super::prepared::UtteranceInfo;
#[cfg(feature = "files")]
use super::streams::Frames;
use super::streams::{DataStream, Streams, TokenLists, Vectors};
#[cfg(feature = "files")]
use crate::base::half::LARGEST;
#[cfg(feature = "files")]
use crate::base::utterances::Split;

/// Remedy for a file whose numbers contradict one another.
const MAKE_AGAIN: &str = "make the file again";

/// Most classes of a data set: a table of every class against every other has to fit into memory.
const MAX_CLASSES: usize = 4096;

/// Whether classes can be told apart by their names, and counted against one another.
///
/// # Errors
/// What they are instead, to follow what names them.
#[cfg(feature = "files")]
pub(crate) fn check_classes(names: &[String]) -> Result<(), String> {
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        _ if names.is_empty() => Err("names none".into()),
        _ if names.len() > MAX_CLASSES => Err(format!("names {} of them, more than the {MAX_CLASSES} that can be", names.len())),
        Some(name) => Err(format!("names '{name}' twice")),
        None => Ok(()),
    }
}

/// Where the utterances stand that copies are of.
#[cfg(feature = "files")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Originals {
    /// Among the same.
    Here,
    /// There, or in another shard.
    Anywhere,
}

/// Copies of utterances that stand before them, by the same speaker, are what is of the split [`Split::Augmented`], and nothing else.
///
/// # Errors
/// What is wrong with them, and of which.
#[cfg(feature = "files")]
pub(super) fn check_copies(utterances: &[UtteranceInfo], originals: Originals) -> Result<(), String> {
    let elsewhere = originals == Originals::Anywhere;
    let own: HashSet<&str> = utterances.iter().filter(|_| elsewhere).map(|info| info.id.as_str()).collect();
    let mut before: HashMap<&str, &UtteranceInfo> = HashMap::new();
    for info in utterances {
        let problem = match (&info.copy_of, info.split) {
            (None, Some(Split::Augmented)) => Some("is of the split augmented and no copy".to_owned()),
            (Some(of), Some(Split::Augmented)) => match before.get(of.as_str()) {
                None if elsewhere && !own.contains(of.as_str()) => None,
                None => Some(format!("is a copy of '{of}', which does not stand before it")),
                Some(own) if own.copy_of.is_some() => Some(format!("is a copy of '{of}', which is a copy itself")),
                Some(own) if own.speaker != info.speaker => Some(format!("is a copy of '{of}', by another speaker")),
                Some(_) => None,
            },
            (Some(of), _) => Some(format!("is a copy of '{of}' and not of the split augmented")),
            (None, _) => None,
        };
        if let Some(problem) = problem {
            return Err(format!("is wrong for utterance '{}' (it {problem})", info.id));
        }
        before.insert(&info.id, info);
    }
    Ok(())
}

/// Checks of one file; each error names the tensor and, where there is one, the utterance.
pub(super) struct Checks<'a> {
    pub path: &'a Path,
    pub utterances: &'a [UtteranceInfo],
}

impl Checks<'_> {
    /// Offsets that rise from 0 to `rows`.
    pub(crate) fn offsets(&self, tensor: &str, offsets: &[i64], rows: usize) -> Result<Vec<usize>, DatasetError> {
        if offsets.len() != self.utterances.len() + 1 {
            let problem = format!("{} offsets for {} utterances, not one more", offsets.len(), self.utterances.len());
            return Err(self.invalid(tensor, None, problem, MAKE_AGAIN));
        }
        if offsets[0] != 0 {
            return Err(self.invalid(tensor, Some(0), format!("starts at row {}, not 0", offsets[0]), MAKE_AGAIN));
        }
        if let Some(utterance) = offsets.windows(2).position(|pair| pair[1] < pair[0]) {
            let problem = format!("starts at row {} and ends at {}", offsets[utterance], offsets[utterance + 1]);
            return Err(self.invalid(tensor, Some(utterance), problem, MAKE_AGAIN));
        }
        let end = offsets[self.utterances.len()];
        if end != rows as i64 {
            return Err(self.invalid(tensor, None, format!("the last offset is {end}, there are {rows} rows"), MAKE_AGAIN));
        }
        Ok(offsets.iter().map(|&offset| offset as usize).collect())
    }

    /// Streams that were made in memory, values, offsets and all.
    pub fn whole(&self, streams: &Streams) -> Result<(), DatasetError> {
        for (name, stream) in streams.iter() {
            let offsets: Vec<i64> = stream.offsets().iter().map(|&offset| offset as i64).collect();
            let rows = match stream {
                DataStream::Frames(frames) => Some(frames.values.len() / frames.columns.max(1)),
                DataStream::Tokens(tokens) => Some(tokens.tokens.len()),
                DataStream::Vector(_) => None,
            };
            if let Some(rows) = rows {
                self.offsets(&format!("{name}.offsets"), &offsets, rows)?;
            }
            self.stream(name, stream)?;
            self.times(name, stream, streams.times(name))?;
        }
        Ok(())
    }

    /// Labels that index `classes`, but for those of utterances without label, which are -1.
    #[cfg(feature = "files")]
    pub(crate) fn labels(&self, labels: &[i64], classes: &[String]) -> Result<Vec<u32>, DatasetError> {
        if self.utterances.is_empty() {
            return Err(self.invalid("labels", None, "there are no utterances".into(), MAKE_AGAIN));
        }
        if labels.len() != self.utterances.len() {
            let problem = format!("{} labels for {} utterances", labels.len(), self.utterances.len());
            return Err(self.invalid("labels", None, problem, MAKE_AGAIN));
        }
        let known = 0..classes.len() as i64;
        let is_unlabelled = |utterance: usize| self.utterances[utterance].split == Some(Split::Unlabelled);
        let is_wrong =
            |&utterance: &usize| if is_unlabelled(utterance) { labels[utterance] != -1 } else { !known.contains(&labels[utterance]) };
        if let Some(utterance) = (0..labels.len()).find(is_wrong) {
            let label = labels[utterance];
            let (problem, remedy) = match label {
                _ if is_unlabelled(utterance) => {
                    (format!("label {label} is of an utterance of the split unlabelled"), "write -1, or give it another split")
                }
                -1 => (
                    format!("label {label} is not the index of one of {} classes", classes.len()),
                    "correct it, or give the utterance the split unlabelled",
                ),
                _ => (
                    format!("label {label} is not the index of one of {} classes", classes.len()),
                    "correct it, or list its class in the metadata",
                ),
            };
            return Err(self.invalid("labels", Some(utterance), problem, remedy));
        }
        Ok(labels.iter().map(|&label| label as u32).collect())
    }

    /// Tokens that a 32-bit index holds; [`Checks::stream`] compares them with the table.
    #[cfg(feature = "files")]
    pub(crate) fn tokens(&self, tensor: &str, tokens: &[i64]) -> Result<Vec<i32>, DatasetError> {
        let narrow = |&token: &i64| i32::try_from(token).map_err(|_| format!("token {token} is not a row of a table"));
        let tokens: Result<Vec<i32>, String> = tokens.iter().map(narrow).collect();
        tokens.map_err(|problem| self.invalid(tensor, None, problem, MAKE_AGAIN))
    }

    /// A second stream under the name of one.
    #[cfg(feature = "files")]
    pub(crate) fn twice(&self, tensor: &str) -> DatasetError {
        self.invalid(tensor, None, "its name has another stream already".into(), "give it a name of its own")
    }

    /// Times of rows of no stream.
    #[cfg(feature = "files")]
    pub(crate) fn of_nothing(&self, tensor: &str) -> DatasetError {
        self.invalid(tensor, None, "there is no stream whose rows they are of".into(), MAKE_AGAIN)
    }

    /// Times of every row, each of which ends where it begins or later, and not before the recording; or both are not known.
    pub(crate) fn times(&self, name: &str, stream: &DataStream, times: Option<&[[f32; 2]]>) -> Result<(), DatasetError> {
        let Some(times) = times else { return Ok(()) };
        let tensor = format!("{name}.times");
        if times.len() != stream.rows_of_all() || stream.offsets().is_empty() {
            let problem = format!("{} of them for {} rows in time", times.len(), stream.rows_of_all());
            return Err(self.invalid(&tensor, None, problem, MAKE_AGAIN));
        }
        let is_time = |[start, end]: &[f32; 2]| start.is_nan() && end.is_nan() || *start >= 0.0 && end >= start && end.is_finite();
        match times.iter().position(|times| !is_time(times)) {
            None => Ok(()),
            Some(row) => {
                let ([start, end], utterance) = (times[row], owner(stream.offsets(), row));
                let problem = format!("row {} is from {start} to {end} s", row - stream.offsets()[utterance]);
                Err(self.invalid(&tensor, Some(utterance), problem, "correct it, or write NaN for both: the rows are then spread evenly"))
            }
        }
    }

    /// Numbers that are finite, and tokens that have a row in the word table; offsets have been checked.
    pub(crate) fn stream(&self, name: &str, stream: &DataStream) -> Result<(), DatasetError> {
        self.shape(name, stream)?;
        match stream.values().map(FeatureRows::first_not_finite).transpose()?.flatten() {
            None => Ok(()),
            Some((place, value)) => Err(self.not_finite(name, stream, place, value)),
        }
    }

    /// The same but for the numbers of frames and vectors, which are not looked at.
    pub(crate) fn shape(&self, name: &str, stream: &DataStream) -> Result<(), DatasetError> {
        let count = self.utterances.len();
        match stream {
            DataStream::Frames(frames) if frames.columns == 0 => {
                Err(self.invalid(&tensor_of(name, stream), None, "a frame has no coefficients".into(), MAKE_AGAIN))
            }
            DataStream::Vector(Vectors { columns, values }) if *columns == 0 || values.len() != count * columns => {
                let problem = format!("{} numbers for {count} vectors of {columns} columns", values.len());
                Err(self.invalid(&tensor_of(name, stream), None, problem, MAKE_AGAIN))
            }
            DataStream::Frames(_) | DataStream::Vector(_) => Ok(()),
            DataStream::Tokens(tokens) => self.token_lists(name, tokens),
        }
    }

    /// A number of frames or vectors that is none.
    pub(super) fn not_finite(&self, name: &str, stream: &DataStream, place: usize, value: f32) -> DatasetError {
        let columns = stream.columns().unwrap_or(0).max(1);
        let (row, column) = (place / columns, place % columns);
        let (utterance, problem, remedy) = match stream.offsets() {
            [] => (row, format!("column {column} is {value}"), "repair it or leave its utterance out"),
            offsets => {
                let utterance = owner(offsets, row);
                let frame = row - offsets[utterance];
                (utterance, format!("coefficient {column} of frame {frame} is {value}"), "repair its recording or leave it out")
            }
        };
        self.invalid(&tensor_of(name, stream), Some(utterance), problem, remedy)
    }

    /// A value of frames that half precision cannot hold; the frames may lie elsewhere.
    #[cfg(feature = "files")]
    pub(crate) fn too_large(&self, name: &str, frames: &Frames, place: usize, value: f32) -> DatasetError {
        let columns = frames.columns.max(1);
        let utterance = owner(&frames.offsets, place / columns);
        let frame = place / columns - frames.offsets[utterance];
        let problem = format!("coefficient {} of frame {frame} is {value}, half precision ends at {LARGEST}", place % columns);
        self.invalid(&format!("{name}.features"), Some(utterance), problem, "repair its recording or features, or keep single precision")
    }

    fn token_lists(&self, name: &str, lists: &TokenLists) -> Result<(), DatasetError> {
        let words = lists.words();
        if let Some(table) = &lists.vectors {
            let tensor = format!("{name}.vectors");
            if table.width == 0 {
                return Err(self.invalid(&tensor, None, "a vector has no numbers".into(), "use another file of vectors"));
            }
            if let Some(place) = table.values.iter().position(|value| !value.is_finite()) {
                let row = place / table.width;
                let word = lists.vocabulary.get(row).map_or_else(|| format!("row {row}"), |word| format!("the word '{word}'"));
                let problem = format!("the vector of {word} holds {}", table.values[place]);
                return Err(self.invalid(&tensor, None, problem, "use another file of vectors"));
            }
            if !lists.vocabulary.is_empty() && lists.vocabulary.len() != words {
                let problem = format!("{words} rows for a vocabulary of {}", lists.vocabulary.len());
                return Err(self.invalid(&tensor, None, problem, MAKE_AGAIN));
            }
        }
        let known = -1..words as i64;
        match lists.tokens.iter().position(|&token| !known.contains(&token.into())) {
            None => Ok(()),
            Some(place) => {
                let utterance = owner(&lists.offsets, place);
                let problem = format!("token {} is neither -1 nor a row of the {words} words", lists.tokens[place]);
                Err(self.invalid(&format!("{name}.tokens"), Some(utterance), problem, MAKE_AGAIN))
            }
        }
    }

    fn invalid(&self, tensor: &str, utterance: Option<usize>, problem: String, remedy: &'static str) -> DatasetError {
        let utterance = utterance.and_then(|utterance| self.utterances.get(utterance)).map(|utterance| utterance.id.clone());
        DatasetError::Invalid { path: self.path.to_path_buf(), tensor: tensor.into(), utterance, problem, remedy }
    }
}

/// The tensor of a stream's values.
fn tensor_of(name: &str, stream: &DataStream) -> String {
    format!("{name}.{}", if matches!(stream, DataStream::Vector(_)) { "values" } else { "features" })
}

/// The utterance that a row belongs to.
fn owner(offsets: &[usize], row: usize) -> usize {
    offsets.partition_point(|&start| start <= row) - 1
}

#[cfg(all(test, feature = "files"))]
mod tests {
    use super::*;

    #[test]
    fn copies_are_of_utterances_before_them_by_the_same_speaker() {
        let info = |id: &str, split, copy_of: Option<&str>, speaker: &str| UtteranceInfo {
            id: id.into(),
            split: Some(split),
            speaker: Some(speaker.into()),
            copy_of: copy_of.map(str::to_owned),
            ..Default::default()
        };
        let own = info("a", Split::Train, None, "anna");
        let with = |second: UtteranceInfo| check_copies(&[own.clone(), second], Originals::Here);
        assert_eq!(with(info("b", Split::Augmented, Some("a"), "anna")), Ok(()));
        let in_shard = |infos: &[UtteranceInfo]| check_copies(infos, Originals::Anywhere);
        assert_eq!(in_shard(&[info("b", Split::Augmented, Some("a"), "anna")]), Ok(()));
        let behind = in_shard(&[info("b", Split::Augmented, Some("a"), "anna"), own.clone()]);
        assert_eq!(behind, Err("is wrong for utterance 'b' (it is a copy of 'a', which does not stand before it)".into()));
        for (second, problem) in [
            (info("b", Split::Augmented, None, "anna"), "is wrong for utterance 'b' (it is of the split augmented and no copy)"),
            (
                info("b", Split::Augmented, Some("c"), "anna"),
                "is wrong for utterance 'b' (it is a copy of 'c', which does not stand before it)",
            ),
            (info("b", Split::Augmented, Some("a"), "ben"), "is wrong for utterance 'b' (it is a copy of 'a', by another speaker)"),
            (info("b", Split::Test, Some("a"), "anna"), "is wrong for utterance 'b' (it is a copy of 'a' and not of the split augmented)"),
        ] {
            assert_eq!(with(second), Err(problem.into()));
        }
        let copy = info("b", Split::Augmented, Some("a"), "anna");
        let of_copy = check_copies(&[own.clone(), copy.clone(), info("c", Split::Augmented, Some("b"), "anna")], Originals::Here);
        assert_eq!(of_copy, Err("is wrong for utterance 'c' (it is a copy of 'b', which is a copy itself)".into()));
    }
}
