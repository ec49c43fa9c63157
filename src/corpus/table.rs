//! A table with a first line that names its columns, in UTF-8, and the line in which each record starts: every complaint
//! about one names it. Fields are parted by commas; by semicolons or tabs where that gives the columns that are required, or where
//! `sep=` in front says so, as spreadsheets write them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ErrorKind, Position, ReaderBuilder, Trim};

use super::CorpusError;
use super::doubt::Doubt;
use super::names::name;
use super::quotes::{self, Fault};
use crate::base::foreign::Foreign;
use crate::base::input;

/// What may part fields, the likeliest first.
const DELIMITERS: [u8; 3] = *b",;\t";

/// A table, read whole.
pub(super) struct Table {
    path: PathBuf,
    /// The columns' names as they come, and where each stands.
    names: Vec<String>,
    columns: BTreeMap<String, usize>,
    /// Each with the line in which it starts.
    records: Vec<(u64, ByteRecord)>,
    /// What of its form is hardly meant.
    pub doubts: Vec<Doubt>,
}

impl Table {
    /// Reads the table at `path`, which must have the columns `required` and at least one record, and may have those that are
    /// `known`.
    pub(crate) fn read(path: &Path, required: &[&'static str], known: &[&'static str]) -> Result<Self, CorpusError> {
        let whole = input::bytes(path).map_err(|source| CorpusError::Read { path: path.into(), source })?;
        let text = Text::of(path, &whole, required)?;
        quotes::check(text.bytes, text.delimiter, text.first).map_err(|fault| misquoted(path, fault))?;
        let fault = |error| text.fault(path, error);
        let mut reader = text.reader();
        let header = reader.byte_headers().map_err(fault)?.clone();
        let mut lines = Lines::of(&text);
        let line = lines.of_record(&header);
        let names = names(&header).ok_or_else(|| CorpusError::NotUtf8 { path: path.into(), line })?;
        let columns = columns(path, &names, line)?;
        if let Some(column) = required.iter().find(|&&column| !columns.contains_key(column)) {
            return Err(missing(path, &names, column));
        }
        let mut doubts = passed_over(path, &columns, known);
        let mut records = Vec::new();
        for record in reader.into_byte_records() {
            let record = record.map_err(fault)?;
            records.push((lines.of_record(&record), record));
        }
        if records.is_empty() {
            return Err(CorpusError::NoUtterances { path: path.into() });
        }
        doubts.extend(text.joined(&records).map(|(line, last)| Doubt::Joined { path: path.into(), line, last }));
        Ok(Self { path: path.into(), names, columns, records, doubts })
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.records.iter().map(|(line, record)| Row { table: self, line: *line, record })
    }

    /// Whether there is a column of that name.
    ///
    /// # Errors
    /// [`CorpusError::MissingColumn`] where there is one of nearly that name.
    pub(crate) fn has(&self, column: &'static str) -> Result<bool, CorpusError> {
        match self.names.iter().find(|name| is_nearly(name, column)) {
            Some(_) if !self.columns.contains_key(column) => Err(self.missing(column)),
            _ => Ok(self.columns.contains_key(column)),
        }
    }

    /// What is wrong with a table without a column.
    pub(crate) fn missing(&self, column: &'static str) -> CorpusError {
        missing(&self.path, &self.names, column)
    }
}

/// A table's bytes without what stands in front of its first record.
struct Text<'b> {
    bytes: &'b [u8],
    /// The line that they start with.
    first: u64,
    delimiter: u8,
}

