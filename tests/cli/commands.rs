//! Commands that do not train.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use mcsan::dataset::store::Store;
use serde_json::{Value, json};

use super::corpus::{CLASSES, SPLITS, TINY, UTTERANCES, WORD_WIDTH, corpus, prepared, trained};
use crate::program::{call, mcsan, read_npy};

/// The keys of an object, sorted.
pub fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap_or_else(|| panic!("no object: {object}")).keys().map(String::as_str).collect()
}

#[test]
fn devices_are_listed_with_driver_and_limits() {
    let here = Path::new(".");
    let document = mcsan(here, "devices --json").json();
    assert_eq!(document["fallback"], "cpu");
    for (index, device) in document["devices"].as_array().unwrap().iter().enumerate() {
        assert_eq!(device["index"], index);
        assert!(["name", "backend", "driver"].iter().all(|key| device[key].is_string()), "{device}");
        assert!(device["limits"]["max_compute_workgroup_storage_size"].as_u64().unwrap() >= 16_384, "{device}");
        let boolean = ["f16", "subgroups", "pipeline_cache", "timestamps", "timestamps_in_passes"];
        assert!(boolean.iter().all(|feature| device["features"][feature].is_boolean()), "{device}");
        assert!(device["features"]["cooperative_matrices"].is_array(), "{device}");
        let variants = device["variants"].as_array().unwrap();
        assert!(variants.len() >= 18, "{device}");
        for variant in variants {
            let (runs, plain) = (variant["runs"] == true, variant["needs"].as_array().unwrap().is_empty());
            assert!(variant["why_not"].is_string() != runs && (runs || !plain), "{variant}");
            let beyond = device["features_used"].as_array().unwrap();
            assert!(plain || !runs || !beyond.is_empty(), "{variant}");
        }
        assert!(device["kernels_that_fit"].as_u64().unwrap() <= device["kernels"].as_u64().unwrap(), "{device}");
    }
    assert!(mcsan(here, "devices").succeeds().stdout.contains("--device cpu"));
}

#[test]
fn a_device_is_used_as_if_it_lacked_a_feature() {
    let here = Path::new(".");
    let devices = mcsan(here, "devices --without subgroups,f16,int64,cooperative-matrices --json").json();
    for device in devices["devices"].as_array().unwrap() {
        assert!(device["features_used"].as_array().unwrap().is_empty(), "{device}");
        for variant in device["variants"].as_array().unwrap() {
            assert!(variant["runs"] != true || variant["needs"].as_array().unwrap().is_empty(), "{variant}");
        }
    }
    let checked = mcsan(here, "check --kernel accumulate --without subgroups --json").json();
    assert!(checked["device"]["without"].as_array().is_none_or(|without| without.iter().all(|name| name == "subgroups")), "{checked}");

    let trusting = mcsan(here, "check --kernel accumulate --without robustness --json").json();
    assert_eq!(trusting["failed"], 0);
    let is_vulkan = trusting["device"]["backend"] == "vulkan";
    assert!(!is_vulkan || trusting["device"]["without"] == serde_json::json!(["robustness"]), "{trusting}");

    let wrong = mcsan(here, "devices --without warp");
    assert_eq!(wrong.code, Some(2));
    let names = ["'warp'", "subgroups", "f16", "int64", "cooperative-matrices", "timestamps", "robustness", "registers"];
    assert!(names.iter().all(|name| wrong.stderr.contains(name)));
}

#[test]
fn preparing_twice_writes_the_same_bytes_and_reports_what_they_hold() {
    let folder = corpus();
    let prepare =
        |out: &str| mcsan(folder.path(), &format!("prepare manifest manifest.csv --vectors vectors.txt --out {out} --device cpu --json"));
    let report = prepare("a.safetensors").json();
    prepare("b.safetensors").succeeds();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(read("a.safetensors") == read("b.safetensors"), "the two files differ");
    assert_eq!(report["utterances"], UTTERANCES);
    assert_eq!(report["classes"], json!(CLASSES.map(|(name, ..)| name)));
    assert_eq!(report["out"], "a.safetensors");
    assert_eq!(report["commonest_missing"], json!(["Qwertzday"]));
    let share = report["out_of_vocabulary"].as_f64().unwrap() * report["tokens"].as_f64().unwrap();
    assert!((share - SPLITS.len() as f64).abs() < 1e-9, "one unknown word in each utterance of a class: {report}");
    // Centred frames of 10 ms: 1 + samples / 160, also for the clip that is resampled.
    let frames: u64 = SPLITS.iter().enumerate().map(|(take, _)| 1 + 30 + 5 * take as u64).sum::<u64>() * CLASSES.len() as u64;
    assert!(report["frames"].as_u64().unwrap().abs_diff(frames) <= UTTERANCES as u64, "{report}");
}

#[test]
fn a_limit_takes_the_first_utterances() {
    let folder = corpus();
    let report = mcsan(folder.path(), "prepare manifest manifest.csv --limit 4 --out a.safetensors --device cpu --json").json();
    assert_eq!(report["utterances"], 4);
    assert_eq!(mcsan(folder.path(), "inspect a.safetensors --json").json()["utterances"], 4);
}

