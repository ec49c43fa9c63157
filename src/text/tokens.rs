//! Tokens as NLTK's `word_tokenize` makes them: quotes are made uniform, Punkt splits the text into sentences, and each
//! goes through the rules of the Penn Treebank's tokeniser (Robert MacIntyre's) in the form of NLTK's
//! `NLTKWordTokenizer`, in its order.
//!
//! Its rules that change nothing after these are left out: a second one for the final period, brackets as `-LRB-`.

use super::rewrite::{Text, at_boundary, in_word, stands, stands_in_any_case};
use super::sentences::sentences;

/// Words that are one in writing and two in the vocabulary.
const CONTRACTIONS: [(&str, &str); 8] =
    [("can", "not"), ("d", "'ye"), ("gim", "me"), ("gon", "na"), ("got", "ta"), ("lem", "me"), ("more", "'n"), ("wan", "na")];
/// Letters after an apostrophe that is no opening quote.
const CLITICS: [&str; 8] = ["re", "ve", "ll", "m", "t", "s", "d", "n"];
const SHORT_ENDINGS: [&str; 7] = ["'s", "'S", "'m", "'M", "'d", "'D", "'"];
const LONG_ENDINGS: [&str; 8] = ["'ll", "'LL", "'re", "'RE", "'ve", "'VE", "n't", "N'T"];

/// The tokens of a transcript. Opening double quotes become ` `` `, closing ones `''`.
pub fn tokenise(text: &str) -> Vec<String> {
    sentences(&normalise(text)).into_iter().flat_map(tokenise_sentence).collect()
}

/// Windows' code page 1252 where it differs from Latin-1: what the control characters U+0080 to U+009F stand for in texts that were
/// taken for Latin-1, as older transcripts were. Five stand for nothing and are themselves.
const CODE_PAGE_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', //
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Typographic quotes, ellipses and dashes as a typewriter has them, be they those of old encodings.
fn normalise(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    for letter in text.chars() {
        let meant = match letter {
            '\u{80}'..='\u{9f}' => CODE_PAGE_1252[letter as usize - 0x80],
            other => other,
        };
        match meant {
            '\u{2018}' | '\u{2019}' => normal.push('\''),
            '\u{201C}' | '\u{201D}' => normal.push('"'),
            '\u{2026}' => normal.push_str("..."),
            '\u{2014}' => normal.push_str("--"),
            '\u{2013}' => normal.push('-'),
            other => normal.push(other),
        }
    }
    normal
}

fn tokenise_sentence(sentence: &str) -> Vec<String> {
    let mut text = Text::new(sentence);
    open_quotes(&mut text);
    split_punctuation(&mut text);
    text.pad_each("[](){}<>");
    text.pad(|rest| if stands(rest, 0, "--") { 2 } else { 0 });
    text.surround();
    close_quotes(&mut text);
    split_endings(&mut text);
    split_contractions(&mut text);
    text.words()
}

fn open_quotes(text: &mut Text) {
    text.pad(|rest| match rest[0] {
        '«' | '“' | '‘' | '„' => 1,
        _ => rest.iter().take_while(|&&letter| letter == '`').count(),
    });
    text.rewrite(|text, at| (at == 0 && text[0] == '"').then(|| (1, "``".into())));
    text.pad(|rest| if stands(rest, 0, "``") { 2 } else { 0 });
    text.rewrite(|text, at| {
        let quote = ["\"", "''"].into_iter().find(|quote| stands(text, at + 1, quote))?;
        " ([{<".contains(text[at]).then(|| (1 + quote.len(), format!("{} `` ", text[at])))
    });
    text.rewrite(|text, at| {
        let opens = text[at] == '\'' && !(at > 0 && in_word(text, at - 1)) && in_word(text, at + 1);
        let is_clitic = |letters: &&str| stands_in_any_case(text, at + 1, letters) && at_boundary(text, at + 1 + letters.len());
        (opens && !CLITICS.iter().any(is_clitic)).then(|| (1, "' ".into()))
    });
}

fn split_punctuation(text: &mut Text) {
    text.split_final_period();
    // The character behind a comma goes with it: of two commas in a row, the second stays where it is.
    text.rewrite(|text, at| {
        let next = text.get(at + 1).filter(|next| ":,".contains(text[at]) && !next.is_ascii_digit())?;
        Some((2, format!(" {} {next}", text[at])))
    });
    text.pad(|rest| usize::from(rest.len() == 1 && ":,".contains(rest[0])));
    text.pad(|rest| match rest.iter().take_while(|&&letter| letter == '.').count() {
        1 => 0,
        ellipsis => ellipsis,
    });
    text.pad_each(";@#$%&\u{2012}\u{2013}\u{2014}\u{2015}?!");
    text.rewrite(|text, at| (text[at] != '\'' && stands(text, at + 1, "' ")).then(|| (3, format!("{} ' ", text[at]))));
    text.pad_each("*");
}