impl<'b> Text<'b> {
    fn of(path: &Path, whole: &'b [u8], required: &[&'static str]) -> Result<Self, CorpusError> {
        if let Some(what) = Foreign::of(whole) {
            return Err(CorpusError::Foreign { path: path.into(), what });
        }
        if let Some(what) = other_than_utf_8(whole) {
            return Err(CorpusError::NoText { path: path.into(), what });
        }
        let bytes = whole.strip_prefix(b"\xef\xbb\xbf").unwrap_or(whole);
        let head = bytes.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
        if let Some(delimiter) = separator(head) {
            let rest = &bytes[head.len()..];
            let rest = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
            return Ok(Self { bytes: rest, first: 2, delimiter });
        }
        let with = |delimiter| Self { bytes, first: 1, delimiter };
        let found = |text: &Self| {
            let names = text.reader().byte_headers().map(names).ok().flatten().unwrap_or_default();
            required.iter().filter(|column| names.iter().any(|name| is_nearly(name, column))).count()
        };
        // The first of those that give the most, so that a column that is missing is named.
        Ok(DELIMITERS.map(with).into_iter().rev().max_by_key(found).unwrap_or(with(DELIMITERS[0])))
    }

    fn reader(&self) -> csv::Reader<&'b [u8]> {
        ReaderBuilder::new().delimiter(self.delimiter).trim(Trim::All).from_reader(self.bytes)
    }

    fn fault(&self, path: &Path, error: csv::Error) -> CorpusError {
        let (path, reason) = (path.into(), error.to_string());
        match error.into_kind() {
            ErrorKind::UnequalLengths { pos, expected_len, len } => {
                let line = Lines::of(self).at(pos.map_or(0, |position| position.byte()));
                let delimiter = match self.delimiter {
                    b';' => "semicolon",
                    b'\t' => "tab",
                    _ => "comma",
                };
                CorpusError::Ragged { path, line, fields: len, expected: expected_len, delimiter }
            }
            _ => CorpusError::Malformed { path, reason },
        }
    }

    /// First and last line of the records whose quotes go over line ends, though each of their lines has as many fields as the record.
    fn joined(&self, records: &[(u64, ByteRecord)]) -> impl Iterator<Item = (u64, u64)> {
        let start = |place: usize| records.get(place).map_or(self.bytes.len(), |(_, record)| position(record));
        records.iter().enumerate().filter_map(move |(place, (first, record))| {
            if !record.as_slice().contains(&b'\n') {
                return None;
            }
            let lines: Vec<&[u8]> = self.bytes[start(place)..start(place + 1)].trim_ascii().split(|&byte| byte == b'\n').collect();
            let is_whole = |line: &&[u8]| line.iter().filter(|&&byte| byte == self.delimiter).count() + 1 == record.len();
            lines.iter().all(is_whole).then(|| (*first, first + lines.len() as u64 - 1))
        })
    }
}

/// What a file is instead of text in UTF-8, where its bytes tell.
fn other_than_utf_8(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("is UTF-16"),
        [b'P', b'K', 3, 4, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => Some("is a workbook or an archive"),
        bytes if bytes.contains(&0) => Some("holds NUL bytes, which no text has"),
        _ => None,
    }
}

/// What `sep=;` in front of a table says, quoted or not.
fn separator(line: &[u8]) -> Option<u8> {
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [s, e, p, b'=', delimiter] if [s, e, p].map(u8::to_ascii_lowercase) == *b"sep" && delimiter.is_ascii() => Some(*delimiter),
        _ => None,
    }
}

/// The columns' names; `None` where one is not UTF-8.
fn names(header: &ByteRecord) -> Option<Vec<String>> {
    header.iter().map(|field| Some(name(std::str::from_utf8(field).ok()?))).collect()
}

/// Where each column stands.
fn columns(path: &Path, names: &[String], line: u64) -> Result<BTreeMap<String, usize>, CorpusError> {
    let mut columns = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        // A column without a name is none that is read, however many there are.
        if columns.insert(name.clone(), place).is_some() && !name.is_empty() {
            return Err(CorpusError::DuplicateColumn { path: path.into(), line, column: name.clone() });
        }
    }
    Ok(columns)
}

fn missing(path: &Path, names: &[String], column: &'static str) -> CorpusError {
    let like = names.iter().find(|name| is_nearly(name, column)).cloned();
    CorpusError::MissingColumn { path: path.into(), column, found: names.join(", "), like }
}

