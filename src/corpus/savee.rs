//! SAVEE, the Surrey audio-visual expressed emotion database (Haq and Jackson 2010): recordings `AudioData/DC/a01.wav`, or in copies
//! `ALL/DC_a01.wav`.
//!
//! A name is the speaker, the letters of the emotion and the sentence in two digits, which count for each emotion by itself. Which
//! sentence a number stands for is not published with the corpus, so that transcripts are empty.

use std::path::Path;

use super::folder::stem;
use super::named::{self, Meaning, Place, Scheme, code, is_number};
use super::{Corpus, CorpusError, gender};

const EMOTIONS: [(&str, &str); 7] =
    [("a", "anger"), ("d", "disgust"), ("f", "fear"), ("h", "happiness"), ("n", "neutral"), ("sa", "sadness"), ("su", "surprise")];

const SPEAKERS: [(&str, &str); 4] = [("DC", "DC"), ("JE", "JE"), ("JK", "JK"), ("KL", "KL")];

/// Sentences of an emotion; of neutral twice as many.
const SENTENCES: u8 = 15;

/// Names of the classes, sorted.
pub const CLASSES: [&str; 7] = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"];

const SCHEME: Scheme =
    Scheme { corpus: "savee", title: "SAVEE", pattern: "DC_a01, or a01 in DC", place: Place::Below, name, classes: &CLASSES };

/// Reads the corpus at `path`: utterances by id, `DC_a01` in either layout, speakers by their two letters.
///
/// # Errors
/// [`CorpusError`]: a folder that cannot be read, no recording that fits, or two of one name, as in a folder that holds both layouts.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    // Four men.
    Ok(named::read(path, &SCHEME, meaning)?.with_genders(|_| Some(gender("male"))))
}

/// The recording's name, behind that of the speaker's folder where it lies in one.
fn name(path: &Path) -> String {
    let (name, folder) = (stem(path), path.parent().map(stem).unwrap_or_default());
    let is_speaker = SPEAKERS.iter().any(|(speaker, _)| *speaker == folder);
    if is_speaker && !name.contains('_') { format!("{folder}_{name}") } else { name }
}

fn meaning(name: &str) -> Result<Meaning, String> {
    let Some((speaker, rest)) = name.split_once('_') else { return Err("it names no speaker".into()) };
    let speaker = code("speaker", speaker, &SPEAKERS)?;
    let digits = rest.bytes().position(|byte| byte.is_ascii_digit()).unwrap_or(rest.len());
    let (emotion, sentence) = rest.split_at(digits);
    let label = code("emotion", emotion, &EMOTIONS)?;
    let sentences = if emotion == "n" { 2 * SENTENCES } else { SENTENCES };
    if !is_number(sentence, 2) || !sentence.parse().is_ok_and(|sentence| (1..=sentences).contains(&sentence)) {
        return Err(format!("sentence '{sentence}' is none of 01 to {sentences}"));
    }
    Ok(Meaning::utterance(label, "", speaker))
}
