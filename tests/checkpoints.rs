//! Runs whose files contradict themselves, as a stranger's may: each is refused in one line that names the file, and nothing is
//! computed, allocated or indexed by what it says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mcsan::audio::mfcc::MfccSettings;
use mcsan::backend::cpu::Cpu;
use mcsan::base::remedy::line;
use mcsan::base::streams::{AUDIO, TEXT};
use mcsan::base::words::WordTable;
use mcsan::config::{Config, Settings};
use mcsan::dataset::store::{self, Tensor};
use mcsan::dataset::{DataStream, Dataset, Frames, Normalisation, TokenLists, UtteranceInfo};
use mcsan::model::{self, Dimensions};
use mcsan::train::run::{Start, Training};
use mcsan::train::{Checkpoint, Predictor, Session, Weights};
use serde_json::{Value, json};
use tempfile::TempDir;

const WORDS: [&str; 3] = ["go", "stay", "what"];
const WIDTH: usize = 2;

/// Reads a safetensors file, lets `change` have its header and its tensors' bytes, and writes it again.
pub fn rewrite(path: &Path, change: impl FnOnce(&mut Value, &mut Vec<u8>)) {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (mut header, mut body) = (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec());
    change(&mut header, &mut body);
    let header = header.to_string();
    fs::write(path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &body].concat()).unwrap();
}

/// Puts a number in the place of an element of a tensor.
pub fn set_element(path: &Path, tensor: &str, element: usize, value: f32) {
    rewrite(path, |header, body| {
        let start = header[tensor]["data_offsets"][0].as_u64().unwrap() as usize + 4 * element;
        body[start..start + 4].copy_from_slice(&value.to_le_bytes());
    });
}

/// Six utterances of nine frames and two words, with frozen vectors.
fn data() -> Dataset {
    let value = |place: usize| ((place * 37) % 23) as f32 - 11.0;
    let audio =
        Frames { columns: 40, values: (0..6 * 9 * 40).map(value).collect::<Vec<_>>().into(), offsets: (0..=6).map(|u| 9 * u).collect() };
    let vectors = WordTable { width: WIDTH, values: (0..WORDS.len() * WIDTH).map(value).collect() };
    let vocabulary = WORDS.map(String::from).to_vec();
    let text = TokenLists {
        tokens: (0..12).map(|token| token % 3).collect(),
        offsets: (0..=6).map(|utterance| 2 * utterance).collect(),
        vectors: Some(vectors),
        vocabulary,
    };
    Dataset {
        classes: ["calm", "glad", "sad"].map(String::from).to_vec(),
        streams: [(AUDIO, DataStream::Frames(audio)), (TEXT, DataStream::Tokens(text))].into(),
        labels: vec![0, 1, 2, 0, 1, 2],
        utterances: (0..6).map(|place| UtteranceInfo { id: format!("u{place}"), ..Default::default() }).collect(),
        feature_settings: json!(MfccSettings::default()),
        ..Default::default()
    }
}

fn settings(more: &[&str]) -> Settings {
    let tiny = ["model.hidden=8", "model.heads=2", "model.feed_forward=8", "train.batch_size=3", "train.epochs=2"];
    Config::default().assign(&tiny.iter().chain(more).map(|setting| (*setting).to_owned()).collect::<Vec<_>>()).unwrap().settings
}

/// A run folder with a model that predicts, which nobody trained.
fn run() -> TempDir {
    let (data, settings) = (data(), settings(&[]));
    let dimensions = Dimensions::of(&data, &settings.model);
    let readings = model::readings(&settings, &dimensions);
    let checkpoint = Checkpoint {
        device: "cpu".into(),
        normalisation: Normalisation::fit(settings.data.normalise, &data, &data.training(), &readings).unwrap(),
        parameters: model::parameters(&settings, &dimensions).initial_values(1),
        classes: data.classes.clone(),
        dimensions,
        settings,
        machine: None,
        moments: None,
        average: None,
        step: 4,
        epoch: 2,
        best: None,
        progress: None,
    };
    let folder = tempfile::tempdir().unwrap();
    checkpoint.save(&folder.path().join("best.safetensors")).unwrap();
    let metadata =
        BTreeMap::from([("vocabulary".to_owned(), json!(WORDS).to_string()), ("features".to_owned(), data.feature_settings.to_string())]);
    let vectors = &data.text().unwrap().vectors.as_ref().unwrap().values;
    store::write(&folder.path().join("vocabulary.safetensors"), &metadata, &[Tensor::f32("text.vectors", &[WORDS.len(), WIDTH], vectors)])
        .unwrap();
    folder
}

