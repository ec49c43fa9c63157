//! Word vectors from text files: GloVe's, and word2vec's and fastText's with their heading; plain, gzip or zip.
//!
//! A line is a token and its values with spaces or tabs between. Tokens may hold U+00A0 or U+0085 (white space to many a
//! reader) and in the 840B file even plain spaces, so lines are bytes, and values are counted from the right. A file of
//! millions of lines is streamed: memory follows the words that are asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead, Read};
use std::path::Path;

use super::TextError;
use super::unpack::{self, Source};
use crate::base::foreign::Foreign;
use crate::base::words::WordTable;

/// No line of vectors is as long, in bytes; what is longer is no text.
const LONGEST_LINE: u64 = 1 << 20;

/// No vectors are as wide; a packed file could else take memory as nothing of its size does.
const WIDEST: usize = 1 << 13;

/// Reads the vectors of the tokens in `wanted` that the file has; of duplicates the first counts. `archive.zip:member`
/// names a text of an archive that holds several.
///
/// Returns the tokens found, sorted, and their vectors in the same order, `[words, width]`; the width is the file's: its
/// heading's, or the first line's.
///
/// # Errors
/// [`TextError`], naming the line: another count of numbers than the file's width (checked on every line), or something
/// that is no finite number (checked in the first vector, and where the token is wanted).
pub fn read(path: &Path, wanted: &BTreeSet<String>) -> Result<(Vec<String>, WordTable), TextError> {
    unpack::open(path, |source| read_lines(source, wanted))
}

fn read_lines(mut source: Source<'_>, wanted: &BTreeSet<String>) -> Result<(Vec<String>, WordTable), TextError> {
    let head = match source.reader().fill_buf() {
        Ok(head) => Foreign::of(head),
        Err(error) => return Err(source.failed(error)),
    };
    if let Some(what) = head {
        return Err(TextError::Foreign { path: source.name, what });
    }
    let wanted: HashMap<&[u8], &str> = wanted.iter().map(|word| (word.as_bytes(), word.as_str())).collect();
    let mut found: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let mut width = None;
    let mut has_rows = false;
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        match source.reader().take(LONGEST_LINE).read_until(b'\n', &mut bytes) {
            Err(error) => return Err(source.failed(error)),
            Ok(0) => break,
            Ok(_) => (),
        }
        let line = Line { path: &source.name, number, bytes: bytes.trim_ascii_end() };
        if bytes.len() as u64 == LONGEST_LINE {
            return Err(line.no_text());
        }
        let line = if number == 1 { line.without_mark() } else { line };
        if line.bytes.is_empty() {
            continue;
        }
        if let (1, Some(announced)) = (number, line.heading()) {
            width = Some(line.bounded(Width { columns: announced, by: "its heading announces" })?);
            continue;
        }
        let width = match width {
            Some(width) => width,
            None => *width.insert(line.width()?),
        };
        let (token, values) = line.split(width)?;
        has_rows = true;
        if let Some(&token) = wanted.get(token).filter(|&token| !found.contains_key(token)) {
            found.insert(token, line.numbers(values, width)?);
        }
    }
    let Some(width) = width.filter(|_| has_rows) else { return Err(TextError::NoVectors { path: source.name }) };
    let words = found.keys().map(|&word| word.to_owned()).collect();
    Ok((words, WordTable { width: width.columns, values: found.into_values().flatten().collect() }))
}

/// How many numbers a line has, and what says so.
#[derive(Clone, Copy)]
struct Width {
    columns: usize,
    by: &'static str,
}

/// A line of the file, without its end.
struct Line<'a> {
    path: &'a Path,
    number: u64,
    bytes: &'a [u8],
}

