//! Names that tables give: labels, speakers, ids. Two that people take for one are one, or said to be alike.

use std::collections::BTreeMap;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

/// Most names that are taken down of a set that is alike, and most sets.
const TAKEN: usize = 20;

/// A name as it is compared and kept: composed (NFC), without the white space and invisible characters at its ends that
/// spreadsheets and web pages put there.
pub(crate) fn name(text: &str) -> String {
    text.trim_matches(is_blank).nfc().collect()
}

/// White space, and what has no width.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

/// What names have in common that look alike: everything but case, white space, width and the way a number is written.
fn key(name: &str) -> String {
    let letters: String = name.nfkc().filter(|&letter| !is_blank(letter)).flat_map(char::to_lowercase).collect();
    let is_number = letters.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    match letters.parse::<f64>() {
        Ok(number) if is_number && number.is_finite() => number.to_string(),
        _ => letters,
    }
}

/// A name of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// How many lines have it.
    pub count: usize,
    /// The first of them.
    pub line: u64,
}

/// The sets of different names that look alike.
pub(super) fn alike<'n>(names: impl Iterator<Item = (&'n str, u64)>) -> Vec<Vec<Named>> {
    let mut found: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for (name, line) in names {
        found.entry(name).or_insert((0, line)).0 += 1;
    }
    let mut sets: BTreeMap<String, Vec<Named>> = BTreeMap::new();
    for (name, (count, line)) in found {
        sets.entry(key(name)).or_default().push(Named { name: name.to_owned(), count, line });
    }
    let mut sets: Vec<Vec<Named>> = sets.into_values().filter(|set| set.len() > 1).take(TAKEN).collect();
    for set in &mut sets {
        set.sort_by_key(|named| named.line);
        set.truncate(TAKEN);
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_composed_and_bare_of_what_is_not_seen() {
        for written in ["caf\u{e9}", "cafe\u{301}", "\u{a0}cafe\u{301}\u{200b}", "\u{feff}caf\u{e9}\u{3000} "] {
            assert_eq!(name(written), "caf\u{e9}");
        }
        assert_eq!(name("very  Happy"), "very  Happy");
    }

    #[test]
    fn names_that_look_alike_are_told_with_their_lines() {
        let names = ["Happy", "sad", "happy", "hap\u{200b}py", "1", "1.0", "2", "01", "very sad", "very\u{a0}\u{a0}Sad", "happy", "nan"];
        let sets = alike(names.into_iter().zip(2..));
        let told: Vec<Vec<(&str, usize, u64)>> =
            sets.iter().map(|set| set.iter().map(|named| (named.name.as_str(), named.count, named.line)).collect()).collect();
        assert_eq!(
            told,
            [
                vec![("1", 1, 6), ("1.0", 1, 7), ("01", 1, 9)],
                vec![("Happy", 1, 2), ("happy", 2, 4), ("hap\u{200b}py", 1, 5)],
                vec![("very sad", 1, 10), ("very\u{a0}\u{a0}Sad", 1, 11)],
            ]
        );
    }
}
