//! Every failure is exit code 1 and one line that names the file or setting and the remedy, and leaves nothing behind.

use std::fs;
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};
use tempfile::TempDir;

use super::corpus::{MONO_16_KHZ, TINY, corpus, prepared, trained};
use crate::program::mcsan;

/// Names of everything in a folder and the folders in it.
pub fn everything(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        found.push(entry.display().to_string());
        if entry.is_dir() {
            found.extend(everything(&entry));
        }
    }
    found.sort();
    found
}

/// Calls the program on the CPU reference and requires that its one line holds `parts`, and that no file came or went.
pub fn refused(folder: &TempDir, arguments: &str, parts: &[&str]) {
    let before = everything(folder.path());
    let line = mcsan(folder.path(), &format!("{arguments} --device cpu")).fails();
    for part in parts {
        assert!(line.contains(part), "{arguments}: '{part}' is missing in\n{line}");
    }
    assert_eq!(everything(folder.path()), before, "{arguments}");
}

/// Writes the manifest with a part replaced, and requires that preparing it fails.
fn refused_manifest(part: &str, replacement: &[u8], parts: &[&str]) {
    let folder = corpus();
    let manifest = fs::read_to_string(folder.path().join("manifest.csv")).unwrap();
    let (before, after) = manifest.split_once(part).unwrap_or_else(|| panic!("no '{part}' in the manifest"));
    fs::write(folder.path().join("bad.csv"), [before.as_bytes(), replacement, after.as_bytes()].concat()).unwrap();
    refused(&folder, "prepare manifest bad.csv --out data.safetensors", parts);
}

const PREPARE: &str = "prepare manifest manifest.csv --out data.safetensors";
const TRAIN: &str = "train --data data.safetensors --out run";

#[test]
fn a_missing_file_is_named() {
    let folder = trained();
    refused(&folder, "prepare manifest absent.csv --out a.safetensors", &["absent.csv: cannot be read", "check the path"]);
    refused(&folder, &format!("{PREPARE} --vectors absent.txt"), &["absent.txt: cannot be read", "check the path"]);
    refused(&folder, "inspect absent.safetensors", &["absent.safetensors: cannot be read", "check the path"]);
    refused(&folder, "train --data absent.safetensors --out a", &["absent.safetensors: cannot be read", "check the path"]);
    refused(&folder, "train --data data.safetensors --out a --config absent.toml", &["absent.toml", "see 'mcsan config'"]);
    refused(&folder, "train --data data.safetensors --out a --weights absent.safetensors", &["absent.safetensors: cannot be read"]);
    refused(&folder, "evaluate --run absent --data data.safetensors", &["best.safetensors: cannot be read", "absent", "check the path"]);
    refused(&folder, "predict --run run --audio absent.wav --text go", &["absent.wav: cannot be read", "check the path"]);
    refused(&folder, "features --audio absent.wav --out a.npy", &["absent.wav: cannot be read", "check the path"]);
    refused(
        &folder,
        &format!("gradients --data data.safetensors --weights absent.safetensors --out a.safetensors {TINY}"),
        &["absent.safetensors: cannot be read"],
    );
}

#[test]
fn a_faulty_manifest_is_named_with_its_line() {
    refused_manifest("audio/calm1.wav", b"audio/nothing.wav", &["nothing.wav: cannot be read", "check the path"]);
    refused_manifest("calm,train", b",train", &["bad.csv, line 7: no label", "fill it in"]);
    refused_manifest("audio/angry1.wav", b"", &["bad.csv, line 3: no audio", "fill it in"]);
    refused_manifest("The sea", b"The s\xe9a", &["bad.csv, line 7: is not UTF-8", "save the file as UTF-8"]);
    refused_manifest("label", b"emotion", &["bad.csv: has no column 'label'", "add it to the first line"]);
    refused_manifest("validation", b"dev", &["bad.csv, line 5: unknown split 'dev'", "validation"]);
    refused_manifest("glad1,audio", b"glad0,audio", &["bad.csv, line 13: the id 'glad0' stands in line 12 too"]);
    refused_manifest("\"Go away, you liar!\"", b"Go away, you liar!", &["bad.csv, line 2: has 7 fields", "in quotes"]);
}