impl<'a> Line<'a> {
    /// Without the byte-order mark that some editors put before a text.
    fn without_mark(self) -> Self {
        Self { bytes: self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.bytes), ..self }
    }

    /// What stands between white space, from the last to the first.
    fn fields_from_right(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.bytes.rsplit(parts).filter(|field| !field.is_empty())
    }

    /// The width that word2vec's first line announces: how many words, how wide.
    fn heading(&self) -> Option<usize> {
        let mut fields = self.fields_from_right();
        let is_count = |bytes: &&[u8]| bytes.iter().all(u8::is_ascii_digit);
        let width = fields.next().filter(is_count)?;
        fields.next().filter(is_count)?;
        if fields.next().is_some() {
            return None;
        }
        std::str::from_utf8(width).ok()?.parse().ok().filter(|&width| width > 0)
    }

    /// The file's width, of its first line of values; they must be numbers.
    fn width(&self) -> Result<Width, TextError> {
        let columns = self.fields_from_right().count().saturating_sub(1);
        if columns == 0 || self.is_binary() {
            return Err(self.wrong(Width { columns: 1, by: "a vector at least" }));
        }
        let width = self.bounded(Width { columns, by: "the lines before it" })?;
        self.numbers(self.split(width)?.1, width)?;
        Ok(width)
    }

    /// The width, if there are vectors that are as wide.
    fn bounded(&self, width: Width) -> Result<Width, TextError> {
        let path = || self.path.to_path_buf();
        if width.columns > WIDEST {
            return Err(TextError::TooWide { path: path(), line: self.number, width: width.columns, widest: WIDEST });
        }
        Ok(width)
    }

    /// The token and the bytes of its values.
    fn split(&self, width: Width) -> Result<(&'a [u8], &'a [u8]), TextError> {
        let gaps = self.bytes.iter().filter(|byte| parts(byte)).count();
        let start = if gaps == width.columns {
            // As nearly every line is, and found faster than by its fields.
            self.bytes.iter().position(parts).map(|gap| gap + 1)
        } else {
            let first = self.fields_from_right().nth(width.columns - 1);
            first.map(|first| first.as_ptr() as usize - self.bytes.as_ptr() as usize)
        };
        let start = start.filter(|&start| start > 0).ok_or_else(|| self.wrong(width))?;
        let (token, values) = (self.bytes[..start].trim_ascii_end(), &self.bytes[start..]);
        // A token with spaces in it is a row of 840B's; one whose last part is a number is a row of too many numbers.
        match token.iter().rposition(parts) {
            Some(last) if number(&token[last + 1..]).is_some() => Err(self.wrong(width)),
            _ => Ok((token, values)),
        }
    }

    fn numbers(&self, values: &[u8], width: Width) -> Result<Vec<f32>, TextError> {
        let fields = values.split(parts).filter(|field| !field.is_empty());
        let number = |value| number(value).filter(|x| x.is_finite()).ok_or_else(|| self.no_number(value));
        let numbers: Vec<f32> = fields.map(number).collect::<Result<_, _>>()?;
        if numbers.len() == width.columns { Ok(numbers) } else { Err(self.wrong(width)) }
    }

    fn no_number(&self, value: &[u8]) -> TextError {
        let value = String::from_utf8_lossy(value).into_owned();
        TextError::NotANumber { path: self.path.to_path_buf(), line: self.number, value }
    }

    /// The line has not the numbers that it should have, or is no text at all.
    fn wrong(&self, width: Width) -> TextError {
        if self.is_binary() {
            return self.no_text();
        }
        let Width { columns: expected, by } = width;
        let found = self.fields_from_right().count().saturating_sub(1);
        TextError::Width { path: self.path.to_path_buf(), line: self.number, found, by, expected }
    }

    fn is_binary(&self) -> bool {
        self.bytes.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t')
    }

    fn no_text(&self) -> TextError {
        let (path, line) = (self.path.to_path_buf(), self.number);
        match self.bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => TextError::NotUtf8 { path, line, coding: "UTF-16" },
            bytes if !bytes.contains(&0) && bytes.contains(&b'\r') => TextError::CarriageReturns { path, line },
            _ => TextError::NotText { path, line },
        }
    }
}

/// What stands between a token and its values.
fn parts(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn number(bytes: &[u8]) -> Option<f32> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
