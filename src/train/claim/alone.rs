//! Claims in a page, whose files lie in its own memory: no other process is there that could have a folder.

use std::io;
use std::path::Path;

use super::{Standing, Taken};
use crate::base::files;

/// A folder that is this process' own.
pub(crate) struct Claim;

impl Claim {
    /// Claims a folder, which is made where it is missing.
    ///
    /// # Errors
    /// A file in its place.
    pub(crate) fn take(folder: &Path) -> io::Result<Taken> {
        Self::wait(folder).map(Taken::By)
    }

    /// The same: there is nobody to wait for.
    ///
    /// # Errors
    /// A file in its place.
    pub(crate) fn wait(folder: &Path) -> io::Result<Self> {
        files::create_dir_all(folder).map(|()| Self)
    }

    /// It holds for as long as the page is there.
    pub(crate) fn standing(&self) -> Standing {
        Standing::Holds
    }
}
