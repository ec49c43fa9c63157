//! A corpus listed in a CSV: UTF-8, with a first line that names the columns.
//!
//! `audio`, `text` and `label` are required; `id`, `split` (train, validation, test or empty), `speaker`, `session` and
//! `dialogue` are optional; other columns are passed over. Paths are relative to the CSV.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use csv::{ByteRecord, ErrorKind, Position, ReaderBuilder, Trim};

use super::{Corpus, CorpusError, Split, Utterance};

/// Reads the manifest at `path`; the corpus is named after the file. Recordings are not looked at.
///
/// An utterance without an id is named after its recording, with a number where that name is taken.
///
/// # Errors
/// [`CorpusError`]: a file or line that cannot be understood; the first one ends the reading.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    let bytes = fs::read(path).map_err(|source| CorpusError::Read { path: path.into(), source })?;
    let source = Source { path, bytes: &bytes };
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(source.bytes);
    let columns = Columns::of(path, reader.byte_headers().map_err(|error| source.error(error))?)?;
    let mut utterances = Vec::new();
    let mut starts = Vec::new();
    for record in reader.into_byte_records() {
        let record = record.map_err(|error| source.error(error))?;
        let row = Row { source: &source, columns: &columns, record: &record, start: record.position().map_or(0, Position::byte) };
        utterances.push(row.utterance()?);
        starts.push(row.start);
    }
    if utterances.is_empty() {
        return Err(CorpusError::NoUtterances { path: path.into() });
    }
    name_utterances(&source, &mut utterances, &starts)?;
    let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok(Corpus::new(name, path.parent().unwrap_or(Path::new("")), utterances))
}

/// The manifest as it lies on the disk.
struct Source<'a> {
    path: &'a Path,
    bytes: &'a [u8],
}

impl Source<'_> {
    /// The line of the record that starts at byte `start`. The reader's own count stands before the line ends and
    /// empty lines that precede a record.
    fn line(&self, start: u64) -> u64 {
        let start = (start as usize).min(self.bytes.len());
        let gap = self.bytes[start..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
        1 + self.bytes[..start + gap].iter().filter(|&&byte| byte == b'\n').count() as u64
    }

    fn error(&self, error: csv::Error) -> CorpusError {
        let (path, reason) = (self.path.into(), error.to_string());
        match error.into_kind() {
            ErrorKind::UnequalLengths { pos, expected_len, len } => CorpusError::Ragged {
                path,
                line: self.line(pos.map_or(0, |position| position.byte())),
                fields: len,
                expected: expected_len,
            },
            _ => CorpusError::Malformed { path, reason },
        }
    }
}

/// Where each column stands.
struct Columns(BTreeMap<String, usize>);

impl Columns {
    fn of(path: &Path, header: &ByteRecord) -> Result<Self, CorpusError> {
        let names: Option<Vec<&str>> = header.iter().map(|name| std::str::from_utf8(name).ok()).collect();
        let names = names.ok_or_else(|| CorpusError::NotUtf8 { path: path.into(), line: 1 })?;
        let columns = Self(names.iter().enumerate().map(|(place, name)| ((*name).to_owned(), place)).collect());
        match ["audio", "text", "label"].into_iter().find(|column| !columns.0.contains_key(*column)) {
            Some(column) => Err(CorpusError::MissingColumn { path: path.into(), column, found: names.join(", ") }),
            None => Ok(columns),
        }
    }
}

/// One line of the manifest.
struct Row<'a> {
    source: &'a Source<'a>,
    columns: &'a Columns,
    record: &'a ByteRecord,
    /// Where the record starts, in bytes.
    start: u64,
}

impl Row<'_> {
    fn utterance(&self) -> Result<Utterance, CorpusError> {
        let path = self.source.path;
        let split = self.field("split")?;
        let unknown = |name: &str| CorpusError::UnknownSplit { path: path.into(), line: self.line(), value: name.into() };
        let split = split.map(|name| Split::from_name(&name).ok_or_else(|| unknown(&name))).transpose()?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Utterance {
            id: self.field("id")?.unwrap_or_default(),
            audio: folder.join(self.required("audio")?),
            text: self.field("text")?.unwrap_or_default(),
            label: self.required("label")?,
            split,
            speaker: self.field("speaker")?,
            session: self.field("session")?,
            dialogue: self.field("dialogue")?,
        })
    }

    fn line(&self) -> u64 {
        self.source.line(self.start)
    }

    fn required(&self, column: &'static str) -> Result<String, CorpusError> {
        self.field(column)?.ok_or_else(|| CorpusError::EmptyField { path: self.source.path.into(), line: self.line(), column })
    }

    /// The field of a column; `None` where it is empty or the manifest has no such column.
    fn field(&self, column: &str) -> Result<Option<String>, CorpusError> {
        let bytes = self.columns.0.get(column).and_then(|&place| self.record.get(place)).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| CorpusError::NotUtf8 { path: self.source.path.into(), line: self.line() })?;
        Ok(if text.is_empty() { None } else { Some(text.to_owned()) })
    }
}

/// Checks that ids are unique and makes those that are not given.
fn name_utterances(source: &Source<'_>, utterances: &mut [Utterance], starts: &[u64]) -> Result<(), CorpusError> {
    let mut taken: HashMap<String, u64> = HashMap::new();
    for (utterance, &start) in utterances.iter().zip(starts).filter(|(utterance, _)| !utterance.id.is_empty()) {
        if let Some(first) = taken.insert(utterance.id.clone(), start) {
            let (line, first) = (source.line(start), source.line(first));
            return Err(CorpusError::DuplicateId { path: source.path.into(), line, id: utterance.id.clone(), first });
        }
    }
    let mut uses: HashMap<String, usize> = HashMap::new();
    for (utterance, &start) in utterances.iter_mut().zip(starts).filter(|(utterance, _)| utterance.id.is_empty()) {
        let stem = utterance.audio.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let count = uses.entry(stem.clone()).or_insert(0);
        while utterance.id.is_empty() || taken.contains_key(&utterance.id) {
            *count += 1;
            utterance.id = if *count == 1 { stem.clone() } else { format!("{stem}-{count}") };
        }
        taken.insert(utterance.id.clone(), start);
    }
    Ok(())
}
