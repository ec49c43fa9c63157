//! Corpora whose file names say everything: speaker, sentence and emotion are codes in each recording's name, and the
//! sentences are few and published, where they are known. They differ in the codes alone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::folder::{self, Listing};
use super::{Corpus, CorpusError, LeftOut, Split, Utterance, counted};

/// How a corpus names its recordings and where they lie.
pub(super) struct Scheme {
    pub corpus: &'static str,
    /// The corpus' name in messages.
    pub title: &'static str,
    /// How recordings are named, in words.
    pub pattern: &'static str,
    pub place: Place,
    /// The name that an utterance has, by its recording: [`folder::stem`] where that says all.
    pub name: fn(&Path) -> String,
    pub classes: &'static [&'static str],
}

/// Where the recordings lie.
pub(super) enum Place {
    /// In any folder below the corpus'.
    Below,
    /// Directly in the folder of this name in the corpus', or in the corpus' where it has no such folder.
    In(&'static str),
}

/// What the name of a recording says.
pub(super) enum Meaning {
    Utterance {
        label: &'static str,
        text: Cow<'static, str>,
        speaker: String,
        split: Option<Split>,
    },
    /// Part of the corpus but not speech for this task; counted under this word.
    PassedOver(&'static str),
}

impl Meaning {
    /// An utterance of which no split is known.
    pub(super) fn utterance(label: &'static str, text: impl Into<Cow<'static, str>>, speaker: impl Into<String>) -> Self {
        Self::Utterance { label, text: text.into(), speaker: speaker.into(), split: None }
    }
}

/// Reads the recordings of a corpus; utterances come by id, which is the recording's name.
///
/// `meaning` says what a name without extension stands for, or what is wrong with it. Recordings with such names are left
/// out, files that are no recordings are passed over.
pub(super) fn read(path: &Path, scheme: &Scheme, meaning: impl Fn(&str) -> Result<Meaning, String>) -> Result<Corpus, CorpusError> {
    read_by_path(path, scheme, |_, name| meaning(name))
}

/// As [`read`], where the folders that a recording lies in say something as well.
pub(super) fn read_by_path(
    path: &Path,
    scheme: &Scheme,
    meaning: impl Fn(&Path, &str) -> Result<Meaning, String>,
) -> Result<Corpus, CorpusError> {
    let files = match scheme.place {
        Place::Below => folder::files_below(path)?,
        Place::In(name) => {
            Listing::of(path)?;
            Listing::of(&super::inner(path, name))?.files
        }
    };
    let mut corpus = Corpus::with_classes(scheme.corpus, path, scheme.classes, Vec::new());
    let mut recorded: HashMap<String, PathBuf> = HashMap::new();
    for file in files.into_iter().filter(|file| folder::is_recording(file)) {
        let id = (scheme.name)(&file);
        match meaning(&file, &id) {
            Ok(Meaning::Utterance { label, text, speaker, split }) => {
                if let Some(first) = recorded.insert(id.clone(), file.clone()) {
                    return Err(CorpusError::RecordedTwice { path: file, id, first });
                }
                corpus.utterances.push(Utterance {
                    id,
                    audio: file,
                    text: text.into(),
                    label: label.into(),
                    split,
                    speaker: Some(speaker),
                    session: None,
                    dialogue: None,
                });
            }
            Ok(Meaning::PassedOver(what)) => *corpus.other_labels.entry(what.into()).or_insert(0) += 1,
            Err(fault) => {
                let reason = format!("{}: is not named {} ({fault}); rename it or move it elsewhere", file.display(), scheme.pattern);
                corpus.left_out.push(LeftOut { id, reason });
            }
        }
    }
    if corpus.utterances.is_empty() {
        let others = &corpus.other_labels;
        let passed_over = if others.is_empty() { String::new() } else { format!(" (passed over: {})", counted(others)) };
        return Err(CorpusError::NoRecordings { path: path.into(), pattern: scheme.pattern, corpus: scheme.title, passed_over });
    }
    corpus.utterances.sort_by(|a, b| a.id.cmp(&b.id));
    corpus.left_out.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(corpus)
}

/// What a code stands for, or the complaint that it is none of those known.
pub(super) fn code<T: Copy>(what: &str, code: &str, known: &[(&str, T)]) -> Result<T, String> {
    let meaning = known.iter().find(|(name, _)| *name == code).map(|(_, meaning)| *meaning);
    meaning.ok_or_else(|| format!("{what} '{code}' is none of {}", known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")))
}

/// Whether a field is a number of `digits` digits.
pub(super) fn is_number(field: &str, digits: usize) -> bool {
    field.len() == digits && field.bytes().all(|byte| byte.is_ascii_digit())
}
