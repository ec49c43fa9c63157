//! EmoDB, the Berlin database of emotional speech (Burkhardt et al. 2005): recordings `wav/03a01Fa.wav`.
//!
//! A name is the speaker in two digits, the sentence in three characters, the first letter of the emotion's German name
//! and, where a speaker has several versions, a letter that tells them apart.

use std::path::Path;

use super::folder::stem;
use super::named::{self, Meaning, Place, Scheme, code, is_number};
use super::{Corpus, CorpusError, gender};

/// Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
const EMOTIONS: [(&str, &str); 7] =
    [("W", "anger"), ("L", "boredom"), ("E", "disgust"), ("A", "fear"), ("F", "happiness"), ("T", "sadness"), ("N", "neutral")];

/// The ten speakers, of the table that was published with the recordings.
const MEN: [&str; 5] = ["03", "10", "11", "12", "15"];
const WOMEN: [&str; 5] = ["08", "09", "13", "14", "16"];

/// The sentences, in the spelling in which they were published.
const SENTENCES: [(&str, &str); 10] = [
    ("a01", "Der Lappen liegt auf dem Eisschrank."),
    ("a02", "Das will sie am Mittwoch abgeben."),
    ("a04", "Heute abend könnte ich es ihm sagen."),
    ("a05", "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück."),
    ("a07", "In sieben Stunden wird es soweit sein."),
    ("b01", "Was sind denn das für Tüten, die da unter dem Tisch stehen?"),
    ("b02", "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter."),
    ("b03", "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht."),
    ("b09", "Ich will das eben wegbringen und dann mit Karl was trinken gehen."),
    ("b10", "Die wird auf dem Platz sein, wo wir sie immer hinlegen."),
];

/// Names of the classes, sorted.
pub const CLASSES: [&str; 7] = ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"];

const SCHEME: Scheme =
    Scheme { corpus: "emodb", title: "EmoDB", pattern: "03a01Fa", place: Place::In("wav"), name: stem, classes: &CLASSES };

/// Reads the corpus at `path`, which is the folder that holds `wav`, or `wav` itself: utterances by id, speakers by their
/// two digits.
///
/// # Errors
/// [`CorpusError`]: a folder that cannot be read, no recording that fits, or two of one name.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    let corpus = named::read(path, &SCHEME, meaning)?;
    let of = |speaker: &str| if MEN.contains(&speaker) { Some("male") } else { WOMEN.contains(&speaker).then_some("female") };
    Ok(corpus.with_genders(|utterance| of(utterance.speaker.as_deref()?).map(gender)))
}

fn meaning(name: &str) -> Result<Meaning, String> {
    let (Some(speaker), Some(sentence), Some(emotion), Some(version)) = (name.get(..2), name.get(2..5), name.get(5..6), name.get(6..))
    else {
        return Err("it is not speaker, sentence, emotion and version in 2, 3, 1 and 1 letters".into());
    };
    if !is_number(speaker, 2) {
        return Err(format!("speaker '{speaker}' is not two digits"));
    }
    let text = code("sentence", sentence, &SENTENCES)?;
    let label = code("emotion", emotion, &EMOTIONS)?;
    match version.as_bytes() {
        [] | [b'a'..=b'z'] => Ok(Meaning::utterance(label, text, speaker)),
        _ => Err(format!("version '{version}' is not one letter")),
    }
}
