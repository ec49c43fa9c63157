//! A vector an utterance from one table, as openSMILE writes them: CSV, parted by commas or semicolons, with a first line that names the
//! columns, or ARFF (Weka). The first column, `name`, says whose a line is; `frameTime` and what is no number by its kind are passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use csv::ReaderBuilder;
use thiserror::Error;

use crate::base::input;
use crate::base::remedy::{Remedied, Remedy};

/// The vectors of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorTable {
    rows: BTreeMap<String, Vec<f32>>,
}

/// Why a file is no such table.
#[derive(Debug, Error)]
pub enum VectorTableError {
    /// A file that cannot be read, or is no text.
    #[error("{}: cannot be read ({reason})", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
        /// What may help.
        remedy: Remedy,
    },
    /// A first line, or a list of attributes, without a column of numbers behind one that names the utterances.
    #[error("{}: has no column of numbers behind the column 'name'", path.display())]
    NoColumns {
        /// The file.
        path: PathBuf,
    },
    /// A line that has more or fewer fields.
    #[error("{}, line {line}: has {found} fields, not {expected}", path.display())]
    Fields {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// Its own.
        found: usize,
        /// As many as there are columns.
        expected: usize,
    },
    /// A field that is no finite number.
    #[error("{}, line {line}: '{value}' in column {column} is no number", path.display())]
    NoNumber {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// Its name.
        column: String,
        /// As it is written.
        value: String,
    },
    /// Two lines of one name.
    #[error("{}, line {line}: '{name}' has a line before", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// The utterance's.
        name: String,
    },
}

impl Remedied for VectorTableError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Read { remedy, .. } => vec![remedy.clone()],
            Self::NoColumns { .. } => vec![Remedy::advice("give a CSV or ARFF with a line an utterance, its name first")],
            Self::Fields { .. } | Self::NoNumber { .. } => vec![Remedy::advice("compute the table again")],
            Self::Twice { .. } => vec![Remedy::advice("give each utterance one line under its own name (openSMILE's option -instname)")],
        }
    }
}

/// What stands beside the numbers.
const PASSED_OVER: [&str; 2] = ["name", "frametime"];

impl VectorTable {
    /// Reads a table.
    ///
    /// # Errors
    /// [`VectorTableError`].
    pub fn read(path: &Path) -> Result<Self, VectorTableError> {
        let text = input::text(path).map_err(|error| VectorTableError::Read {
            path: path.into(),
            reason: error.to_string(),
            remedy: input::remedy(&error),
        })?;
        let is_arff = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('%'));
        if is_arff.is_some_and(|line| line.to_ascii_lowercase().starts_with("@relation")) { arff(path, &text) } else { csv(path, &text) }
    }

    /// The vector under an utterance's id, or under its recording's name with or without folder and ending.
    pub fn of(&self, id: &str, recording: &Path) -> Option<&[f32]> {
        let part = |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).unwrap_or_default().to_owned();
        let names = [id.to_owned(), part(recording.file_stem()), part(recording.file_name())];
        names.iter().filter(|name| !name.is_empty()).find_map(|name| self.rows.get(name)).map(Vec::as_slice)
    }

    /// Adds the fields of a line; the first is the name, of which folders and the ending `.wav` are left out.
    fn add(&mut self, path: &Path, line: u64, columns: &[(usize, &str)], fields: &[&str]) -> Result<(), VectorTableError> {
        let field = |place: usize| fields[place].trim().trim_matches(['\'', '"']);
        let name = field(0).rsplit(['/', '\\']).next().unwrap_or_default();
        let name = name.strip_suffix(".wav").unwrap_or(name).to_owned();
        let number = |&(place, column): &(usize, &str)| {
            field(place).parse().ok().filter(|value: &f32| value.is_finite()).ok_or_else(|| VectorTableError::NoNumber {
                path: path.into(),
                line,
                column: column.into(),
                value: field(place).into(),
            })
        };
        let vector = columns.iter().map(number).collect::<Result<Vec<f32>, _>>()?;
        match self.rows.insert(name.clone(), vector) {
            None => Ok(()),
            Some(_) => Err(VectorTableError::Twice { path: path.into(), line, name }),
        }
    }
}

