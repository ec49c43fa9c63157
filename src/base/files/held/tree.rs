//! Which files and folders there are, and what holds of those at a path.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What lies at a path.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Folder,
    File(Content),
}

/// A file's bytes, which all who have it open share.
#[derive(Debug, Clone, Default)]
pub(super) struct Content(Arc<Mutex<Vec<u8>>>);

impl Content {
    pub(super) fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All files and folders; the outermost folder is not named.
static ENTRIES: Mutex<BTreeMap<PathBuf, Entry>> = Mutex::new(BTreeMap::new());

pub(super) fn entries() -> MutexGuard<'static, BTreeMap<PathBuf, Entry>> {
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names on the way to a path: where it begins makes no difference.
pub(super) fn named(path: &Path) -> PathBuf {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    names.collect()
}

fn lacking() -> io::Error {
    ErrorKind::NotFound.into()
}

/// What lies at a path.
pub(super) fn at(path: &Path) -> io::Result<Entry> {
    let path = named(path);
    if path.as_os_str().is_empty() {
        return Ok(Entry::Folder);
    }
    entries().get(&path).cloned().ok_or_else(lacking)
}

/// The folder that a new file is to lie in.
pub(super) fn check_folder_of(path: &Path) -> io::Result<()> {
    match at(path.parent().unwrap_or(Path::new("")))? {
        Entry::Folder => Ok(()),
        Entry::File(_) => Err(ErrorKind::NotADirectory.into()),
    }
}

/// What is known of a file or a folder.
#[derive(Debug, Clone)]
pub struct Metadata {
    length: u64,
    is_folder: bool,
}

impl Metadata {
    pub(super) fn of_file(content: &Content) -> Self {
        Self { length: content.bytes().len() as u64, is_folder: false }
    }

    /// Bytes of a file; a folder has none.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// What it is.
    pub fn file_type(&self) -> FileType {
        FileType { is_folder: self.is_folder }
    }

    /// Whether it is a folder.
    pub fn is_dir(&self) -> bool {
        self.is_folder
    }

    /// Nobody keeps when a file was changed.
    ///
    /// # Errors
    /// Always.
    pub fn modified(&self) -> io::Result<SystemTime> {
        Err(ErrorKind::Unsupported.into())
    }
}

/// A file or a folder.
#[derive(Debug, Clone, Copy)]
pub struct FileType {
    is_folder: bool,
}

impl FileType {
    /// Whether it is a file.
    pub fn is_file(self) -> bool {
        !self.is_folder
    }

    /// Whether it is a folder.
    pub fn is_dir(self) -> bool {
        self.is_folder
    }
}

/// What is known of what lies at a path.
///
/// # Errors
/// Nothing lies there.
pub fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    Ok(match at(path.as_ref())? {
        Entry::Folder => Metadata { length: 0, is_folder: true },
        Entry::File(content) => Metadata::of_file(&content),
    })
}

pub(super) fn exists(path: &Path) -> bool {
    at(path).is_ok()
}

/// The one name of what lies at a path.
///
/// # Errors
/// Nothing lies there.
pub fn canonicalize(path: impl AsRef<Path>) -> io::Result<PathBuf> {
    at(path.as_ref()).map(|_| Path::new("/").join(named(path.as_ref())))
}

/// Makes a folder, and those that it lies in.
///
/// # Errors
/// A file in the place of one of them.
pub fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = named(path.as_ref());
    let mut entries = entries();
    for folder in path.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        if let Entry::File(_) = entries.entry(folder.into()).or_insert(Entry::Folder) {
            return Err(ErrorKind::AlreadyExists.into());
        }
    }
    Ok(())
}

/// Something that lies in a folder.
#[derive(Debug, Clone)]
pub struct DirEntry {
    path: PathBuf,
    is_folder: bool,
}

impl DirEntry {
    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// What it is called there.
    pub fn file_name(&self) -> OsString {
        self.path.file_name().unwrap_or_default().to_owned()
    }

    /// What it is.
    ///
    /// # Errors
    /// None here.
    pub fn file_type(&self) -> io::Result<FileType> {
        Ok(FileType { is_folder: self.is_folder })
    }
}

/// What lies in a folder, by name.
///
/// # Errors
/// There is no such folder.
pub fn read_dir(path: impl AsRef<Path>) -> io::Result<std::vec::IntoIter<io::Result<DirEntry>>> {
    let path = path.as_ref();
    match at(path)? {
        Entry::File(_) => return Err(ErrorKind::NotADirectory.into()),
        Entry::Folder => {}
    }
    let folder = named(path);
    let entries = entries();
    let within = entries.iter().filter(|(place, _)| place.parent() == Some(&folder));
    let entry = |(place, entry): (&PathBuf, &Entry)| {
        let path = path.join(place.file_name().unwrap_or_default());
        Ok(DirEntry { path, is_folder: matches!(entry, Entry::Folder) })
    };
    Ok(within.map(entry).collect::<Vec<_>>().into_iter())
}

/// Removes a file; who has it open keeps it.
///
/// # Errors
/// There is none, or it is a folder.
pub fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    match at(path.as_ref())? {
        Entry::Folder => Err(ErrorKind::IsADirectory.into()),
        Entry::File(_) => {
            entries().remove(&named(path.as_ref()));
            Ok(())
        }
    }
}

/// Removes a folder and all that lies in it.
///
/// # Errors
/// There is none, or it is a file.
pub fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    match at(path.as_ref())? {
        Entry::File(_) => Err(ErrorKind::NotADirectory.into()),
        Entry::Folder => {
            let folder = named(path.as_ref());
            entries().retain(|place, _| !place.starts_with(&folder));
            Ok(())
        }
    }
}
