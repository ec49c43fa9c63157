//! ESD, the emotional speech dataset (Zhou et al. 2022): recordings `0011/Angry/0011_000351.wav`, in older copies a folder deeper, in
//! `train`, `evaluation` and `test`; speakers 0001 to 0010 speak Mandarin, 0011 to 0020 English.
//!
//! The emotion is the folder's, or where that is none, the block of 350 numbers that the recording's own is in: neutral, angry, happy,
//! sad, surprise. Of each block the first 20 are the corpus' evaluation split, which validates, and the next 30 its test split: sentences,
//! not speakers, differ between them.
//!
//! Transcripts are `0011/0011.txt`: id, text and emotion between tabs, of some lines between spaces. The files are in UTF-8, UTF-16, GBK
//! or Latin-1, and say nothing of it. Mandarin is written without spaces, so that a sentence is one word or few.

use std::collections::HashMap;
use std::path::Path;

use encoding_rs::{GB18030, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::folder::{files_below, stem};
use super::named::{self, Meaning, Place, Scheme, is_number};
use super::{Corpus, CorpusError, Split, inner, transcript};
use crate::base::foreign::Foreign;
use crate::base::input;

/// The folders of the emotions in the order of their recordings' numbers, what transcripts call them in Mandarin, and their classes.
const EMOTIONS: [(&str, &str, &str); 5] = [
    ("Neutral", "中立", "neutral"),
    ("Angry", "生气", "anger"),
    ("Happy", "快乐", "happiness"),
    ("Sad", "伤心", "sadness"),
    ("Surprise", "惊喜", "surprise"),
];

/// Recordings that a speaker has of each emotion, and the numbers among them with which training and testing begin.
const OF_AN_EMOTION: u32 = 350;
const FIRST_TEST: u32 = 20;
const FIRST_TRAIN: u32 = 50;

/// The last speaker of Mandarin.
const LAST_MANDARIN: u32 = 10;

/// Names of the classes, sorted.
pub const CLASSES: [&str; 5] = ["anger", "happiness", "neutral", "sadness", "surprise"];

const SCHEME: Scheme = Scheme { corpus: "esd", title: "ESD", pattern: "0011_000351", place: Place::Below, name: stem, classes: &CLASSES };

/// Reads the corpus at `path`, which is the folder of the speakers' or one that holds it: utterances by id, speakers by their four digits.
///
/// # Errors
/// [`CorpusError`]: a folder or a transcript that cannot be read, no recording that fits, or two of one name.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    let root = inner(path, "Emotion Speech Dataset");
    let mut texts = HashMap::new();
    for file in files_below(&root)? {
        let is_text = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt"));
        if is_text && is_number(&stem(&file), 4) {
            texts.extend(transcripts(&file)?);
        }
    }
    let mut corpus = named::read_by_path(&root, &SCHEME, |file, name| meaning(file, name, &texts))?;
    corpus.doubts.extend(transcript::doubt(&root, &corpus.utterances));
    Ok(corpus)
}

fn meaning(file: &Path, name: &str, texts: &HashMap<String, String>) -> Result<Meaning, String> {
    let (speaker, number) = name.split_once('_').unwrap_or((name, ""));
    if !is_number(speaker, 4) {
        return Err(format!("speaker '{speaker}' is not four digits"));
    }
    let place = number.parse::<u32>().ok().filter(|_| is_number(number, 6)).and_then(|number| number.checked_sub(1));
    let block = place.and_then(|place| EMOTIONS.get((place / OF_AN_EMOTION) as usize));
    let (Some(place), Some((_, _, of_number))) = (place, block) else {
        return Err(format!("number '{number}' is none of 000001 to 00{}", EMOTIONS.len() as u32 * OF_AN_EMOTION));
    };
    let folders = || file.ancestors().skip(1).take(2).map(stem);
    let of_folder = folders().find_map(|folder| EMOTIONS.iter().find(|(name, ..)| folder.eq_ignore_ascii_case(name)));
    let label = of_folder.map_or(*of_number, |(_, _, label)| label);
    let split = folders().find_map(|folder| match folder.to_ascii_lowercase().as_str() {
        "train" => Some(Split::Train),
        "evaluation" => Some(Split::Validation),
        "test" => Some(Split::Test),
        _ => None,
    });
    let split = split.unwrap_or(match place % OF_AN_EMOTION {
        0..FIRST_TEST => Split::Validation,
        FIRST_TEST..FIRST_TRAIN => Split::Test,
        _ => Split::Train,
    });
    let text = texts.get(name).cloned().unwrap_or_default();
    Ok(Meaning::Utterance { label, text: text.into(), speaker: speaker.into(), split: Some(split) })
}

