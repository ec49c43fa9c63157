//! A corpus listed in a CSV: UTF-8, with a first line that names the columns.
//!
//! `label` and one of `audio`, `audio_features`, `text` and `text_features` are required, or several; `id`, `split` (train, validation,
//! test, unlabelled or empty), `speaker`, `gender`, `session` and `dialogue` are optional; other columns are passed over. `audio_features` names files
//! of features that are taken in place of the recordings, `text_features` such in place of the words, `visual`, `prosody` and `functionals`
//! files of features beside recording and words, `align` files of when the words are said; an utterance may lack these. Paths are relative
//! to the CSV. All but texts and paths are names: they are composed (NFC), without white space or invisible characters at their ends. An
//! utterance of the split `unlabelled` needs no label, and one that it has is not read.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::doubt::{self, Doubt};
use super::list::{ALIGNMENT, FEATURES, FURTHER, TEXT_FEATURES};
use super::names::name;
use super::table::{Row, Table};
use super::{Corpus, CorpusError, FeatureSource, Split, Utterance, folder, gender};
use crate::base::streams::TEXT;

/// Columns that need not be there.
const OPTIONAL: [&str; 6] = ["id", "split", "speaker", "gender", "session", "dialogue"];

/// Reads the manifest at `path`; the corpus is named after the file. Recordings are not looked at.
///
/// The classes are the labels that occur, sorted. An utterance without an id is named after its file, with a number
/// where that name is taken.
///
/// # Errors
/// [`CorpusError`]: a file or line that cannot be understood; the first one ends the reading.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    let listed = Listed::read(path, |_, _| Ok(()))?;
    Ok(listed.corpus(|utterances| Corpus::new(folder::stem(path), root(path), utterances)))
}

/// As [`read`], with these classes, sorted, of which each label must be one.
///
/// # Errors
/// Those of [`read`], and the first label that is none of the classes, with the nearest.
pub fn read_with_classes(path: &Path, classes: &[String]) -> Result<Corpus, CorpusError> {
    let classes: Vec<String> = classes.iter().map(|class| name(class)).collect();
    let check = |row: Row<'_>, label: &str| match nearest_unless_in(&classes, label) {
        Some(nearest) => Err(CorpusError::NoSuchClass { path: row.path().into(), line: row.line(), label: label.into(), nearest }),
        None => Ok(()),
    };
    let listed = Listed::read(path, check)?;
    Ok(listed.corpus(|utterances| Corpus::with_classes(folder::stem(path), root(path), &classes, utterances)))
}

