//! `mcsan tokens`: a line of JSON for each text, whether or not `--json` asks for it.

use std::collections::HashSet;
use std::process::ExitCode;

use serde::Serialize;

use super::Done;
use super::arguments::{Tokens, vectors};
use super::streams::print_data;
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
        texts = text::read_lines(list)?;
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
