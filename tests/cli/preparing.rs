//! `mcsan prepare` and `mcsan inspect`: what is left out, what a prepared file tells, and that a preparation which does not
//! end leaves nothing.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::corpus::{TINY, UTTERANCES, corpus, prepared};
use crate::program::mcsan;

const PREPARE: &str = "prepare manifest manifest.csv --vectors vectors.txt --out data.safetensors --device cpu";

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn inspect(folder: &TempDir) -> Value {
    mcsan(folder.path(), "inspect data.safetensors --json").json()
}

#[test]
fn a_recording_that_cannot_be_read_is_left_out_by_name_and_counted() {
    let folder = corpus();
    fs::write(folder.path().join("audio/calm1.wav"), "a letter").unwrap();
    fs::remove_file(folder.path().join("audio/glad3.wav")).unwrap();
    let outcome = mcsan(folder.path(), &format!("{PREPARE} --allow-missing 2 --json"));
    assert!(outcome.stderr.contains("left out: calm1: audio/calm1.wav: this content"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("left out: glad3: audio/glad3.wav: cannot be read"), "{}", outcome.stderr);
    let report = outcome.json();
    assert_eq!(report["utterances"], UTTERANCES - 2);
    let ids: Vec<&Value> = report["left_out"].as_array().unwrap().iter().map(|left_out| &left_out["id"]).collect();
    assert_eq!(ids, ["calm1", "glad3"]);
    let notes: Vec<&Value> = report["notes"].as_array().unwrap().iter().filter(|note| note["kind"] == "left_out").collect();
    assert_eq!((notes.len(), &notes[1]["id"], &notes[1]["reason"]), (2, &json!("glad3"), &report["left_out"][1]["reason"]));
    assert!(notes[1]["text"].as_str().unwrap().starts_with("left out: glad3: audio/glad3.wav: cannot be read"), "{report}");

    let data = inspect(&folder);
    assert_eq!(data["left_out"], report["left_out"]);
    assert_eq!(data["splits"]["train"]["classes"], json!({ "angry": 3, "calm": 2, "glad": 3 }));
    let shown = mcsan(folder.path(), "inspect data.safetensors").succeeds().stdout;
    assert!(shown.contains("left out        2 utterances") && shown.contains("  glad3: audio/glad3.wav: cannot be read"), "{shown}");

    // The words and features of those that stay are those of a corpus without the others.
    let manifest = fs::read_to_string(folder.path().join("manifest.csv")).unwrap();
    let kept: String =
        manifest.lines().filter(|line| !line.starts_with("calm1") && !line.starts_with("glad3")).map(|line| format!("{line}\n")).collect();
    fs::write(folder.path().join("manifest.csv"), kept).unwrap();
    let whole = mcsan::dataset::Dataset::load(&folder.path().join("data.safetensors")).unwrap();
    mcsan(folder.path(), &PREPARE.replace("data.safetensors", "kept.safetensors")).succeeds();
    let kept = mcsan::dataset::Dataset::load(&folder.path().join("kept.safetensors")).unwrap();
    assert_eq!((&whole.streams, &whole.labels), (&kept.streams, &kept.labels));
    assert_eq!(whole.utterances, kept.utterances);
}

#[test]
fn more_missing_recordings_than_allowed_end_the_preparation() {
    let folder = corpus();
    for clip in ["angry0", "calm1", "glad3"] {
        fs::remove_file(folder.path().join(format!("audio/{clip}.wav"))).unwrap();
    }
    let before = names(folder.path());
    for (allowed, missing) in [("", 1), ("--allow-missing 10%", 2), ("--allow-missing 2", 3)] {
        let outcome = mcsan(folder.path(), &format!("{PREPARE} {allowed}"));
        let line = outcome.stderr.lines().last().unwrap();
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        assert!(line.starts_with("mcsan: audio/angry0.wav: cannot be read"), "{line}");
        assert!(line.contains(&format!("({missing} of 15 utterances cannot be used, at most")), "{line}");
        assert!(line.contains("allow more with --allow-missing"), "{line}");
        assert_eq!(names(folder.path()), before);
    }
    mcsan(folder.path(), &format!("{PREPARE} --allow-missing 20%")).succeeds();
}

#[test]
fn an_allowance_is_a_share_or_a_number() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in ["-1", "101%", "some", "1.5", "%"] {
        let outcome = mcsan(folder.path(), &format!("prepare manifest a.csv --out a --allow-missing={wrong}"));
        assert_eq!(outcome.code, Some(2), "{wrong}");
        assert!(outcome.stderr.contains("neither a share like 1% nor a number"), "{}", outcome.stderr);
    }
}

