//! Files that are written and read again: each version that there was is read, and one of a newer program is refused in a line, before
//! anything is trained or written over.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::corpus::{TINY, prepared, trained};
use crate::program::mcsan;

/// What a newer program's line says of a kind of file.
fn newer(kind: &str) -> String {
    format!("was written by a newer mcsan (version 2 of {kind}; this one reads up to 1)")
}

/// Changes the metadata of a safetensors file.
fn change_metadata(path: &Path, change: impl FnOnce(&mut Map<String, Value>)) {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    change(header["__metadata__"].as_object_mut().unwrap());
    let mut text = header.to_string();
    // Tensors begin at a multiple of eight.
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    let content = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &bytes[8 + length..]].concat();
    fs::write(path, content).unwrap();
}

fn change_json(path: &Path, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut document: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    change(document.as_object_mut().unwrap());
    fs::write(path, document.to_string()).unwrap();
}

/// What a file says of its kind.
fn said(path: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let start = text.find("mcsan-").unwrap_or_else(|| panic!("{} says nothing", path.display()));
    text[start..].chars().take_while(|&letter| letter == '-' || letter == '/' || letter.is_ascii_alphanumeric()).collect()
}

/// A file of one kind: its name, a call that reads it, whether it said nothing at first.
struct File<'f> {
    kind: &'f str,
    path: &'f str,
    call: &'f str,
    said_nothing: bool,
}

fn set(path: &Path, format: Option<&str>) {
    let change = |fields: &mut Map<String, Value>| match format {
        Some(format) => drop(fields.insert("format".into(), format.into())),
        None => drop(fields.remove("format").expect("it says its version")),
    };
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("safetensors") => change_metadata(path, change),
        Some("json") => change_json(path, change),
        _ => {
            let text = fs::read_to_string(path).unwrap();
            let others = text.lines().filter(|line| !line.starts_with("format = "));
            let mut lines: Vec<String> = others.map(str::to_owned).collect();
            assert!(lines.len() < text.lines().count(), "it says its version");
            if let Some(format) = format {
                lines.insert(lines.iter().take_while(|line| line.starts_with('#')).count(), format!("format = \"{format}\""));
            }
            fs::write(path, lines.join("\n") + "\n").unwrap();
        }
    }
}

/// Every version of each file is read by its call, which then changes nothing of it; a newer one is refused in a line that names it.
fn hold(here: &Path, files: &[File<'_>]) {
    for File { kind, path: name, call, said_nothing } in files {
        let path = here.join(name);
        let now = fs::read(&path).unwrap();
        assert_eq!(said(&path), format!("{kind}/1"), "{name}");
        let versions = [Some(format!("{kind}/1"))].into_iter().chain(said_nothing.then_some(None));
        for version in versions {
            fs::write(&path, &now).unwrap();
            set(&path, version.as_deref());
            mcsan(here, call).succeeds();
        }
        fs::write(&path, &now).unwrap();
        set(&path, Some(&format!("{kind}/2")));
        let before = fs::read(&path).unwrap();
        let outcome = mcsan(here, call);
        let lines: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("mcsan: ")).collect();
        assert_eq!((outcome.code, lines.len()), (Some(1), 1), "{call}: {}", outcome.stderr);
        let line = lines[0];
        assert!(line.contains(&newer(kind)) && line.contains("update mcsan"), "{call}: {line}");
        assert!(line.contains(name.rsplit('/').next().unwrap()) || *kind == "mcsan-run", "{call}: {line}");
        assert_eq!(fs::read(&path).unwrap(), before, "it is left as it was");
        fs::write(&path, now).unwrap();
    }
}

#[test]
fn prepared_files_runs_and_profiles_are_read_in_every_version_and_newer_ones_named() {
    let folder = trained();
    let here = folder.path();
    mcsan(here, "evaluate --run run --data data.safetensors --calibrate --device cpu").succeeds();
    let profile =
        mcsan(here, &format!("profile --device cpu --shape batch=2,frames=20,words=3 --steps 1 --warmup 0 {TINY} --json")).succeeds();
    fs::write(here.join("profile.json"), profile.stdout).unwrap();
    let predict = "predict --run run --audio audio/calm1.wav --text go --device cpu";
    hold(
        here,
        &[
            File { kind: "mcsan-dataset", path: "data.safetensors", call: "inspect data.safetensors", said_nothing: false },
            File { kind: "mcsan-checkpoint", path: "run/best.safetensors", call: predict, said_nothing: false },
            File { kind: "mcsan-vocabulary", path: "run/vocabulary.safetensors", call: predict, said_nothing: true },
            File {
                kind: "mcsan-calibration",
                path: "run/calibration.json",
                call: "predict --run run --audio audio/calm1.wav --text go --device cpu --calibrated",
                said_nothing: false,
            },
            File { kind: "mcsan-run", path: "run/config.toml", call: "report --run run", said_nothing: true },
            File {
                kind: "mcsan-run",
                path: "run/config.toml",
                call: "train --data data.safetensors --out run --resume --config run/config.toml --device cpu",
                said_nothing: true,
            },
            File { kind: "mcsan-test", path: "run/test.json", call: "report --run run", said_nothing: true },
            File { kind: "mcsan-profile", path: "profile.json", call: "profile --from profile.json", said_nothing: true },
        ],
    );
}

#[test]
fn files_of_experiments_are_read_in_every_version_and_newer_ones_named() {
    let folder = prepared();
    let here = folder.path();
    let with = |call: &str| format!("{call} --device cpu --epochs 1 {TINY}");
    let crossval = with("crossval --data data.safetensors --out folds --folds 3");
    let sweep = with("sweep --data data.safetensors --out sweep --grid train.lr=1e-3,3e-4");
    fs::copy(here.join("data.safetensors"), here.join("other.safetensors")).unwrap();
    let matrix = with("matrix --data data.safetensors,other.safetensors --out matrix");
    for call in [&crossval, &sweep, &matrix] {
        mcsan(here, call).succeeds();
    }
    // As a trial leaves it whose settings cannot be trained with.
    fs::write(here.join("sweep/trial-002/failed.json"), r#"{"format":"mcsan-failed/1","seed":1,"fold":1,"error":"no number"}"#).unwrap();
    hold(
        here,
        &[
            File { kind: "mcsan-folds", path: "folds/folds.json", call: &crossval, said_nothing: false },
            File { kind: "mcsan-test", path: "folds/fold-2/test.json", call: &crossval, said_nothing: true },
            File { kind: "mcsan-run", path: "folds/fold-2/config.toml", call: &crossval, said_nothing: true },
            File { kind: "mcsan-sweep", path: "sweep/space.json", call: &sweep, said_nothing: false },
            File { kind: "mcsan-failed", path: "sweep/trial-002/failed.json", call: &sweep, said_nothing: true },
            File { kind: "mcsan-cell", path: "matrix/data/on-other.json", call: &matrix, said_nothing: true },
        ],
    );
}
