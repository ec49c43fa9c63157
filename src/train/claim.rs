//! Claims: of the processes that work in one folder, which one trains a run, and which one gathers results.
//!
//! A claim is a lock of the operating system on a file `.lock`, so it ends with the process, however that ends. Where a
//! file system knows no locks there is no claim to wait for, and nobody is turned away.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use fs4::{FileExt, TryLockError};

use crate::base::input::NoFile;

/// The lock's name in the folder that is claimed.
const FILE: &str = ".lock";

/// A folder that is this process' own until the claim is dropped.
pub(crate) struct Claim {
    path: PathBuf,
    file: File,
}

impl Claim {
    /// Claims a folder, which is made where it is missing; `None` where another process has it.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn take(folder: &Path) -> io::Result<Option<Self>> {
        Self::lock(folder, |file| !matches!(FileExt::try_lock(file), Err(TryLockError::WouldBlock)))
    }

    /// As [`Claim::take`], but waits for the other process.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn wait(folder: &Path) -> io::Result<Option<Self>> {
        Self::lock(folder, |file| {
            let _no_locks_here = FileExt::lock(file);
            true
        })
    }

    fn lock(folder: &Path, is_locked: impl Fn(&File) -> bool) -> io::Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        let path = folder.join(FILE);
        loop {
            if let Some(found) = fs::metadata(&path).ok().and_then(|about| NoFile::of(about.file_type())) {
                return Err(io::Error::other(format!("{FILE}: {found}")));
            }
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            if !is_locked(&file) {
                return Ok(None);
            }
            let claim = Self { path: path.clone(), file };
            // Whoever had it before may have removed the file between.
            if claim.holds() {
                return Ok(Some(claim));
            }
        }
    }

    /// Whether the folder is still there, and still the one that was claimed.
    pub(crate) fn holds(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let place = |about: &fs::Metadata| (about.dev(), about.ino());
            matches!((self.file.metadata(), fs::metadata(&self.path)), (Ok(ours), Ok(there)) if place(&ours) == place(&there))
        }
        // Elsewhere no file that is open is removed.
        #[cfg(not(unix))]
        {
            self.file.metadata().is_ok() && self.path.exists()
        }
    }
}

/// Removes the file while it is still locked: whoever has opened it finds that it is another's, or none.
impl Drop for Claim {
    fn drop(&mut self) {
        if self.holds() {
            let _stays_otherwise = fs::remove_file(&self.path);
        }
    }
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
        drop(Claim::take(folder.path()).unwrap().expect("it is free"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lock_that_a_killed_process_left_is_no_claim() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "").unwrap();
        drop(Claim::take(folder.path()).unwrap().expect("nobody has it"));
    }

    #[cfg(unix)]
    #[test]
    fn a_claim_on_a_folder_that_is_gone_or_another_does_not_hold() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("run");
        let claim = Claim::take(&folder).unwrap().unwrap();
        assert!(claim.holds());
        fs::rename(&folder, outer.path().join("moved")).unwrap();
        assert!(!claim.holds());
        let other = Claim::take(&folder).unwrap().expect("it is a new folder");
        drop(claim);
        assert!(other.holds(), "the lock of another is left alone");
    }
}
