//! The embedded corpus: sentences in seven emotions spoken by a synthesiser (see `assets/demo/README.md`).

use std::io::Write;
use std::path::Path;

use include_dir::{Dir, include_dir};

static CORPUS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets/demo");

/// Writes the corpus to a folder; its manifest is `manifest.csv` there.
///
/// # Errors
/// Where the folder cannot be written.
pub fn unpack(folder: &Path) -> std::io::Result<()> {
    unpack_dir(&CORPUS, folder)
}

fn unpack_dir(dir: &Dir<'_>, folder: &Path) -> std::io::Result<()> {
    for file in dir.files().filter(|file| file.path().extension().is_some_and(|extension| extension == "csv" || extension == "flac")) {
        let path = folder.join(file.path());
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::File::create(path)?.write_all(file.contents())?;
    }
    dir.dirs().try_for_each(|inner| unpack_dir(inner, folder))
}
