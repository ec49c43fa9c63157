//! What people read: shares of one as per cent, and texts of others, of which no name, label or transcript moves a terminal's
//! cursor, colours it, or turns the direction of what stands beside it.

use std::borrow::Cow;
use std::fmt::Write;

/// A share of one in per cent, as people read it everywhere; — where there is none.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", 100.0 * share) } else { "—".into() }
}

/// Whether a character is no letter but an order: a control character, a line separator, or one that sets the direction of
/// writing (Unicode TR 9; "Trojan Source", Boucher and Anderson 2021).
pub(crate) fn is_order(character: char) -> bool {
    let directs = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || directs || matches!(character, '\u{2028}' | '\u{2029}')
}

/// A text of one line, its orders written out as JSON does: `\u001b`.
pub(crate) fn in_line(text: &str) -> Cow<'_, str> {
    written_out(text, is_order)
}

/// The same of several lines: line feeds and tabs stay. A JSON document stays what it was, since it has orders within strings alone.
pub(crate) fn in_lines(text: &str) -> Cow<'_, str> {
    written_out(text, |character| is_order(character) && !matches!(character, '\n' | '\t'))
}

fn written_out(text: &str, is_written: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_written) {
        return text.into();
    }
    let mut written = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_written(character) {
            // Writing to a string cannot fail.
            let _ = write!(written, "\\u{:04x}", u32::from(character));
        } else {
            written.push(character);
        }
    }
    written.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_written_out_and_letters_stay() {
        assert_eq!(in_line("a\u{1b}[31mred\u{9b}0m\r\n"), "a\\u001b[31mred\\u009b0m\\u000d\\u000a");
        assert_eq!(in_line("\u{202e}dalg\u{2069} \u{200f}"), "\\u202edalg\\u2069 \\u200f");
        for text in ["glad", "غاضب", "สุข", "👩\u{200d}🎤", "می\u{200c}خواهم", "e\u{301}"] {
            assert!(matches!(in_line(text), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(in_lines("a\tb\n\u{7}"), "a\tb\n\\u0007");
    }

    #[test]
    fn a_document_that_is_shown_is_the_document() {
        let document = serde_json::json!({ "name": "\u{1b}]0;x\u{7}\u{7f}\u{9b}\u{202e}\n" });
        let text = format!("{document:#}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&in_lines(&text)).unwrap(), document);
        assert!(!in_lines(&text).contains(|character| is_order(character) && character != '\n'));
    }
}
