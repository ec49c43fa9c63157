//! The splits of EmoBox (Ma et al. 2024): of each corpus folders `fold_1`, `fold_2` and so on, with `ravdess_train_fold_1.jsonl`,
//! `ravdess_test_fold_1.jsonl` and, of corpora that validate on utterances of their own, `meld_valid_fold_1.jsonl`. A line is a recording as
//! JSON, of which `key` and `wav` are read.
//!
//! Recordings are known by their names, whatever folders they lie in; those of MELD by the split at the end of their key too.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{Listing, stem};
use super::{Corpus, CorpusError, Split, Utterance};
use crate::base::foreign::Foreign;
use crate::base::input;
use crate::base::philox::Stream;

/// The random stream that validation is drawn from; one more for each class.
const VALIDATION_STREAMS: u64 = 1 << 55;

/// Of so many utterances of a class to train on, one validates where the fold has no file for that.
const ONE_OF: usize = 5;

/// What the files of a fold call each split.
const PARTS: [(&str, Split); 3] = [("train", Split::Train), ("valid", Split::Validation), ("test", Split::Test)];

/// A line of a file.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    key: String,
    wav: String,
}

/// How a corpus was divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Divided {
    /// Utterances to train on, to validate and to test.
    pub splits: [usize; 3],
    /// Whether those that validate were drawn of those to train on.
    pub is_drawn: bool,
    /// Utterances of the corpus that the fold does not have, which are of no split.
    pub unlisted: usize,
    /// Recordings of the fold that the corpus does not have.
    pub missing: usize,
}

/// What a fold knows an utterance by, and draws it by.
pub(crate) struct Listed<'u> {
    pub id: &'u str,
    /// Its recording.
    pub audio: &'u Path,
    pub label: &'u str,
    /// Whether it has a label at all; without one it is of no split of a fold.
    pub is_labelled: bool,
}

/// Gives the utterances of a corpus the splits of the fold in `folder`; where it has no utterances to validate on, a fifth of those to train
/// on are drawn, each class evenly, the same every time.
///
/// # Errors
/// [`CorpusError`]: no files of a fold, a line that cannot be understood, a recording in two splits, or none that the corpus has.
pub fn divide(corpus: &mut Corpus, folder: &Path) -> Result<Divided, CorpusError> {
    let listed = |utterance: &Utterance| utterance.split != Some(Split::Unlabelled);
    let utterances: Vec<Listed<'_>> = corpus.utterances.iter().map(|own| of_corpus(own, listed(own))).collect();
    let (splits, divided) = splits(&corpus.name, &utterances, folder)?;
    for (utterance, split) in corpus.utterances.iter_mut().zip(splits).filter(|(utterance, _)| listed(utterance)) {
        utterance.split = split;
    }
    Ok(divided)
}

fn of_corpus(utterance: &Utterance, is_labelled: bool) -> Listed<'_> {
    Listed { id: &utterance.id, audio: &utterance.audio, label: &utterance.label, is_labelled }
}

/// The folds of a corpus in a folder, `fold_1`, `fold_2` and so on, in their order.
///
/// # Errors
/// [`CorpusError::NoFolds`] where there are none, or one between them is not there.
pub fn folds(folder: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    let refused = |problem: String| CorpusError::NoFolds { path: folder.into(), problem };
    let named = Listing::of(folder)?.folders.into_iter().filter_map(|path| {
        let number = path.file_name()?.to_str()?.strip_prefix("fold_")?.parse::<usize>().ok()?;
        Some((number, path))
    });
    let found: BTreeMap<usize, PathBuf> = named.collect();
    if found.is_empty() {
        return Err(refused("has no folders fold_1, fold_2 and so on".into()));
    }
    match (1..).zip(found.keys()).find(|(expected, number)| expected != *number) {
        Some((expected, number)) => Err(refused(format!("has a fold_{number}, but no fold_{expected}"))),
        None => Ok(found.into_values().collect()),
    }
}

