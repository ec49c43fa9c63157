//! Files that lie in memory, under std's names and with what std's do, as far as it is used here: folders that are made before
//! something lies in them, files that stay readable for who has them open, a place in them that copies of a handle share.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::TryLockError;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What lies at a path.
#[derive(Debug, Clone)]
enum Entry {
    Folder,
    File(Content),
}

/// A file's bytes, which all who have it open share.
#[derive(Debug, Clone, Default)]
struct Content(Arc<Mutex<Vec<u8>>>);

impl Content {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All files and folders; the outermost folder is not named.
static ENTRIES: Mutex<BTreeMap<PathBuf, Entry>> = Mutex::new(BTreeMap::new());

fn entries() -> MutexGuard<'static, BTreeMap<PathBuf, Entry>> {
    ENTRIES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The names on the way to a path: where it begins makes no difference.
fn named(path: &Path) -> PathBuf {
    let names = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    names.collect()
}

fn lacking() -> io::Error {
    ErrorKind::NotFound.into()
}

/// What lies at a path.
fn at(path: &Path) -> io::Result<Entry> {
    let path = named(path);
    if path.as_os_str().is_empty() {
        return Ok(Entry::Folder);
    }
    entries().get(&path).cloned().ok_or_else(lacking)
}

/// The folder that a new file is to lie in.
fn check_folder_of(path: &Path) -> io::Result<()> {
    match at(path.parent().unwrap_or(Path::new("")))? {
        Entry::Folder => Ok(()),
        Entry::File(_) => Err(ErrorKind::NotADirectory.into()),
    }
}

/// An open file.
#[derive(Debug)]
pub struct File {
    content: Content,
    /// Place in it, which copies of the handle share.
    place: Arc<AtomicU64>,
    appends: bool,
}

impl File {
    fn new(content: Content, appends: bool) -> Self {
        Self { content, place: Arc::default(), appends }
    }

    /// A file without a name, for as long as it is open.
    pub fn unnamed() -> Self {
        Self::new(Content::default(), false)
    }

    /// Opens a file to be read.
    ///
    /// # Errors
    /// There is none, or it is a folder.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().read(true).open(path)
    }

    /// Makes a file where there is nothing.
    ///
    /// # Errors
    /// There is something, or no folder for it.
    pub fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        if exists(path.as_ref()) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        OpenOptions::new().write(true).create(true).open(path)
    }

    /// How a file is to be opened.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// The file's length.
    ///
    /// # Errors
    /// None here.
    pub fn metadata(&self) -> io::Result<Metadata> {
        Ok(Metadata { length: self.content.bytes().len() as u64, is_folder: false })
    }

    /// The same file, and place in it.
    ///
    /// # Errors
    /// None here.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { content: self.content.clone(), place: Arc::clone(&self.place), appends: self.appends })
    }

    /// All is where it will stay.
    ///
    /// # Errors
    /// None here.
    pub fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    /// There is no other process that could have locked it.
    ///
    /// # Errors
    /// None here.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        Ok(())
    }

    /// As [`File::try_lock`].
    ///
    /// # Errors
    /// None here.
    pub fn lock(&self) -> io::Result<()> {
        Ok(())
    }

    /// Fills `buffer` with the bytes from `start` on.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedEof`] where there are fewer.
    pub fn read_exact_at(&self, buffer: &mut [u8], start: u64) -> io::Result<()> {
        let bytes = self.content.bytes();
        let from = usize::try_from(start).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
        buffer.copy_from_slice(from.get(..buffer.len()).ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    /// Gives the file a name, in place of a file that has it.
    ///
    /// # Errors
    /// No folder for it, or a folder in its place.
    pub fn name(&self, path: &Path) -> io::Result<()> {
        check_folder_of(path)?;
        if let Ok(Entry::Folder) = at(path) {
            return Err(ErrorKind::IsADirectory.into());
        }
        entries().insert(named(path), Entry::File(self.content.clone()));
        Ok(())
    }
}

impl Read for &File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.content.bytes();
        let place = self.place.load(Ordering::Relaxed);
        let left = usize::try_from(place).ok().and_then(|place| bytes.get(place..)).unwrap_or_default();
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.place.store(place + count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Write for &File {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        let mut bytes = self.content.bytes();
        let place = if self.appends { bytes.len() as u64 } else { self.place.load(Ordering::Relaxed) };
        let start = usize::try_from(place).map_err(|_| ErrorKind::FileTooLarge)?;
        let end = start.checked_add(more.len()).ok_or(ErrorKind::FileTooLarge)?;
        if bytes.len() < end {
            let longer = end - bytes.len();
            bytes.try_reserve(longer).map_err(|_| ErrorKind::StorageFull)?;
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(more);
        self.place.store(end as u64, Ordering::Relaxed);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => (self.content.bytes().len() as u64).checked_add_signed(offset),
            SeekFrom::Current(offset) => self.place.load(Ordering::Relaxed).checked_add_signed(offset),
        };
        let place = place.ok_or(ErrorKind::InvalidInput)?;
        self.place.store(place, Ordering::Relaxed);
        Ok(place)
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }
}

impl Write for File {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        (&*self).write(more)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&*self).seek(to)
    }
}

