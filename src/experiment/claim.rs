//! Claims: of the processes that work in one folder, which one trains a fold, and which one gathers.
//!
//! A claim is a lock of the operating system on a file `.lock`, so it ends with the process, however that ends. Where a
//! file system knows no locks there is no claim to wait for, and nobody is turned away.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};

/// The lock's name in the folder that is claimed.
pub(crate) const FILE: &str = ".lock";

/// A folder that is this process' own until the claim is dropped.
pub(crate) struct Claim {
    path: PathBuf,
    _file: File,
}

impl Claim {
    /// Claims a folder, which is made where it is missing; `None` where another process has it.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn take(folder: &Path) -> io::Result<Option<Self>> {
        let (path, file) = open(folder)?;
        match FileExt::try_lock(&file) {
            Err(TryLockError::WouldBlock) => Ok(None),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(Self { path, _file: file })),
        }
    }

    /// As [`Claim::take`], but waits for the other process.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn wait(folder: &Path) -> io::Result<Self> {
        let (path, file) = open(folder)?;
        let _no_locks_here = FileExt::lock(&file);
        Ok(Self { path, _file: file })
    }

    /// Ends the claim on a folder whose work is done, and removes its file: whoever claims it next looks first whether
    /// the work is done, so two who hold different files of that name do no harm.
    pub(crate) fn finish(self) {
        let _stays_otherwise = fs::remove_file(&self.path);
    }
}

fn open(folder: &Path) -> io::Result<(PathBuf, File)> {
    fs::create_dir_all(folder)?;
    let path = folder.join(FILE);
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    Ok((path, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_folder_is_free_again_when_the_claim_ends() {
        let folder = tempfile::tempdir().unwrap();
        let claim = Claim::take(folder.path()).unwrap().expect("nobody has it");
        assert!(Claim::take(folder.path()).unwrap().is_none());
        drop(claim);
        Claim::take(folder.path()).unwrap().expect("it is free").finish();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
