//! A run in one file: a ZIP whose members are the run's own files as they are, behind one that says what the file is.
//!
//! A model, for predictions elsewhere, is `best.safetensors` and `vocabulary.safetensors`: weights, settings, classes, normalisation;
//! words, their vectors where they are frozen, and the front-end; and `calibration.json` where there is one. A checkpoint is all that a run
//! goes on from. Unpacked, either is a run folder. Equal files give an equal ZIP; every member has its CRC-32, by which damage shows.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::run::files::{ALL, BEST, CONFIG, LAST, METRICS};
use super::{RunFault, TrainError, calibration, vocabulary};
use crate::base::files;
use crate::base::format::Format;
use crate::base::input;
use crate::dataset::replace_file;

/// What the first member says.
pub(crate) const FORMAT: Format = Format::new("mcsan-run", 1);

/// Bytes of it that are shown.
const LONGEST: usize = 32;

/// The first member.
const ABOUT: &str = "mcsan";

/// What a model has; the temperature of one that was calibrated need not be there.
pub const MODEL: [&str; 3] = [BEST, vocabulary::FILE, calibration::FILE];

/// What a run has that goes on, as far as it has it.
pub const CHECKPOINT: [&str; 5] = [CONFIG, METRICS, BEST, LAST, vocabulary::FILE];

/// Packs files of a run folder; those that are missing are left out.
///
/// # Errors
/// [`TrainError::Run`], naming the file that cannot be read.
pub fn pack(folder: &Path, names: &[&str]) -> Result<Vec<u8>, TrainError> {
    let mut members = vec![(ABOUT, FORMAT.to_string().into_bytes())];
    for &name in names {
        let path = folder.join(name);
        if files::exists(&path) {
            members.push((name, bytes(&path)?));
        }
    }
    write(&members).map_err(|error| unreadable(folder, format!("cannot be packed ({error})")))
}

/// All of a file.
///
/// # Errors
/// [`TrainError::Run`], naming the file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, TrainError> {
    input::bytes(path).map_err(|error| unreadable(path, format!("cannot be read ({error})")))
}

fn write(members: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, ZipError> {
    // Weights hardly become smaller, and are read where they lie.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).last_modified_time(DateTime::DEFAULT);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(*name, options.large_file(u32::try_from(bytes.len()).is_err()))?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The members of such a file, each whole.
pub struct Packed<'p> {
    path: &'p Path,
    members: Vec<(&'static str, Vec<u8>)>,
}

impl<'p> Packed<'p> {
    /// Reads the bytes of a file; `path` is what errors name.
    ///
    /// # Errors
    /// [`TrainError::Run`]: another kind of file or version, or one that is damaged.
    pub fn read(path: &'p Path, bytes: &[u8]) -> Result<Self, TrainError> {
        let refused = |fault| TrainError::Run { path: path.into(), fault };
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| match error {
            ZipError::InvalidArchive(reason) if bytes.starts_with(b"PK") => unreadable(path, format!("is damaged ({reason})")),
            _ => refused(RunFault::NoPackedRun),
        })?;
        match member(path, &mut archive, ABOUT, bytes.len())? {
            None => return Err(refused(RunFault::NoPackedRun)),
            Some(about) => {
                let found = String::from_utf8_lossy(&about[..about.len().min(LONGEST)]).into_owned();
                if FORMAT.version_of(&found).map_err(|newer| refused(newer.into()))?.is_none() {
                    return Err(refused(RunFault::OtherKind { found, expected: FORMAT.to_string() }));
                }
            }
        }
        let mut members = Vec::new();
        for name in ALL.into_iter().chain([calibration::FILE]) {
            members.extend(member(path, &mut archive, name, bytes.len())?.map(|bytes| (name, bytes)));
        }
        Ok(Self { path, members })
    }

    /// The bytes of a member that has to be there, once.
    ///
    /// # Errors
    /// [`TrainError::Run`]: it is not there.
    pub fn take(&mut self, name: &str) -> Result<Vec<u8>, TrainError> {
        self.take_if_there(name).ok_or_else(|| unreadable(self.path, format!("has no member '{name}'")))
    }

    /// The bytes of a member that need not be there, once.
    pub fn take_if_there(&mut self, name: &str) -> Option<Vec<u8>> {
        let place = self.members.iter().position(|(own, _)| *own == name)?;
        Some(self.members.swap_remove(place).1)
    }

    /// Writes the members into a folder, which is made.
    ///
    /// # Errors
    /// [`TrainError::Run`]: a folder that cannot be written to.
    pub fn unpack(&self, folder: &Path) -> Result<(), TrainError> {
        let written = files::create_dir_all(folder).and_then(|()| {
            self.members.iter().try_for_each(|(name, bytes)| replace_file(&folder.join(name), |file| file.write_all(bytes)))
        });
        written.map_err(|error| TrainError::Run { path: folder.into(), fault: RunFault::Denied { reason: error.to_string() } })
    }
}

/// A member where there is one: no larger than the whole file, which holds it as it is.
fn member(path: &Path, archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str, most: usize) -> Result<Option<Vec<u8>>, TrainError> {
    let damaged = |reason: String| unreadable(path, format!("member '{name}' is damaged ({reason})"));
    let mut member = match archive.by_name(name) {
        Ok(member) => member,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(damaged(error.to_string())),
    };
    if member.compression() != CompressionMethod::Stored {
        return Err(unreadable(path, format!("member '{name}' is compressed, which none of these is")));
    }
    if member.size() > most as u64 {
        return Err(damaged("it is larger than the file".into()));
    }
    let mut bytes = Vec::new();
    member.read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
    Ok(Some(bytes))
}

fn unreadable(path: &Path, reason: String) -> TrainError {
    TrainError::Run { path: path.into(), fault: RunFault::Unreadable { reason } }
}
