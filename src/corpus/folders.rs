//! A folder for each class: recordings anywhere below `angry/`, `sad/` and so on. A text file beside a recording, of the same name, is
//! what is said in it. Where the folders are splits (`train`, `test`, and `validation`, `val` or `dev`), those of the classes are in them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::folder::{Listing, files_below, is_recording, stem};
use super::names::name;
use super::{Corpus, CorpusError, LeftOut, Split, Utterance, transcript};
use crate::base::files::canonicalize;

/// The split that a folder of this name holds.
fn split_named(folder: &str) -> Option<Split> {
    match folder.to_ascii_lowercase().as_str() {
        "train" => Some(Split::Train),
        "validation" | "valid" | "val" | "dev" => Some(Split::Validation),
        "test" => Some(Split::Test),
        _ => None,
    }
}

/// Reads the corpus at `path`, which is named after the folder. Ids are paths from there without extension, `angry/a01`.
///
/// # Errors
/// [`CorpusError`]: a folder or a transcript that cannot be read, or no recording in a folder of a class.
pub fn read(path: &Path) -> Result<Corpus, CorpusError> {
    let top = Listing::of(path)?;
    let mut left_out: Vec<LeftOut> = top.files.iter().filter(|file| is_recording(file)).map(|file| without_class(file)).collect();
    let mut classes: BTreeMap<PathBuf, Option<Split>> = BTreeMap::new();
    let is_divided = !top.folders.is_empty() && top.folders.iter().all(|folder| split_named(&stem(folder)).is_some());
    for folder in top.folders {
        if !is_divided {
            classes.insert(folder, None);
            continue;
        }
        let listing = Listing::of(&folder)?;
        left_out.extend(listing.files.iter().filter(|file| is_recording(file)).map(|file| without_class(file)));
        classes.extend(listing.folders.into_iter().map(|class| (class, split_named(&stem(&folder)))));
    }
    let mut utterances = Vec::new();
    let mut recorded: HashMap<String, PathBuf> = HashMap::new();
    for (folder, split) in classes {
        let label = name(&folder.file_name().unwrap_or_default().to_string_lossy());
        for audio in files_below(&folder)?.into_iter().filter(|file| is_recording(file)) {
            let id = audio.with_extension("");
            let id = id.strip_prefix(path).unwrap_or(&id).to_string_lossy().replace('\\', "/");
            if let Some(first) = recorded.insert(id.clone(), audio.clone()) {
                return Err(CorpusError::RecordedTwice { path: audio, id, first });
            }
            let text = transcript::read_if_there(&audio.with_extension("txt"))?.unwrap_or_default();
            let label = label.clone();
            utterances.push(Utterance { id, audio, text, label, split, speaker: None, session: None, dialogue: None });
        }
    }
    if utterances.is_empty() {
        return Err(CorpusError::NoClassFolders { path: path.into() });
    }
    utterances.sort_by(|a, b| a.id.cmp(&b.id));
    let of = canonicalize(path).map_or_else(|_| stem(path), |path| name(&path.file_name().unwrap_or_default().to_string_lossy()));
    let doubt = transcript::doubt(path, &utterances);
    let corpus = Corpus::new(of, path, utterances);
    Ok(Corpus { left_out, doubts: doubt.into_iter().collect(), ..corpus })
}

/// What is said of a recording that lies beside the folders of the classes.
fn without_class(file: &Path) -> LeftOut {
    LeftOut { id: stem(file), reason: format!("{}: lies in no class' folder; move it into one, or elsewhere", file.display()) }
}
