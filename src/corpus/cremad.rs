//! CREMA-D (Cao et al. 2014): recordings `AudioWAV/1001_DFA_ANG_XX.wav`.
//!
//! A name is the actor in four digits, the sentence, the emotion that the actor was asked for, and its level (LO, MD, HI,
//! or XX where none was asked; one published file says X). The label is the intended emotion, not the raters' vote.

use std::path::Path;

use super::folder::stem;
use super::named::{self, Meaning, Place, Scheme, code, is_number};
use super::{Corpus, CorpusError};

const EMOTIONS: [(&str, &str); 6] =
    [("ANG", "anger"), ("DIS", "disgust"), ("FEA", "fear"), ("HAP", "happiness"), ("NEU", "neutral"), ("SAD", "sadness")];

const SENTENCES: [(&str, &str); 12] = [
    ("DFA", "Don't forget a jacket"),
    ("IEO", "It's eleven o'clock"),
    ("IOM", "I'm on my way to the meeting"),
    ("ITH", "I think I have a doctor's appointment"),
    ("ITS", "I think I've seen this before"),
    ("IWL", "I would like a new alarm clock"),
    ("IWW", "I wonder what this is about"),
    ("MTI", "Maybe tomorrow it will be cold"),
    ("TAI", "The airplane is almost full"),
    ("TIE", "That is exactly what happened"),
    ("TSI", "The surface is slick"),
    ("WSI", "We'll stop in a couple of minutes"),
];

const LEVELS: [(&str, ()); 5] = [("LO", ()), ("MD", ()), ("HI", ()), ("XX", ()), ("X", ())];

/// Names of the classes, sorted.
pub const CLASSES: [&str; 6] = ["anger", "disgust", "fear", "happiness", "neutral", "sadness"];

const SCHEME: Scheme =
    Scheme { corpus: "cremad", title: "CREMA-D", pattern: "1001_DFA_ANG_XX", place: Place::In("AudioWAV"), name: stem, classes: &CLASSES };

/// Reads the corpus at `path`, which is the folder that holds `AudioWAV`, or that of the recordings itself (`AudioMP3`
/// has the same ones, so give it where you want those): utterances by id, speakers by their four digits.
///
/// # Errors
/// [`CorpusError`]: a folder that cannot be read, no recording that fits, or two of one name.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    named::read(path, &SCHEME, meaning)
}

fn meaning(name: &str) -> Result<Meaning, String> {
    let fields: Vec<&str> = name.split('_').collect();
    let [actor, sentence, emotion, level] = fields[..] else {
        return Err(format!("it has {} fields, not 4", fields.len()));
    };
    if !is_number(actor, 4) {
        return Err(format!("actor '{actor}' is not four digits"));
    }
    let text = code("sentence", sentence, &SENTENCES)?;
    let label = code("emotion", emotion, &EMOTIONS)?;
    code("level", level, &LEVELS)?;
    Ok(Meaning::utterance(label, text, actor))
}