/// The texts of a speaker's file by id. What is no line of a recording is passed over.
///
/// # Errors
/// [`CorpusError`]: a file that cannot be read, or is another one.
pub fn transcripts(path: &Path) -> Result<HashMap<String, String>, CorpusError> {
    let bytes = input::bytes(path).map_err(|source| CorpusError::Read { path: path.into(), source })?;
    if let Some(what) = Foreign::of(&bytes) {
        return Err(CorpusError::Foreign { path: path.into(), what });
    }
    let is_mandarin = stem(path).parse().is_ok_and(|speaker: u32| speaker <= LAST_MANDARIN);
    let text = decode(&bytes, is_mandarin);
    Ok(text.split(['\n', '\r']).filter_map(line).collect())
}

/// Text in the coding that its first bytes, or what it is in, tell.
fn decode(bytes: &[u8], is_mandarin: bool) -> String {
    let otherwise = if is_mandarin { GB18030 } else { WINDOWS_1252 };
    let coding = match bytes {
        [0xff, 0xfe, ..] => UTF_16LE,
        [0xfe, 0xff, ..] => UTF_16BE,
        bytes if std::str::from_utf8(bytes).is_ok() => UTF_8,
        _ => otherwise,
    };
    coding.decode(bytes).0.into_owned()
}

/// Id and text of a line.
fn line(line: &str) -> Option<(String, String)> {
    let line = line.trim_matches(|letter: char| letter.is_whitespace() || letter == '\u{feff}');
    let (id, rest) = line.split_at_checked("0011_000351".len())?;
    let (speaker, number) = id.split_once('_')?;
    if !is_number(speaker, 4) || !is_number(number, 6) || !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let rest = rest.trim();
    let is_emotion = |word: &str| EMOTIONS.iter().any(|(name, mandarin, _)| word.eq_ignore_ascii_case(name) || word == *mandarin);
    let text = match rest.rsplit_once(char::is_whitespace) {
        Some((text, emotion)) if is_emotion(emotion) => text.trim_end(),
        _ => rest,
    };
    Some((id.into(), text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_text_with_tabs_and_without() {
        let text = |written: &str| line(written).map(|(_, text)| text);
        assert_eq!(text("0011_000351\tThe nine the eggs, I keep.\tAngry").as_deref(), Some("The nine the eggs, I keep."));
        assert_eq!(text("\u{feff}0012_001355 The fisherman sees George. Sad ").as_deref(), Some("The fisherman sees George."));
        assert_eq!(text("0013_000431\tWhy was he sad").as_deref(), Some("Why was he"), "a last word that is an emotion is one");
        assert_eq!(text("0001_000001\t打远一看\t中立").as_deref(), Some("打远一看"));
        assert_eq!([text(""), text("0011_00035\tx\tSad"), text("001_0003511 x"), text("0011_000351")], [None, None, None, None]);
    }

    #[test]
    fn every_coding_of_the_files_is_read() {
        let said = "0001_000001\t他很冷\t中立\r\n";
        let utf_16: Vec<u8> = [0xfeff].into_iter().chain(said.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for bytes in [said.as_bytes().to_vec(), utf_16, GB18030.encode(said).0.into_owned()] {
            assert_eq!(decode(&bytes, true).trim_start_matches('\u{feff}'), said);
        }
        assert_eq!(decode(b"0016_000001\tcaf\xe9\tSad", false), "0016_000001\tcafé\tSad");
    }
}
