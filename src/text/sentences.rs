//! Where sentences end: Punkt (Kiss, Strunk: "Unsupervised Multilingual Sentence Boundary Detection", Computational
//! Linguistics 32, 2006) with its English model, as NLTK's `sent_tokenize` applies it.
//!
//! `.`, `?` and `!` before white space or a closing mark may end a sentence. For a period the model knows better:
//! whether its word is an abbreviation, whether the two words around it belong together, whether the second often starts
//! sentences, and whether it has been seen in lower or upper case within them. Digits are those of ASCII.

use std::ops::Range;

use super::punkt::ENGLISH;

/// How a word was written in the model's training text, as bits.
mod seen {
    pub(crate) const UPPER_WITHIN: u8 = 1 << 2;
    pub(crate) const UPPER: u8 = 1 << 1 | UPPER_WITHIN | 1 << 3;
    pub(crate) const LOWER_AT_START: u8 = 1 << 4;
    pub(crate) const LOWER: u8 = LOWER_AT_START | 1 << 5 | 1 << 6;
}

/// The type of every number.
const NUMBER: &str = "##number##";

/// The sentences of a text, without the white space between them. Quotes and brackets that close with a sentence
/// belong to it.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for boundary in boundaries(text) {
        spans.push(start..boundary.start);
        start = boundary.end;
    }
    spans.push(start..text.trim_end().len().max(start));
    let mut taken = 0;
    let mut sentences = Vec::new();
    for (place, span) in spans.iter().enumerate() {
        let from = span.start + taken;
        let next = spans.get(place + 1);
        let closing = next.map_or("", |next| closing_marks(&text[next.clone()]));
        let end = next.filter(|_| !closing.is_empty()).map_or(span.end, |next| next.start + closing.trim_end().len());
        sentences.push(&text[from..end]);
        taken = closing.len();
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

/// The quotes and brackets at the head of `text` that close the sentence before it, with the white space behind them;
/// nothing, where a word follows at once.
fn closing_marks(text: &str) -> &str {
    let rest = text.trim_start_matches(['"', '\'', ')', ']', '}', '‘', '’', '“', '”', '«', '»']);
    let marks = text.len() - rest.len();
    let word = rest.trim_start();
    let stands_alone = rest.is_empty() || word.len() < rest.len() || rest.starts_with("--");
    if marks > 0 && stands_alone { &text[..text.len() - word.len()] } else { "" }
}

/// From the end of each sentence but the last to the start of the next.
fn boundaries(text: &str) -> Vec<Range<usize>> {
    let mut boundaries = Vec::new();
    let mut words = Vec::new();
    let candidates = candidates(text);
    for (place, candidate) in candidates.iter().enumerate() {
        // Of several marks on one word ("What?!"), the last decides.
        if candidates.get(place + 1).is_some_and(|next| next.word < candidate.mark) {
            continue;
        }
        words.clear();
        for line in text[candidate.word..candidate.context].split('\n') {
            split_words(line, &mut words);
        }
        if words.windows(2).any(|pair| ends_sentence(&pair[0], &pair[1])) {
            boundaries.push(candidate.mark + 1..candidate.next);
        }
    }
    boundaries
}

/// A `.`, `?` or `!` that may end a sentence; all in bytes.
struct Candidate {
    /// Where its word starts.
    word: usize,
    mark: usize,
    /// Where the next sentence would start.
    next: usize,
    /// Where what decides ends: behind the next word, or the closing mark that follows at once.
    context: usize,
}

fn candidates(text: &str) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (mark, _) in text.char_indices().filter(|&(_, letter)| ends(letter)) {
        let after = &text[mark + 1..];
        let next_word = after.trim_start();
        let next = text.len() - next_word.len();
        let (next, context) = match after.chars().next() {
            Some(gap) if gap.is_whitespace() && !next_word.is_empty() => {
                (next, next + next_word.find(char::is_whitespace).unwrap_or(next_word.len()))
            }
            Some(letter) if breaks_word(letter) => (mark + 1, mark + 1 + letter.len_utf8()),
            _ => continue,
        };
        let (start, from) = candidates.last().map_or((0, 0), |last| (last.word, last.mark));
        let gap = text[from..mark].rfind([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
        let word = gap.filter(|&gap| gap > 0).map_or(start, |gap| from + gap + 1);
        candidates.push(Candidate { word, mark, next, context });
    }
    candidates
}

fn ends(letter: char) -> bool {
    matches!(letter, '.' | '?' | '!')
}

/// Whether no word goes on over this mark.
fn breaks_word(letter: char) -> bool {
    ")\";}]*:@'({[‘’“”«»?!".contains(letter)
}

/// A word with the period behind it, or a mark by itself.
struct Word<'a> {
    text: &'a str,
    /// In lower case, numbers alike, the period included.
    kind: String,
}

impl<'a> Word<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, kind: if is_number(text) { NUMBER.to_owned() } else { text.to_lowercase() } }
    }

    fn is_ellipsis(&self) -> bool {
        self.text.len() > 1 && self.text.bytes().all(|byte| byte == b'.')
    }

    fn is_abbreviation(&self) -> bool {
        let Some(word) = self.text.strip_suffix('.') else { return false };
        let word = word.to_lowercase();
        let last = word.rsplit('-').next().unwrap_or_default();
        !word.ends_with('.') && (ENGLISH.is_abbreviation(&word) || ENGLISH.is_abbreviation(last))
    }

    /// A letter and a period.
    fn is_initial(&self) -> bool {
        let mut letters = self.text.chars();
        let is_letter = |letter: char| (letter.is_alphanumeric() && !letter.is_ascii_digit()) || letter == '_';
        letters.next().is_some_and(is_letter) && letters.as_str() == "."
    }

    /// Whether it ends a sentence for all that the word itself tells.
    fn seems_to_end(&self) -> bool {
        let is_mark = self.text.len() == 1 && self.text.starts_with(ends);
        is_mark || (self.text.ends_with('.') && !self.text.ends_with("..") && !self.is_abbreviation())
    }

    fn kind_without_period(&self) -> &str {
        self.kind.strip_suffix('.').filter(|kind| !kind.is_empty()).unwrap_or(&self.kind)
    }

    /// What the model knows it by: without the period where that is the sentence's.
    fn known_as(&self) -> &str {
        if self.seems_to_end() { self.kind_without_period() } else { &self.kind }
    }

    fn is_upper(&self) -> bool {
        self.text.starts_with(char::is_uppercase)
    }

    /// Whether its case tells that it starts a sentence or that it does not (section 4.1.1 of the paper).
    fn starts_sentence(&self) -> Option<bool> {
        if matches!(self.text, ";" | ":" | "," | "." | "!" | "?") {
            return Some(false);
        }
        let seen = ENGLISH.cases(self.known_as());
        if self.is_upper() && seen & seen::LOWER != 0 && seen & seen::UPPER_WITHIN == 0 {
            return Some(true);
        }
        let is_lower = self.text.starts_with(char::is_lowercase);
        (is_lower && (seen & seen::UPPER != 0 || seen & seen::LOWER_AT_START == 0)).then_some(false)
    }
}