#[test]
fn a_corpus_gives_the_same_bytes_wherever_it_lies() {
    let [here, there] = [prepared(), corpus()];
    let manifest = there.path().join("manifest.csv").display().to_string();
    let elsewhere = tempfile::tempdir().unwrap();
    let vectors = there.path().join("vectors.txt").display().to_string();
    mcsan(elsewhere.path(), &format!("prepare manifest {manifest} --vectors {vectors} --out data.safetensors --device cpu")).succeeds();
    let [a, b] = [here.path(), elsewhere.path()].map(|folder| fs::read(folder.join("data.safetensors")).unwrap());
    assert!(a == b, "the files differ");
}

#[test]
fn what_a_prepared_file_tells() {
    let folder = corpus();
    mcsan(folder.path(), &format!("{PREPARE} --features torchaudio --deltas 1 --mel-bands 64 --oov random")).succeeds();
    let data = inspect(&folder);
    assert_eq!(data["coefficients"], 80, "forty and their deltas");
    let settings = &data["features"];
    assert_eq!((&settings["convention"], &settings["deltas"], &settings["mel_bands"]), (&json!("torchaudio"), &json!(1), &json!(64)));
    let bins = data["frames"]["histogram"].as_array().unwrap();
    assert_eq!(bins.iter().map(|bin| bin["utterances"].as_u64().unwrap()).sum::<u64>(), UTTERANCES as u64);
    assert_eq!((bins[0]["from"].as_u64(), bins.last().unwrap()["to"].as_u64()), (Some(31), Some(52)));
    // The one unknown word has a vector that was drawn, and still counts as unknown.
    assert_eq!((&data["drawn"], &data["commonest_missing"]), (&json!(1), &json!([["Qwertzday", 5]])));
    assert!(data["out_of_vocabulary"].as_f64().unwrap() > 0.0);
    assert_eq!(data["published"], Value::Null, "nobody published counts of this corpus");
    let shown = mcsan(folder.path(), "inspect data.safetensors").succeeds().stdout;
    assert!(shown.contains("convention torchaudio") && shown.contains("most often Qwertzday") && shown.contains('█'), "{shown}");
}

#[test]
fn a_model_predicts_with_the_features_that_it_was_trained_on() {
    let folder = corpus();
    mcsan(folder.path(), &format!("{PREPARE} --features htk --deltas 2 --pre-emphasis 0.97 --window hamming")).succeeds();
    mcsan(folder.path(), &format!("train --data data.safetensors --out run --epochs 2 {TINY} --device cpu")).succeeds();
    let test: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("run/test.json")).unwrap()).unwrap();
    let tested = test["predictions"].as_array().unwrap();
    for (clip, text) in [("angry4", "Go away, you liar!"), ("glad4", "What a lovely Qwertzday")] {
        let arguments = ["predict", "--run", "run", "--audio", &format!("audio/{clip}.wav"), "--text", text, "--device", "cpu", "--json"];
        let prediction = crate::program::call(folder.path(), &arguments).json();
        let expected = tested.iter().find(|tested| tested["id"] == clip).unwrap();
        let probabilities: Vec<&Value> = prediction["probabilities"].as_object().unwrap().values().collect();
        assert_eq!(probabilities, expected["probabilities"].as_array().unwrap().iter().collect::<Vec<_>>(), "{clip}: {expected}");
    }
}

/// The corpus with every utterance many times over: work enough to be interrupted.
fn long_corpus() -> TempDir {
    let folder = corpus();
    let manifest = fs::read_to_string(folder.path().join("manifest.csv")).unwrap();
    let (head, rows) = manifest.split_once('\n').unwrap();
    let repeated = (0..200).flat_map(|copy| rows.lines().map(move |row| format!("{copy}-{row}\n")));
    fs::write(folder.path().join("manifest.csv"), format!("{head}\n{}", repeated.collect::<String>())).unwrap();
    folder
}

#[test]
fn a_killed_preparation_leaves_nothing_half_made() {
    let folder = long_corpus();
    let before = names(folder.path());
    for moment in 0..12 {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mcsan"))
            .current_dir(folder.path())
            .args(PREPARE.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(13 * moment));
        program.kill().unwrap();
        program.wait().unwrap();
        let after = names(folder.path());
        // It may have been done before it was killed.
        if after != before {
            assert_eq!(inspect(&folder)["utterances"], 200 * UTTERANCES);
            fs::remove_file(folder.path().join("data.safetensors")).unwrap();
        }
        #[cfg(target_os = "linux")]
        assert_eq!(names(folder.path()), before, "after {} ms", 13 * moment);
    }
}

