//! Figures that are published: calibration, intervals, groups, predictions, confusions, model cards; a fold's own split.

use std::fs;

use serde_json::Value;

use super::commands::keys;
use super::corpus::{CLASSES, TINY, corpus, trained};
use super::failures::refused;
use crate::program::mcsan;

const EVALUATE: &str = "evaluate --run run --data data.safetensors --device cpu";

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[test]
fn intervals_hold_their_figures_and_follow_from_the_seed() {
    let folder = trained();
    let report = |options: &str| mcsan(folder.path(), &format!("{EVALUATE} --split train --json {options}")).json();
    let first = report("");
    let intervals = &first["intervals"];
    assert_eq!((&intervals["of"], &intervals["clusters"], &intervals["draws"]), (&"speaker".into(), &3.into(), &2000.into()));
    for figure in ["wa", "ua", "weighted_f1", "macro_f1"] {
        let ([low, high], value) = (numbers(&intervals[figure])[..].try_into().unwrap(), first[figure].as_f64().unwrap());
        assert!(0.0 <= low && low <= value && value <= high && high <= 1.0, "{figure}: {low} {value} {high}");
    }
    assert_eq!(report(""), first);
    assert_eq!(report("--bootstrap 50 --bootstrap-seed 1")["intervals"]["draws"], 50);
    assert_eq!(report("--bootstrap 0")["intervals"], Value::Null);
    assert_eq!(mcsan(folder.path(), &format!("{EVALUATE} --bootstrap 0 --bootstrap-seed 1")).code, Some(2));
    let shown = mcsan(folder.path(), &format!("{EVALUATE} --split train")).succeeds().stdout;
    assert!(shown.contains("95 % intervals, of 2000 draws of 3 speakers, few, and so rather too narrow:\n  WA "), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
}

#[test]
fn figures_of_speakers_genders_and_lengths_are_of_these_alone() {
    let folder = corpus();
    let manifest = fs::read_to_string(folder.path().join("manifest.csv")).unwrap();
    let line = |(place, line): (usize, &str)| match place {
        0 => format!("{line},gender\n"),
        place => format!("{line},{}\n", ["F", "male", "", "diverse"][place % 4]),
    };
    fs::write(folder.path().join("manifest.csv"), manifest.lines().enumerate().map(line).collect::<String>()).unwrap();
    mcsan(folder.path(), "prepare manifest manifest.csv --vectors vectors.txt --out data.safetensors --device cpu").succeeds();
    mcsan(folder.path(), &format!("train --data data.safetensors --out run --epochs 1 {TINY} --device cpu")).succeeds();
    let report = mcsan(folder.path(), &format!("{EVALUATE} --split train --by speaker,gender,length --json")).json();
    let names = |by: &str| report["groups"][by].as_array().unwrap().iter().map(|group| group["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names("speaker"), ["speaker0", "speaker1", "speaker2"]);
    assert_eq!(names("gender"), ["diverse".into(), "female".into(), "male".into(), Value::Null]);
    assert!(names("length").iter().all(|name| name.as_str().unwrap().ends_with(" s")), "{report}");
    let right = report["wa"].as_f64().unwrap() * 9.0;
    for by in ["speaker", "gender", "length"] {
        let groups = report["groups"][by].as_array().unwrap();
        let sum: f64 = groups.iter().map(|group| group["wa"].as_f64().unwrap() * group["utterances"].as_f64().unwrap()).sum();
        assert!((sum - right).abs() < 1e-9, "{by}: {report}");
    }
    let shown = mcsan(folder.path(), &format!("{EVALUATE} --by gender,length")).succeeds().stdout;
    assert!(shown.contains("\ngender ") && shown.contains("\nlength ") && shown.contains("\nnot known "), "{shown}");
    let refused = mcsan(folder.path(), &format!("{EVALUATE} --by age"));
    assert!(refused.code == Some(2) && refused.stderr.contains("[possible values: speaker, gender, length]"), "{}", refused.stderr);
}

#[test]
fn predictions_and_confusions_are_written_as_they_are_reported() {
    let folder = trained();
    let here = folder.path();
    let report = mcsan(here, &format!("{EVALUATE} --split train --predictions p.csv --confusion c.csv --json")).json();
    let table = fs::read_to_string(here.join("p.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("id,speaker,label,predicted,angry,calm,glad"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 9);
    let right = rows.iter().filter(|row| row[2] == row[3]).count();
    assert!((right as f64 / 9.0 - report["wa"].as_f64().unwrap()).abs() < 1e-12);
    assert!(rows.iter().all(|row| row[0].starts_with(row[2]) && row[1].starts_with("speaker")), "{table}");
    for row in &rows {
        let probabilities: Vec<f64> = row[4..].iter().map(|p| p.parse().unwrap()).collect();
        let likeliest = (0..3).fold(0, |best, class| if probabilities[class] > probabilities[best] { class } else { best });
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12 && CLASSES[likeliest].0 == row[3], "{row:?}");
    }
    let counts: Vec<String> =
        report["confusion"].as_array().unwrap().iter().map(|row| numbers(row).iter().map(|count| format!(",{count}")).collect()).collect();
    let matrix = format!("true,angry,calm,glad\nangry{}\ncalm{}\nglad{}\n", counts[0], counts[1], counts[2]);
    assert_eq!(fs::read_to_string(here.join("c.csv")).unwrap(), matrix);
    for _ in 0..2 {
        mcsan(here, &format!("{EVALUATE} --predictions p.csv --confusion c.svg")).succeeds();
        mcsan(here, &format!("{EVALUATE} --confusion c.png")).succeeds();
    }
    assert!(fs::read_to_string(here.join("c.svg")).unwrap().contains(">glad</text>"));
    assert!(fs::read(here.join("c.png")).unwrap().starts_with(b"\x89PNG"));
    let evaluate = "evaluate --run run --data data.safetensors";
    refused(&folder, &format!("{evaluate} --predictions manifest.csv"), &["manifest.csv: is not a table of predictions of mcsan"]);
    refused(&folder, &format!("{evaluate} --confusion manifest.csv"), &["manifest.csv: is not a confusion matrix of mcsan"]);
    assert_eq!(mcsan(here, &format!("{EVALUATE} --confusion c.pdf")).code, Some(2));
}

#[test]
fn a_temperature_is_fitted_on_validation_kept_and_used_where_it_is_asked_for() {
    let folder = trained();
    let here = folder.path();
    let predict = "predict --run run --audio audio/calm4.wav --text sea --device cpu --json";
    let line = mcsan(here, &format!("{predict} --calibrated")).fails();
    assert!(line.ends_with("run/calibration.json: is not there; fit it with 'mcsan evaluate --calibrate'"), "{line}");
    let plain = mcsan(here, &format!("{EVALUATE} --json")).json();
    assert_eq!(plain["calibration"]["bins"].as_array().unwrap().len(), 15);
    let fitted = mcsan(here, &format!("{EVALUATE} --calibrate --json")).json();
    let temperature = fitted["temperature"]["value"].as_f64().unwrap();
    assert!(temperature > 0.0 && temperature != 1.0 && fitted["temperature"]["utterances"] == 3, "{fitted}");
    assert_eq!((&fitted["uncalibrated"]["ece"], &fitted["uncalibrated"]["loss"]), (&plain["calibration"]["ece"], &plain["loss"]));
    assert_eq!(["wa", "ua", "confusion"].map(|key| &fitted[key]), ["wa", "ua", "confusion"].map(|key| &plain[key]));
    let kept: Value = serde_json::from_slice(&fs::read(here.join("run/calibration.json")).unwrap()).unwrap();
    assert!(kept["after"]["loss"].as_f64() <= kept["before"]["loss"].as_f64(), "{kept}");
    let again = mcsan(here, &format!("{EVALUATE} --calibrated --json")).json();
    assert_eq!(again["calibration"], fitted["calibration"]);
    // What is predicted follows only where it is asked for.
    let probabilities = |options: &str| {
        let report = mcsan(here, &format!("{predict} {options}")).json();
        report["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).collect::<Vec<f64>>()
    };
    let (plain, calibrated) = (probabilities(""), probabilities("--calibrated"));
    let powers: Vec<f64> = plain.iter().map(|p| p.powf(1.0 / temperature)).collect();
    let sum: f64 = powers.iter().sum();
    assert!(powers.iter().zip(&calibrated).all(|(power, p)| (power / sum - p).abs() < 1e-12), "{plain:?} {calibrated:?}");
    // Another model's is not taken.
    mcsan(here, &format!("train --data data.safetensors --out other --epochs 1 {TINY} --device cpu")).succeeds();
    fs::copy(here.join("run/calibration.json"), here.join("other/calibration.json")).unwrap();
    let line = mcsan(here, "evaluate --run other --data data.safetensors --calibrated --device cpu").fails();
    assert!(line.contains("other/calibration.json: is of another model than the run's; fit it with"), "{line}");
    fs::write(here.join("other/calibration.json"), "{\"temperature\": 0}").unwrap();
    let line = mcsan(here, "evaluate --run other --data data.safetensors --calibrated --device cpu").fails();
    assert!(line.contains("other/calibration.json: is no mcsan-calibration/1 ("), "{line}");
}

#[test]
fn a_fold_is_evaluated_on_its_own_split() {
    let folder = trained();
    let here = folder.path();
    mcsan(here, &format!("crossval --data data.safetensors --out cv --folds 3 --fold 2 --epochs 1 {TINY} --device cpu")).succeeds();
    let test: Value = serde_json::from_slice(&fs::read(here.join("cv/fold-2/test.json")).unwrap()).unwrap();
    let evaluate = |run: &str, split: &str| {
        mcsan(here, &format!("evaluate --run {run} --data data.safetensors --split {split} --device cpu --json")).json()
    };
    let report = evaluate("cv/fold-2", "test");
    for key in ["wa", "ua", "macro_f1", "weighted_f1", "loss", "confusion", "utterances"] {
        assert_eq!(report[key], test[key], "{key}");
    }
    assert_eq!(report["notes"][0]["text"], "the splits are those of fold 2 of 3, as cv/folds.json has them");
    assert_eq!(
        (&evaluate("cv/fold-2/", "validation")["utterances"], &evaluate("cv/fold-2", "train")["utterances"]),
        (&5.into(), &5.into())
    );
    // Moved away it is a run like others, and of other data it knows nothing.
    mcsan(here, "prepare manifest manifest.csv --vectors vectors.txt --out other.safetensors --device cpu --limit 14").succeeds();
    let other = mcsan(here, "evaluate --run cv/fold-2 --data other.safetensors --device cpu --json").json();
    assert_eq!(other["utterances"], 2);
    assert!(other["notes"][0]["text"].as_str().unwrap().starts_with("the data are not those of cv/folds.json"), "{other}");
    fs::rename(here.join("cv/fold-2"), here.join("cv/fold-9")).unwrap();
    let line = mcsan(here, "evaluate --run cv/fold-9 --data data.safetensors --device cpu").fails();
    assert!(line.contains("cv/folds.json: has no fold 9, but those from 1 to 3; put that file back, or copy the run out"), "{line}");
    fs::rename(here.join("cv/fold-9"), here.join("alone")).unwrap();
    assert_eq!(evaluate("alone", "test")["utterances"], CLASSES.len());
}

#[test]
fn a_card_says_what_the_run_says_and_leaves_the_rest_open() {
    let folder = trained();
    let here = folder.path();
    assert_eq!(mcsan(here, "card --run run --json").json()["card"], "run/card.md");
    mcsan(here, &format!("{EVALUATE} --calibrate")).succeeds();
    mcsan(here, "card --run run --data data.safetensors --out card.md").succeeds();
    let card = fs::read_to_string(here.join("card.md")).unwrap();
    let test: Value = serde_json::from_slice(&fs::read(here.join("run/test.json")).unwrap()).unwrap();
    let sections: Vec<&str> = card.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let expected = [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Training data",
        "Evaluation data and quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ];
    assert_eq!(sections, expected);
    let wa = format!("| WA | {:.1} % | ", 100.0 * test["wa"].as_f64().unwrap());
    for part in ["# mcsan on manifest", "| model.hidden | 16 | ", &wa, "A temperature of", "| speakers | 5 |", "| angry | 3 | 1 | 1 |"] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert!(card.matches("*To be written by the author: the run does not say it.*").count() >= 3, "{card}");
    mcsan(here, "card --run run --data data.safetensors --out card.md").succeeds();
    // What its author filled in is not lost, in a card of an older program neither, whose first line says less.
    let open = "*To be written by the author: the run does not say it.*";
    let older = format!("<!-- A model card by mcsan 0.1.0 -->\n\n{}", card.split_once("\n\n").unwrap().1);
    for (text, parts) in [(card.replacen(open, "Me.", 1), 1), (format!("{card}More.\n"), 1), (older.replace(open, "Me."), 1), (older, 0)] {
        fs::write(here.join("card.md"), &text).unwrap();
        if parts == 1 {
            refused(&folder, "card --run run --out card.md", &["card.md: has words that mcsan did not write, so it is not written over"]);
        } else {
            mcsan(here, "card --run run --data data.safetensors --out card.md").succeeds();
        }
    }
    fs::write(here.join("card.md"), card.replace('\n', "\r\n")).unwrap();
    mcsan(here, "card --run run --out card.md").succeeds();
    refused(&folder, "card --run run --out manifest.csv", &["manifest.csv: is not a model card of mcsan"]);
    refused(&folder, "card --run absent", &["absent/config.toml: cannot be read"]);
    assert_eq!(keys(&mcsan(here, "evaluate --run run --data data.safetensors --device cpu --json").json()).len(), 11);
}
