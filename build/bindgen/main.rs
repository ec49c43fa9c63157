//! `bindgen LIBRARY.wasm FOLDER NAME CORPUS`: what JavaScript loads of a library, and a corpus as `demo.zip`.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use wasm_bindgen_cli_support::Bindgen;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, folder, name, corpus] = &arguments[..] else { return Err("bindgen LIBRARY.wasm FOLDER NAME CORPUS".into()) };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(library).out_name(name).web(true)?.typescript(true).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(folder)?;

    // FLAC becomes no smaller. Equal files give an equal ZIP.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).last_modified_time(DateTime::DEFAULT);
    let mut archive = ZipWriter::new(File::create(Path::new(folder).join("demo.zip"))?);
    for file in files_below(Path::new(corpus))? {
        if file.extension().is_some_and(|extension| extension == "csv" || extension == "flac") {
            archive.start_file(file.strip_prefix(corpus)?.to_string_lossy(), options)?;
            archive.write_all(&fs::read(&file)?)?;
        }
    }
    archive.finish()?;
    Ok(())
}

fn files_below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_below(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}