/// The places of the columns that are numbers, where the first names the utterances.
fn numbers<'n>(path: &Path, names: &[&'n str]) -> Result<Vec<(usize, &'n str)>, VectorTableError> {
    let is_name = |name: &str| PASSED_OVER.contains(&name.to_ascii_lowercase().as_str());
    let columns: Vec<(usize, &str)> = names.iter().copied().enumerate().filter(|&(place, name)| place > 0 && !is_name(name)).collect();
    match names.first() {
        Some(first) if is_name(first.trim_start_matches('\u{feff}')) && !columns.is_empty() => Ok(columns),
        _ => Err(VectorTableError::NoColumns { path: path.into() }),
    }
}

fn csv(path: &Path, text: &str) -> Result<VectorTable, VectorTableError> {
    let delimiter = if text.lines().next().is_some_and(|line| line.contains(';')) { b';' } else { b',' };
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(text.as_bytes());
    let unread = |error: csv::Error| VectorTableError::Read { path: path.into(), reason: error.to_string(), remedy: Remedy::CheckFolder };
    let header = reader.headers().map_err(unread)?.clone();
    let names: Vec<&str> = header.iter().map(str::trim).collect();
    let columns = numbers(path, &names)?;
    let mut table = VectorTable { rows: BTreeMap::new() };
    for record in reader.records() {
        let record = record.map_err(unread)?;
        let line = record.position().map_or(0, csv::Position::line);
        let fields: Vec<&str> = record.iter().collect();
        check_fields(path, line, fields.len(), names.len())?;
        table.add(path, line, &columns, &fields)?;
    }
    Ok(table)
}

fn arff(path: &Path, text: &str) -> Result<VectorTable, VectorTableError> {
    let mut lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('%'));
    // Of what is no number only the places count.
    let mut names = Vec::new();
    for (_, line) in lines.by_ref() {
        let mut words = line.split_whitespace();
        match words.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "@attribute" => {
                let name = words.next().unwrap_or_default().trim_matches(['\'', '"']);
                let is_number =
                    words.next().is_some_and(|kind| ["numeric", "real", "integer"].contains(&kind.to_ascii_lowercase().as_str()));
                names.push(if is_number { name } else { PASSED_OVER[0] });
            }
            "@data" => break,
            _ => {}
        }
    }
    let columns = numbers(path, &names)?;
    let mut table = VectorTable { rows: BTreeMap::new() };
    for (line, text) in lines {
        let fields: Vec<&str> = text.split(',').collect();
        check_fields(path, line, fields.len(), names.len())?;
        table.add(path, line, &columns, &fields)?;
    }
    Ok(table)
}

fn check_fields(path: &Path, line: u64, found: usize, expected: usize) -> Result<(), VectorTableError> {
    if found == expected { Ok(()) } else { Err(VectorTableError::Fields { path: path.into(), line, found, expected }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<VectorTable, VectorTableError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        VectorTable::read(file.path())
    }

    #[test]
    fn what_open_smile_writes_is_read_as_csv_and_as_arff() {
        let csv = "name;frameTime;F0_sma_amean;loudness_stddev\n'wavs/a.wav';0.0;1.5;-2e-3\n'b';0.0;3;4\n";
        let arff = "@relation SMILEfeatures\n\n@attribute name string\n@attribute frameTime numeric\n@attribute F0_sma_amean numeric\n\
                    @attribute loudness_stddev numeric\n@attribute emotion {anger,joy}\n\n@data\n\n'a',0.0,1.5,-2e-3,anger\n'b',0.0,3,4,?\n";
        for text in [csv, arff, &csv.replace(';', ",")] {
            let table = read(text).unwrap();
            assert_eq!(table.of("a", Path::new("")), Some(&[1.5, -2e-3][..]));
            assert_eq!(table.of("other", Path::new("x/b.wav")), Some(&[3.0, 4.0][..]));
            assert_eq!(table.of("c", Path::new("d.wav")), None);
        }
    }

    #[test]
    fn what_is_no_such_table_is_told_with_its_line() {
        for (text, part) in [
            ("", "has no column of numbers"),
            ("a,b\n1,2\n", "has no column of numbers"),
            ("name;x\n'a';1;2\n", "line 2: has 3 fields, not 2"),
            ("name;x\n'a';?\n", "line 2: '?' in column x is no number"),
            ("name;x\n'a';1\n'w/a.wav';2\n", "line 3: 'a' has a line before"),
            ("@relation r\n@attribute name string\n@attribute x numeric\n@data\n'a',nan\n", "line 5: 'nan' in column x is no number"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
