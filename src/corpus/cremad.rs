//! CREMA-D (Cao et al. 2014): recordings `AudioWAV/1001_DFA_ANG_XX.wav`.
//!
//! A name is the actor in four digits, the sentence, the emotion that the actor was asked for, and its level (LO, MD, HI,
//! or XX where none was asked; one published file says X). The label is the intended emotion, not the raters' vote. The actors' genders
//! are in the table `VideoDemographics.csv`.

use std::collections::BTreeMap;
use std::path::Path;

use super::folder::stem;
use super::named::{self, Meaning, Place, Scheme, code, is_number};
use super::table::Table;
use super::{Corpus, CorpusError, gender};

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

/// A line an actor, with the columns ActorID and Sex besides others.
const DEMOGRAPHICS: &str = "VideoDemographics.csv";

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
    let corpus = named::read(path, &SCHEME, meaning)?;
    let genders = genders(path)?;
    Ok(corpus.with_genders(|utterance| genders.get(utterance.speaker.as_deref()?).cloned()))
}

/// The gender of each actor, by the corpus' own table, in the folder or in the one that holds it; none where the table is not there.
fn genders(path: &Path) -> Result<BTreeMap<String, String>, CorpusError> {
    let folders = [Some(path), path.parent()];
    let Some(file) = folders.into_iter().flatten().map(|folder| folder.join(DEMOGRAPHICS)).find(|file| file.is_file()) else {
        return Ok(BTreeMap::new());
    };
    let table = Table::read(&file, &["ActorID", "Sex"], &[])?;
    table.rows().map(|row| Ok((row.required_name("ActorID")?, gender(&row.required_name("Sex")?)))).collect()
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
