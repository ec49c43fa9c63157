//! Opens what is to be read: the one place that says what can be an input.
//!
//! A folder has no content, a pipe to which nobody writes would be waited for without end, and a device may never come to one:
//! what is no file is refused before it is opened, by what it is. A stream is read where it is asked for, which it is by a path of
//! one that the program was started with: `/dev/stdin`, or `/dev/fd/N`, which shells make of `<(command)`. Readers that go back
//! and forth in their file take none.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::files::{self, File, FileType};

use super::remedy::Remedy;

/// What is there instead of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFile {
    Folder,
    #[cfg(unix)]
    Pipe,
    #[cfg(unix)]
    Socket,
    #[cfg(unix)]
    Device,
    /// What only this system has.
    Other,
}

impl NoFile {
    /// `None` of a file.
    pub(crate) fn of(kind: FileType) -> Option<Self> {
        if kind.is_file() {
            return None;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileTypeExt;
            if kind.is_fifo() {
                return Some(Self::Pipe);
            }
            if kind.is_socket() {
                return Some(Self::Socket);
            }
            if kind.is_char_device() || kind.is_block_device() {
                return Some(Self::Device);
            }
        }
        Some(if kind.is_dir() { Self::Folder } else { Self::Other })
    }
}

impl Display for NoFile {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Folder => "it is a folder",
            #[cfg(unix)]
            Self::Pipe => "it is a pipe",
            #[cfg(unix)]
            Self::Socket => "it is a socket",
            #[cfg(unix)]
            Self::Device => "it is a device",
            Self::Other => "it is no file",
        })
    }
}

impl Error for NoFile {}

/// Opens a file, in which its reader may go back and forth.
///
/// # Errors
/// What the system says, or [`NoFile`].
pub(crate) fn file(path: &Path) -> io::Result<File> {
    match NoFile::of(files::metadata(path)?.file_type()) {
        None => File::open(path),
        Some(found) => Err(io::Error::new(ErrorKind::InvalidInput, found)),
    }
}

/// Whether a path is that of a stream that the program was started with.
pub(crate) fn is_stream(path: &Path) -> bool {
    ["/dev/stdin", "/dev/fd", "/proc/self/fd"].iter().any(|place| path.starts_with(place))
}

/// Opens what is read once, from its beginning to its end: a file, or a stream that is asked for.
///
/// # Errors
/// Those of [`file`].
pub(crate) fn stream(path: &Path) -> io::Result<File> {
    if is_stream(path) && !files::metadata(path)?.is_dir() { File::open(path) } else { file(path) }
}

/// All bytes of what [`stream`] opens.
///
/// # Errors
/// Those of [`file`].
pub(crate) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of what [`stream`] opens.
///
/// # Errors
/// Those of [`file`], and text that is not UTF-8.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    stream(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// What may help where an input could not be read.
pub(crate) fn remedy(error: &io::Error) -> Remedy {
    let is_no_file = error.get_ref().is_some_and(|error| error.is::<NoFile>());
    match error.kind() {
        _ if is_no_file => Remedy::GiveFile,
        ErrorKind::NotADirectory => Remedy::GiveFolder,
        _ => Remedy::CheckPath,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_named_and_never_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path, found: &str| {
            for error in [file(path).unwrap_err(), stream(path).unwrap_err()] {
                assert_eq!(error.to_string(), found);
                assert_eq!(remedy(&error), Remedy::GiveFile);
            }
        };
        refused(folder.path(), "it is a folder");
        #[cfg(unix)]
        {
            let pipe = folder.path().join("pipe");
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            refused(&pipe, "it is a pipe");
            refused(Path::new("/dev/zero"), "it is a device");
            let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
            refused(&folder.path().join("socket"), "it is a socket");
        }
        let absent = file(&folder.path().join("absent")).unwrap_err();
        assert_eq!((absent.kind(), remedy(&absent)), (ErrorKind::NotFound, Remedy::CheckPath));
        #[cfg(unix)]
        {
            std::fs::write(folder.path().join("file"), "").unwrap();
            let below = file(&folder.path().join("file").join("best.safetensors")).unwrap_err();
            assert_eq!((below.kind(), remedy(&below)), (ErrorKind::NotADirectory, Remedy::GiveFolder));
        }
    }
}
