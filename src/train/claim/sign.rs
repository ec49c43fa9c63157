//! The file of a claim, `.claim-N`: made where there is none of its name, touched again every [`BEAT`] by who holds it, taken
//! for left behind when it was not for [`STALE`].
//!
//! The highest number holds. Who takes over from number N makes N + 1, which but one can; so nobody ever removes or renames what is
//! another's, and who was away for too long finds a higher number. Ages are told by the file system's own clock, which may be that of
//! another machine: the file's time against that of one that was just written.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use super::holder::Holder;
use crate::base::input;
use crate::dataset::make_file;

/// What the names of these files begin with.
const PREFIX: &str = ".claim-";

/// How long a claim's file is left untouched while its holder lives.
const BEAT: Duration = Duration::from_secs(20);

/// After which time without a touch a claim is taken for left behind; also that of a holder that was suspended or lost its network.
pub(super) const STALE: Duration = Duration::from_secs(120);

/// Bytes of a claim's file that are looked at.
const MOST: u64 = 4096;

/// A claim's file of this process, and the thread that touches it.
pub(super) struct Sign {
    folder: PathBuf,
    number: u64,
    text: String,
    beat: Option<(Sender<()>, JoinHandle<()>)>,
}

/// What another process left in a folder.
struct Other {
    number: u64,
    /// `None` where it is not said, or not yet.
    holder: Option<Holder>,
    touched: Option<SystemTime>,
}

impl Sign {
    /// Makes this process' file in a folder, or says who is in the way. `lock` is the folder's lock.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn make(folder: &Path, own: &Holder, lock: &File) -> io::Result<Result<Self, Option<Holder>>> {
        let mut quicker = None;
        loop {
            let left = others(folder, quicker)?;
            let mut now = None;
            for other in &left {
                let is_over = other.holder.as_ref().is_some_and(|holder| own.has_lock_of(holder) || own.knows_ended(holder));
                if !is_over && !other.is_stale(*now.get_or_insert_with(|| time_of(lock))) {
                    return Ok(Err(other.holder.clone()));
                }
            }
            let number = left.iter().map(|other| other.number + 1).max().unwrap_or(0);
            let path = path_of(folder, number);
            let text = serde_json::to_string(own)? + "\n";
            if !make_file(&path, text.as_bytes())? {
                // Another was quicker, and is looked at in its turn.
                quicker = Some(number);
                continue;
            }
            // What fails from here on removes the file again.
            let mut sign = Self { folder: folder.into(), number, text, beat: None };
            // One that came between the look and the file: whoever finds another gives way.
            let known = |number: u64| number == sign.number || left.iter().any(|other| other.number == number);
            if let Some(other) = others(folder, None)?.into_iter().find(|other| !known(other.number)) {
                return Ok(Err(other.holder));
            }
            for other in &left {
                let _is_of_no_account = fs::remove_file(path_of(folder, other.number));
            }
            sign.beat = Some(sign.begin_to_beat()?);
            return Ok(Ok(sign));
        }
    }

    /// Whether the file is there as this process made it, and no other of a higher number.
    pub(super) fn holds(&self) -> bool {
        is_own(&path_of(&self.folder, self.number), &self.text)
            && others(&self.folder, None).is_ok_and(|others| others.iter().all(|other| other.number <= self.number))
    }

    /// Has a thread touch the file, which ends once it is no longer this process'.
    fn begin_to_beat(&self) -> io::Result<(Sender<()>, JoinHandle<()>)> {
        let (end, ended) = mpsc::channel();
        let (path, text) = (path_of(&self.folder, self.number), self.text.clone());
        let beat = move || {
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // A file system that does not answer may do so later.
                let _again_next_time = touch(&path, &text);
            }
        };
        Ok((end, thread::Builder::new().name("claim".into()).spawn(beat)?))
    }
}

/// The file is removed while it is this process'.
impl Drop for Sign {
    fn drop(&mut self) {
        if let Some((end, beat)) = self.beat.take() {
            drop(end);
            let _has_no_result = beat.join();
        }
        let path = path_of(&self.folder, self.number);
        if is_own(&path, &self.text) {
            let _goes_stale_otherwise = fs::remove_file(path);
        }
    }
}

impl Other {
    /// `None` where it was removed.
    fn read(folder: &Path, number: u64) -> Option<Self> {
        let path = path_of(folder, number);
        // Over a network what an open file says is newer than what its folder does.
        let file = match input::file(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            // What this user may not read, or no process made, goes by its age.
            Err(_) => {
                let touched = fs::metadata(&path).and_then(|about| about.modified()).ok();
                return Some(Self { number, holder: None, touched });
            }
        };
        let touched = file.metadata().and_then(|about| about.modified()).ok();
        let mut text = String::new();
        let holder = file.take(MOST).read_to_string(&mut text).ok().and_then(|_| serde_json::from_str(&text).ok());
        Some(Self { number, holder, touched })
    }

    fn is_stale(&self, now: SystemTime) -> bool {
        // Of one that was removed in between the next look says more.
        let Some(touched) = self.touched else { return false };
        let apart = now.duration_since(touched).unwrap_or_else(|error| error.duration());
        apart >= STALE
    }
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number}"))
}

/// The claims in a folder, rising, and the one that `also` is known to be there: over a network a folder's names may be old.
fn others(folder: &Path, also: Option<u64>) -> io::Result<Vec<Other>> {
    let mut numbers: BTreeSet<u64> = also.into_iter().collect();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        // The highest number of all has none after it, and is none of ours.
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|number| number.parse::<u64>().ok());
        numbers.extend(number.filter(|&number| number < u64::MAX));
    }
    Ok(numbers.into_iter().filter_map(|number| Other::read(folder, number)).collect())
}

/// Who holds a folder, where it says so.
pub(super) fn holder(folder: &Path) -> Option<Holder> {
    others(folder, None).ok()?.pop()?.holder
}

fn is_own(path: &Path, text: &str) -> bool {
    fs::read(path).is_ok_and(|there| there == text.as_bytes())
}

/// Writes what stands in a file anyway, which gives it the file system's time.
fn touch(path: &Path, text: &str) -> io::Result<()> {
    if !is_own(path, text) {
        return Ok(());
    }
    let mut file = File::options().write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The file system's time: that of a file which is written to for it; this machine's where it cannot be.
fn time_of(mut lock: &File) -> SystemTime {
    let written = lock.write_all(b"\n").and_then(|()| lock.sync_all()).and_then(|()| lock.metadata()?.modified());
    written.unwrap_or_else(|_| SystemTime::now())
}
