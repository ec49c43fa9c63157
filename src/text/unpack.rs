//! Opens a text as it was downloaded: plain, gzip or a member of a zip archive, told apart by their first bytes.
//!
//! Texts are streamed: what is unpacked goes through one buffer. Of an archive with several texts, `archive.zip:member`
//! chooses one; a file of that very name goes first.

use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use zip::ZipArchive;
use zip::result::ZipError;

use super::TextError;
use crate::base::files::File;
use crate::base::input;

/// Bytes that are read or unpacked at a time.
const CHUNK: usize = 1 << 20;

/// How files of packed data start.
const MAGIC: [(&[u8], &str); 8] = [
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7-zip"),
    (b"Rar!", "rar"),
];

/// A text that is being read.
pub(super) struct Source<'a> {
    /// The file, or `archive.zip:member`.
    pub name: PathBuf,
    packing: Option<&'static str>,
    reader: &'a mut dyn BufRead,
}

impl Source<'_> {
    /// The next bytes, until the buffer is consumed.
    pub(crate) fn reader(&mut self) -> &mut dyn BufRead {
        self.reader
    }

    /// What a fault of the reader means: of packed data, that they are not whole.
    pub(crate) fn failed(&self, error: io::Error) -> TextError {
        let path = self.name.clone();
        match (self.packing, error.kind()) {
            (Some(kind), ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput) => {
                TextError::Damaged { path, kind, reason: error.to_string() }
            }
            _ => TextError::Read { path, source: error },
        }
    }
}

/// Opens the text at `path` and has `read` read it.
///
/// # Errors
/// [`TextError`], naming the file, the member and the remedy; and what `read` fails with.
pub(super) fn open<T>(path: &Path, read: impl FnOnce(Source<'_>) -> Result<T, TextError>) -> Result<T, TextError> {
    let (path, member) = locate(path);
    let failed = |source| TextError::Read { path: path.clone(), source };
    let mut file = BufReader::with_capacity(CHUNK, input::stream(&path).map_err(failed)?);
    let packing = packing(file.fill_buf().map_err(failed)?);
    match (packing, member) {
        (Some("zip"), member) => read_member(&path, file, member.as_deref(), read),
        (_, Some(member)) => Err(TextError::NoArchive { path, member }),
        (Some("gzip"), None) => {
            let mut text = BufReader::with_capacity(CHUNK, MultiGzDecoder::new(file));
            read(Source { name: path, packing, reader: &mut text })
        }
        (Some(kind), None) => Err(TextError::Packed { path, kind }),
        (None, None) => read(Source { name: path, packing, reader: &mut file }),
    }
}

fn packing(head: &[u8]) -> Option<&'static str> {
    MAGIC.into_iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| kind)
}

/// The file, and the member of it that is named behind a colon. Where no such file is there, the path is what was meant.
fn locate(path: &Path) -> (PathBuf, Option<String>) {
    let name = path.to_str().filter(|_| !path.exists()).unwrap_or_default();
    let archive =
        name.rmatch_indices(':').map(|(colon, _)| (&name[..colon], &name[colon + 1..])).find(|(file, _)| Path::new(file).is_file());
    match archive {
        Some((file, member)) => (file.into(), Some(member.into())),
        None => (path.into(), None),
    }
}

fn read_member<T>(
    path: &Path,
    file: BufReader<File>,
    member: Option<&str>,
    read: impl FnOnce(Source<'_>) -> Result<T, TextError>,
) -> Result<T, TextError> {
    let failed = |error| match error {
        ZipError::InvalidArchive(reason) => TextError::Damaged { path: path.into(), kind: "zip", reason: reason.into_owned() },
        ZipError::Io(error) => Source { name: path.into(), packing: Some("zip"), reader: &mut io::empty() }.failed(error),
        error => TextError::Unpack { path: path.into(), reason: error.to_string() },
    };
    let mut archive = ZipArchive::new(file).map_err(failed)?;
    let names = archive.file_names().map(|name| Ok(name?.into_owned())).collect::<Result<Vec<String>, ZipError>>().map_err(failed)?;
    let chosen = choose(path, texts(names), member)?;
    let name = PathBuf::from(format!("{}:{chosen}", path.display()));
    let mut text = BufReader::with_capacity(CHUNK, archive.by_name(&chosen).map_err(failed)?);
    let source = Source { name, packing: Some("zip"), reader: &mut text };
    match source.reader.fill_buf().map(packing) {
        Err(error) => Err(source.failed(error)),
        Ok(Some(kind)) => Err(TextError::Packed { path: source.name, kind }),
        Ok(None) => read(source),
    }
}

/// The members that may be texts: no folders, and nothing of what macOS adds. Where some are called texts, only those.
fn texts(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !name.ends_with('/') && !name.starts_with("__MACOSX/") && !file_name(name).starts_with("._"));
    let is_called_text = |name: &String| [".txt", ".vec"].iter().any(|ending| name.to_ascii_lowercase().ends_with(ending));
    if names.iter().any(is_called_text) {
        names.retain(is_called_text);
    }
    names
}

fn file_name(member: &str) -> &str {
    member.rsplit('/').next().unwrap_or(member)
}

/// The text that is named, in full or without its folder; without a name, the only one.
fn choose(path: &Path, mut members: Vec<String>, named: Option<&str>) -> Result<String, TextError> {
    let path = path.to_path_buf();
    match named {
        _ if members.is_empty() => Err(TextError::NoVectors { path }),
        Some(member) => {
            let place =
                members.iter().position(|name| name == member).or_else(|| members.iter().position(|name| file_name(name) == member));
            place.map(|place| members.swap_remove(place)).ok_or_else(|| TextError::NoMember { path, member: member.into(), members })
        }
        None if members.len() > 1 => Err(TextError::SeveralMembers { path, members }),
        None => Ok(members.swap_remove(0)),
    }
}
