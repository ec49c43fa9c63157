//! Word vectors from text files: GloVe's, and word2vec's with its heading.
//!
//! A line is a token and its values with one space between. Tokens may hold U+00A0 or U+0085 (white space to many a
//! reader) and in the 840B file even plain spaces, so lines are bytes, and values are counted from the right. A file of
//! millions of lines is streamed: memory follows the words that are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::TextError;
use crate::dataset::WordTable;

/// Magic numbers of packed files.
const PACKED: [(&[u8], &str); 3] = [(b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip"), (b"BZh", "bzip2")];

/// Reads the vectors of the tokens in `wanted` that the file has; of duplicates the first counts.
///
/// Returns the tokens found, sorted, and their vectors in the same order, `[words, width]`; the width is the file's.
///
/// # Errors
/// [`TextError`], naming the line: another count of numbers than the first line's (checked on every line), or something
/// that is no finite number (checked where the token is wanted).
pub fn read(path: &Path, wanted: &BTreeSet<String>) -> Result<(Vec<String>, WordTable), TextError> {
    let failed = |source| TextError::Read { path: path.to_path_buf(), source };
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
    let head = reader.fill_buf().map_err(failed)?;
    if let Some((_, kind)) = PACKED.into_iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(TextError::Packed { path: path.to_path_buf(), kind });
    }
    let mut found: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let mut width = None;
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
            break;
        }
        let line = Line { path, number, bytes: bytes.trim_ascii_end() };
        if line.bytes.is_empty() || (number == 1 && line.is_heading()) {
            continue;
        }
        let width = *width.get_or_insert_with(|| line.spaces());
        let (token, values) = line.split(width)?;
        let token = std::str::from_utf8(token).ok().and_then(|token| wanted.get(token));
        if let Some(token) = token.filter(|token| !found.contains_key(token.as_str())) {
            found.insert(token, line.numbers(values)?);
        }
    }
    let width = width.ok_or_else(|| TextError::NoVectors { path: path.to_path_buf() })?;
    let words = found.keys().map(|&word| word.to_owned()).collect();
    Ok((words, WordTable { width, values: found.into_values().flatten().collect() }))
}

/// A line of the file, without its end.
struct Line<'a> {
    path: &'a Path,
    number: u64,
    bytes: &'a [u8],
}

impl<'a> Line<'a> {
    fn spaces(&self) -> usize {
        self.bytes.iter().filter(|&&byte| byte == b' ').count()
    }

    /// Whether this is word2vec's first line: how many words, how wide.
    fn is_heading(&self) -> bool {
        self.spaces() == 1 && self.bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b' ')
    }

    /// The token and the bytes of its values.
    fn split(&self, width: usize) -> Result<(&'a [u8], &'a [u8]), TextError> {
        let spaces = self.spaces();
        let wrong = |found| TextError::Width { path: self.path.to_path_buf(), line: self.number, found, expected: width };
        if width == 0 || spaces < width {
            return Err(wrong(spaces));
        }
        let mut gaps = self.bytes.iter().enumerate().filter(|&(_, &byte)| byte == b' ').map(|(place, _)| place);
        let Some(gap) = gaps.nth(spaces - width) else { return Err(wrong(spaces)) };
        let (token, values) = (&self.bytes[..gap], &self.bytes[gap + 1..]);
        // A token with spaces in it is a row of 840B's; one whose last part is a number is a row of too many numbers.
        match token.iter().rposition(|&byte| byte == b' ') {
            Some(last) if number(&token[last + 1..]).is_some() => Err(wrong(spaces)),
            _ => Ok((token, values)),
        }
    }

    fn numbers(&self, values: &[u8]) -> Result<Vec<f32>, TextError> {
        let wrong = |value: &[u8]| {
            let value = String::from_utf8_lossy(value).into_owned();
            TextError::NotANumber { path: self.path.to_path_buf(), line: self.number, value }
        };
        values.split(|&byte| byte == b' ').map(|value| number(value).filter(|x| x.is_finite()).ok_or_else(|| wrong(value))).collect()
    }
}

fn number(bytes: &[u8]) -> Option<f32> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