/// `-`, one of `.,`, then digits and `.,-`: "-1,000.50" is one, "3rd" is none.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let text = text.strip_prefix(['.', ',']).unwrap_or(text);
    text.starts_with(|letter: char| letter.is_ascii_digit()) && text.bytes().all(|byte| byte.is_ascii_digit() || b".,-".contains(&byte))
}

/// Whether a sentence ends with `word`, where `next` follows (section 4 of the paper).
fn ends_sentence(word: &Word<'_>, next: &Word<'_>) -> bool {
    let seems = word.seems_to_end();
    if !word.text.ends_with('.') {
        return seems;
    }
    if ENGLISH.is_collocation(word.kind_without_period(), next.known_as()) {
        return false;
    }
    let is_initial = word.is_initial();
    let starts = next.starts_sentence();
    if (word.is_ellipsis() || word.is_abbreviation()) && !is_initial {
        return starts == Some(true) || (next.is_upper() && ENGLISH.starts_sentences(next.known_as()));
    }
    if is_initial || word.kind == NUMBER {
        let is_name = || next.is_upper() && ENGLISH.cases(next.known_as()) & seen::LOWER == 0;
        return seems && starts != Some(false) && !(starts.is_none() && is_initial && is_name());
    }
    seems
}

/// Splits a line into words and marks. A period stays with its word; two or more, and two or more hyphens, are a mark.
fn split_words<'a>(line: &'a str, words: &mut Vec<Word<'a>>) {
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match long_mark(rest) {
            0 if "(\"`{[:;&#*@)}]-,".contains(first) => first.len_utf8(),
            0 => rest.char_indices().skip(1).map(|(place, _)| place).find(|&place| word_ends(&rest[place..])).unwrap_or(rest.len()),
            length => length,
        };
        words.push(Word::new(&rest[..length]));
        rest = rest[length..].trim_start();
    }
}

