//! ASED, the Amharic speech emotion dataset (Retta et al. 2023): recordings `01Neutral/n1-01-02-01-33.wav`.
//!
//! A name is the first letter of the emotion with the number of its folder, the sentence, the repetition, the gender and the speaker. Of
//! one recording the letter is a capital. Five speakers are named under both genders, so that the number alone says who speaks. Which
//! words a sentence has is not published with the corpus, so that transcripts are empty.

use std::path::Path;

use super::folder::stem;
use super::named::{self, Meaning, Place, Scheme, code, is_number};
use super::{Corpus, CorpusError};

const EMOTIONS: [(&str, &str); 5] = [("n1", "neutral"), ("f2", "fear"), ("h3", "happiness"), ("s4", "sadness"), ("a5", "anger")];

/// Names of the classes, sorted.
pub const CLASSES: [&str; 5] = ["anger", "fear", "happiness", "neutral", "sadness"];

const SCHEME: Scheme =
    Scheme { corpus: "ased", title: "ASED", pattern: "n1-01-02-01-33", place: Place::Below, name: stem, classes: &CLASSES };

/// Reads the corpus at `path`: utterances by id, speakers `01` to `65`.
///
/// # Errors
/// [`CorpusError`]: a folder that cannot be read, no recording that fits, or two of one name.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    named::read(path, &SCHEME, meaning)
}

fn meaning(name: &str) -> Result<Meaning, String> {
    let fields: Vec<&str> = name.split('-').collect();
    let [emotion, sentence, repetition, gender, speaker] = fields[..] else {
        return Err(format!("it has {} fields, not 5", fields.len()));
    };
    let label = code("emotion", &emotion.to_ascii_lowercase(), &EMOTIONS)?;
    for (what, field) in [("sentence", sentence), ("repetition", repetition), ("speaker", speaker)] {
        if !is_number(field, 2) {
            return Err(format!("{what} '{field}' is not two digits"));
        }
    }
    code("gender", gender, &[("01", ()), ("02", ())])?;
    Ok(Meaning::utterance(label, "", speaker))
}
