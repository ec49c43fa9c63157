//! `export`, and what the command line tells of itself: examples, completions, manual pages.

use std::fs;
use std::path::Path;

use mcsan::dataset::store::Store;

use super::corpus::{TINY, trained};
use crate::program::mcsan;

#[test]
fn exported_weights_have_pytorchs_names_and_are_read_again() {
    let folder = trained();
    let report = mcsan(folder.path(), "export --run run --out w.safetensors --json").json();
    let exported = Store::open(&folder.path().join("w.safetensors")).unwrap();
    let best = Store::open(&folder.path().join("run/best.safetensors")).unwrap();
    let fixture = Store::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/full.safetensors")).unwrap();
    let names: Vec<String> = fixture.names().into_iter().filter_map(|name| Some(name.strip_prefix("weight.")?.to_owned())).collect();
    assert!(!names.is_empty(), "{:?}", fixture.names());
    assert_eq!(exported.names(), names, "the names are those of the PyTorch model");
    let mut parameters = 0;
    for name in &names {
        let (written, trained) = (exported.tensor(name).unwrap(), best.tensor(name).unwrap());
        assert_eq!((&written.shape, written.floats().unwrap()), (&trained.shape, trained.floats().unwrap()), "{name}");
        assert_eq!(written.shape.len(), fixture.tensor(&format!("weight.{name}")).unwrap().shape.len(), "{name}");
        parameters += written.floats().unwrap().len();
    }
    assert_eq!(report["parameters"], parameters);
    assert_eq!(exported.metadata("classes"), Some(r#"["angry","calm","glad"]"#));
    assert!(exported.metadata("normalisation").unwrap().contains("corpus"));

    let gradients = |weights: &str| {
        let arguments = format!("gradients --data data.safetensors --weights {weights} --out g.safetensors {TINY} --device cpu --json");
        mcsan(folder.path(), &arguments).json()["loss"].clone()
    };
    assert_eq!(gradients("w.safetensors"), gradients("run/best.safetensors"));
    // A step of no length leaves the weights that training started from.
    let arguments = "train --data data.safetensors --out again --steps 1 --weights w.safetensors --set train.lr=0 --device cpu";
    mcsan(folder.path(), &format!("{arguments} {TINY}")).succeeds();
    let again = Store::open(&folder.path().join("again/best.safetensors")).unwrap();
    for name in &names {
        assert_eq!(again.tensor(name).unwrap().floats().unwrap(), exported.tensor(name).unwrap().floats().unwrap(), "{name}");
    }
}

#[test]
fn every_command_shows_an_example_and_is_known_to_shells_and_man() {
    let folder = tempfile::tempdir().unwrap();
    let help = mcsan(folder.path(), "--help").succeeds().stdout;
    let list = help.split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    let commands: Vec<&str> = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert!(commands.len() > 12 && commands.contains(&"predict") && commands.contains(&"export"), "{commands:?}");
    mcsan(folder.path(), "man --out man").succeeds();
    let page =
        |name: &str| fs::read_to_string(folder.path().join(format!("man/{name}.1"))).unwrap_or_else(|error| panic!("{name}: {error}"));
    let shells = ["bash", "zsh", "fish", "powershell", "elvish"]
        .map(|shell| (shell, mcsan(folder.path(), &format!("completions {shell}")).succeeds().stdout));
    for command in commands.into_iter().filter(|&command| command != "help") {
        let shown = mcsan(folder.path(), &format!("{command} --help")).succeeds().stdout;
        let example = shown.rsplit_once("Example").map(|(_, example)| example).unwrap_or_default();
        assert!(example.contains(&format!("mcsan {command}")), "{command} --help shows no example\n{shown}");
        assert!(page("mcsan").contains(command), "mcsan.1 lacks {command}");
        assert!(page(&format!("mcsan-{command}")).contains("Example"), "{command}");
        for (shell, script) in &shells {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
}

#[test]
fn a_model_is_exported_as_onnx_whole_or_not_at_all() {
    let folder = trained();
    let report = mcsan(folder.path(), "export --run run --onnx m.onnx --json").json();
    let bytes = fs::read(folder.path().join("m.onnx")).unwrap();
    assert!(bytes.len() as u64 > 4 * report["parameters"].as_u64().unwrap(), "{} bytes: {report}", bytes.len());
    let line = mcsan(folder.path(), "export --run run --onnx absent/m.onnx").fails();
    assert!(line.contains("absent/m.onnx: cannot be written"), "{line}");
    let line = mcsan(folder.path(), "export --run absent --out w.safetensors").fails();
    assert!(line.contains("absent/best.safetensors: cannot be read"), "{line}");
    assert!(!folder.path().join("w.safetensors").exists());
    assert_eq!(mcsan(folder.path(), "export --run run").code, Some(2));
}

#[test]
fn a_model_in_one_file_predicts_what_its_run_does() {
    let folder = trained();
    let here = folder.path();
    let report = mcsan(here, "export --run run --web m.mcsan --json").json();
    assert_eq!(report["web"], "m.mcsan");
    let first = fs::read(here.join("m.mcsan")).unwrap();
    mcsan(here, "export --run run --web m.mcsan").succeeds();
    assert_eq!(fs::read(here.join("m.mcsan")).unwrap(), first, "equal runs give equal files, and what was written is written again");
    let predicted = |run: &str| {
        let arguments = format!("predict --run {run} --audio audio/calm1.wav --text go --device cpu --json");
        mcsan(here, &arguments).json()["probabilities"].clone()
    };
    assert_eq!(predicted("m.mcsan"), predicted("run"));

    let refused = |name: &str, bytes: &[u8], said: &str| {
        fs::write(here.join(name), bytes).unwrap();
        let line = mcsan(here, &format!("predict --run {name} --audio audio/calm1.wav --text go")).fails();
        assert!(line.contains(name) && line.contains(said), "{line}");
    };
    let place = first.windows(4).position(|bytes| bytes == b"\"F32").unwrap() + 4000;
    let mut damaged = first.clone();
    damaged[place] ^= 1;
    refused("damaged.mcsan", &damaged, "member 'best.safetensors' is damaged");
    refused("cut.mcsan", &first[..first.len() / 2], "is damaged");
    refused("foreign.mcsan", b"some words", "is neither a run's folder nor a file that a run was exported to; 'mcsan export --web'");
    refused("other.mcsan", &fs::read(here.join("run/best.safetensors")).unwrap(), "is neither a run's folder");
    let text = String::from_utf8_lossy(&first).into_owned();
    assert!(text.contains("mcsan-run/1"));
    let line = mcsan(here, "predict --run m.mcsan --calibrated --audio audio/calm1.wav --text go").fails();
    let mend = "m.mcsan: has no temperature; fit it in the folder of its run with 'mcsan evaluate --calibrate', then 'mcsan export --web'";
    assert!(line.contains(mend), "{line}");
    mcsan(here, "evaluate --run run --data data.safetensors --calibrate --device cpu").succeeds();
    mcsan(here, "export --run run --web m.mcsan").succeeds();
    mcsan(here, "predict --run m.mcsan --calibrated --audio audio/calm1.wav --text go --device cpu").succeeds();
    let line = mcsan(here, "export --run absent --web n.mcsan").fails();
    assert!(line.contains("absent/best.safetensors: cannot be read"), "{line}");
    fs::write(here.join("notes.txt"), "what I must not lose").unwrap();
    let line = mcsan(here, "export --run run --web notes.txt").fails();
    assert!(line.contains("notes.txt: is not a model in one file of mcsan"), "{line}");
}
