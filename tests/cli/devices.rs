//! Which device a command computes on where nobody says which, and how a run that was stopped finds its own again.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::corpus::{TINY, prepared};
use super::training::losses;
use crate::program::{default_adapter, mcsan};

/// Whether no adapter is one of hardware; says so where some is, or where there is none at all.
fn only_software(test: &str) -> bool {
    let devices = mcsan(Path::new("."), "devices --json").json();
    let is_software = devices["devices"].as_array().unwrap().iter().all(|device| device["type"] == "Cpu");
    if !is_software {
        println!("skipped: graphics hardware is here: {test}");
    }
    default_adapter(test).is_some() && is_software
}

fn kinds(report: &Value) -> Vec<&str> {
    report["notes"].as_array().into_iter().flatten().filter_map(|note| note["kind"].as_str()).collect()
}

/// What a run's settings say that it was computed on.
fn computed_on(run: &Path) -> String {
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    config.lines().next().unwrap().split_once(" on ").unwrap().1.to_owned()
}

#[test]
fn software_adapters_leave_work_to_the_reference_and_are_what_check_and_profile_are_about() {
    if !only_software("software_adapters_leave_work_to_the_reference_and_are_what_check_and_profile_are_about") {
        return;
    }
    let folder = prepared();
    let here = folder.path();
    let train = format!("train --data data.safetensors --out run --epochs 1 {TINY} --json");
    for arguments in [
        train.as_str(),
        "evaluate --run run --data data.safetensors --json",
        "predict --run run --audio audio/calm4.wav --text quiet --json",
        "features --audio audio/calm4.wav --out a.npy --json",
        "prepare manifest manifest.csv --out again.safetensors --json",
    ] {
        let outcome = mcsan(here, arguments).succeeds();
        let said = outcome.stderr.lines().filter(|line| line.contains("--device 0 takes the adapter")).count();
        assert_eq!((kinds(&outcome.json()), said), (vec!["reference_is_faster"], 1), "{arguments}");
    }
    assert_eq!(computed_on(&here.join("run")), "cpu");
    for arguments in ["check --kernel sgd --json", "profile --kernel sgd --steps 1 --json"] {
        let report = mcsan(here, arguments).json();
        assert_eq!(kinds(&report), ["software_adapter"], "{arguments}");
        assert_ne!(report["device"]["name"], "cpu");
    }
    let named = mcsan(here, "check --kernel sgd --device 0 --json").json();
    assert!(kinds(&named).is_empty(), "who names a device knows it: {named}");
}

#[test]
fn a_run_that_goes_on_takes_the_device_that_it_was_computed_on_or_says_so() {
    if !only_software("a_run_that_goes_on_takes_the_device_that_it_was_computed_on_or_says_so") {
        return;
    }
    let folder = prepared();
    let here = folder.path();
    let train = |more: &str| mcsan(here, &format!("train --data data.safetensors {TINY} {more}")).succeeds().stderr;
    train("--out whole --epochs 2 --device 0");
    train("--out moved --epochs 1 --device 0");
    train("--out run --epochs 1 --device 0");
    // Before the reference was taken, this was what `auto` chose.
    let config = here.join("run/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("device = \"0\"", "device = \"auto\"")).unwrap();
    train("--out run --resume --epochs 2");
    assert_eq!(computed_on(&here.join("run")), computed_on(&here.join("whole")));
    assert_eq!(losses(&here.join("run")), losses(&here.join("whole")));
    let [run, whole] = ["run", "whole"].map(|run| fs::read(here.join(run).join("test.json")).unwrap());
    assert!(run == whole, "the results are those of a run that nobody stopped");

    let said = train("--out moved --resume --epochs 2 --device cpu");
    let line = format!("the run was computed on {} and goes on on cpu", computed_on(&here.join("whole")));
    assert_eq!((said.matches(&line).count(), computed_on(&here.join("moved")).as_str()), (1, "cpu"), "{said}");
}

#[test]
fn drivers_that_nobody_asked_for_say_nothing() {
    for backend in [&[][..], &["--backend", "vulkan"], &["--backend", "gl"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcsan"));
        command.arg("devices").args(backend).env_remove("XDG_RUNTIME_DIR").env_remove("DISPLAY");
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""), "{backend:?}");
    }
}
