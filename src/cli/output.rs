//! What may be written over: a file that the same command could have made, and nothing else. A name that was mistyped, or an input
//! that is named as output by whatever path or link, is refused before any work is done.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::evaluate::PREDICTIONS;
use super::segment_lines::{COLUMNS, Format};
use super::{Failure, cannot_write};
use crate::base::contents::first_foreign;
use crate::base::input::NoFile;
use crate::dataset::store::Store;
use crate::report::card;
use crate::train::{checkpoint, packed};

/// What a command writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Data,
    Index,
    Weights,
    Gradients,
    Evidence,
    Onnx,
    Packed,
    Features,
    Segments,
    Svg,
    Png,
    Page,
    Trace,
    Manual,
    Tiles,
    Predictions,
    Confusion,
    Card,
}

/// Bytes of a file that tell what it is.
const HEAD: u64 = 4096;

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Data => "a prepared file",
            Self::Index => "an index of shards",
            Self::Weights => "a file of exported weights",
            Self::Gradients => "a file of gradients",
            Self::Evidence => "a dump of 'mcsan check'",
            Self::Onnx => "an ONNX file of mcsan",
            Self::Packed => "a model in one file of mcsan",
            Self::Features => "a NumPy file of mcsan",
            Self::Segments => "a file of segments",
            Self::Svg => "an SVG of mcsan",
            Self::Png => "a PNG of mcsan",
            Self::Page => "a report of mcsan",
            Self::Trace => "a trace of mcsan",
            Self::Manual => "a manual page of mcsan",
            Self::Tiles => "a file of tiles",
            Self::Predictions => "a table of predictions of mcsan",
            Self::Confusion => "a confusion matrix of mcsan",
            Self::Card => "a model card of mcsan",
        }
    }

    /// Whether the file is one of the kind, as far as its beginning or its header tells.
    fn is_of(self, path: &Path) -> io::Result<bool> {
        let format = |wanted: &str| {
            Store::open(path).is_ok_and(|store| store.metadata("format").and_then(|format| format.split('/').next()) == Some(wanted))
        };
        let mut head = Vec::new();
        File::open(path)?.take(HEAD).read_to_end(&mut head)?;
        let holds = |part: &str| head.windows(part.len()).any(|window| window == part.as_bytes());
        Ok(match self {
            _ if head.is_empty() => true,
            Self::Data => format("mcsan-dataset"),
            Self::Index => head.starts_with(b"{") && holds("\"mcsan-shards/"),
            Self::Weights => format(checkpoint::WEIGHTS_FORMAT.name),
            Self::Gradients => {
                let is_result = |name: &String| name.starts_with("grad.") || ["logits", "loss"].contains(&name.as_str());
                Store::open(path).is_ok_and(|store| store.contains("loss") && store.names().iter().all(is_result))
            }
            Self::Evidence => format("mcsan-check"),
            // The name of its maker, second field of the message.
            Self::Onnx => head.get(2..9) == Some(b"\x12\x05mcsan"),
            // Its first member.
            Self::Packed => head.starts_with(b"PK\x03\x04") && holds(&format!("mcsan{}", packed::FORMAT)),
            // NumPy's own writer ends the shape otherwise.
            Self::Features => head.starts_with(b"\x93NUMPY\x01\x00") && holds("'descr': '<f4'") && holds(", ), }"),
            Self::Segments => match Format::of(path) {
                Some(Format::Csv) => head.starts_with(format!("{},", COLUMNS.join(",")).as_bytes()),
                Some(Format::JsonLines) => head.starts_with(b"{\"audio\":\"") && holds("\"end\":") && holds("\"label\":"),
                // Others leave the confidence out.
                Some(Format::Rttm) => {
                    let line = String::from_utf8_lossy(head.split(|&byte| byte == b'\n').next().unwrap_or_default()).into_owned();
                    let fields: Vec<&str> = line.split(' ').collect();
                    matches!(fields[..], ["SPEAKER", _, "1", _, _, "<NA>", "<NA>", _, share, "<NA>"] if share.parse::<f64>().is_ok())
                }
                None => false,
            },
            Self::Svg => head.starts_with(b"<svg xmlns=") && holds("font-family=\"Hack, 'DejaVu Sans Mono'"),
            // Eight bits of each of four colours, and no word about them.
            Self::Png => head.starts_with(b"\x89PNG") && head.get(24..26) == Some(&[8, 6]) && head.get(37..41) == Some(b"IDAT"),
            Self::Page => holds("<meta name=\"generator\" content=\"mcsan "),
            Self::Trace => head.starts_with(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":["),
            Self::Manual => holds(".TH mcsan"),
            Self::Tiles => head.starts_with(b"# The tiles that this device computes"),
            Self::Predictions => head.starts_with(PREDICTIONS.join(",").as_bytes()),
            Self::Confusion => head.starts_with(b"true,"),
            Self::Card => head.starts_with(card::OPENING.as_bytes()),
        })
    }
}

/// Whether a command may write to `path`: where there is nothing yet, or what it writes itself.
///
/// # Errors
/// Something else that is there, by what it is.
pub(crate) fn check(path: &Path, kind: Kind) -> Result<(), Failure> {
    let refused = |found: NoFile| Err(Failure(format!("{}: cannot be written ({found}); give the name of a file", path.display())));
    if path.as_os_str().as_encoded_bytes().last().is_some_and(|&last| std::path::is_separator(last.into())) {
        return refused(NoFile::Folder);
    }
    // What cannot be looked at cannot be written either, which writing says.
    let Ok(there) = fs::metadata(path) else { return Ok(()) };
    match NoFile::of(there.file_type()) {
        Some(found) => refused(found),
        None if kind.is_of(path).unwrap_or(false) => Ok(()),
        None => {
            let line = format!("{}: is not {}, so it is not written over; give another name, or remove it", path.display(), kind.name());
            Err(Failure(line))
        }
    }
}

/// As [`check`], of as many as are given, each of which is a file of its own.
pub(crate) fn check_all<'p>(outputs: impl IntoIterator<Item = (Option<&'p PathBuf>, Kind)>) -> Result<(), Failure> {
    let mut places = Vec::new();
    outputs.into_iter().filter_map(|(path, kind)| Some((path?, kind))).try_for_each(|(path, kind)| {
        let place = place(path);
        if places.contains(&place) {
            return Err(Failure(format!("{}: is to hold two of the outputs; give each a name of its own", path.display())));
        }
        places.push(place);
        // What takes long is not done in vain.
        if !folder(path).is_dir() {
            return Err(cannot_write(path)(io::Error::other("its folder is not there")));
        }
        check(path, kind)
    })
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a file would be written, by whatever path it is named.
fn place(path: &Path) -> PathBuf {
    match (folder(path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.into(),
    }
}

/// Whether a folder is one to fill: it is not there, or all names in it that are not hidden are among those that are written.
///
/// # Errors
/// A file in its place, or the first name that is not.
pub(crate) fn check_folder(folder: &Path, is_written: impl Fn(&str) -> bool) -> Result<(), Failure> {
    if folder.is_file() {
        return Err(Failure(format!("{}: cannot be written (it is a file); give --out a folder", folder.display())));
    }
    match first_foreign(folder, is_written) {
        None => Ok(()),
        Some(name) => {
            Err(Failure(format!("{}: holds '{name}', which is none of what is written there; choose another --out", folder.display())))
        }
    }
}
