//! MSP-Podcast (Lotfian and Busso 2019): `Labels/labels_consensus.csv`, the recordings in `Audios/`, and what is said in
//! `Transcripts/MSP-PODCAST_0001_0008.txt`, where there is that.
//!
//! Older releases call the table `labels_concensus.csv`, and its split Validation what later ones call Development. The splits Train,
//! Development and Test1 are the corpus'; utterances of Test2 and Test3 are counted by that name and passed over, as are those on which
//! raters do not agree, and those of other emotions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::folder::{Listing, Recordings, stem};
use super::table::Table;
use super::{Corpus, CorpusError, LeftOut, Split, Utterance, gender, transcript};

/// Which emotions are the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MspClasses {
    /// All that the table has a letter for.
    Eight,
    /// Anger, happiness, neutral and sadness.
    Four,
}

impl MspClasses {
    /// Their names, sorted.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Eight => &["anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
            Self::Four => &["anger", "happiness", "neutral", "sadness"],
        }
    }
}

/// The table's letters; the last two are no emotion.
const LETTERS: [(&str, &str); 10] = [
    ("A", "anger"),
    ("C", "contempt"),
    ("D", "disgust"),
    ("F", "fear"),
    ("H", "happiness"),
    ("N", "neutral"),
    ("S", "sadness"),
    ("U", "surprise"),
    ("O", "other emotion"),
    ("X", "no agreement"),
];

/// Where the table may lie.
const TABLES: [&str; 6] = [
    "Labels/labels_consensus.csv",
    "Labels/labels_concensus.csv",
    "labels/labels_consensus.csv",
    "labels/labels_concensus.csv",
    "labels_consensus.csv",
    "labels_concensus.csv",
];

/// Where recordings and transcripts may lie.
const RECORDINGS: [&str; 4] = ["Audios", "Audio", "audios", "audio"];
const TRANSCRIPTS: [&str; 2] = ["Transcripts", "transcripts"];

/// Reads the corpus at `path`: utterances in the order of the table, ids `MSP-PODCAST_0001_0008`, speakers by their numbers where they
/// are known. One without a recording is left out.
///
/// # Errors
/// [`CorpusError`]: no table, a line or a transcript that cannot be understood, or no recording at all.
pub fn read(path: &Path, classes: MspClasses) -> Result<Corpus, CorpusError> {
    Listing::of(path)?;
    let table = TABLES.iter().map(|table| path.join(table)).find(|table| table.is_file());
    let table = table.ok_or_else(|| CorpusError::NoTable { path: path.into(), table: TABLES[0], corpus: "MSP-Podcast" })?;
    let table = Table::read(&table, &["FileName", "EmoClass", "Split_Set"], &["SpkrID", "Gender"])?;
    let there = |names: &[&str]| -> Vec<PathBuf> { names.iter().map(|name| path.join(name)).filter(|folder| folder.is_dir()).collect() };
    let (recordings, texts) = (Recordings::in_folders(&there(&RECORDINGS))?, there(&TRANSCRIPTS));
    let mut corpus = Corpus::with_classes("msp-podcast", path, classes.names(), Vec::new());
    corpus.doubts.extend(table.doubts.iter().cloned());
    let mut listed: HashMap<String, u64> = HashMap::new();
    for row in table.rows() {
        let file = row.required_path("FileName")?;
        let id = stem(Path::new(&file));
        if let Some(first) = listed.insert(id.clone(), row.line()) {
            return Err(CorpusError::DuplicateId { path: row.path().into(), line: row.line(), id, first });
        }
        let letter = row.required_name("EmoClass")?;
        let Some((_, label)) = LETTERS.iter().find(|(known, _)| *known == letter) else {
            let known = LETTERS.map(|(letter, _)| letter).join(", ");
            return Err(CorpusError::UnknownEmotion { path: row.path().into(), line: row.line(), label: letter, known });
        };
        let set = row.required_name("Split_Set")?;
        let split = match set.as_str() {
            "Train" => Some(Split::Train),
            "Development" | "Validation" => Some(Split::Validation),
            "Test1" | "Test" => Some(Split::Test),
            _ => None,
        };
        let passed_over = if split.is_none() { Some(set.as_str()) } else { Some(*label).filter(|label| !classes.names().contains(label)) };
        if let Some(what) = passed_over {
            *corpus.other_labels.entry(what.into()).or_insert(0) += 1;
            continue;
        }
        let Some(audio) = recordings.get(&id).map(Path::to_path_buf) else {
            let reason = format!("{}: no such file; unpack it there", path.join(RECORDINGS[0]).join(&file).display());
            corpus.left_out.push(LeftOut { id, reason });
            continue;
        };
        let mut text = None;
        for folder in &texts {
            text = text.or(transcript::read_if_there(&folder.join(format!("{id}.txt")))?);
        }
        corpus.genders.extend(row.name("Gender")?.filter(|name| name != "Unknown").map(|name| (id.clone(), gender(&name))));
        corpus.utterances.push(Utterance {
            id,
            audio,
            text: text.unwrap_or_default(),
            label: (*label).into(),
            split,
            speaker: row.name("SpkrID")?.filter(|speaker| speaker != "Unknown"),
            session: None,
            dialogue: None,
        });
    }
    corpus.doubts.extend(transcript::doubt(path, &corpus.utterances));
    corpus.unless_empty()
}
