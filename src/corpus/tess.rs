//! TESS, the Toronto emotional speech set (Pichora-Fuller and Dupuis 2010): recordings `OAF_back_angry.wav` anywhere below the folder, as
//! `OAF_angry/OAF_back_angry.wav`.
//!
//! A name is the actress (OAF, the older, or YAF, the younger), the word and the emotion; each says "Say the word back". `ps` is a
//! pleasant surprise. One published file is named `OA_bite_neutral`: its id is `OAF_bite_neutral`.

use std::path::Path;

use super::folder;
use super::named::{self, Meaning, Place, Scheme, code};
use super::{Corpus, CorpusError, gender};

const EMOTIONS: [(&str, &str); 7] = [
    ("angry", "anger"),
    ("disgust", "disgust"),
    ("fear", "fear"),
    ("happy", "happiness"),
    ("neutral", "neutral"),
    ("ps", "surprise"),
    ("sad", "sadness"),
];

const ACTRESSES: [(&str, &str); 2] = [("OAF", "OAF"), ("YAF", "YAF")];

/// Names of the classes, sorted.
pub const CLASSES: [&str; 7] = ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"];

const SCHEME: Scheme = Scheme { corpus: "tess", title: "TESS", pattern: "OAF_back_angry", place: Place::Below, name, classes: &CLASSES };

/// Reads the corpus at `path`: utterances by id, speakers `OAF` and `YAF`.
///
/// # Errors
/// [`CorpusError`]: a folder that cannot be read, no recording that fits, or two of one name, as where the archive holds all of it twice.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    // Two actresses.
    Ok(named::read(path, &SCHEME, meaning)?.with_genders(|_| Some(gender("female"))))
}

/// The recording's name as it should be.
fn name(path: &Path) -> String {
    let name = folder::stem(path);
    name.strip_prefix("OA_").map(|rest| format!("OAF_{rest}")).unwrap_or(name)
}

fn meaning(name: &str) -> Result<Meaning, String> {
    let fields: Vec<&str> = name.split('_').collect();
    let [actress, word, emotion] = fields[..] else {
        return Err(format!("it has {} fields, not 3", fields.len()));
    };
    let speaker = code("actress", actress, &ACTRESSES)?;
    if word.is_empty() || !word.bytes().all(|letter| letter.is_ascii_alphabetic()) {
        return Err(format!("word '{word}' is not of letters"));
    }
    let label = code("emotion", &emotion.to_ascii_lowercase(), &EMOTIONS)?;
    Ok(Meaning::utterance(label, format!("Say the word {}", word.to_ascii_lowercase()), speaker))
}