/// Columns that are nearly `known` ones, which are not there.
fn passed_over(path: &Path, columns: &BTreeMap<String, usize>, known: &[&'static str]) -> Vec<Doubt> {
    let absent = known.iter().filter(|&&known| !columns.contains_key(known));
    let nearly = absent.filter_map(|known| Some((*known, columns.keys().find(|name| is_nearly(name, known))?)));
    nearly.map(|(known, column)| Doubt::PassedOver { path: path.into(), column: column.clone(), known }).collect()
}

/// Whether a column's name is another by case alone, or by an `s` at its end.
fn is_nearly(name: &str, known: &str) -> bool {
    let name = name.to_lowercase();
    let known = known.to_lowercase();
    name == known || name.strip_suffix('s') == Some(&known)
}

fn misquoted(path: &Path, fault: Fault) -> CorpusError {
    let path = path.into();
    match fault {
        Fault::TextBehind { opened, closed } => CorpusError::TextBehindQuote { path, line: opened, closed },
        Fault::NeverClosed { opened } => CorpusError::QuoteNotClosed { path, line: opened },
    }
}

/// Where a record starts, in bytes.
fn position(record: &ByteRecord) -> usize {
    record.position().map_or(0, Position::byte) as usize
}

/// Counts lines, for places that rise.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
    line: u64,
}

impl<'b> Lines<'b> {
    fn of(text: &Text<'b>) -> Self {
        Self { bytes: text.bytes, at: 0, line: text.first }
    }

    /// The line of a record.
    fn of_record(&mut self, record: &ByteRecord) -> u64 {
        self.at(position(record) as u64)
    }

    /// The line of the record that starts at a byte. The reader's own count stands before the line ends and empty lines that
    /// precede a record.
    fn at(&mut self, start: u64) -> u64 {
        let start = (start as usize).min(self.bytes.len());
        let gap = self.bytes[start..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let end = start + gap;
        let ends_line = |&place: &usize| match self.bytes[place] {
            b'\n' => true,
            b'\r' => self.bytes.get(place + 1) != Some(&b'\n'),
            _ => false,
        };
        self.line += (self.at.min(end)..end).filter(ends_line).count() as u64;
        self.at = end;
        self.line
    }
}

/// One record of a table.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    line: u64,
    record: &'a ByteRecord,
}

impl<'a> Row<'a> {
    pub(crate) fn path(self) -> &'a Path {
        &self.table.path
    }

    /// The line in which the record starts.
    pub(crate) fn line(self) -> u64 {
        self.line
    }

    /// The name (see [`name`]) in a column, which must not be empty.
    pub(crate) fn required_name(self, column: &'static str) -> Result<String, CorpusError> {
        self.name(column)?.ok_or_else(|| self.empty(column))
    }

    /// The path in a column, which must not be empty. Its letters are left as they are: file systems differ in what is one name.
    pub(crate) fn required_path(self, column: &'static str) -> Result<String, CorpusError> {
        self.path_in(column)?.ok_or_else(|| self.empty(column))
    }

    /// The path in a column, without white space at its ends.
    pub(crate) fn path_in(self, column: &str) -> Result<Option<String>, CorpusError> {
        Ok(self.field(column)?.map(|field| field.trim().to_owned()).filter(|path| !path.is_empty()))
    }

    fn empty(self, column: &'static str) -> CorpusError {
        CorpusError::EmptyField { path: self.path().into(), line: self.line(), column }
    }

    /// The field of a column; `None` where it is empty or the table has no such column.
    pub(crate) fn field(self, column: &str) -> Result<Option<String>, CorpusError> {
        let bytes = self.table.columns.get(column).and_then(|&place| self.record.get(place)).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| CorpusError::NotUtf8 { path: self.path().into(), line: self.line() })?;
        Ok(if text.is_empty() { None } else { Some(text.to_owned()) })
    }

    /// As [`Row::field`], of a name (see [`name`]).
    pub(crate) fn name(self, column: &str) -> Result<Option<String>, CorpusError> {
        Ok(self.field(column)?.map(|field| name(&field)).filter(|name| !name.is_empty()))
    }
}
