//! What is no file is refused by what it is, at once; a stream is read where it is asked for.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use super::corpus::{corpus, trained};
use super::failures::refused;
use crate::program::mcsan;

/// A pipe that nobody writes to: whoever opens it waits.
fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_pipe_a_folder_or_a_device_in_a_files_place_is_named_by_every_command() {
    let folder = trained();
    pipe(&folder.path().join("pipe"));
    for (there, what) in [("pipe", "it is a pipe"), ("audio", "it is a folder"), ("/dev/zero", "it is a device")] {
        let given = format!("{there}: cannot be read ({what}); give a file");
        let parts = &[given.as_str()];
        refused(&folder, &format!("prepare manifest {there} --out a.safetensors"), parts);
        refused(&folder, &format!("prepare manifest manifest.csv --out a.safetensors --vectors {there}"), parts);
        refused(&folder, &format!("inspect {there}"), parts);
        refused(&folder, &format!("train --data {there} --out a"), parts);
        refused(&folder, &format!("train --data data.safetensors --out a --weights {there}"), parts);
        refused(&folder, &format!("evaluate --run run --data {there}"), parts);
        refused(&folder, &format!("predict --run run --audio {there} --text go"), parts);
        refused(&folder, &format!("predict --run run --list {there}"), parts);
        refused(&folder, &format!("features --audio {there} --out a.npy"), parts);
        refused(&folder, &format!("tokens --list {there}"), parts);
        refused(&folder, &format!("gradients --data data.safetensors --weights {there} --out a.safetensors"), parts);
        refused(&folder, &format!("train --data data.safetensors --out a --config {there}"), &[&given]);
        refused(&folder, &format!("profile --from {there}"), &[there, what]);
    }
}

#[test]
fn a_pipe_in_the_place_of_a_runs_file_is_named() {
    let folder = trained();
    for file in ["best.safetensors", "vocabulary.safetensors"] {
        let path = folder.path().join("run").join(file);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        pipe(&path);
        refused(&folder, "predict --run run --audio audio/calm1.wav --text go", &[file, "it is a pipe"]);
        refused(&folder, "report --run run", &[file, "it is a pipe"]);
        fs::remove_file(&path).unwrap();
        fs::write(&path, whole).unwrap();
    }
    let path = folder.path().join("run/metrics.jsonl");
    fs::remove_file(&path).unwrap();
    pipe(&path);
    refused(&folder, "report --run run", &["metrics.jsonl", "it is a pipe"]);
}

#[test]
fn a_pipe_among_recordings_is_left_out_by_name_and_never_waited_for() {
    let folder = corpus();
    let path = folder.path().join("audio/calm1.wav");
    fs::remove_file(&path).unwrap();
    pipe(&path);
    let prepare = "prepare manifest manifest.csv --out data.safetensors";
    refused(&folder, prepare, &["calm1.wav: cannot be read (it is a pipe)"]);
    let report = mcsan(folder.path(), &format!("{prepare} --allow-missing 1 --device cpu --json")).json();
    assert_eq!(report["left_out"][0]["id"], "calm1");
    assert!(report["left_out"][0]["reason"].as_str().unwrap().contains("it is a pipe"), "{report}");
}

#[test]
fn a_stream_that_the_shell_hands_over_is_read() {
    let folder = trained();
    let program = env!("CARGO_BIN_EXE_mcsan");
    let here = folder.path().display();
    let bash = |script: &str| {
        let script = script.replace("mcsan", &format!("'{program}'"));
        Command::new("bash").current_dir(folder.path()).args(["-c", &script]).output().unwrap()
    };
    for script in [
        "mcsan tokens --list <(echo Go away)".to_owned(),
        "echo Go away | mcsan tokens --list /dev/stdin".to_owned(),
        "mcsan tokens --text 'Go away' --vectors <(cat vectors.txt)".to_owned(),
        format!("mcsan predict --run run --device cpu --list <(printf 'audio,text\\n{here}/audio/calm1.wav,go\\n')"),
        "mcsan train --data data.safetensors --out fed --device cpu --epochs 1 --config <(echo model.hidden = 8)".to_owned(),
    ] {
        let output = bash(&script);
        assert!(output.status.success() && !output.stdout.is_empty(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    // What is read back and forth is a file.
    let output = bash("mcsan inspect <(cat data.safetensors)");
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && line.contains("it is a pipe); give a file"), "{line}");
}