/// The split of each utterance of the corpus in the fold in `folder`, as [`divide`] gives them.
///
/// # Errors
/// Those of [`divide`].
pub(crate) fn splits(corpus: &str, utterances: &[Listed<'_>], folder: &Path) -> Result<(Vec<Option<Split>>, Divided), CorpusError> {
    let files = files(folder)?;
    let mut named: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, utterance) in utterances.iter().enumerate() {
        named.entry(stem(utterance.audio)).or_default().push(place);
    }
    // A name that several recordings have tells nothing of them.
    let single = named.into_iter().filter_map(|(name, places)| if let [place] = places[..] { Some((name, place)) } else { None });
    let mut places: HashMap<String, usize> = single.collect();
    places.extend(utterances.iter().enumerate().map(|(place, utterance)| (utterance.id.to_owned(), place)));
    let mut splits = vec![None; utterances.len()];
    let (mut listed, mut missing) = (0, 0);
    for (path, split) in &files {
        for (number, line) in lines(path)? {
            listed += 1;
            let Some(place) = names(&line).iter().find_map(|name| places.get(name).copied()) else {
                missing += 1;
                continue;
            };
            match splits[place] {
                _ if !utterances[place].is_labelled => {}
                Some(other) if other != *split => {
                    let id = utterances[place].id.to_owned();
                    return Err(CorpusError::InTwoSplits { path: path.clone(), line: number, id, first: other, second: *split });
                }
                _ => splits[place] = Some(*split),
            }
        }
    }
    if missing == listed {
        return Err(CorpusError::OtherCorpus { path: folder.into(), listed, corpus: corpus.into() });
    }
    let is_drawn = !files.iter().any(|(_, split)| *split == Split::Validation);
    if is_drawn {
        draw_validation(utterances, &mut splits);
    }
    let of = |split: Option<Split>| utterances.iter().zip(&splits).filter(|(own, is)| own.is_labelled && **is == split).count();
    let divided = Divided { splits: Split::ALL.map(|split| of(Some(split))), is_drawn, unlisted: of(None), missing };
    Ok((splits, divided))
}

/// The files of a fold. In one folder there are those of another name besides, with the same content.
fn files(folder: &Path) -> Result<Vec<(PathBuf, Split)>, CorpusError> {
    let listing = Listing::of(folder)?;
    let of = |part: &str| {
        let named = listing.files.iter().filter(|file| {
            file.extension().is_some_and(|extension| extension == "jsonl") && stem(file).split('_').any(|field| field == part)
        });
        named.max_by_key(|file| stem(file).len()).cloned()
    };
    let files: Vec<_> = PARTS.iter().filter_map(|(part, split)| Some((of(part)?, *split))).collect();
    let has = |wanted: Split| files.iter().any(|(_, split)| *split == wanted);
    if has(Split::Train) && has(Split::Test) { Ok(files) } else { Err(CorpusError::NoFold { path: folder.into() }) }
}

/// The lines of a file, with their numbers from 1.
fn lines(path: &Path) -> Result<Vec<(u64, Line)>, CorpusError> {
    let bytes = input::bytes(path).map_err(|source| CorpusError::Read { path: path.into(), source })?;
    if let Some(what) = Foreign::of(&bytes) {
        return Err(CorpusError::Foreign { path: path.into(), what });
    }
    let numbered = bytes.split(|&byte| byte == b'\n').zip(1..).filter(|(line, _)| !line.trim_ascii().is_empty());
    let read = |(line, number): (&[u8], u64)| {
        let failed = |error: serde_json::Error| CorpusError::NotJson { path: path.into(), line: number, reason: error.to_string() };
        serde_json::from_slice(line).map(|line| (number, line)).map_err(failed)
    };
    numbered.map(read).collect()
}

/// What the utterance may be called, the surest first: MELD's names restart in every split, which the key ends with.
fn names(line: &Line) -> Vec<String> {
    let name = stem(Path::new(&line.wav));
    let split = line.key.rsplit_once('-').map(|(_, split)| split).filter(|split| ["train", "dev", "test"].contains(split));
    split.map(|split| format!("{split}/{name}")).into_iter().chain([name.clone()]).collect()
}

/// Lets every fifth of the utterances to train on validate, of each class by itself, shuffled.
fn draw_validation(utterances: &[Listed<'_>], splits: &mut [Option<Split>]) {
    let mut classes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, utterance) in utterances.iter().enumerate().filter(|(place, _)| splits[*place] == Some(Split::Train)) {
        classes.entry(utterance.label).or_default().push(place);
    }
    for (class, places) in classes.values().enumerate() {
        let order = Stream { seed: 0, stream: VALIDATION_STREAMS | class as u64 }.permutation(places.len());
        order.into_iter().take(places.len() / ONE_OF).for_each(|place| splits[places[place]] = Some(Split::Validation));
    }
}
