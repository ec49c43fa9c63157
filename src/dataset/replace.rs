//! Files appear whole or not at all.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::base::files::File;

/// Writes a file beside `path` and renames it to `path` once all of it is on the disk; whatever fails, a file that was
/// there before stays as it was and no part of the new one is left. On Linux, where the file system can, the new file has
/// no name until it is whole: then even a killed program leaves nothing.
///
/// # Errors
/// What the file system says: no such folder, no permission, no room.
pub(crate) fn replace_file(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    replace_file_if(path, write, || Ok(()))
}

/// The same, where `confirm` is asked once all of the new file is on the disk, and as it refuses there is none.
///
/// # Errors
/// Those of [`replace_file`], and of `confirm`.
pub(crate) fn replace_file_if(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    confirm: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let folder = folder_of(path);
    #[cfg(target_os = "linux")]
    if let Some(unnamed) = nameless::create(folder) {
        fill(&unnamed, write)?;
        confirm()?;
        return nameless::name(&unnamed, path);
    }
    beside(folder, path, |file| fill(file, write).and_then(|()| confirm()))
}

#[cfg(not(target_arch = "wasm32"))]
fn beside(folder: &Path, path: &Path, fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let beside = builder().tempfile_in(folder)?;
    fill(beside.as_file())?;
    beside.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes a file of a content that no other has, where none has its name; `false` where one has. It appears whole, but on file systems
/// that can neither rename nor link to a free name alone.
///
/// # Errors
/// What the file system says.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn make_file(path: &Path, content: &[u8]) -> io::Result<bool> {
    let beside = builder().tempfile_in(folder_of(path))?;
    beside.as_file().write_all(content)?;
    let error = match beside.persist_noclobber(path) {
        Ok(_) => return Ok(true),
        Err(error) => error.error,
    };
    // A network that lost the answer asks a second time, and finds what the first has made.
    let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
    if is_taken(&error) {
        return Ok(std::fs::read(path).is_ok_and(|there| there == content));
    }
    match File::options().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(content).map(|()| true),
        Err(error) if is_taken(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(target_arch = "wasm32")]
fn beside(_: &Path, path: &Path, fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let unnamed = File::unnamed();
    fill(&unnamed)?;
    unnamed.name(path)
}

/// A file without a name, on the disk that a folder is on.
///
/// # Errors
/// What the file system says.
pub(super) fn unnamed(folder: &Path) -> io::Result<File> {
    #[cfg(target_arch = "wasm32")]
    let file = crate::base::files::metadata(folder).map(|_| File::unnamed());
    #[cfg(not(target_arch = "wasm32"))]
    let file = tempfile::tempfile_in(folder);
    file
}

fn fill(file: &File, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    write(&mut writer)?;
    writer.flush()?;
    drop(writer);
    file.sync_all()
}

/// The folder that `path` lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Names the file so that a left-over (after a power cut) tells whose it is, and gives it the permissions of any new
/// file instead of a temporary one's.
#[cfg(not(target_arch = "wasm32"))]
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".mcsan-").suffix(".partial");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Files without a name (`O_TMPFILE`), which the system forgets with the program.
#[cfg(target_os = "linux")]
mod nameless {
    use std::fs::{self, File};
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};

    /// Where the system shows open files by number, the only way to name one later.
    const OPEN_FILES: &str = "/proc/self/fd";

    /// `None` where the file system or the system cannot do it.
    pub(crate) fn create(folder: &Path) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = open(folder, flags, Mode::from_raw_mode(0o666)).ok()?;
        Path::new(OPEN_FILES).exists().then(|| file.into())
    }

    /// Gives the file its name, in place of a file that has it.
    pub(crate) fn name(file: &File, path: &Path) -> io::Result<()> {
        let open_file = PathBuf::from(OPEN_FILES).join(file.as_raw_fd().to_string());
        // A link cannot take a name that is taken, a rename can.
        let link = |beside: &Path| Ok(linkat(CWD, &open_file, CWD, beside, AtFlags::SYMLINK_FOLLOW)?);
        let beside = super::builder().make_in(super::folder_of(path), link)?.into_temp_path();
        fs::rename(&beside, path)?;
        beside.keep().map(drop).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        replace_file(&path, |writer| writer.write_all(b"old")).unwrap();
        let full = replace_file(&path, |writer| {
            writer.write_all(b"new")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(full.unwrap_err().kind(), io::ErrorKind::StorageFull);
        let refused = replace_file_if(&path, |writer| writer.write_all(b"new"), || Err(io::ErrorKind::NotFound.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_made_takes_no_others_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(make_file(&path, b"one").unwrap());
        assert!(!make_file(&path, b"two").unwrap());
        assert!(make_file(&path, b"one").unwrap(), "the second time it is its own");
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_takes_the_place_of_another_and_a_folder_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        for content in [b"old", b"new"] {
            replace_file(&path, |writer| writer.write_all(content)).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
        std::fs::create_dir(folder.path().join("b")).unwrap();
        assert!(replace_file(&folder.path().join("b"), |writer| writer.write_all(b"new")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }
}
