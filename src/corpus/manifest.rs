//! A corpus listed in a CSV: UTF-8, with a first line that names the columns.
//!
//! `audio`, `text` and `label` are required; `id`, `split` (train, validation, test or empty), `speaker`, `session` and
//! `dialogue` are optional; other columns are passed over. Paths are relative to the CSV.

use std::collections::HashMap;
use std::path::Path;

use super::table::{Row, Table};
use super::{Corpus, CorpusError, Split, Utterance, folder};

/// Reads the manifest at `path`; the corpus is named after the file. Recordings are not looked at.
///
/// The classes are the labels that occur, sorted. An utterance without an id is named after its recording, with a number
/// where that name is taken.
///
/// # Errors
/// [`CorpusError`]: a file or line that cannot be understood; the first one ends the reading.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    let utterances = utterances(path, |_, _| Ok(()))?;
    Ok(Corpus::new(folder::stem(path), root(path), utterances))
}

/// As [`read`], with these classes, sorted, of which each label must be one.
///
/// # Errors
/// Those of [`read`], and the first label that is none of the classes, with the nearest.
pub fn read_with_classes(path: &Path, classes: &[String]) -> Result<Corpus, CorpusError> {
    let check = |row: Row<'_>, label: &str| match nearest_unless_in(classes, label) {
        Some(nearest) => Err(CorpusError::NoSuchClass { path: row.path().into(), line: row.line(), label: label.into(), nearest }),
        None => Ok(()),
    };
    Ok(Corpus::with_classes(folder::stem(path), root(path), classes, utterances(path, check)?))
}

/// The folder that recordings are relative to.
fn root(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The utterances of the lines, each label checked in its turn.
fn utterances(path: &Path, check_label: impl Fn(Row<'_>, &str) -> Result<(), CorpusError>) -> Result<Vec<Utterance>, CorpusError> {
    let table = Table::read(path, &["audio", "text", "label"])?;
    let rows: Vec<Row<'_>> = table.rows().collect();
    let mut utterances: Vec<Utterance> = rows.iter().map(|&row| utterance(row, &check_label)).collect::<Result<_, _>>()?;
    name_utterances(&rows, &mut utterances)?;
    Ok(utterances)
}

fn utterance(row: Row<'_>, check_label: impl Fn(Row<'_>, &str) -> Result<(), CorpusError>) -> Result<Utterance, CorpusError> {
    let split = row.field("split")?;
    let unknown = |name: &str| CorpusError::UnknownSplit { path: row.path().into(), line: row.line(), value: name.into() };
    let split = split.map(|name| Split::from_name(&name).ok_or_else(|| unknown(&name))).transpose()?;
    let label = row.required("label")?;
    check_label(row, &label)?;
    Ok(Utterance {
        id: row.field("id")?.unwrap_or_default(),
        audio: root(row.path()).join(row.required("audio")?),
        text: row.field("text")?.unwrap_or_default(),
        label,
        split,
        speaker: row.field("speaker")?,
        session: row.field("session")?,
        dialogue: row.field("dialogue")?,
    })
}

/// The class whose name is nearest to a label that is none of them.
fn nearest_unless_in(classes: &[String], label: &str) -> Option<String> {
    let similarity = |class: &String| strsim::jaro_winkler(&class.to_lowercase(), &label.to_lowercase());
    let nearest = || classes.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b))).cloned().unwrap_or_default();
    (!classes.iter().any(|class| class == label)).then(nearest)
}

/// Checks that ids are unique and makes those that are not given.
fn name_utterances(rows: &[Row<'_>], utterances: &mut [Utterance]) -> Result<(), CorpusError> {
    let mut taken: HashMap<String, Row<'_>> = HashMap::new();
    for (utterance, &row) in utterances.iter().zip(rows).filter(|(utterance, _)| !utterance.id.is_empty()) {
        if let Some(first) = taken.insert(utterance.id.clone(), row) {
            let (line, first) = (row.line(), first.line());
            return Err(CorpusError::DuplicateId { path: row.path().into(), line, id: utterance.id.clone(), first });
        }
    }
    let mut uses: HashMap<String, usize> = HashMap::new();
    for (utterance, &row) in utterances.iter_mut().zip(rows).filter(|(utterance, _)| utterance.id.is_empty()) {
        let stem = folder::stem(&utterance.audio);
        let count = uses.entry(stem.clone()).or_insert(0);
        while utterance.id.is_empty() || taken.contains_key(&utterance.id) {
            *count += 1;
            utterance.id = if *count == 1 { stem.clone() } else { format!("{stem}-{count}") };
        }
        taken.insert(utterance.id.clone(), row);
    }
    Ok(())
}