/// Requires that a run with a changed file is refused in a line that names the file and holds `part`.
fn refused(file: &str, part: &str, change: impl FnOnce(&mut Value, &mut Vec<u8>)) {
    let folder = run();
    rewrite(&folder.path().join(file), change);
    let error = Predictor::load(folder.path()).map(|_| ()).expect_err(part);
    let told = line(&error);
    assert!(told.contains(&format!("{file}: ")) && told.contains(part) && told.lines().count() == 1, "{part}:\n{told}");
}

/// The same of one metadata entry, as a text.
fn refused_metadata(file: &str, key: &str, text: &str, part: &str) {
    refused(file, part, |header, _| header["__metadata__"][key] = json!(text));
}

const BEST: &str = "best.safetensors";
const VOCABULARY: &str = "vocabulary.safetensors";

#[test]
fn a_run_as_it_was_written_predicts() {
    Predictor::load(run().path()).map(|_| ()).unwrap();
}

#[test]
fn settings_of_a_network_that_cannot_be_are_refused_before_it_is_laid_out() {
    let whole = Config::from(settings(&[])).to_toml();
    for (line, other, part) in [
        ("layers = 1", "layers = 1000000000", "model.layers = 1000000000: expected an integer from 1 to 1000"),
        ("hidden = 8", "hidden = 100000", "model.hidden = 100000: expected an integer from 1 to 512"),
        (
            "feed_forward = 8",
            "feed_forward = 9000000000000000000",
            "model.feed_forward = 9000000000000000000: expected an integer from 1 to 65536",
        ),
        ("heads = 2", "heads = 3", "model.heads = 3: expected a divisor of model.hidden = 8"),
        ("hidden = 8", "hidden = 8.5", "model.hidden = 8.5: expected an integer"),
        ("hidden = 8", "hidden = [", "line "),
        ("hidden = 8", "height = 8", "unknown setting 'model.height'"),
    ] {
        assert!(whole.contains(line), "{whole}");
        refused_metadata(BEST, "settings", &whole.replacen(line, other, 1), part);
    }
    // What decides a training alone may be what is refused today.
    let folder = run();
    rewrite(&folder.path().join(BEST), |header, _| {
        header["__metadata__"]["settings"] = json!(whole.replace("epsilon = 1e-8", "epsilon = 0.0"))
    });
    Predictor::load(folder.path()).map(|_| ()).unwrap();
}

#[test]
fn sizes_are_those_of_the_files_own_tensors() {
    for (sizes, part) in [
        (json!({"classes": 3, "coefficients": 1u64 << 60, "learned_words": null, "word_width": WIDTH}), "has the shape [8, 40, 3], not"),
        (json!({"classes": 3, "coefficients": null, "learned_words": null, "word_width": WIDTH}), "has the shape [8, 40, 3], not"),
        (json!({"classes": 3, "coefficients": 40, "learned_words": null, "word_width": u64::MAX}), "has the shape"),
        (
            json!({"classes": 3, "coefficients": 40, "learned_words": 1u64 << 40, "word_width": WIDTH}),
            "has no tensor 'text_encoder.embedding",
        ),
        (json!({"classes": 1u64 << 50, "coefficients": 40, "learned_words": null, "word_width": WIDTH}), "has the shape [3, 8], not"),
        (json!({"classes": 0, "coefficients": 40, "learned_words": null, "word_width": WIDTH}), "has the shape [3, 8], not"),
        (json!({"classes": -3}), "metadata 'dimensions' is not the JSON that it should be"),
    ] {
        refused_metadata(BEST, "dimensions", &sizes.to_string(), part);
    }
    for (classes, part) in [
        (json!([]), "metadata 'classes' names none"),
        (json!(["calm", "glad", "glad"]), "metadata 'classes' names 'glad' twice"),
        (json!(["calm", "glad"]), "names 2 classes for a network of 3"),
        (json!((0..5000).map(|class| class.to_string()).collect::<Vec<_>>()), "names 5000 of them"),
        (json!({"calm": 1}), "metadata 'classes' is not the JSON that it should be"),
    ] {
        refused_metadata(BEST, "classes", &classes.to_string(), part);
    }
}

