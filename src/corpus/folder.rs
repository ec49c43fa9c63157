//! Looking through folders: the one place that decides what counts as a file of a corpus.
//!
//! Names that start with a dot are never part of one: `._x` is what macOS leaves beside `x` in archives and on foreign
//! disks, the rest are caches. What comes out is sorted by name, since file systems list in any order.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::CorpusError;
use crate::base::files;

/// Extensions of recordings, the most faithful first: where one recording lies in several formats the first is taken.
pub(super) const EXTENSIONS: [&str; 11] = ["wav", "flac", "aiff", "aif", "m4a", "ogg", "oga", "aac", "mp3", "mp4", "mkv"];

/// What lies directly in a folder, hidden names left aside, sorted.
#[derive(Default)]
pub(super) struct Listing {
    pub files: Vec<PathBuf>,
    pub folders: Vec<PathBuf>,
}

impl Listing {
    pub(crate) fn of(folder: &Path) -> Result<Self, CorpusError> {
        let unreadable = |source| CorpusError::Read { path: folder.into(), source };
        let mut listing = Self::default();
        for entry in files::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            // Links are followed: large corpora are often linked together from several disks. One that leads nowhere
            // is no file.
            match files::metadata(entry.path()) {
                Ok(kind) if kind.is_dir() => listing.folders.push(entry.path()),
                Ok(_) => listing.files.push(entry.path()),
                Err(_) => {}
            }
        }
        listing.files.sort();
        listing.folders.sort();
        Ok(listing)
    }
}

/// The files in a folder and in every folder below it. A folder that links lead to twice is entered once.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>, CorpusError> {
    let mut files = Vec::new();
    let mut entered = HashSet::new();
    let mut ahead = vec![folder.to_path_buf()];
    while let Some(folder) = ahead.pop() {
        let real = files::canonicalize(&folder).map_err(|source| CorpusError::Read { path: folder.clone(), source })?;
        if entered.insert(real) {
            let listing = Listing::of(&folder)?;
            files.extend(listing.files);
            ahead.extend(listing.folders.into_iter().rev());
        }
    }
    Ok(files)
}

/// Whether a file's extension is that of a recording.
pub(crate) fn is_recording(path: &Path) -> bool {
    rank(path).is_some()
}

/// Place of a file's extension in [`EXTENSIONS`], whatever its case.
fn rank(path: &Path) -> Option<usize> {
    let extension = path.extension()?;
    EXTENSIONS.iter().position(|known| extension.eq_ignore_ascii_case(known))
}

/// The name of a file without its extension.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// The recordings of some folders by name without extension.
pub(super) struct Recordings(BTreeMap<String, PathBuf>);

impl Recordings {
    /// Those directly in the folders. Of one name the preferred format is taken, in one format that of the first folder.
    pub(crate) fn in_folders(folders: &[PathBuf]) -> Result<Self, CorpusError> {
        let mut recordings: BTreeMap<String, PathBuf> = BTreeMap::new();
        for folder in folders {
            for file in Listing::of(folder)?.files.into_iter().filter(|file| is_recording(file)) {
                let held = recordings.entry(stem(&file)).or_insert_with(|| file.clone());
                if rank(&file) < rank(held) {
                    *held = file;
                }
            }
        }
        Ok(Self(recordings))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Path> {
        self.0.get(name).map(PathBuf::as_path)
    }
}
