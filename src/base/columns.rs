//! Columns of a table in letters of one width: how wide a text is, and how it is cut and filled to a width.

use std::collections::HashSet;

use unicode_width::UnicodeWidthStr;

use super::shown::in_line;

/// Columns of a terminal that nobody has made wider.
pub(crate) const TERMINAL: usize = 80;

/// Columns that a text takes: wide letters two, accents of their own none.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text filled with spaces behind it.
pub(crate) fn left(text: &str, columns: usize) -> String {
    text.to_owned() + &" ".repeat(columns.saturating_sub(width(text)))
}

/// A text filled with spaces before it.
pub(crate) fn right(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text))) + text
}

/// A text in one line, cut with … where it is wider than so many columns.
pub(crate) fn shorten(text: &str, columns: usize) -> String {
    let text = in_line(text);
    if width(&text) <= columns {
        return text.into_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if width(&kept) >= columns {
            kept.pop();
            break;
        }
    }
    kept.trim_end().to_owned() + "…"
}

/// Names for places of so many columns: where some of them would be cut to the same, all have their numbers, from 1, before them.
pub(crate) fn told_apart(names: &[&str], columns: usize) -> Vec<String> {
    let short: HashSet<String> = names.iter().map(|name| shorten(name, columns)).collect();
    let is_numbered = short.len() < names.len();
    let name = |(place, name): (usize, &&str)| if is_numbered { format!("{}. {name}", place + 1) } else { (*name).to_owned() };
    names.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_filled_and_cut_by_the_columns_that_they_take() {
        assert_eq!([left("悲しい", 8), right("悲しい", 8)], ["悲しい  ", "  悲しい"]);
        assert_eq!(width(&left("e\u{301}cœur", 8)), 8);
        assert_eq!(["frustrated", "sad"].map(|name| shorten(name, 5)), ["frus…", "sad"]);
        // Half of a wide letter cannot be shown.
        assert_eq!(shorten("悲しい", 4), "悲…");
        assert_eq!(shorten("a\u{1b}[31m", 20), "a\\u001b[31m");
        assert_eq!(shorten("excited", 1), "…");
    }

    #[test]
    fn names_that_would_be_cut_to_the_same_are_numbered() {
        assert_eq!(told_apart(&["surprised, glad", "surprised, sad"], 8), ["1. surprised, glad", "2. surprised, sad"]);
        assert_eq!(told_apart(&["sad", "surprised"], 8), ["sad", "surprised"]);
    }
}