#[test]
fn a_normalisation_divides_every_column_by_a_number() {
    let (zeros, ones) = (vec![0.0; 40], vec![1.0; 40]);
    let mut infinite = ones.clone();
    infinite[7] = 1e-300;
    for (value, part) in [
        (json!({"by": "corpus"}), "metadata 'normalisation' has nothing of 'audio'"),
        (json!({"by": "corpus", "mean": [0.0], "deviation": [1.0]}), "has 1 means and 1 deviations for 40 columns"),
        (json!({"by": "corpus", "mean": zeros, "deviation": zeros}), "has the mean 0.0 and the deviation 0.0 of column 0"),
        (json!({"by": "corpus", "mean": zeros, "deviation": infinite}), "has the mean 0.0 and the deviation 1e-300 of column 7"),
        (json!({"by": "corpus", "mean": vec![1e300; 40], "deviation": ones}), "has the mean 1e300"),
        (json!({"by": "none"}), "is not by corpus, as 'settings' say"),
        (json!({"by": "everything"}), "metadata 'normalisation' is not the JSON that it should be"),
    ] {
        refused_metadata(BEST, "normalisation", &value.to_string(), part);
    }
}

#[test]
fn where_a_run_stands_is_somewhere() {
    for (key, text, part) in [
        ("step", "-1", "metadata 'step' is not the JSON"),
        ("epoch", "5", "has finished 5 epochs after 4 steps"),
        ("best", "\"good\"", "metadata 'best' is not the JSON"),
        ("progress", "[]", "metadata 'progress' is not the JSON"),
        ("format", "mcsan-dataset/1", "is a checkpoint of another kind"),
        ("format", "mcsan-checkpoint/9", "was written by a newer mcsan (version 9 of mcsan-checkpoint; this one reads up to 1)"),
    ] {
        refused_metadata(BEST, key, text, part);
    }
    let progress = |change: &dyn Fn(&mut Value)| {
        let tally = json!({"confusion": [[1, 0, 0], [0, 1, 0], [0, 0, 0]], "loss": 1.0});
        let mut progress = json!({"best_epoch": 1, "parts": 1, "tally": tally, "scaling": [65536.0, 3.0, 0.0], "data": "0-0"});
        change(&mut progress);
        progress.to_string()
    };
    let folder = run();
    rewrite(&folder.path().join(BEST), |header, _| header["__metadata__"]["progress"] = json!(progress(&|_| ())));
    Predictor::load(folder.path()).map(|_| ()).unwrap();
    for (key, value, part) in [
        ("best_epoch", json!(3), "has its best epoch, 3, behind the last, 2"),
        ("tally", json!({"confusion": [[1]], "loss": 0.0}), "has counted no predictions of 3 classes"),
        ("tally", json!({"confusion": vec![vec![u64::MAX; 3]; 3], "loss": 0.0}), "has counted no predictions of 3 classes"),
        ("scaling", json!([0.0, 0.0, 0.0]), "has a loss scale that cannot be"),
        ("scaling", json!([65536.0, 0.0, 5.0]), "has a loss scale that cannot be"),
    ] {
        refused_metadata(BEST, "progress", &progress(&|progress| progress[key] = value.clone()), part);
    }
}

#[test]
fn a_tensor_is_what_its_entry_says() {
    const NAME: &str = "classifier.2.weight";
    for (key, value, part) in [
        ("dtype", json!("I32"), "tensor 'classifier.2.weight' is of type I32, not F32 or F16"),
        ("dtype", json!("F64"), "is not a whole safetensors file"),
        ("shape", json!([24]), "has the shape [24], not [3, 8]"),
        ("shape", json!([1u64 << 63, 2]), "is not a whole safetensors file"),
        ("shape", json!([0, 8]), "is not a whole safetensors file"),
        ("data_offsets", json!([0, 4]), "is not a whole safetensors file"),
        ("data_offsets", json!([1u64 << 63, 0]), "is not a whole safetensors file"),
    ] {
        refused(BEST, part, |header, _| header[NAME][key] = value.clone());
    }
    refused(BEST, "is not a whole safetensors file", |header, _| drop(header.as_object_mut().unwrap().remove(NAME)));
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let folder = run();
        set_element(&folder.path().join(BEST), NAME, 5, value);
        let told = line(&Predictor::load(folder.path()).map(|_| ()).unwrap_err());
        assert!(told.contains(&format!("best.safetensors: tensor '{NAME}' holds {value} (element 5)")), "{told}");
    }
}

