//! What a report says, and how it fails.

use std::fs;

use mcsan::report::{ReportError, run_html};

use super::stage::{Stage, report};
use crate::cli::corpus::{TINY, corpus, trained};
use crate::program::mcsan;

const SECTIONS: [&str; 9] = [
    "Test split",
    "Training",
    "Classes",
    "Confusions",
    "Length against accuracy",
    "The most confident mistakes",
    "Settings",
    "Device, version, data",
    "Every epoch in figures",
];

#[test]
fn a_report_shows_every_section_of_a_run() {
    let (folder, data) = Stage::ordinary().set();
    let html = report(folder.path(), Some(&data));
    for section in SECTIONS {
        assert!(html.contains(&format!(">{section}<")), "{section}");
    }
    for text in [
        "MCSAN on IEMOCAP",
        "Model full of 1 layer a module, 1\u{202f}500 parameters; seed 0.",
        "best: epoch 20",
        "<b>Learning rate</b>",
        "NVIDIA GeForce RTX 4090 (vulkan, NVIDIA 570.86)",
        "mcsan 0.1.0",
        "true sad, predicted angry: ",
        "I can&#39;t believe that you did it again.",
        "Ses05F",
        "librosa",
        "the model hears the first 1000 frames only",
        "1 of 6 are not the default",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(html.contains("<tr class=\"marked\"><td>train.lr</td><td>0.0005</td>"));
    assert!(!html.contains("NaN"));
}

#[test]
fn the_surest_mistakes_come_first_and_are_twenty() {
    let (folder, data) = Stage::ordinary().set();
    let html = report(folder.path(), Some(&data));
    let section = html.split("<h2>The most confident mistakes</h2>").nth(1).unwrap().split("<h2>").next().unwrap();
    let rows: Vec<&str> = section.split("<tr>").skip(2).collect();
    assert_eq!(rows.len(), 20);
    let cells = |row: &str| row.split("</td>").map(|cell| cell.split('>').next_back().unwrap().to_owned()).collect::<Vec<_>>();
    let sure: Vec<f64> = rows.iter().map(|row| cells(row)[3].trim_end_matches(" %").parse().unwrap()).collect();
    assert!(sure.is_sorted_by(|a, b| a >= b) && sure[0] > 98.0, "{sure:?}");
    assert!(rows.iter().all(|row| cells(row)[1] != cells(row)[2]), "true and predicted differ");
}

#[test]
fn without_data_a_report_says_what_is_missing_and_shows_the_rest() {
    let (folder, _) = Stage::ordinary().set();
    let html = report(folder.path(), None);
    assert_eq!(html.matches("mcsan report --run RUN --data DATA").count(), 2);
    assert!(html.contains("Confusion matrix") && html.contains("p of predicted") && !html.contains("I can&#39;t"));
}

#[test]
fn a_run_without_test_and_validation_says_so() {
    let (folder, data) = Stage::least().set();
    let html = report(folder.path(), Some(&data));
    assert!(html.contains("The data have no test split.") && html.contains("The data have no validation split"));
    assert!(html.contains("MCSAN on unnamed corpus") && !html.contains("Learning rate") && !html.contains("NaN"));
    let html = report(folder.path(), None);
    assert!(html.contains("or the run has not finished"));
}

#[test]
fn a_run_that_ended_before_its_first_step_has_a_report() {
    let (folder, _) = Stage::least().set();
    fs::write(folder.path().join("metrics.jsonl"), "").unwrap();
    fs::remove_file(folder.path().join("best.safetensors")).unwrap();
    fs::remove_file(folder.path().join("vocabulary.safetensors")).unwrap();
    assert!(report(folder.path(), None).contains("Nothing was logged"));
}

#[test]
fn figures_that_are_no_numbers_are_shown_as_none() {
    let (folder, data) = Stage::ordinary().set();
    let path = folder.path().join("test.json");
    let mut test: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    test["loss"] = serde_json::Value::Null;
    for prediction in test["predictions"].as_array_mut().unwrap() {
        prediction["probabilities"][0] = serde_json::Value::Null;
    }
    fs::write(&path, test.to_string()).unwrap();
    let html = report(folder.path(), Some(&data));
    assert!(html.contains("<dt>Loss</dt><dd>—") && !html.contains("NaN"));
}

#[test]
fn markup_in_texts_names_and_ids_stays_text() {
    let (folder, data) = Stage::crowded().set();
    let html = report(folder.path(), Some(&data));
    for markup in ["<script", "<img", "<b onclick"] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert!(html.contains("&lt;script&gt;document.title=&#39;broken&#39;&lt;/script&gt;&lt;/td&gt;"));
    assert!(html.contains(" dir=\"auto\">אני לא"));
    assert!(html.len() < 1_000_000, "300 epochs, 24 classes: {} bytes", html.len());
}

#[test]
fn thousands_of_classes_make_a_small_report() {
    let (folder, data) = Stage::many_classes().set();
    let html = report(folder.path(), Some(&data));
    assert!(html.len() < 600_000, "{} bytes", html.len());
    for text in ["The 30 of 1\u{202f}000 classes with the most utterances.", "what was most often taken for what", "970 other classes"] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("Counts; the colour") && html.contains("One epoch in 3 in figures"));
    assert!(!html.contains(|letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}'), "no orders");
}

#[test]
fn a_report_holds_all_it_needs() {
    let (folder, data) = Stage::ordinary().set();
    let html = report(folder.path(), Some(&data));
    for word in ["http://", "https://", "src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn data_of_another_run_are_refused() {
    let (folder, mut data) = Stage::ordinary().set();
    data.utterances[4].id = "another".into();
    let error = run_html(folder.path(), Some(&data)).unwrap_err();
    assert!(matches!(&error, ReportError::Misfit { id, .. } if id == "Ses05F_impro02_M004"), "{error}");
    data.utterances[4].id = "Ses05F_impro02_M004".into();
    data.labels[4] = (data.labels[4] + 1) % 7;
    assert!(matches!(run_html(folder.path(), Some(&data)), Err(ReportError::Misfit { .. })));
}

#[test]
fn what_is_missing_or_broken_is_named() {
    let (folder, _) = Stage::ordinary().set();
    let path = |name: &str| folder.path().join(name);
    let refused = |name: &str| {
        let error = run_html(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains(path(name).to_str().unwrap()) && !error.contains('\n'), "{error}");
        error
    };
    let test = fs::read_to_string(path("test.json")).unwrap();
    fs::write(path("test.json"), test.replacen("\"angry\"", "\"furious\"", 1)).unwrap();
    refused("test.json");
    fs::write(path("test.json"), &test[..500]).unwrap();
    refused("test.json");
    fs::write(path("test.json"), &test).unwrap();
    let log = fs::read_to_string(path("metrics.jsonl")).unwrap();
    fs::write(path("metrics.jsonl"), format!("{{\n{log}")).unwrap();
    assert!(refused("metrics.jsonl").contains("line 1"));
    fs::remove_file(path("metrics.jsonl")).unwrap();
    refused("metrics.jsonl");
    fs::write(path("config.toml"), "[model\n").unwrap();
    refused("config.toml");
}

#[test]
fn a_training_writes_its_report_and_the_command_writes_the_same() {
    let folder = trained();
    let here = folder.path();
    let written = fs::read_to_string(here.join("run/report.html")).unwrap();
    assert!(written.contains("Length against accuracy") && written.contains("<td>device</td><td>cpu</td>"), "{written}");
    let outcome = mcsan(here, "report --run run --data data.safetensors --out again.html").succeeds();
    assert_eq!(outcome.stdout.trim(), "again.html");
    assert!(fs::read_to_string(here.join("again.html")).unwrap() == written, "the same run gives the same bytes");
    let json = mcsan(here, "report --run run --json").json();
    assert_eq!(json["report"], "run/report.html");
    assert!(fs::read_to_string(here.join("run/report.html")).unwrap() != written, "without the data there are no texts");

    mcsan(here, &format!("train --data data.safetensors --out twin --epochs 2 {TINY} --device cpu")).succeeds();
    assert!(fs::read_to_string(here.join("twin/report.html")).unwrap() == written, "a training repeated gives the same report");
}

#[test]
fn the_command_fails_in_a_line_that_names_the_file() {
    let folder = corpus();
    let here = folder.path();
    assert!(mcsan(here, "report --run nowhere").fails().contains("nowhere/config.toml"));
    let folder = trained();
    let here = folder.path();
    assert!(mcsan(here, "report --run run --out no/such/folder.html").fails().contains("no/such/folder.html"));
    assert!(mcsan(here, "report --run run --data run/best.safetensors").fails().contains("run/best.safetensors"));
    let manifest = fs::read_to_string(here.join("manifest.csv")).unwrap();
    fs::write(here.join("other.csv"), manifest.replace("glad", "merry").replace("audio/merry", "audio/glad")).unwrap();
    mcsan(here, "prepare manifest other.csv --out other.safetensors --device cpu").succeeds();
    let before = fs::read(here.join("run/report.html")).unwrap();
    let error = mcsan(here, "report --run run --data other.safetensors").fails();
    assert!(error.contains("other.safetensors: the tested utterance 'glad"), "{error}");
    assert!(fs::read(here.join("run/report.html")).unwrap() == before, "the report is kept");
}