/// Files may grow to so many KiB and no further, as on a disk that is full.
#[cfg(unix)]
fn prepare_within(folder: &TempDir, kibibytes: usize) -> std::process::Output {
    let program = env!("CARGO_BIN_EXE_mcsan");
    let script = format!("trap '' XFSZ; ulimit -f {kibibytes}; exec '{program}' {PREPARE}");
    Command::new("bash").current_dir(folder.path()).args(["-c", &script]).output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_is_named_and_the_old_file_stays() {
    let folder = long_corpus();
    let old = prepared();
    fs::copy(old.path().join("data.safetensors"), folder.path().join("data.safetensors")).unwrap();
    let was_there = fs::read(folder.path().join("data.safetensors")).unwrap();
    let before = names(folder.path());
    // Some 20 MB: no room for a part of the features, for all of them, and for the last of what is said of the utterances.
    let whole = {
        let elsewhere = long_corpus();
        assert!(prepare_within(&elsewhere, 1 << 20).status.success());
        fs::metadata(elsewhere.path().join("data.safetensors")).unwrap().len() as usize
    };
    for kibibytes in [64, whole >> 11, (whole >> 10) - 1] {
        let outcome = prepare_within(&folder, kibibytes);
        let message = String::from_utf8(outcome.stderr).unwrap();
        let line = message.lines().last().unwrap();
        assert_eq!(outcome.status.code(), Some(1), "{message}");
        assert!(line.starts_with("mcsan: ") && line.contains("cannot be written") && line.contains("has room"), "{line}");
        assert_eq!(names(folder.path()), before);
        assert!(fs::read(folder.path().join("data.safetensors")).unwrap() == was_there);
    }
}

/// What Python's `safetensors` reads of a prepared file, as JSON.
const READ_BY_PYTHON: &str = r"
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], 'np') as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    print(json.dumps({
        'metadata': file.metadata(),
        'types': {name: str(tensor.dtype) for name, tensor in tensors.items()},
        'shapes': {name: tensor.shape for name, tensor in tensors.items()},
        'sum': float(tensors['audio.features'].astype('float64').sum()),
    }))
";

/// And a file written by it from what it read.
const REWRITE_BY_PYTHON: &str = r"
import sys
from safetensors import safe_open
from safetensors.numpy import save_file
with safe_open(sys.argv[1], 'np') as file:
    save_file({name: file.get_tensor(name) for name in file.keys()}, sys.argv[2], file.metadata())
";

fn python(folder: &TempDir, script: &str, files: &[&str]) -> String {
    let program = std::env::var("MCSAN_PYTHON").unwrap_or_else(|_| "python3".into());
    let output = Command::new(program).current_dir(folder.path()).args(["-c", script]).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn pythons_safetensors_reads_a_prepared_file_and_writes_one_that_is_read() {
    let program = std::env::var("MCSAN_PYTHON").unwrap_or_else(|_| "python3".into());
    let there = Command::new(program).args(["-c", "import safetensors.numpy"]).output().is_ok_and(|output| output.status.success());
    if !there {
        println!("skipped: no Python with safetensors: pythons_safetensors_reads_a_prepared_file_and_writes_one_that_is_read");
        return;
    }
    let folder = prepared();
    let read: Value = serde_json::from_str(&python(&folder, READ_BY_PYTHON, &["data.safetensors"])).unwrap();
    let data = mcsan::dataset::Dataset::load(&folder.path().join("data.safetensors")).unwrap();
    assert_eq!(read["metadata"]["format"], "mcsan-dataset/1");
    assert_eq!(read["shapes"]["audio.features"], json!([data.audio().unwrap().count(), 40]));
    let types = json!({
        "audio.features": "float32", "audio.offsets": "int64", "text.tokens": "int32", "text.offsets": "int64",
        "text.vectors": "float32", "labels": "int32",
    });
    assert_eq!(read["types"], types);
    let audio = data.audio().unwrap();
    let sum: f64 = audio.rows(0..audio.count()).unwrap().iter().map(|&value| f64::from(value)).sum();
    assert!((read["sum"].as_f64().unwrap() - sum).abs() < 1e-6 * sum.abs());

    python(&folder, REWRITE_BY_PYTHON, &["data.safetensors", "python.safetensors"]);
    assert_eq!(mcsan::dataset::Dataset::load(&folder.path().join("python.safetensors")).unwrap(), data);
    mcsan(folder.path(), &format!("train --data python.safetensors --out run --epochs 1 {TINY} --device cpu")).succeeds();
}