/// The folder that recordings are relative to.
fn root(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The utterances of a manifest, each with its line.
struct Listed {
    utterances: Vec<Utterance>,
    /// Files of their features; none where their recordings are read.
    features: Vec<PathBuf>,
    /// Those of features besides, by stream.
    further: BTreeMap<&'static str, Vec<Option<PathBuf>>>,
    /// Those of when the words are said.
    alignments: Vec<Option<PathBuf>>,
    genders: Vec<Option<String>>,
    lines: Vec<u64>,
    doubts: Vec<Doubt>,
}

impl Listed {
    /// Reads the lines, each label checked in its turn.
    fn read(path: &Path, check_label: impl Fn(Row<'_>, &str) -> Result<(), CorpusError>) -> Result<Self, CorpusError> {
        let table = Table::read(path, &["label"], &OPTIONAL)?;
        let [has_audio, has_features, has_text] = [table.has("audio")?, table.has(FEATURES)?, table.has("text")?];
        let has_words = table.has(TEXT_FEATURES)?;
        if !has_audio && !has_features && !has_text && !has_words {
            return Err(table.missing("audio"));
        }
        let rows: Vec<Row<'_>> = table.rows().collect();
        // Beside features a recording may be named, which is then not read.
        let needs_audio = has_audio && !has_features;
        let mut utterances: Vec<Utterance> = rows.iter().map(|&row| utterance(row, needs_audio, &check_label)).collect::<Result<_, _>>()?;
        let features = rows.iter().map(|row| row.required_path(FEATURES).map(|path| root(row.path()).join(path)));
        let features = if has_features { features.collect::<Result<_, _>>()? } else { Vec::new() };
        let files = |column: &'static str| {
            let file = |row: &Row<'_>| Ok(row.path_in(column)?.map(|path| root(row.path()).join(path)));
            Ok::<_, CorpusError>(if table.has(column)? {
                Some(rows.iter().map(file).collect::<Result<Vec<_>, CorpusError>>()?)
            } else {
                None
            })
        };
        let mut further = BTreeMap::new();
        for (column, stream) in FURTHER {
            further.extend(files(column)?.map(|files| (stream, files)));
        }
        if has_words {
            let file = |row: &Row<'_>| Ok(Some(root(row.path()).join(row.required_path(TEXT_FEATURES)?)));
            further.insert(TEXT, rows.iter().map(file).collect::<Result<Vec<_>, CorpusError>>()?);
        }
        let alignments = files(ALIGNMENT)?.unwrap_or_default();
        name_utterances(&rows, &mut utterances, &features)?;
        let genders = rows.iter().map(|row| Ok(row.name("gender")?.map(|name| gender(&name)))).collect::<Result<_, CorpusError>>()?;
        let lines: Vec<u64> = rows.iter().map(|row| row.line()).collect();
        Ok(Self {
            doubts: table.doubts.iter().cloned().chain(doubt::of_utterances(path, &utterances, &lines)).collect(),
            utterances,
            features,
            further,
            alignments,
            genders,
            lines,
        })
    }

    /// The corpus that is made of the utterances, with what is known of them besides.
    fn corpus(self, make: impl Fn(Vec<Utterance>) -> Corpus) -> Corpus {
        let ids = || self.utterances.iter().map(|utterance| utterance.id.clone());
        let (features, lines) = (ids().zip(self.features).collect(), ids().zip(self.lines).collect());
        let files = |files: Vec<Option<PathBuf>>| ids().zip(files).filter_map(|(id, file)| Some((id, file?))).collect();
        let further = self.further.into_iter().map(|(stream, own)| (stream, FeatureSource::Files(files(own)))).collect();
        let alignments = files(self.alignments);
        let genders = ids().zip(self.genders).filter_map(|(id, gender)| Some((id, gender?))).collect();
        Corpus { features, further, alignments, genders, lines, doubts: self.doubts, ..make(self.utterances) }
    }
}

fn utterance(
    row: Row<'_>,
    needs_audio: bool,
    check_label: impl Fn(Row<'_>, &str) -> Result<(), CorpusError>,
) -> Result<Utterance, CorpusError> {
    let split = row.name("split")?;
    let unknown = |name: &str| CorpusError::UnknownSplit { path: row.path().into(), line: row.line(), value: name.into() };
    let split =
        split.map(|name| Split::from_name(&name).filter(|&split| split != Split::Augmented).ok_or_else(|| unknown(&name))).transpose()?;
    let label = if split == Some(Split::Unlabelled) { String::new() } else { row.required_name("label")? };
    if !label.is_empty() {
        check_label(row, &label)?;
    }
    Ok(Utterance {
        id: row.name("id")?.unwrap_or_default(),
        audio: match if needs_audio { Some(row.required_path("audio")?) } else { row.path_in("audio")? } {
            Some(audio) => root(row.path()).join(audio),
            None => PathBuf::new(),
        },
        text: row.field("text")?.unwrap_or_default(),
        label,
        split,
        speaker: row.name("speaker")?,
        session: row.name("session")?,
        dialogue: row.name("dialogue")?,
    })
}

/// The class whose name is nearest to a label that is none of them.
fn nearest_unless_in(classes: &[String], label: &str) -> Option<String> {
    let similarity = |class: &String| strsim::jaro_winkler(&class.to_lowercase(), &label.to_lowercase());
    let nearest = || classes.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b))).cloned().unwrap_or_default();
    (!classes.iter().any(|class| class == label)).then(nearest)
}

/// Checks that ids are unique and makes those that are not given.
fn name_utterances(rows: &[Row<'_>], utterances: &mut [Utterance], features: &[PathBuf]) -> Result<(), CorpusError> {
    let mut taken: HashMap<String, Row<'_>> = HashMap::new();
    for (utterance, &row) in utterances.iter().zip(rows).filter(|(utterance, _)| !utterance.id.is_empty()) {
        if let Some(first) = taken.insert(utterance.id.clone(), row) {
            let (line, first) = (row.line(), first.line());
            return Err(CorpusError::DuplicateId { path: row.path().into(), line, id: utterance.id.clone(), first });
        }
    }
    let mut uses: HashMap<String, usize> = HashMap::new();
    for (place, (utterance, &row)) in utterances.iter_mut().zip(rows).enumerate().filter(|(_, (utterance, _))| utterance.id.is_empty()) {
        let stem = folder::stem(features.get(place).unwrap_or(&utterance.audio));
        let count = uses.entry(stem.clone()).or_insert(0);
        while utterance.id.is_empty() || taken.contains_key(&utterance.id) {
            *count += 1;
            utterance.id = if *count == 1 { stem.clone() } else { format!("{stem}-{count}") };
        }
        taken.insert(utterance.id.clone(), row);
    }
    Ok(())
}