/// How a file is to be opened.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    appends: bool,
    creates: bool,
    truncates: bool,
}

impl OpenOptions {
    /// To be read, and to be written where it lies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every file may be read.
    pub fn read(&mut self, _: bool) -> &mut Self {
        self
    }

    /// Every file may be written.
    pub fn write(&mut self, _: bool) -> &mut Self {
        self
    }

    /// What is written goes to its end.
    pub fn append(&mut self, appends: bool) -> &mut Self {
        self.appends = appends;
        self
    }

    /// A file that is missing is made.
    pub fn create(&mut self, creates: bool) -> &mut Self {
        self.creates = creates;
        self
    }

    /// What it held before is forgotten.
    pub fn truncate(&mut self, truncates: bool) -> &mut Self {
        self.truncates = truncates;
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    /// There is none, or it is a folder.
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref();
        let content = match at(path) {
            Ok(Entry::File(content)) => content,
            Ok(Entry::Folder) => return Err(ErrorKind::IsADirectory.into()),
            Err(_) if self.creates => {
                let file = File::unnamed();
                file.name(path)?;
                file.content
            }
            Err(error) => return Err(error),
        };
        if self.truncates {
            content.bytes().clear();
        }
        Ok(File::new(content, self.appends))
    }
}

/// What is known of a file or a folder.
#[derive(Debug, Clone)]
pub struct Metadata {
    length: u64,
    is_folder: bool,
}

impl Metadata {
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
        Entry::File(content) => Metadata { length: content.bytes().len() as u64, is_folder: false },
    })
}

fn exists(path: &Path) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_where_they_were_left_and_stay_for_who_has_them_open() {
        let folder = Path::new("/read");
        assert_eq!(File::create_new(folder.join("a")).unwrap_err().kind(), ErrorKind::NotFound);
        create_dir_all(folder.join("inner")).unwrap();
        let mut file = File::create_new(folder.join("a")).unwrap();
        assert_eq!(File::create_new(folder.join("a")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        file.write_all(b"abcdef").unwrap();
        file.seek(SeekFrom::Start(1)).unwrap();
        let mut copy = file.try_clone().unwrap();
        let mut two = [0; 2];
        file.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"bc");
        copy.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"de");
        assert_eq!(copy.seek(SeekFrom::End(-7)).unwrap_err().kind(), ErrorKind::InvalidInput);
        file.read_exact_at(&mut two, 4).unwrap();
        assert_eq!(&two, b"ef");
        assert_eq!(file.read_exact_at(&mut two, 5).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        OpenOptions::new().append(true).open(folder.join("a")).unwrap().write_all(b"g").unwrap();
        assert_eq!(metadata(folder.join("a")).unwrap().len(), 7);
        let names: Vec<_> = read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(names.iter().map(DirEntry::path).collect::<Vec<_>>(), [folder.join("a"), folder.join("inner")]);
        assert_eq!(names[1].file_name(), "inner");
        assert_eq!(canonicalize("read/./inner").unwrap(), folder.join("inner"));
        assert!(names[1].file_type().unwrap().is_dir() && names[0].file_type().unwrap().is_file());
        remove_file(folder.join("a")).unwrap();
        assert!(!exists(&folder.join("a")));
        assert_eq!(file.metadata().unwrap().len(), 7);
        remove_dir_all(folder).unwrap();
        assert!(!exists(&folder.join("inner")) && exists(Path::new("/")));
    }

    #[test]
    fn a_file_takes_the_place_of_another_and_a_folder_does_not() {
        let folder = Path::new("place");
        create_dir_all(folder.join("taken")).unwrap();
        let file = File::unnamed();
        (&file).write_all(b"new").unwrap();
        file.name(&folder.join("a")).unwrap();
        file.name(&folder.join("a")).unwrap();
        assert_eq!(file.name(&folder.join("taken")).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(File::open(folder.join("taken")).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert_eq!(create_dir_all(folder.join("a").join("b")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(read_dir(folder.join("a")).unwrap_err().kind(), ErrorKind::NotADirectory);
        let mut text = String::new();
        File::open("place/a").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "new");
        OpenOptions::new().create(true).truncate(true).open("place/a").unwrap();
        assert_eq!(metadata("place/a").unwrap().len(), 0);
    }
}