#[test]
fn inspect_shows_classes_splits_and_lengths() {
    let folder = prepared();
    let report = mcsan(folder.path(), "inspect data.safetensors --json").json();
    assert_eq!(report["corpus"], "manifest");
    assert_eq!(report["utterances"], UTTERANCES);
    assert_eq!(report["word_width"], WORD_WIDTH);
    assert_eq!(report["coefficients"], 40);
    assert_eq!(report["splits"]["train"], json!({ "utterances": 9, "classes": { "angry": 3, "calm": 3, "glad": 3 } }));
    assert_eq!(report["splits"]["test"]["utterances"], CLASSES.len());
    assert_eq!(report["tokens"]["max"], 6);
    let streams = &report["streams"];
    assert_eq!(keys(streams), ["audio", "text"]);
    assert_eq!(
        (&streams["audio"]["kind"], &streams["audio"]["width"], &streams["audio"]["rows"]),
        (&json!("frames"), &json!(40), &report["frames"])
    );
    assert_eq!((&streams["text"]["words"], &streams["text"]["rows"]), (&report["vocabulary"], &report["tokens"]));
    assert!(report["out_of_vocabulary"].as_f64().unwrap() > 0.0);
    let shown = mcsan(folder.path(), "inspect data.safetensors").succeeds().stdout;
    assert!(CLASSES.iter().all(|(name, ..)| shown.contains(name)) && shown.contains("validation"), "{shown}");
}

#[test]
fn evaluation_reports_what_the_interface_promises() {
    let folder = trained();
    let report = mcsan(folder.path(), "evaluate --run run --data data.safetensors --split train --device cpu --json").json();
    assert_eq!(
        keys(&report),
        ["calibration", "classes", "confusion", "intervals", "loss", "macro_f1", "split", "ua", "utterances", "wa", "weighted_f1"]
    );
    assert_eq!((&report["split"], &report["utterances"]), (&json!("train"), &json!(9)));
    for (class, (name, ..)) in report["classes"].as_array().unwrap().iter().zip(CLASSES) {
        assert_eq!(keys(class), ["f1", "name", "precision", "recall", "support"]);
        assert_eq!((&class["name"], &class["support"]), (&json!(name), &json!(3)));
    }
    let rows = report["confusion"].as_array().unwrap();
    let counts = rows.iter().map(|row| row.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum());
    assert_eq!(counts.collect::<Vec<u64>>(), [3; CLASSES.len()]);
    let right: u64 = (0..rows.len()).map(|class| rows[class][class].as_u64().unwrap()).sum();
    assert!((report["wa"].as_f64().unwrap() - right as f64 / 9.0).abs() < 1e-12, "{report}");
}

#[test]
fn evaluation_repeats_the_test_of_the_training() {
    let folder = trained();
    let report = mcsan(folder.path(), "evaluate --run run --data data.safetensors --device cpu --json").json();
    let stored: Value = serde_json::from_slice(&fs::read(folder.path().join("run/test.json")).unwrap()).unwrap();
    for key in ["utterances", "wa", "ua", "macro_f1", "weighted_f1", "loss", "classes", "confusion"] {
        assert_eq!(report[key], stored[key], "{key}");
    }
    assert_eq!(keys(&stored["predictions"][0]), ["id", "label", "predicted", "probabilities"]);
    assert_eq!(stored["predictions"].as_array().unwrap().len(), CLASSES.len());
}

