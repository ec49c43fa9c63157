//! A CSV with a first line that names its columns, in UTF-8, and the line in which each record starts: every complaint
//! about one names it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ErrorKind, Position, ReaderBuilder, Trim};

use super::CorpusError;
use crate::base::input;

/// A CSV, read whole.
pub(super) struct Table {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Where each column stands.
    columns: BTreeMap<String, usize>,
    records: Vec<ByteRecord>,
}

impl Table {
    /// Reads the CSV at `path`, which must have the columns `required` and at least one record.
    pub(crate) fn read(path: &Path, required: &[&'static str]) -> Result<Self, CorpusError> {
        let bytes = input::bytes(path).map_err(|source| CorpusError::Read { path: path.into(), source })?;
        let fault = |error| fault(path, &bytes, error);
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(&bytes[..]);
        let columns = columns(path, reader.byte_headers().map_err(fault)?, required)?;
        let records = reader.into_byte_records().collect::<Result<Vec<_>, _>>().map_err(fault)?;
        if records.is_empty() {
            return Err(CorpusError::NoUtterances { path: path.into() });
        }
        Ok(Self { path: path.into(), bytes, columns, records })
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.records.iter().map(|record| Row { table: self, record })
    }
}

fn columns(path: &Path, header: &ByteRecord, required: &[&'static str]) -> Result<BTreeMap<String, usize>, CorpusError> {
    let names: Option<Vec<&str>> = header.iter().map(|name| std::str::from_utf8(name).ok()).collect();
    let names = names.ok_or_else(|| CorpusError::NotUtf8 { path: path.into(), line: 1 })?;
    let columns: BTreeMap<String, usize> = names.iter().enumerate().map(|(place, name)| ((*name).to_owned(), place)).collect();
    match required.iter().copied().find(|column| !columns.contains_key(*column)) {
        Some(column) => Err(CorpusError::MissingColumn { path: path.into(), column, found: names.join(", ") }),
        None => Ok(columns),
    }
}

/// The line of the record that starts at byte `start`. The reader's own count stands before the line ends and empty
/// lines that precede a record.
fn line(bytes: &[u8], start: u64) -> u64 {
    let start = (start as usize).min(bytes.len());
    let gap = bytes[start..].iter().take_while(|byte| b"\r\n".contains(byte)).count();
    1 + bytes[..start + gap].iter().filter(|&&byte| byte == b'\n').count() as u64
}

fn fault(path: &Path, bytes: &[u8], error: csv::Error) -> CorpusError {
    let (path, reason) = (path.into(), error.to_string());
    match error.into_kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            CorpusError::Ragged { path, line: line(bytes, pos.map_or(0, |position| position.byte())), fields: len, expected: expected_len }
        }
        _ => CorpusError::Malformed { path, reason },
    }
}

/// One record of a table.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    record: &'a ByteRecord,
}

impl<'a> Row<'a> {
    pub(crate) fn path(self) -> &'a Path {
        &self.table.path
    }

    /// The line in which the record starts.
    pub(crate) fn line(self) -> u64 {
        line(&self.table.bytes, self.record.position().map_or(0, Position::byte))
    }

    /// The field of a column that must not be empty.
    pub(crate) fn required(self, column: &'static str) -> Result<String, CorpusError> {
        self.field(column)?.ok_or_else(|| CorpusError::EmptyField { path: self.path().into(), line: self.line(), column })
    }

    /// The field of a column; `None` where it is empty or the table has no such column.
    pub(crate) fn field(self, column: &str) -> Result<Option<String>, CorpusError> {
        let bytes = self.table.columns.get(column).and_then(|&place| self.record.get(place)).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| CorpusError::NotUtf8 { path: self.path().into(), line: self.line() })?;
        Ok(if text.is_empty() { None } else { Some(text.to_owned()) })
    }
}
