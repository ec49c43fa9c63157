//! MELD (Poria et al. 2019), the folder `MELD.Raw`: for each split a CSV and a folder of clips.
//!
//! | split | CSV | clips |
//! | --- | --- | --- |
//! | train | `train_sent_emo.csv` | `train_splits/` |
//! | validation | `dev_sent_emo.csv` | `dev_splits_complete/` |
//! | test | `test_sent_emo.csv` | `output_repeated_splits_test/` |
//!
//! CSVs and clip folders lie in `MELD.Raw` itself or in `train/`, `dev/`, `test/` there: it depends on where the inner
//! archives were unpacked. A clip is `dia{Dialogue_ID}_utt{Utterance_ID}.mp4`, or a recording of that name which somebody
//! took out of it; the recording is preferred. In the test folder a clip `final_videos_testdia…` is the corrected one.
//! Clips that no CSV lists are passed over.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::folder::{Listing, Recordings};
use super::table::{Row, Table};
use super::{Corpus, CorpusError, LeftOut, Split, Utterance, inner};

/// Names of the classes, sorted.
pub const CLASSES: [&str; 7] = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"];

/// How MELD stores a split.
struct Part {
    split: Split,
    /// MELD's own name of the split; ids start with it, since they restart in every split.
    name: &'static str,
    table: &'static str,
    clips: &'static str,
    /// What a corrected clip's name starts with.
    corrected: Option<&'static str>,
}

const PARTS: [Part; 3] = [
    Part { split: Split::Train, name: "train", table: "train_sent_emo.csv", clips: "train_splits", corrected: None },
    Part { split: Split::Validation, name: "dev", table: "dev_sent_emo.csv", clips: "dev_splits_complete", corrected: None },
    Part {
        split: Split::Test,
        name: "test",
        table: "test_sent_emo.csv",
        clips: "output_repeated_splits_test",
        corrected: Some("final_videos_test"),
    },
];

/// Reads the corpus at `path`, which is `MELD.Raw` or the folder that holds it.
///
/// Utterances come by split, in the order of its CSV; ids are `train/dia0_utt0`, dialogues `train/dia0`. Transcripts are
/// as the CSV writes them, old control characters included. One without a clip is left out. Splits without a CSV are passed over.
/// Of two CSVs of one name the one in `path` itself is read, then that in the split's own folder.
///
/// # Errors
/// [`CorpusError`]: no CSV, a line that cannot be understood, or no clip at all.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    Listing::of(path)?;
    let root = inner(path, "MELD.Raw");
    let mut corpus = Corpus::with_classes("meld", &root, &CLASSES, Vec::new());
    let mut tables = 0;
    for part in &PARTS {
        let places = places(&root, part);
        if let Some(table) = places.iter().map(|place| place.join(part.table)).find(|table| table.is_file()) {
            tables += 1;
            add_part(&mut corpus, part, &table, &Clips::find(part, &root, &places)?)?;
        }
    }
    if tables == 0 {
        return Err(CorpusError::NoSplitTables { path: path.into() });
    }
    corpus.unless_empty()
}

/// Where a split's CSV and clips may lie, the likeliest first.
fn places(root: &Path, part: &Part) -> Vec<PathBuf> {
    let others = PARTS.iter().map(|other| other.name).filter(|name| *name != part.name);
    [root.to_path_buf(), root.join(part.name)].into_iter().chain(others.map(|name| root.join(name))).collect()
}

fn add_part(corpus: &mut Corpus, part: &Part, table: &Path, clips: &Clips<'_>) -> Result<(), CorpusError> {
    let table = Table::read(table, &["Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID"], &[])?;
    corpus.doubts.extend(table.doubts.iter().cloned());
    let mut listed: HashMap<String, Row<'_>> = HashMap::new();
    for row in table.rows() {
        let label = emotion(row)?;
        let dialogue = format!("dia{}", number(row, "Dialogue_ID")?);
        let name = format!("{dialogue}_utt{}", number(row, "Utterance_ID")?);
        if let Some(first) = listed.insert(name.clone(), row) {
            return Err(CorpusError::DuplicateId { path: row.path().into(), line: row.line(), id: name, first: first.line() });
        }
        let id = format!("{}/{name}", part.name);
        match clips.get(&name) {
            Ok(audio) => corpus.utterances.push(Utterance {
                id,
                audio,
                text: row.field("Utterance")?.unwrap_or_default(),
                label,
                split: Some(part.split),
                speaker: row.name("Speaker")?,
                session: None,
                dialogue: Some(format!("{}/{dialogue}", part.name)),
            }),
            Err(reason) => corpus.left_out.push(LeftOut { id, reason }),
        }
    }
    Ok(())
}

fn emotion(row: Row<'_>) -> Result<String, CorpusError> {
    let label = row.required_name("Emotion")?;
    let class = CLASSES.iter().find(|class| class.eq_ignore_ascii_case(&label)).map(ToString::to_string);
    class.ok_or_else(|| CorpusError::UnknownEmotion { path: row.path().into(), line: row.line(), label, known: CLASSES.join(", ") })
}

fn number(row: Row<'_>, column: &'static str) -> Result<u32, CorpusError> {
    let value = row.required_name(column)?;
    value.parse().map_err(|_| CorpusError::NotANumber { path: row.path().into(), line: row.line(), column, value })
}

/// The clips of a split.
struct Clips<'a> {
    part: &'a Part,
    root: &'a Path,
    recordings: Recordings,
    /// The clip folders that exist; a split may have been unpacked in parts.
    folders: Vec<PathBuf>,
}

impl<'a> Clips<'a> {
    fn find(part: &'a Part, root: &'a Path, places: &[PathBuf]) -> Result<Self, CorpusError> {
        let folders: Vec<PathBuf> = places.iter().map(|place| place.join(part.clips)).filter(|folder| folder.is_dir()).collect();
        let recordings = Recordings::in_folders(&folders)?;
        Ok(Self { part, root, recordings, folders })
    }

    /// The clip of that name, or why there is none.
    fn get(&self, name: &str) -> Result<PathBuf, String> {
        let corrected = self.part.corrected.and_then(|prefix| self.recordings.get(&format!("{prefix}{name}")));
        if let Some(clip) = corrected.or_else(|| self.recordings.get(name)) {
            return Ok(clip.to_path_buf());
        }
        let archive = format!("{}.tar.gz", self.part.name);
        Err(match self.folders.first() {
            Some(folder) => format!(
                "{}: no such file; unpack it from {archive}, or extract its audio as {name}.wav there",
                folder.join(format!("{name}.mp4")).display()
            ),
            None => format!("{}: no such folder; unpack {archive} there", self.root.join(self.part.clips).display()),
        })
    }
}
