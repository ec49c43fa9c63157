//! The page and its package, as `make web` built them into `target/web` (or `MCSAN_PAGE`): driven in a headless Chromium by Node, and held
//! against what the command line makes of the same recordings. What is tried stands in `tests/web/page/try.mjs`, how in `steps.mjs`.

use std::f32::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hound::{WavSpec, WavWriter};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::browser::Chromium;
use crate::cli::corpus::{MONO_16_KHZ, TINY, corpus};
use crate::cli::training::losses;
use crate::program::{call, mcsan};

/// What the tests need besides the program.
struct Built {
    page: PathBuf,
}

impl Built {
    /// The page where it was built and Node is there; else the test's name is printed, or it is a failure where `MCSAN_REQUIRE_PAGE` is set.
    fn find(test: &str) -> Option<Self> {
        let page = std::env::var_os("MCSAN_PAGE").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/web"), PathBuf::from);
        let has_node = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
        // Written last.
        let lacks = match (package_of(&page).join("package.json").exists(), has_node) {
            (true, true) => return Some(Self { page }),
            (false, _) => "no page, which 'make web' builds",
            (true, false) => "no Node",
        };
        assert!(std::env::var_os("MCSAN_REQUIRE_PAGE").is_none(), "{test}: {lacks}, but MCSAN_REQUIRE_PAGE is set");
        println!("skipped: {lacks}: {test}");
        None
    }
}

/// Where the npm package of a page lies.
fn package_of(page: &Path) -> PathBuf {
    PathBuf::from(format!("{}-package", page.display()))
}

/// Learning rate of the command line's training and of the page's.
const RATE: f64 = 0.002;

