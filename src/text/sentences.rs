//! Where sentences end: enough of it that the last period of each can be told from those of abbreviations.

/// Titles and abbreviations whose period does not end a sentence, in lower case and without it. "Ok." is one to Punkt,
/// NLTK's splitter: without it ten utterances of MELD's 11,098 differ, with it three.
const ABBREVIATIONS: [&str; 13] = ["mr", "mrs", "ms", "dr", "st", "jr", "sr", "prof", "vs", "a.m", "p.m", "u.s", "ok"];

/// Splits a text behind `.`, `?` or `!` (and the quotes and brackets that close with them) where white space follows.
/// Periods of [`ABBREVIATIONS`] and of initials do not split.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (gap, _) in text.char_indices().filter(|(_, letter)| letter.is_whitespace()) {
        if ends_sentence(&text[start..gap]) {
            sentences.push(&text[start..gap]);
            start = gap;
        }
    }
    sentences.push(&text[start..]);
    sentences
}

fn ends_sentence(text: &str) -> bool {
    let bare = text.trim_end_matches(['"', '\'', ')', ']', '}']);
    if bare.ends_with(['?', '!']) {
        return true;
    }
    let Some(before) = bare.strip_suffix('.') else { return false };
    let word = before.rsplit(|letter: char| letter.is_whitespace()).next().unwrap_or("");
    let word = word.trim_start_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase();
    let is_initial = word.len() == 1 && word.starts_with(char::is_alphabetic);
    !(is_initial || ABBREVIATIONS.contains(&word.as_str()))
}
