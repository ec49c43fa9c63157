//! nEMO, emotional speech in Polish (Christop 2024): `data.tsv` and the recordings that it lists, `samples/SK0_anger_1.wav`.
//!
//! Transcripts are the table's `raw_text`. It calls surprise `surprised`; the class is named as in other corpora.

use std::collections::HashMap;
use std::path::Path;

use super::table::{Row, Table};
use super::{Corpus, CorpusError, LeftOut, Utterance, folder, gender, inner};

const EMOTIONS: [(&str, &str); 6] = [
    ("anger", "anger"),
    ("fear", "fear"),
    ("happiness", "happiness"),
    ("neutral", "neutral"),
    ("sadness", "sadness"),
    ("surprised", "surprise"),
];

const TABLE: &str = "data.tsv";

/// Names of the classes, sorted.
pub const CLASSES: [&str; 6] = ["anger", "fear", "happiness", "neutral", "sadness", "surprise"];

/// Reads the corpus at `path`, which is its folder or one that holds it as `nEMO`: utterances in the order of the table, ids as its files
/// are named, speakers by their three characters. One without a recording is left out.
///
/// # Errors
/// [`CorpusError`]: no table, a line that cannot be understood, or no recording at all.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    folder::Listing::of(path)?;
    let root = inner(path, "nEMO");
    let table = root.join(TABLE);
    if !table.exists() {
        return Err(CorpusError::NoTable { path: path.into(), table: TABLE, corpus: "nEMO" });
    }
    let table = Table::read(&table, &["file_id", "emotion", "raw_text", "speaker_id"], &["gender"])?;
    let mut corpus = Corpus::with_classes("nemo", &root, &CLASSES, Vec::new());
    corpus.doubts.extend(table.doubts.iter().cloned());
    let mut listed: HashMap<String, u64> = HashMap::new();
    for row in table.rows() {
        let file = row.required_path("file_id")?;
        let audio = root.join("samples").join(&file);
        let id = folder::stem(Path::new(&file));
        if let Some(first) = listed.insert(id.clone(), row.line()) {
            return Err(CorpusError::DuplicateId { path: row.path().into(), line: row.line(), id, first });
        }
        let label = emotion(row)?;
        if !audio.exists() {
            let reason = format!("{}: no such file; fetch it, or take its line out of {TABLE}", audio.display());
            corpus.left_out.push(LeftOut { id, reason });
            continue;
        }
        corpus.genders.extend(row.name("gender")?.map(|name| (id.clone(), gender(&name))));
        corpus.utterances.push(Utterance {
            id,
            audio,
            text: row.field("raw_text")?.unwrap_or_default(),
            label,
            split: None,
            speaker: row.name("speaker_id")?,
            session: None,
            dialogue: None,
        });
    }
    corpus.unless_empty()
}

fn emotion(row: Row<'_>) -> Result<String, CorpusError> {
    let label = row.required_name("emotion")?;
    let class = EMOTIONS.iter().find(|(name, _)| *name == label).map(|(_, class)| (*class).to_owned());
    let known = || EMOTIONS.map(|(name, _)| name).join(", ");
    class.ok_or_else(|| CorpusError::UnknownEmotion { path: row.path().into(), line: row.line(), label, known: known() })
}
