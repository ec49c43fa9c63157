//! `mcsan tokens`: a line of JSON for each text, whether or not `--json` asks for it.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::arguments::{Tokens, vectors};
use super::streams::print_data;
use super::{Done, Failure};
use crate::base::foreign::Foreign;
use crate::base::input;
use crate::text::{self, tokenise};

/// A text's line where vectors are given.
#[derive(Serialize)]
struct Line<'a> {
    tokens: &'a [String],
    /// The words without a vector, each once, as they come.
    missing: Vec<&'a str>,
}

pub(crate) fn run(arguments: &Tokens) -> Done {
    let mut texts: Vec<String> = arguments.text.iter().cloned().collect();
    if let Some(list) = &arguments.list {
        texts = read_list(list)?;
    }
    let tokens: Vec<Vec<String>> = texts.iter().map(|text| tokenise(text)).collect();
    let Some(vectors) = vectors(&arguments.vectors) else {
        for tokens in &tokens {
            print_data(&serde_json::to_string(tokens)?);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let lacking = text::lacking(vectors, tokens.iter().flatten())?;
    for tokens in &tokens {
        let mut named = HashSet::new();
        let missing = tokens.iter().map(String::as_str).filter(|&word| lacking.contains(word) && named.insert(word)).collect();
        print_data(&serde_json::to_string(&Line { tokens, missing })?);
    }
    Ok(ExitCode::SUCCESS)
}

/// The texts of a file, one a line; all of it is read before anything is printed.
fn read_list(path: &Path) -> Result<Vec<String>, Failure> {
    let unreadable = |error| Failure(format!("{}: cannot be read ({error}); {}", path.display(), input::remedy(&error)));
    let bytes = input::bytes(path).map_err(unreadable)?;
    if let Some(what) = Foreign::of(&bytes) {
        return Err(Failure(format!("{}: {what}; {}", path.display(), what.mend())));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    // Old Macintoshes end lines with carriage returns alone.
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    let read = |(place, line): (usize, &[u8])| {
        let text = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok().filter(|text| !text.contains('\0'));
        let place = place + 1;
        text.map(str::to_owned).ok_or_else(|| Failure(format!("{}, line {place}: is not UTF-8; save the file as UTF-8", path.display())))
    };
    bytes.strip_suffix(&[end]).unwrap_or(bytes).split(|&byte| byte == end).enumerate().map(read).collect()
}