#[test]
fn a_faulty_recording_is_named_and_not_used_in_part() {
    let folder = corpus();
    let audio = folder.path().join("audio/calm1.wav");
    let whole = fs::read(&audio).unwrap();
    let check = |parts: &[&str]| {
        refused(&folder, PREPARE, parts);
        refused(&folder, "features --audio audio/calm1.wav --out a.npy", parts);
    };
    fs::write(&audio, &whole[..whole.len() / 2]).unwrap();
    check(&["calm1.wav: holds", "cut short or damaged", "fetch it again"]);
    fs::write(&audio, &whole[..20]).unwrap();
    check(&["calm1.wav: the file ends within its header"]);
    fs::write(&audio, "a letter").unwrap();
    check(&["calm1.wav", "neither WAV, FLAC", "convert it"]);
    let spec = WavSpec { bits_per_sample: 32, sample_format: SampleFormat::Float, ..MONO_16_KHZ };
    let mut writer = WavWriter::create(&audio, spec).unwrap();
    for sample in [0.1, 0.2, f32::NAN, 0.3] {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    check(&["calm1.wav: the sample of frame 2, channel 0 is NaN", "repair the recording"]);
}

#[test]
fn faulty_word_vectors_are_named_with_their_line() {
    let folder = corpus();
    let vectors = fs::read_to_string(folder.path().join("vectors.txt")).unwrap();
    fs::write(folder.path().join("bad.txt"), format!("{vectors}short 0.5 0.25\n")).unwrap();
    refused(&folder, &format!("{PREPARE} --vectors bad.txt"), &["bad.txt, line 17: has 2 numbers", "8", "fetch the file again"]);
    fs::write(folder.path().join("bad.txt"), vectors.replacen("0.", "nil", 1)).unwrap();
    refused(&folder, &format!("{PREPARE} --vectors bad.txt"), &["bad.txt, line 1: '", "not a finite number"]);
}

#[test]
fn an_unknown_setting_names_the_nearest_and_a_wrong_value_what_is_allowed() {
    let folder = prepared();
    refused(&folder, &format!("{TRAIN} --set model.layer=1"), &["unknown setting 'model.layer'", "model.layers", "mcsan config"]);
    refused(&folder, &format!("{TRAIN} --set learning_rate=1"), &["unknown setting 'learning_rate'"]);
    refused(&folder, &format!("{TRAIN} --set model.layers=many"), &["model.layers", "many", "an integer, at least 1"]);
    refused(&folder, &format!("{TRAIN} --set model.variant=best"), &["model.variant", "no_audio"]);
    refused(&folder, &format!("{TRAIN} --set model.heads=7"), &["model.heads = 7", "a divisor of model.hidden"]);
    refused(&folder, &format!("{TRAIN} --set model.layers"), &["'model.layers' is not KEY=VALUE"]);
    refused(&folder, &format!("{TRAIN} --epochs 0"), &["train.epochs = 0", "at least 1"]);
    let weights = &["train.class_weights = 2 numbers", "one for each of the 3 classes"];
    refused(&folder, &format!("{TRAIN} --set train.class_weights=[1,2]"), weights);
    fs::write(folder.path().join("bad.toml"), "[model]\nhiden = 8\n").unwrap();
    refused(&folder, &format!("{TRAIN} --config bad.toml"), &["unknown setting 'model.hiden'", "model.hidden"]);
    fs::write(folder.path().join("bad.toml"), "[model\n").unwrap();
    refused(&folder, &format!("{TRAIN} --config bad.toml"), &["bad.toml", "mcsan config"]);
}

#[test]
fn an_unknown_device_is_named_beside_those_that_are_there() {
    let folder = prepared();
    for device in ["Voodoo-3dfx", "77"] {
        let outcome = mcsan(folder.path(), &format!("{TRAIN} --device {device}"));
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        // Drivers may write lines of their own to standard error.
        let lines: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("mcsan: ")).collect();
        assert!(lines.len() == 1 && !outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        assert!(lines[0].contains(&format!("'{device}'")) && lines[0].contains("mcsan devices"), "{}", lines[0]);
        assert!(!folder.path().join("run").exists());
    }
}

#[test]
fn a_run_is_never_written_over() {
    let folder = trained();
    let before = fs::read(folder.path().join("run/metrics.jsonl")).unwrap();
    refused(&folder, &format!("{TRAIN} --epochs 1 {TINY}"), &["run: holds a run already", "choose another --out"]);
    assert_eq!(fs::read(folder.path().join("run/metrics.jsonl")).unwrap(), before);
}

#[test]
fn a_data_file_that_is_cut_short_is_refused_by_every_command() {
    let folder = trained();
    let whole = fs::read(folder.path().join("data.safetensors")).unwrap();
    let parts = &["cut.safetensors: is not a whole safetensors file", "make it again"];
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(folder.path().join("cut.safetensors"), &whole[..length]).unwrap();
        refused(&folder, "inspect cut.safetensors", parts);
        refused(&folder, "train --data cut.safetensors --out a", parts);
        refused(&folder, "evaluate --run run --data cut.safetensors", parts);
        refused(&folder, "gradients --data cut.safetensors --weights run/best.safetensors --out a.safetensors", parts);
    }
    let checkpoint = fs::read(folder.path().join("run/best.safetensors")).unwrap();
    fs::write(folder.path().join("run/best.safetensors"), &checkpoint[..checkpoint.len() / 2]).unwrap();
    fs::write(folder.path().join("pointer.safetensors"), "version https://git-lfs.github.com/spec/v1\n").unwrap();
    let pointer = &["pointer.safetensors: is a pointer of Git LFS in place of the file; run 'git lfs pull'"];
    for command in ["inspect pointer.safetensors", "gradients --data data.safetensors --weights pointer.safetensors --out a.safetensors"] {
        refused(&folder, command, pointer);
    }
    let parts = &["best.safetensors: is not a whole safetensors file"];
    refused(&folder, "evaluate --run run --data data.safetensors", parts);
    refused(&folder, "predict --run run --audio audio/calm1.wav --text go", parts);
}