#[test]
fn a_vocabulary_has_a_vector_for_every_word_and_a_front_end_that_can_be() {
    for (key, text, part) in [
        ("vocabulary", r#"["go"]"#, "has 3 vectors of 2 numbers for 1 words"),
        ("vocabulary", r#"["go", "stay", "go"]"#, "names 'go' twice"),
        ("vocabulary", "7", "metadata 'vocabulary' is not a list of words"),
        ("vocabulary", "[]", "do not name their words"),
        ("features", "null", "do not say how their features were made"),
    ] {
        refused_metadata(VOCABULARY, key, text, part);
    }
    for (change, part) in [
        (MfccSettings { hop: 0, ..Default::default() }, "a hop of 0 samples never ends"),
        (MfccSettings { mel_bands: 1 << 40, ..Default::default() }, "1099511627776 mel bands"),
        (MfccSettings { coefficients: 13, ..Default::default() }, "is of another run than best.safetensors: 'audio' has 13 coefficients"),
    ] {
        refused_metadata(VOCABULARY, "features", &json!(change).to_string(), part);
    }
    refused(VOCABULARY, "has 3 vectors of 0 numbers for 3 words", |header, body| {
        body.clear();
        header["text.vectors"] = json!({"dtype": "F32", "shape": [3, 0], "data_offsets": [0, 0]});
    });
    let folder = run();
    set_element(&folder.path().join(VOCABULARY), "text.vectors", 1, f32::NAN);
    let told = line(&Predictor::load(folder.path()).map(|_| ()).unwrap_err());
    assert!(told.contains("vocabulary.safetensors: tensor 'text.vectors' holds NaN (element 1)"), "{told}");
}

#[test]
fn a_run_goes_on_from_nothing_that_could_not_have_been() {
    let (data, backend) = (data(), Cpu::<f32>::default());
    let go_on = |change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        let training = |start| Training { settings: settings(&[]), out: Some(folder.path().into()), start, ..Training::of(&data) };
        pollster::block_on(training(Start::New).run_on(&backend, &mut |_| ())).map(|_| ()).unwrap();
        change(&folder.path().join("last.safetensors"));
        pollster::block_on(training(Start::Resume).run_on(&backend, &mut |_| ())).map(|_| ()).map_err(|error| line(&error))
    };
    go_on(&|_| ()).unwrap();
    let stepped = |step: &'static str| move |last: &Path| rewrite(last, |header, _| header["__metadata__"]["step"] = json!(step));
    let told = go_on(&stepped("18446744073709551615")).unwrap_err();
    assert!(told.contains("has done 18446744073709551615 steps already, more than the 4 asked for"), "{told}");
    let told = go_on(&|last| set_element(last, "moment2.classifier.2.bias", 0, f32::INFINITY)).unwrap_err();
    assert!(told.contains("last.safetensors: tensor 'moment2.classifier.2.bias' holds inf"), "{told}");
}

#[test]
fn a_network_that_no_machine_can_hold_is_refused_with_its_size() {
    // A table of two thousand million words that no file names, for six utterances of two words.
    let mut data = data();
    let text = TokenLists { tokens: vec![2_000_000_000; 12], vectors: None, vocabulary: Vec::new(), ..data.text().unwrap().clone() };
    data.streams.insert(TEXT, DataStream::Tokens(text));
    let backend = Cpu::<f32>::default();
    let refusal = |data: &Dataset, settings: &Settings| {
        line(&Session::new(&backend, settings, data, &data.training(), Weights::Drawn).map(|_| ()).unwrap_err())
    };
    let told = refusal(&data, &settings(&["model.word_width=65536"]));
    assert!(
        told.contains("parameters and needs 2.1e3 TB of memory") || told.contains("parameters and needs 2097.2 TB of memory"),
        "{told}"
    );
    assert!(told.contains("are free; lower model.layers, model.feed_forward, model.hidden or model.word_width"), "{told}");
    // Nor has one without a word anything to learn.
    let text = TokenLists { tokens: vec![-1; 12], ..data.text().unwrap().clone() };
    data.streams.insert(TEXT, DataStream::Tokens(text));
    let told = refusal(&data, &settings(&[]));
    assert!(told.contains("no utterance has a word: 'text' has nothing to learn from; set model.variant=no_text"), "{told}");
    Session::new(&backend, &settings(&["model.variant=no_text"]), &data, &data.training(), Weights::Drawn).map(|_| ()).unwrap();
}
