//! Texts of a file, one a line.

use std::path::Path;

use super::TextError;
use crate::base::foreign::Foreign;
use crate::base::input;

/// Reads texts that stand one a line, in UTF-8, all of them before any is used.
///
/// # Errors
/// [`TextError`]: the file cannot be read, is another in its place, or a line is not UTF-8.
pub fn read_lines(path: &Path) -> Result<Vec<String>, TextError> {
    let bytes = input::bytes(path).map_err(|source| TextError::Read { path: path.into(), source })?;
    if let Some(what) = Foreign::of(&bytes) {
        return Err(TextError::Foreign { path: path.into(), what });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    // Old Macintoshes end lines with carriage returns alone.
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    let read = |(place, line): (usize, &[u8])| {
        let text = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok().filter(|text| !text.contains('\0'));
        text.map(str::to_owned).ok_or_else(|| TextError::LineNotUtf8 { path: path.into(), line: place as u64 + 1 })
    };
    bytes.strip_suffix(&[end]).unwrap_or(bytes).split(|&byte| byte == end).enumerate().map(read).collect()
}