/// Whether a word ends before `rest`.
fn word_ends(rest: &str) -> bool {
    let ends_at_once = |rest: &str| rest.chars().next().is_none_or(|next| next.is_whitespace() || breaks_word(next)) || long_mark(rest) > 0;
    ends_at_once(rest) || rest.strip_prefix(',').is_some_and(ends_at_once)
}

/// Bytes of the hyphens or the ellipsis (also ". . .") at the head of `rest`; 0 where there is none.
fn long_mark(rest: &str) -> usize {
    for mark in ['-', '.'] {
        let length = rest.len() - rest.trim_start_matches(mark).len();
        if length > 1 {
            return length;
        }
    }
    let (mut periods, mut end, mut tail) = (0, 0, rest);
    while let Some(after) = tail.strip_prefix('.') {
        (periods, end) = (periods + 1, rest.len() - after.len());
        let mut letters = after.chars();
        match letters.next() {
            Some(gap) if gap.is_whitespace() => tail = letters.as_str(),
            _ => break,
        }
    }
    if periods > 2 { end } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each checked with NLTK 3.10 on the same model.
    #[test]
    fn sentences_end_where_punkt_ends_them() {
        let cases = [
            ("Abbreviations", "Mr. Bing met Dr. Geller at 5 p.m.|He was late."),
            ("abbreviations within hyphens", "Ask Smith-Jr. about it.|Then go."),
            ("an abbreviation before a frequent sentence starter", "The U.S. is big.|In the U.S.|He said no."),
            ("a name that the model knows no better", "I live on Main St. Nick knows.|See fig.|3 vs. no.|4."),
            ("initials", "J. R. Tolkien wrote it.|I saw J.|He left."),
            ("numbers", "It costs 3.50.|Take 3.|4 is more.|Version 2.0.|Done."),
            ("numbers before lower case", "He is 5 ft. 3 in.|tall.|The 3. and the 4. left."),
            ("months", "It was in Sept. 1999.|Then came Oct.|The end."),
            ("ellipses", "I waited... then left... Nobody came..|Odd.|.|.|Right?"),
            ("an ellipsis before a word of either case", "What?!|No way!!|Oh...|Okay."),
            ("closing quotes and brackets", "\"Go away.\"|She left.|(It rained.)|'No.'|Fine."),
            ("quotes before a dash", "He asked, \"Why?\"|\"Because!\"|\"Oh.\"|--and left."),
            ("marks of other languages", "«Oui.»|Non."),
            ("words for which the period is part of the word", "Ok. Then go."),
            ("marks that stand alone", "Hello .|World ?|Yes"),
            ("no space", "No.1 is here.No space!Right?Yes"),
        ];
        for (what, expected) in cases {
            let text = expected.replace('|', " ").replace("\"Oh.\" --", "\"Oh.\"--");
            assert_eq!(sentences(&text).join("|"), expected, "{what}");
        }
        assert_eq!(sentences("One.\nTwo.\n\n Three. \n"), ["One.", "Two.", "Three."]);
        assert_eq!(sentences(" Hi. There "), [" Hi.", "There"]);
        assert!(sentences("").is_empty() && sentences(" \n").is_empty());
    }
}