#[test]
fn predicted_probabilities_sum_to_one_and_the_likeliest_is_the_label() {
    let folder = trained();
    let texts = ["The sea is quiet today.", "words that nobody knows", ""];
    for (text, clip) in texts.iter().flat_map(|text| ["calm4", "glad1"].map(|clip| (text, clip))) {
        let audio = format!("audio/{clip}.wav");
        let arguments = ["predict", "--run", "run", "--audio", &audio, "--text", text, "--device", "cpu", "--json"];
        let report = call(folder.path(), &arguments).json();
        assert_eq!(keys(&report), ["label", "probabilities"]);
        assert_eq!(keys(&report["probabilities"]), CLASSES.map(|(name, ..)| name));
        let probabilities: Vec<f64> = report["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).collect();
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{report}");
        let label = report["label"].as_str().unwrap();
        let largest = probabilities.iter().copied().fold(0.0, f64::max);
        assert_eq!(report["probabilities"][label].as_f64().unwrap(), largest, "{report}");
    }
}

#[test]
fn a_test_clip_is_predicted_as_in_the_test_of_the_training() {
    let folder = trained();
    let stored: Value = serde_json::from_slice(&fs::read(folder.path().join("run/test.json")).unwrap()).unwrap();
    for (prediction, (name, _, text)) in stored["predictions"].as_array().unwrap().iter().zip(CLASSES) {
        let audio = format!("audio/{name}4.wav");
        let arguments = ["predict", "--run", "run", "--audio", &audio, "--text", text, "--device", "cpu", "--json"];
        let report = call(folder.path(), &arguments).json();
        assert_eq!(report["label"], prediction["predicted"]);
        for (class, (name, ..)) in CLASSES.iter().enumerate() {
            let [alone, together] = [&report["probabilities"][name], &prediction["probabilities"][class]].map(|p| p.as_f64().unwrap());
            assert!((alone - together).abs() < 1e-6, "{name}: {alone}, {together}");
        }
    }
}

#[test]
fn features_are_written_as_a_matrix_of_frames_and_coefficients() {
    let folder = corpus();
    let report = mcsan(folder.path(), "features --audio audio/calm0.wav --out a.npy --device cpu --json").json();
    let (shape, values) = read_npy(&folder.path().join("a.npy"));
    assert_eq!(report, json!({ "out": "a.npy", "samples": 4800, "shape": [31, 40] }));
    assert_eq!(shape, [31, 40]);
    assert!(values.iter().all(|value| value.is_finite()));
}

#[test]
fn the_gradients_file_holds_logits_loss_and_a_gradient_of_every_parameter() {
    let folder = trained();
    let arguments = format!(
        "gradients --data data.safetensors --weights run/best.safetensors --utterances 2..7 --out g.safetensors {TINY} --device cpu --json"
    );
    let report = mcsan(folder.path(), &arguments).json();
    let weights = Store::open(&folder.path().join("run/best.safetensors")).unwrap();
    let gradients = Store::open(&folder.path().join("g.safetensors")).unwrap();
    let mut expected: BTreeSet<String> = weights.names().iter().map(|name| format!("grad.{name}")).collect();
    let mut parameters = 0;
    for name in weights.names() {
        let (weight, gradient) = (weights.tensor(&name).unwrap(), gradients.tensor(&format!("grad.{name}")).unwrap());
        assert_eq!(weight.shape, gradient.shape, "{name}");
        let values = gradient.floats().unwrap();
        parameters += values.len();
        assert!(values.iter().all(|value| value.is_finite()), "{name}");
        // Softmax is blind to what a key's bias adds to every score of a row.
        assert!(name.contains("key") || values.iter().any(|&value| value != 0.0), "{name} has no gradient");
    }
    expected.extend(["logits".to_owned(), "loss".to_owned()]);
    assert_eq!(gradients.names().into_iter().collect::<BTreeSet<_>>(), expected);
    assert_eq!(gradients.tensor("logits").unwrap().shape, [5, CLASSES.len()]);
    let loss = gradients.tensor("loss").unwrap();
    assert_eq!((loss.shape, loss.floats().unwrap()[0] as f64), (&[1][..], report["loss"].as_f64().unwrap()));
    assert_eq!((&report["utterances"], &report["parameters"]), (&json!(5), &json!(parameters)));
}

#[test]
fn every_shader_is_written_as_wgsl_that_naga_takes() {
    let folder = tempfile::tempdir().unwrap();
    let report = mcsan(folder.path(), "shaders --out wgsl --json").json();
    let named: BTreeSet<String> = report["shaders"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    let files = fs::read_dir(folder.path().join("wgsl")).unwrap();
    let written: BTreeSet<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(named, written);
    assert!(
        ["adam.vec4", "bilstm.graphics", "bilstm.software", "conv_pool.software", "dropout"]
            .iter()
            .all(|name| written.contains(&format!("{name}.wgsl"))),
        "{written:?}"
    );
    for name in written {
        let source = fs::read_to_string(folder.path().join("wgsl").join(&name)).unwrap();
        let options = naga::front::wgsl::Options { capabilities: naga::valid::Capabilities::all(), ..naga::front::wgsl::Options::new() };
        let parsed = naga::front::wgsl::Frontend::new_with_options(options).parse(&source);
        let module = parsed.unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(&source)));
        assert!(!module.entry_points.is_empty(), "{name} has no entry point");
    }
}

#[test]
fn the_listed_settings_are_a_file_that_config_takes() {
    let folder = prepared();
    let listed = mcsan(folder.path(), "config").succeeds().stdout;
    fs::write(folder.path().join("all.toml"), &listed).unwrap();
    let arguments = "train --data data.safetensors --config all.toml --steps 1 --out run --device cpu";
    mcsan(folder.path(), &format!("{arguments} {TINY}")).succeeds();
    let settings = mcsan(folder.path(), "config --json").json();
    let table: toml::Table = listed.parse().unwrap();
    for setting in settings["settings"].as_array().unwrap() {
        assert_eq!(keys(setting), ["allowed", "default", "key", "meaning"]);
        let (section, name) = setting["key"].as_str().unwrap().split_once('.').unwrap();
        assert_eq!(table[section][name].to_string(), setting["default"], "{}", setting["key"]);
    }
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    let program = env!("CARGO_BIN_EXE_mcsan");
    for arguments in [&["config"][..], &["config", "--json"]] {
        let mut child = std::process::Command::new(program)
            .args(arguments)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let program = env!("CARGO_BIN_EXE_mcsan");
    let output = std::process::Command::new(program).arg("config").stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.starts_with("mcsan: standard output: cannot be written"), "{stderr}");
}