/// What the command line makes: `corpus/`, a run of eight epochs over its own words in `run`, `model.mcsan` of it, its losses in
/// `training.json`, clips with their probabilities in `predictions.json`, and a tone for the microphone, `spoken.wav`.
fn stage() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let made = corpus();
    fs::create_dir_all(path.join("corpus/audio")).unwrap();
    fs::copy(made.path().join("manifest.csv"), path.join("corpus/manifest.csv")).unwrap();
    for file in fs::read_dir(made.path().join("audio")).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), path.join("corpus/audio").join(file.file_name())).unwrap();
    }
    mcsan(path, "prepare manifest corpus/manifest.csv --out data.safetensors --device cpu").succeeds();
    mcsan(path, &format!("train --data data.safetensors --out run --epochs 8 {TINY} --set train.lr={RATE} --device cpu")).succeeds();
    mcsan(path, "export --run run --web model.mcsan").succeeds();
    let settings: Vec<&str> = TINY.split(" --set ").map(|setting| setting.trim_start_matches("--set ")).collect();
    let training = json!({ "losses": losses(&path.join("run")), "settings": settings, "rate": RATE.to_string() });
    fs::write(path.join("training.json"), training.to_string()).unwrap();

    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio");
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/clips/ann_bad01_calm.flac");
    let clips = [
        (made.path().join("audio/glad1.wav"), "What a lovely Qwertzday"),
        (fixtures.join("tone.mp3"), "go away"),
        (fixtures.join("tone.m4a"), "the sea"),
        (clip, "My sister lost her job."),
    ];
    let mut predictions = Map::new();
    for (from, words) in clips {
        let name = from.file_name().unwrap().to_str().unwrap().to_owned();
        fs::copy(&from, path.join(&name)).unwrap();
        let answer = call(path, &["predict", "--device", "cpu", "--run", "run", "--json", "--audio", &name, "--text", words]).json();
        predictions.insert(name, json!({ "words": words, "probabilities": answer["probabilities"] }));
    }
    fs::write(path.join("predictions.json"), Value::Object(predictions).to_string()).unwrap();

    let mut writer = WavWriter::create(path.join("spoken.wav"), WavSpec { sample_rate: 48_000, ..MONO_16_KHZ }).unwrap();
    for sample in 0..4 * 48_000 {
        writer.write_sample(((TAU * 500.0 * sample as f32 / 48_000.0).sin() * 16_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
    folder
}

/// Settings of the page's small network.
const SMALL: &str = "--set model.hidden=32 --set model.heads=4 --set model.feed_forward=64 --set train.batch_size=16 --set train.lr=0.001";

/// What the command line makes of the embedded corpus: losses and figures of the test split, with the page's settings of the same, in
/// `demo.json`.
fn stage_demo(path: &Path) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/manifest.csv");
    call(path, &["prepare", "manifest", manifest.to_str().unwrap(), "--out", "demo.safetensors", "--device", "cpu"]).succeeds();
    mcsan(path, &format!("train --data demo.safetensors --out demo --epochs 2 --seed 0 {SMALL} --device cpu")).succeeds();
    let test: Value = serde_json::from_slice(&fs::read(path.join("demo/test.json")).unwrap()).unwrap();
    let settings = json!({ "epochs": "2", "batch": "16", "rate": "0.001", "seed": "0", "size": "small" });
    let demo = json!({ "losses": losses(&path.join("demo")), "test": test, "settings": settings });
    fs::write(path.join("demo.json"), demo.to_string()).unwrap();
}

/// Runs a script of `tests/web/page` and prints what it says.
fn node(arguments: &[&Path]) {
    let [script, arguments @ ..] = arguments else { panic!("a script") };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/web/page").join(script);
    let Output { status, stdout, stderr } = Command::new("node").arg(script).args(arguments).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    println!("{said}");
    assert!(status.success(), "{said}");
}

/// Tries something of the page; what the command line made, and what the page left there.
fn try_page(what: &str) -> Option<TempDir> {
    try_page_with(what, |_| ())
}

/// The same, with what else the command line makes.
fn try_page_with(what: &str, further: impl Fn(&Path)) -> Option<TempDir> {
    let test = format!("page::{what}");
    let chromium = Chromium::find(&test)?;
    let built = Built::find(&test)?;
    let folder = stage();
    further(folder.path());
    node(&[Path::new("try.mjs"), Path::new(what), &built.page, folder.path(), Path::new(chromium.program())]);
    Some(folder)
}

#[test]
fn predictions_are_the_command_lines_in_every_format() {
    try_page("predictions");
}

#[test]
fn what_the_microphone_hears_is_predicted() {
    try_page("microphone");
}

#[test]
fn refused_microphones_and_damaged_files_are_one_line_and_change_nothing() {
    try_page("refusals");
}

#[test]
fn a_lost_device_is_told_and_replaced() {
    try_page("lost");
}

#[test]
fn the_page_is_there_without_a_connection() {
    try_page("offline");
}

#[test]
fn a_training_in_the_page_is_the_command_lines_and_goes_on_after_a_reload_to_the_same_bytes() {
    let Some(folder) = try_page("training") else { return };
    let path = folder.path();
    // What the page saved is taken by the command line.
    let page: Map<String, Value> = serde_json::from_slice(&fs::read(path.join("page.json")).unwrap()).unwrap();
    mcsan(path, &format!("train --data data.safetensors --out onward --epochs 1 {TINY} --weights page.safetensors --device cpu"))
        .succeeds();
    let archive = fs::File::open(path.join("page-run.zip")).unwrap();
    zip::ZipArchive::new(archive).unwrap().extract(path.join("page-run")).unwrap();
    let words = "What a lovely Qwertzday";
    let answer = call(path, &["predict", "--device", "cpu", "--run", "page-run", "--json", "--audio", "glad1.wav", "--text", words]).json();
    for (name, probability) in answer["probabilities"].as_object().unwrap() {
        let (there, here) = (page[name].as_f64().unwrap(), probability.as_f64().unwrap());
        assert!((there - here).abs() <= 1e-5, "{name}: {there} in the page, {here} here");
    }
}

#[test]
fn a_model_is_trained_further_stopped_and_gone_on_with_and_ends_in_the_same_bytes() {
    try_page("finetuning");
}

#[test]
fn the_demo_corpus_is_trained_on_as_by_the_command_line() {
    try_page_with("demo", stage_demo);
}

#[test]
fn what_is_dropped_is_taken() {
    try_page("dropping");
}

#[test]
fn a_training_that_the_browser_has_no_room_for_goes_on_and_says_so() {
    try_page("full");
}

#[test]
fn a_training_that_is_not_kept_goes_on_and_says_so() {
    try_page("unkept");
}

#[test]
fn a_training_in_one_tab_is_left_alone_by_another() {
    try_page("tabs");
}

#[test]
fn a_newer_build_takes_over_as_a_whole() {
    try_page("renewal");
}

#[test]
fn the_page_fits_phones_and_is_read_operated_and_named_for_everybody() {
    try_page("layout");
}

#[test]
fn the_package_predicts_in_node() {
    let Some(built) = Built::find("page::package") else { return };
    let folder = stage();
    node(&[Path::new("package.mjs"), &package_of(&built.page), folder.path()]);
}
