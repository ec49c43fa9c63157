//! RAVDESS (Livingstone and Russo 2018): recordings `MM-CC-EE-II-SS-RR-AA` anywhere below the folder, as
//! `Actor_01/03-01-06-01-02-01-01.wav`.
//!
//! The fields are modality (01 audio and video, 02 video, 03 audio), vocal channel (01 speech, 02 song), emotion,
//! intensity (01 normal, 02 strong), sentence, repetition and actor (odd ones are male). Only speech without video is
//! read, the 1,440 recordings that results are reported on; videos and songs are counted and passed over, since both
//! repeat the same performances or sentences and would leak between splits.

use std::path::Path;

use super::folder::stem;
use super::named::{self, Meaning, Place, Scheme, code, is_number};
use super::{Corpus, CorpusError, gender};

const EMOTIONS: [(&str, &str); 8] = [
    ("01", "neutral"),
    ("02", "calm"),
    ("03", "happy"),
    ("04", "sad"),
    ("05", "angry"),
    ("06", "fearful"),
    ("07", "disgust"),
    ("08", "surprised"),
];

const SENTENCES: [(&str, &str); 2] = [("01", "Kids are talking by the door"), ("02", "Dogs are sitting by the door")];

const ACTORS: std::ops::RangeInclusive<u8> = 1..=24;

/// Names of the classes, sorted.
pub const CLASSES: [&str; 8] = ["angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised"];

const SCHEME: Scheme =
    Scheme { corpus: "ravdess", title: "RAVDESS", pattern: "03-01-EE-II-SS-RR-AA", place: Place::Below, name: stem, classes: &CLASSES };

/// Reads the corpus at `path`: utterances by id, speakers `actor01` to `actor24`.
///
/// # Errors
/// [`CorpusError`]: a folder that cannot be read, no recording that fits, or two of one name, as where the archive was
/// unpacked twice.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    let corpus = named::read(path, &SCHEME, meaning)?;
    let number = |speaker: &str| speaker.strip_prefix("actor")?.parse::<u8>().ok();
    Ok(corpus.with_genders(|utterance| {
        let number = number(utterance.speaker.as_deref()?)?;
        Some(gender(if number % 2 == 1 { "male" } else { "female" }))
    }))
}

fn meaning(name: &str) -> Result<Meaning, String> {
    let fields: Vec<&str> = name.split('-').collect();
    let [modality, channel, emotion, intensity, sentence, repetition, actor] = fields[..] else {
        return Err(format!("it has {} fields, not 7", fields.len()));
    };
    let video = code("modality", modality, &[("01", Some("video")), ("02", Some("video")), ("03", None)])?;
    let song = code("vocal channel", channel, &[("01", None), ("02", Some("song"))])?;
    let label = code("emotion", emotion, &EMOTIONS)?;
    code("intensity", intensity, &[("01", ()), ("02", ())])?;
    let text = code("sentence", sentence, &SENTENCES)?;
    code("repetition", repetition, &[("01", ()), ("02", ())])?;
    if !is_number(actor, 2) || !actor.parse().is_ok_and(|actor| ACTORS.contains(&actor)) {
        return Err(format!("actor '{actor}' is none of 01 to 24"));
    }
    Ok(match video.or(song) {
        Some(what) => Meaning::PassedOver(what),
        None => Meaning::utterance(label, text, format!("actor{actor}")),
    })
}