fn close_quotes(text: &mut Text) {
    text.pad_each("»”’");
    text.pad(|rest| if stands(rest, 0, "''") { 2 } else { 0 });
    text.rewrite(|text, at| (text[at] == '"').then(|| (1, " '' ".into())));
}

/// Possessives and shortened verbs, from the word that they end.
fn split_endings(text: &mut Text) {
    text.rewrite(|text, at| match text[at..].iter().take_while(|letter| letter.is_whitespace()).count() {
        0 => None,
        gap => Some((gap, " ".into())),
    });
    for endings in [&SHORT_ENDINGS[..], &LONG_ENDINGS[..]] {
        text.rewrite(|text, at| {
            let ends_word = |ending: &&&str| stands(text, at + 1, ending) && stands(text, at + 1 + ending.len(), " ");
            let ending = endings.iter().find(ends_word).filter(|_| !"' ".contains(text[at]))?;
            Some((ending.len() + 2, format!("{} {ending} ", text[at])))
        });
    }
}

fn split_contractions(text: &mut Text) {
    let letters = |text: &[char], from: usize, to: usize| text[from..to].iter().collect::<String>();
    for (first, second) in CONTRACTIONS {
        text.rewrite(|text, at| {
            let (middle, end) = (at + first.len(), at + first.len() + second.len());
            let is_whole = stands_in_any_case(text, at, first)
                && stands_in_any_case(text, middle, second)
                && at_boundary(text, at)
                && at_boundary(text, end)
                // Of "wanna" alone, a following apostrophe makes another word.
                && (first != "wan" || text.get(end).is_none_or(|next| next.is_whitespace()));
            is_whole.then(|| (end - at, format!(" {} {} ", letters(text, at, middle), letters(text, middle, end))))
        });
    }
    for second in ["is", "was"] {
        text.rewrite(|text, at| {
            let end = at + 3 + second.len();
            let is_whole = stands_in_any_case(text, at, " 't") && stands_in_any_case(text, at + 3, second) && at_boundary(text, end);
            is_whole.then(|| (end - at, format!(" {} {} ", letters(text, at + 1, at + 3), letters(text, at + 3, end))))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_splits_what_it_should() {
        let cases = [
            ("", ""),
            ("He said, \"Hello!\"", "He said , `` Hello ! ''"),
            ("That\u{2019}s Ross\u{2019} (old) car.", "That 's Ross ' ( old ) car ."),
            ("\u{93}He\u{92}s fine\u{94}, now\u{97}really \u{96} wait\u{85}", "`` He 's fine '' , now -- really - wait ..."),
            ("\u{91}Kay\u{81} \u{84}na\u{93} 5\u{80} \u{95} x", "' Kay\u{81} „ na '' 5€ • x"),
            ("I can\u{2019}t\u{2026} no\u{2014}won\u{2019}t.", "I ca n't ... no -- wo n't ."),
            ("It cost $3.88, at 10:30: 3,36 each, 5% off", "It cost $ 3.88 , at 10:30 : 3,36 each , 5 % off"),
            ("Dr. Geller left. He didn't say.", "Dr. Geller left . He did n't say ."),
            ("I cannot; gimme, gonna, gotta, lemme, wanna", "I can not ; gim me , gon na , got ta , lem me , wan na"),
            ("'Twas, more'n d'ye know", "' Twas , more 'n d 'ye know"),
            ("'Hello' 'em 'til 'll", "' Hello ' ' em ' til 'll"),
            ("Why?! *sigh* a@b #1 & c", "Why ? ! * sigh * a @ b # 1 & c"),
            ("Okay.\u{201D}", "Okay . ''"),
            ("I'D'VE, she'll, they're, DON'T", "I'D 'VE , she 'll , they 're , DO N'T"),
            ("a,,b", "a , ,b"),
            ("\"'Oh' \"", "`` ' Oh ' ``"),
            ("a ''b'' c", "a `` b '' c"),
            ("wanna? wanna's", "wan na ? wan na 's"),
        ];
        for (text, tokens) in cases {
            assert_eq!(tokenise(text).join(" "), tokens, "{text}");
        }
    }
}