#[test]
fn weights_that_do_not_fit_are_named_with_both_shapes() {
    let folder = trained();
    let wider = TINY.replace("hidden=16", "hidden=32");
    let parts = &["run/best.safetensors: tensor '", "has the shape [16", "not [32"];
    refused(&folder, &format!("train --data data.safetensors --out a --weights run/best.safetensors {wider}"), parts);
    let gradients = "gradients --data data.safetensors --out a.safetensors";
    refused(&folder, &format!("{gradients} --weights run/best.safetensors {wider}"), parts);
    refused(&folder, &format!("{gradients} --weights data.safetensors {TINY}"), &["data.safetensors: has no tensor '", "audio.features"]);
    refused(
        &folder,
        &format!("{gradients} --weights run/best.safetensors {TINY} --set train.class_weights=[1,2]"),
        &["train.class_weights = 2 numbers", "one for each of the 3 classes"],
    );
    for range in ["10..20", "3..3", "5..2"] {
        refused(
            &folder,
            &format!("{gradients} --weights run/best.safetensors {TINY} --utterances {range}"),
            &[&format!("--utterances {range}"), "0..15"],
        );
    }
}

#[test]
fn data_that_a_model_was_not_made_for_are_named() {
    let folder = trained();
    let manifest = fs::read_to_string(folder.path().join("manifest.csv")).unwrap();
    let prepare = |name: &str, manifest: String, options: &str| {
        fs::write(folder.path().join(format!("{name}.csv")), manifest).unwrap();
        mcsan(folder.path(), &format!("prepare manifest {name}.csv --out {name}.safetensors {options} --device cpu")).succeeds();
    };
    prepare("classes", manifest.replace(",calm,", ",serene,"), "--vectors vectors.txt");
    refused(&folder, "evaluate --run run --data classes.safetensors", &["classes.safetensors", "serene", "calm", "prepare data", "--map"]);
    prepare("untested", manifest.replace(",test,", ",train,"), "--vectors vectors.txt");
    refused(&folder, "evaluate --run run --data untested.safetensors", &["untested.safetensors", "no utterance in the test split"]);
    prepare("untrained", manifest.replace(",train,", ",test,"), "--vectors vectors.txt");
    refused(&folder, "train --data untrained.safetensors --out a", &["untrained.safetensors", "no utterance in the train split"]);
    prepare("words", manifest.clone(), "");
    refused(&folder, "evaluate --run run --data words.safetensors", &["words.safetensors", "prepare with the same vectors"]);

    mcsan(folder.path(), &format!("train --data words.safetensors --out learned --epochs 1 {TINY} --device cpu")).succeeds();
    refused(&folder, "evaluate --run learned --data data.safetensors", &["data.safetensors", "prepare with the same vectors"]);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = trained();
    let remedy = "check that its folder exists";
    refused(&folder, "prepare manifest manifest.csv --out absent/a.safetensors", &["absent/a.safetensors: cannot be written", remedy]);
    refused(&folder, "features --audio audio/calm1.wav --out absent/a.npy", &["absent/a.npy: cannot be written", remedy]);
    // Before anything is computed: no other line is said.
    for (command, place) in [
        ("features --audio audio/calm1.wav --out run", "run: cannot be written (it is a folder); give the name of a file"),
        ("prepare manifest manifest.csv --out run", "run: cannot be written (it is a folder); give the name of a file"),
        ("prepare manifest manifest.csv --out new/", "new/: cannot be written (it is a folder); give the name of a file"),
        ("evaluate --run run --data data.safetensors --predictions absent/p.csv", "absent/p.csv: cannot be written (its folder is not"),
        ("profile --shape batch=1,frames=9,words=1 --trace absent/t.json", "absent/t.json: cannot be written (its folder is not there)"),
    ] {
        let outcome = mcsan(folder.path(), &format!("{command} --device cpu"));
        let lines: Vec<&str> = outcome.stderr.lines().collect();
        assert!(outcome.code == Some(1) && lines.len() == 1 && lines[0].contains(place), "{command}: {}", outcome.stderr);
    }
    refused(
        &folder,
        &format!("gradients --data data.safetensors --weights run/best.safetensors {TINY} --out absent/a.safetensors"),
        &["absent/a.safetensors: cannot be written", remedy],
    );
    refused(&folder, "train --data data.safetensors --out manifest.csv", &["manifest.csv: cannot be written", "choose another --out"]);
    for command in ["shaders", "demo"] {
        let parts = &["manifest.csv: cannot be written (it is a file); give --out a folder"];
        refused(&folder, &format!("{command} --out manifest.csv"), parts);
    }
}

