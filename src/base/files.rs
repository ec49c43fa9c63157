//! Files: those of the system, and in a browser, which has none, such that lie in memory under the same names (`held`).

#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) mod held;

#[cfg(target_arch = "wasm32")]
pub use held::{File, FileType, OpenOptions, canonicalize, create_dir_all, metadata, read_dir, remove_dir_all, remove_file};
#[cfg(not(target_arch = "wasm32"))]
pub use std::fs::{File, FileType, OpenOptions, canonicalize, create_dir_all, metadata, read_dir, remove_dir_all, remove_file};

use std::path::Path;

/// Whether there is something at `path`.
pub(crate) fn exists(path: &Path) -> bool {
    metadata(path).is_ok()
}
