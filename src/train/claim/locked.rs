//! Claims where other processes may have the folder, too.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::holder::Holder;
use super::sign::{self, Sign};
use super::{Standing, Taken};
use crate::base::input::NoFile;

/// The lock's name in the folder that is claimed.
const FILE: &str = ".lock";

/// How often who waits looks again where a lock does not tell when to.
const LOOK: Duration = Duration::from_millis(500);

/// A folder that is this process' own until the claim is dropped.
pub(crate) struct Claim {
    path: PathBuf,
    file: File,
    /// None until the folder is had.
    sign: Option<Sign>,
}

/// What a lock says.
enum Lock {
    Had,
    Elsewhere,
    /// The file system has none.
    None,
}

impl Claim {
    /// Claims a folder, which is made where it is missing.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn take(folder: &Path) -> io::Result<Taken> {
        Self::claim(folder, |file| match file.try_lock() {
            Ok(()) => Lock::Had,
            Err(TryLockError::WouldBlock) => Lock::Elsewhere,
            Err(TryLockError::Error(_)) => Lock::None,
        })
    }

    /// As [`Claim::take`], but waits for the other process.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn wait(folder: &Path) -> io::Result<Self> {
        loop {
            match Self::claim(folder, |file| file.lock().map_or(Lock::None, |()| Lock::Had))? {
                Taken::By(claim) => return Ok(claim),
                Taken::Elsewhere(_) => thread::sleep(LOOK),
            }
        }
    }

    fn claim(folder: &Path, lock: impl Fn(&File) -> Lock) -> io::Result<Taken> {
        fs::create_dir_all(folder)?;
        let path = folder.join(FILE);
        let elsewhere = |holder: Option<Holder>| {
            Taken::Elsewhere(holder.map_or_else(|| "another process".into(), |holder| format!("another process ({holder})")))
        };
        loop {
            if let Some(found) = fs::metadata(&path).ok().and_then(|about| NoFile::of(about.file_type())) {
                return Err(io::Error::other(format!("{FILE}: {found}")));
            }
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            let has_lock = match lock(&file) {
                Lock::Elsewhere => return Ok(elsewhere(sign::holder(folder))),
                Lock::Had => true,
                Lock::None => false,
            };
            let mut claim = Self { path: path.clone(), file, sign: None };
            // Whoever had it before may have removed the file between.
            if !claim.is_there() {
                continue;
            }
            let own = Holder::this(&claim.file.metadata()?, has_lock);
            match Sign::make(folder, &own, &claim.file)? {
                Ok(sign) => claim.sign = Some(sign),
                Err(holder) => return Ok(elsewhere(holder)),
            }
            // Without locks that may have been so until now.
            if claim.is_there() {
                return Ok(Taken::By(claim));
            }
        }
    }

    /// Whether the folder is still there and still this process'.
    pub(crate) fn standing(&self) -> Standing {
        if !self.is_there() {
            return Standing::Gone;
        }
        if self.sign.as_ref().is_some_and(Sign::holds) { Standing::Holds } else { Standing::Lost }
    }

    /// Whether the folder is still the one that was claimed.
    fn is_there(&self) -> bool {
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

/// Removes the lock's file first, while it is still locked: whoever has opened it finds that it is another's, or none.
impl Drop for Claim {
    fn drop(&mut self) {
        if self.sign.is_some() && self.standing() == Standing::Holds {
            let _stays_otherwise = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::{Value, json};

    use super::*;

    /// So long without a sign that a claim is left behind, however coarse clocks are.
    const LONG: Duration = sign::STALE.saturating_add(Duration::from_secs(10));

    fn taken(folder: &Path) -> Option<Claim> {
        match Claim::take(folder).unwrap() {
            Taken::By(claim) => Some(claim),
            Taken::Elsewhere(_) => None,
        }
    }

    /// As [`Claim::take`] where the file system has no locks.
    fn taken_without_locks(folder: &Path) -> Option<Claim> {
        match Claim::claim(folder, |_| Lock::None).unwrap() {
            Taken::By(claim) => Some(claim),
            Taken::Elsewhere(_) => None,
        }
    }

    /// Who holds the folder besides, in words.
    fn elsewhere(folder: &Path) -> String {
        match Claim::take(folder).unwrap() {
            Taken::By(_) => panic!("it is free"),
            Taken::Elsewhere(holder) => holder,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What a process leaves that was killed: its file, with some fields as another's, touched so long ago.
    fn left(folder: &Path, other: &[(&str, Value)], age: Duration) {
        let claim = taken(folder).unwrap();
        let mut holder: Value = serde_json::from_str(&fs::read_to_string(folder.join(".claim-0")).unwrap()).unwrap();
        drop(claim);
        for (field, value) in other {
            holder[field] = value.clone();
        }
        write_left(&folder.join(".claim-0"), &holder.to_string(), age);
    }

    fn write_left(path: &Path, text: &str, age: Duration) {
        fs::write(path, text).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
    }

    /// Of another machine, which has its own locks.
    fn far() -> [(&'static str, Value); 4] {
        [("host", json!("node7")), ("process", json!(4711)), ("place", json!("elsewhere/1")), ("numbers", json!("elsewhere/2"))]
    }

    #[test]
    fn a_claimed_folder_is_free_again_when_the_claim_ends() {
        let folder = tempfile::tempdir().unwrap();
        for take in [taken, taken_without_locks] {
            let claim = take(folder.path()).expect("nobody has it");
            let own = format!("another process (process {} on ", std::process::id());
            assert!(elsewhere(folder.path()).starts_with(&own));
            assert!(taken_without_locks(folder.path()).is_none());
            assert_eq!(names(folder.path()), [".claim-0", ".lock"]);
            assert_eq!(claim.standing(), Standing::Holds);
            drop(claim);
            drop(take(folder.path()).expect("it is free"));
            assert!(names(folder.path()).is_empty());
        }
    }

    #[test]
    fn who_waits_gets_the_folder_after_the_other_with_locks_or_without() {
        for has_locks in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let claim = if has_locks { taken(folder.path()) } else { taken_without_locks(folder.path()) }.unwrap();
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| Claim::wait(folder.path()).unwrap().standing());
                drop(claim);
                assert_eq!(waiting.join().unwrap(), Standing::Holds);
            });
            assert!(names(folder.path()).is_empty());
        }
    }

    #[test]
    fn a_lock_or_a_file_that_a_killed_process_left_here_is_no_claim() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "").unwrap();
        drop(taken(folder.path()).expect("nobody has it"));
        left(folder.path(), &[], Duration::ZERO);
        drop(taken(folder.path()).expect("its lock is free"));
        assert!(names(folder.path()).is_empty(), "what is taken over is removed");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_of_this_machine_that_has_ended_holds_nothing_without_locks() {
        let folder = tempfile::tempdir().unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        left(folder.path(), &[("process", json!(ended.id()))], Duration::ZERO);
        drop(taken_without_locks(folder.path()).expect("it has ended"));
        left(folder.path(), &[], Duration::ZERO);
        assert!(taken_without_locks(folder.path()).is_none(), "this process is there");
    }

    #[test]
    fn a_process_elsewhere_has_the_folder_until_it_gives_no_sign() {
        let folder = tempfile::tempdir().unwrap();
        left(folder.path(), &far(), sign::STALE - Duration::from_secs(60));
        assert_eq!(elsewhere(folder.path()), "another process (process 4711 on node7)");
        assert!(taken_without_locks(folder.path()).is_none());
        assert!(folder.path().join(".claim-0").exists(), "it is not removed by who does not get it");
        left_anew(folder.path(), LONG);
        let claim = taken(folder.path()).expect("it gave no sign for so long");
        assert_eq!(names(folder.path()), [".claim-1", ".lock"]);
        drop(claim);
        // A clock that was set back is no sign of life.
        write_left(&folder.path().join(".claim-3"), "{}", Duration::ZERO);
        let ahead = SystemTime::now() + 1000 * sign::STALE;
        File::options().write(true).open(folder.path().join(".claim-3")).unwrap().set_modified(ahead).unwrap();
        assert!(taken(folder.path()).is_some());
    }

    fn left_anew(folder: &Path, age: Duration) {
        let path = folder.join(".claim-0");
        let text = fs::read_to_string(&path).unwrap();
        write_left(&path, &text, age);
    }

    #[test]
    fn a_file_that_says_nothing_of_its_holder_goes_by_its_age_and_other_names_are_none() {
        for text in ["", "no JSON", "{\"format\":\"mcsan-claim/9\"}"] {
            let folder = tempfile::tempdir().unwrap();
            write_left(&folder.path().join(".claim-5"), text, Duration::ZERO);
            for name in [".claim-", ".claim-x", ".claim--1", ".claim-18446744073709551615", ".claim-99999999999999999999"] {
                fs::write(folder.path().join(name), "").unwrap();
            }
            assert_eq!(elsewhere(folder.path()), "another process", "{text}");
            write_left(&folder.path().join(".claim-5"), text, LONG);
            let claim = taken(folder.path()).unwrap();
            assert!(folder.path().join(".claim-6").exists() && !folder.path().join(".claim-5").exists());
            assert_eq!(claim.standing(), Standing::Holds);
        }
    }

    #[test]
    fn what_is_no_file_in_a_claims_place_goes_by_its_age_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".claim-0");
        fs::create_dir(&path).unwrap();
        assert_eq!(elsewhere(folder.path()), "another process");
        #[cfg(unix)]
        {
            File::open(&path).unwrap().set_modified(SystemTime::now() - LONG).unwrap();
            let claim = taken(folder.path()).unwrap();
            assert_eq!(claim.standing(), Standing::Holds);
            drop(claim);
            assert_eq!(names(folder.path()), [".claim-0"], "what is another's is left alone");
        }
    }

    #[test]
    fn of_many_that_take_over_at_once_without_locks_one_gets_the_folder() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            left(folder.path(), &far(), LONG);
            let claims: Vec<Option<Claim>> = std::thread::scope(|scope| {
                let takers: Vec<_> = (0..8).map(|_| scope.spawn(|| taken_without_locks(folder.path()))).collect();
                takers.into_iter().map(|taker| taker.join().unwrap()).collect()
            });
            assert_eq!(claims.iter().flatten().filter(|claim| claim.standing() == Standing::Holds).count(), 1);
            assert_eq!(claims.iter().flatten().count(), 1);
        }
    }

    #[test]
    fn who_was_away_for_too_long_finds_that_the_folder_is_anothers() {
        let folder = tempfile::tempdir().unwrap();
        let away = taken_without_locks(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join(".claim-0")).unwrap();
        let numbers = serde_json::from_str::<Value>(&text).unwrap()["numbers"].to_string();
        write_left(&folder.path().join(".claim-0"), &text.replace(&numbers, "\"elsewhere\""), LONG);
        let other = taken_without_locks(folder.path()).expect("it was away");
        assert_eq!((away.standing(), other.standing()), (Standing::Lost, Standing::Holds));
        drop(away);
        assert_eq!(other.standing(), Standing::Holds, "what is another's is left alone");
    }

    #[cfg(unix)]
    #[test]
    fn a_claim_on_a_folder_that_is_gone_or_another_does_not_hold() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("run");
        let claim = taken(&folder).unwrap();
        assert_eq!(claim.standing(), Standing::Holds);
        fs::rename(&folder, outer.path().join("moved")).unwrap();
        assert_eq!(claim.standing(), Standing::Gone);
        let other = taken(&folder).expect("it is a new folder");
        drop(claim);
        assert_eq!(other.standing(), Standing::Holds, "the lock of another is left alone");
    }
}