#[test]
fn a_loss_that_is_not_finite_stops_the_training_and_names_the_step() {
    let folder = prepared();
    let line = mcsan(folder.path(), &format!("{TRAIN} --epochs 5 --set train.lr=1e30 {TINY} --device cpu")).stderr;
    let failure: Vec<&str> = line.lines().filter(|line| line.starts_with("mcsan: ")).collect();
    assert!(failure.len() == 1 && failure[0].contains("the loss is") && failure[0].contains("lower train.lr"), "{line}");
    assert!(!folder.path().join("run/best.safetensors").exists());
}

#[test]
fn wrong_usage_exits_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        "",
        "dance",
        "train --data data.safetensors",
        "train --data d --out r --order sorted",
        "train --data d --out r --from=",
        "train --data d --out r --device=",
        "evaluate --run run --data d --split dev",
        "evaluate --run run --data d --bootstrap 1000001",
        "gradients --data d --weights w --out g --utterances 1-8",
        "prepare tapes manifest.csv --out d",
        "devices --backend glide",
        "crossval --data d --out r --by day",
        "ablate --data d --out r --rows full,half",
        "config --set model.layers=1",
        "prepare emodb . --out d --split-seed 3",
        "predict --run r --audio a.wav --text x --pcm-rate 8000",
        "predict --run r --list a.csv --pcm-format f32",
    ] {
        let outcome = mcsan(folder.path(), arguments);
        assert_eq!(outcome.code, Some(2), "mcsan {arguments}\n{}", outcome.stderr);
        assert!(outcome.stdout.is_empty() && outcome.stderr.contains("--help"), "mcsan {arguments}\n{}", outcome.stderr);
        assert_eq!(everything(folder.path()).len(), 0);
    }
}
