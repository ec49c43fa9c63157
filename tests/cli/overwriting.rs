//! What is there and was not made by the same command is never written over.

use std::fs;
use std::path::Path;

use super::corpus::{TINY, trained};
use super::failures::refused;
use crate::program::mcsan;

const PREPARE: &str = "prepare manifest manifest.csv --vectors vectors.txt";

/// Requires that the command leaves what is there as it is, and that no file came or went.
fn left_alone(folder: &tempfile::TempDir, arguments: &str, there: &str, parts: &[&str]) {
    let path = folder.path().join(there);
    let before = fs::read(&path).unwrap();
    refused(folder, arguments, parts);
    assert!(fs::read(&path).unwrap() == before, "{arguments}: {there} changed");
}

#[test]
fn an_input_or_a_foreign_file_is_no_output() {
    let folder = trained();
    let here = folder.path();
    fs::write(here.join("notes.txt"), "what I must not lose").unwrap();
    fs::write(here.join("photo.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0 a photograph").unwrap();
    fs::write(here.join("drawing.svg"), "<svg xmlns=\"http://www.w3.org/2000/svg\"><circle r=\"1\"/></svg>").unwrap();
    mcsan(here, "export --run run --out weights.safetensors").succeeds();
    fs::hard_link(here.join("manifest.csv"), here.join("linked.csv")).unwrap();
    let gradients = format!("gradients --data data.safetensors --weights weights.safetensors {TINY}");
    let predict = "predict --run run --audio audio/calm1.wav --text go";
    for there in
        ["manifest.csv", "linked.csv", "vectors.txt", "audio/calm1.wav", "run/best.safetensors", "weights.safetensors", "notes.txt"]
    {
        left_alone(&folder, &format!("{PREPARE} --out {there}"), there, &[there, "is not a prepared file, so it is not written over"]);
    }
    for there in ["run/best.safetensors", "run/last.safetensors", "run/vocabulary.safetensors", "data.safetensors", "notes.txt"] {
        left_alone(&folder, &format!("export --run run --out {there}"), there, &[there, "is not a file of exported weights"]);
        left_alone(&folder, &format!("export --run run --onnx {there}"), there, &[there, "is not an ONNX file of mcsan"]);
        left_alone(&folder, &format!("export --run run --web {there}"), there, &[there, "is not a model in one file of mcsan"]);
    }
    for there in ["data.safetensors", "weights.safetensors", "notes.txt"] {
        left_alone(&folder, &format!("{gradients} --out {there}"), there, &[there, "is not a file of gradients"]);
    }
    for there in ["audio/calm1.wav", "notes.txt"] {
        left_alone(&folder, &format!("features --audio audio/calm1.wav --out {there}"), there, &[there, "is not a NumPy file"]);
    }
    left_alone(&folder, &format!("{predict} --attention photo.png"), "photo.png", &["photo.png: is not a PNG of mcsan"]);
    left_alone(&folder, &format!("{predict} --attention drawing.svg"), "drawing.svg", &["drawing.svg: is not an SVG of mcsan"]);
    for there in ["run/test.json", "run/metrics.jsonl", "manifest.csv"] {
        left_alone(&folder, &format!("report --run run --out {there}"), there, &[there, "is not a report of mcsan"]);
    }
    let profile = "profile --shape batch=1,frames=9,words=1 --steps 1 --warmup 0 --clock wall";
    left_alone(&folder, &format!("{profile} --trace run/test.json"), "run/test.json", &["run/test.json: is not a trace of mcsan"]);
    left_alone(&folder, &format!("{profile} --roofline drawing.svg"), "drawing.svg", &["drawing.svg: is not an SVG of mcsan"]);
    // One name for two outputs, by whatever path.
    for (command, name) in [
        ("export --run run --out both --onnx ./both", "./both"),
        ("export --run run --onnx run/../both --web both", "both"),
        ("evaluate --run run --data data.safetensors --predictions both.csv --confusion audio/../both.csv", "audio/../both.csv"),
    ] {
        refused(&folder, command, &[&format!("{name}: is to hold two of the outputs; give each a name of its own")]);
    }
    for command in ["shaders --out notes.txt", "man --out notes.txt"] {
        let line = mcsan(here, command).fails();
        assert!(line.contains("notes.txt: cannot be written (it is a file); give --out a folder"), "{line}");
    }
    #[cfg(unix)]
    refused(&folder, "features --audio audio/calm1.wav --out /dev/null", &["/dev/null: cannot be written (it is a device)"]);
}

#[test]
fn what_a_command_made_it_makes_again() {
    let folder = trained();
    let here = folder.path();
    mcsan(here, "export --run run --out weights.safetensors").succeeds();
    let gradients = format!("gradients --data data.safetensors --weights weights.safetensors {TINY} --out g.safetensors");
    for command in [
        &format!("{PREPARE} --out data.safetensors"),
        "export --run run --out weights.safetensors --onnx model.onnx --web model.mcsan",
        "features --audio audio/calm1.wav --out a.npy",
        "predict --run run --audio audio/calm1.wav --text go --attention a.png",
        "predict --run run --audio audio/calm1.wav --text go --attention a.svg",
        "report --run run --out page.html",
        "profile --shape batch=1,frames=9,words=1 --steps 1 --warmup 0 --clock wall --trace t.json --roofline r.svg",
        "man --out pages",
        "shaders --out wgsl",
        &gradients,
    ] {
        for _ in 0..2 {
            mcsan(here, &format!("{command} --device cpu").replace("man --out pages --device cpu", "man --out pages")).succeeds();
        }
    }
    // An empty file, as mktemp makes it, holds nothing to lose.
    fs::write(here.join("empty.npy"), "").unwrap();
    mcsan(here, "features --audio audio/calm1.wav --out empty.npy --device cpu").succeeds();
}

/// A folder with a file of that name and content.
fn folder_with(here: &Path, folder: &str, name: &str, content: &str) {
    fs::create_dir_all(here.join(folder)).unwrap();
    fs::write(here.join(folder).join(name), content).unwrap();
}

#[test]
fn a_folder_that_holds_something_else_is_no_run_folder_and_no_experiments() {
    let folder = trained();
    let here = folder.path();
    folder_with(here, "thesis", "chapter.tex", "\\chapter{One}");
    // Names that runs have, of another program.
    folder_with(here, "other", "config.toml", "[model]\nlayers = 2\n");
    folder_with(here, "other", "metrics.jsonl", "{\"loss\":1}\n");
    folder_with(here, "other/tensorboard", "events.out.tfevents.1", "mine");
    let train = format!("train --data data.safetensors --epochs 1 {TINY}");
    let crossval = format!("crossval --data data.safetensors --folds 3 --epochs 1 {TINY}");
    let ablate = format!("ablate --data data.safetensors --folds 3 --epochs 1 {TINY} --rows no_audio");
    for (out, name) in [("thesis", "chapter.tex"), ("other", "config.toml")] {
        for resume in ["", " --resume"].into_iter().filter(|resume| resume.is_empty() || out == "thesis") {
            refused(&folder, &format!("{train} --out {out}{resume}"), &[&format!("{out}: holds '{name}'"), "choose another --out"]);
        }
        refused(&folder, &format!("{crossval} --out {out}"), &[&format!("{out}: holds {name} but no folds.json"), "choose another --out"]);
        refused(&folder, &format!("{ablate} --out {out}"), &[&format!("{out}: holds '{name}'"), "choose another --out"]);
        refused(&folder, &format!("demo --out {out}"), &[&format!("{out}: holds '{name}'"), "choose another --out"]);
        refused(&folder, &format!("shaders --out {out}"), &[&format!("{out}: holds '{name}'"), "choose another --out"]);
    }
    folder_with(here, "copied", "config.toml", &fs::read_to_string(here.join("run/config.toml")).unwrap());
    let config = "copied/config.toml";
    left_alone(
        &folder,
        &format!("{train} --config {config} --out copied"),
        config,
        &["config.toml: the run would write over its own input"],
    );
    // A run is no experiment, and the other way round.
    refused(&folder, &format!("{crossval} --out run"), &["run: holds best.safetensors but no folds.json"]);
    refused(&folder, &format!("{ablate} --out run"), &["run: holds 'best.safetensors'"]);
    mcsan(here, &format!("{crossval} --out folds --fold 1 --device cpu")).succeeds();
    refused(&folder, &format!("{train} --out folds"), &["folds: holds '", "choose another --out"]);
    refused(&folder, &format!("{ablate} --out folds"), &["folds: holds '", "choose another --out"]);
    for command in ["export --run folds --out w.safetensors", "predict --run folds --text go"] {
        refused(&folder, command, &["folds: holds the runs of several folds or seeds; give --run one of them, as folds/fold-1"]);
    }
    // A fold's folder that somebody has put something into: nothing of it is lost.
    folder_with(here, "folds/fold-2", "notes.txt", "mine");
    let line = mcsan(here, &format!("{crossval} --out folds --fold 2 --device cpu")).stderr;
    assert!(line.contains("fold-2: holds 'notes.txt'"), "{line}");
    assert_eq!(fs::read_to_string(here.join("folds/fold-2/notes.txt")).unwrap(), "mine");
    // Hidden files are everywhere, and an empty folder is a new one.
    folder_with(here, "new", ".DS_Store", "");
    mcsan(here, &format!("{train} --out new --device cpu")).succeeds();
}
