//! `mcsan check`: what is run, what is reported.

use std::path::Path;

use super::commands::keys;
use crate::program::{Outcome, call, default_adapter, mcsan};

fn check(arguments: &str) -> Outcome {
    mcsan(Path::new("."), &format!("check {arguments}"))
}

#[test]
fn cases_are_listed_and_run_by_kernel_and_name() {
    let listed = check("--kernel linear --kernel sgd,adam --list --json").json();
    let kernels = listed["kernels"].as_array().unwrap();
    assert_eq!(kernels.iter().map(|kernel| kernel["name"].as_str().unwrap()).collect::<Vec<_>>(), ["linear", "adam", "sgd"]);
    let text = check("--kernel linear --list").succeeds().stdout;
    assert_eq!(text.lines().count(), 1 + kernels[0]["cases"].as_array().unwrap().len());

    let case = kernels[0]["cases"][0].as_str().unwrap();
    let report = call(Path::new("."), &["check", "--device", "cpu", "--kernel", "linear", "--case", case, "--json"]).json();
    assert_eq!((&report["passed"], &report["failed"]), (&1.into(), &0.into()));
    let entry = &report["kernels"][0];
    assert_eq!((entry["name"].as_str(), entry["case"].as_str()), (Some("linear"), Some(case)));
    let fields = [
        "bound", "bytes", "case", "dump", "elements", "flop", "max_abs", "name", "options", "outside", "pass", "reason", "rel_l2", "seed",
        "shaders", "worst",
    ];
    assert_eq!(keys(entry), fields);
    // 200 rows of 128 by 128, run twice, each with two gradients.
    assert_eq!(entry["flop"], 2.0 * 3.0 * 2.0 * 200.0 * 128.0 * 128.0);
    assert!(entry["bytes"].as_f64().is_some_and(|bytes| bytes > 4.0 * 200.0 * 128.0), "{entry}");
    assert_eq!(keys(&entry["worst"]), ["bound", "expected", "got", "index", "of_bound", "output", "place"]);
}

#[test]
fn kernels_and_cases_that_do_not_exist_are_refused() {
    let nearest = check("--kernel attenton --device cpu").fails();
    assert!(nearest.contains("'attenton'") && nearest.contains("'attention'") && nearest.contains("--list"), "{nearest}");
    let nothing = check("--kernel sgd --case rows=5 --device cpu").fails();
    assert!(nothing.contains("'rows=5'") && nothing.contains("sgd"), "{nothing}");
    assert!(check("--kernel sgd,adam --fuzz-seed 5 --device cpu").fails().contains("--kernel"));
    assert!(check("--set model.hidden=16 --device cpu").fails().contains("--model"));
    assert_eq!(check("--fuzz-seed 5").code, Some(2));
    assert_eq!(check("--model --shape frames=3").code, Some(2));
}

#[test]
fn sizes_that_no_host_has_room_for_are_refused_before_anything_is_drawn() {
    let (matrix, batch) = ("its largest matrix alone takes ", "the batch's content alone takes ");
    for (arguments, part) in [
        ("check --kernel linear --case rows=16777216,in=16777216,out=1", matrix),
        ("check --kernel attention_weights --case batch=1,queries=16777216,keys=16777216", matrix),
        ("check --model --shape batch=16777216,words=16777216,frames=9", batch),
        ("profile --kernel residual_norm --shape rows=16777216,width=16777216", matrix),
        ("profile --shape batch=16777216,frames=16777216,ragged", batch),
        ("profile --shape frames=16777216,words=1 --sweep batch=1000000,2000000,16777216", batch),
    ] {
        let line = mcsan(Path::new("."), &format!("{arguments} --device cpu")).fails();
        assert!(line.contains(part) && line.ends_with(" are free; choose smaller sizes"), "{arguments}: {line}");
    }
    let line = check("--kernel z_score --case batch=16777216,lengths=16777216 --device cpu").fails();
    assert!(line.contains("lengths: 281474976710656 rows are more than kernels count (4294967295); choose fewer"), "{line}");
}

/// Runs the program with so many kilobytes of addresses.
#[cfg(target_os = "linux")]
fn within(kilobytes: usize, arguments: &str) -> std::process::Output {
    let script = format!("ulimit -v {kilobytes}; exec '{}' {arguments}", env!("CARGO_BIN_EXE_mcsan"));
    std::process::Command::new("bash").args(["-c", &script]).env("RAYON_NUM_THREADS", "2").output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_batch_that_the_reference_has_no_room_for_is_refused_before_its_first_step() {
    let batch = "batch=512,frames=1000,words=50";
    for (arguments, part) in [
        (format!("profile --device cpu --shape {batch}"), "--shape: a batch of 512 utterances takes about "),
        (format!("check --model --device cpu --shape {batch}"), ": a pass in float64 alone takes "),
    ] {
        let output = within(1_500_000, &arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let line = stderr.lines().last().unwrap_or_default();
        assert!(line.contains(part) && line.ends_with(" are free; choose smaller sizes"), "{arguments}: {stderr}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments}: {stderr}");
    }
}

#[test]
fn a_fuzzed_case_is_run_again_by_the_options_that_name_it() {
    let report = check("--device cpu --kernel conv_pool,linear --fuzz 0.5 --seed 12 --json").json();
    assert_eq!(report["seed"], 12);
    let entries = report["kernels"].as_array().unwrap();
    assert!(entries.len() > 2, "{report}");
    for entry in &entries[..2] {
        let options = entry["options"].as_str().unwrap().replace('\'', "");
        let again = check(&format!("{options} --json")).json();
        assert_eq!(again["kernels"][0], *entry);
    }
    assert!(check("--device cpu --kernel sgd --fuzz 0.01").stderr.contains("--seed "));
}

#[test]
fn shaders_are_run_checked_and_unchecked_on_an_adapter() {
    if default_adapter("shaders checked and unchecked").is_none() {
        return;
    }
    let ways = |arguments: &str| -> Vec<String> {
        let report = check(&format!("--kernel accumulate --case count=64 --json {arguments}")).json();
        report["kernels"].as_array().unwrap().iter().map(|entry| entry["shaders"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ways("--shaders both"), ["unchecked", "checked"]);
    assert_eq!(ways("--shaders checked"), ["checked"]);
    assert_eq!(ways("--shaders unchecked"), ["unchecked"]);
}

#[test]
fn a_pass_of_the_model_is_shown_in_the_order_of_computation() {
    let arguments = "--device cpu --model --set model.hidden=16 --set model.heads=2 --shape batch=2,frames=20,words=4 --seed 3";
    let report = check(&format!("{arguments} --json")).json();
    let points = report["points"].as_array().unwrap();
    let place = |name: &str| points.iter().position(|point| point["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    let order =
        ["audio_encoder.conv1", "cross.0.text.attention", "loss", "gradient of classifier.2", "gradient of audio_encoder.conv1.weight"];
    assert!(order.map(place).is_sorted() && report["first"].as_array().unwrap().is_empty(), "{report}");
    assert!(check(arguments).succeeds().stdout.contains("no layer departs"));
}
