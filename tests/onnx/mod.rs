//! Exported ONNX models: their form, which needs nothing installed, and their logits in onnxruntime, which needs a Python
//! with `onnxruntime` and `safetensors` (`MCSAN_PYTHON`, else `python3`).

mod samples;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use mcsan::backend::Storage;
use mcsan::backend::cpu::Cpu;
use mcsan::base::streams::{AUDIO, PROSODY, TEXT, VISUAL};
use mcsan::base::words::OUT_OF_VOCABULARY;
use mcsan::config::{Config, Normalise};
use mcsan::dataset::store::{self, Tensor};
use mcsan::dataset::{DataStream, Dataset, Frames, Normalisation, TokenLists, Vectors};
use mcsan::model::{self, Dimensions};
use mcsan::onnx;
use mcsan::train::Checkpoint;
use mcsan::train::Session;

/// What each exported model differs in.
const CASES: [&[&str]; 27] = [
    &[],
    &["model.variant=no_audio"],
    &["model.variant=no_text"],
    &["model.variant=no_self"],
    &["model.variant=no_cross"],
    &["model.variant=cross_self"],
    &["model.variant=self_cross"],
    &["model.layers=2"],
    &["model.attention_bias=false", "model.scale=model"],
    &["model.conv_activation=relu", "data.max_frames=40"],
    &["data.normalise=none"],
    &["data.normalise=utterance"],
    &["learned"],
    &["model.hidden=64", "model.heads=4", "model.feed_forward=96"],
    &["model.system=mdre", "mdre.hidden=10", "data.max_frames=40"],
    &["model.system=mdrea", "mdre.hidden=9", "learned"],
    &["model.system=mha", "mha.hidden=8", "mha.hops=3"],
    &["model.system=mha", "mha.hidden=8", "mha.projection=false", "data.normalise=utterance"],
    &["model.system=mha", "mha.hidden=8", "mha.cell=lstm", "mha.prosody=true"],
    &["model.system=xu", "xu.dense=12", "xu.hidden=5", "xu.heads=2"],
    &["model.system=xu", "xu.form=paper", "xu.hidden=5"],
    &["model.system=amh", "amh.hidden=7", "amh.visual_hidden=5", "amh.hops=4", "amh.prosody=true"],
    &["model.system=can", "can.hidden=6"],
    &["model.system=mcsan3"],
    &["model.system=mcsan3", "trimodal.cross=separate"],
    &["model.system=mcsan3", "model.variant=no_visual"],
    &["model.system=mcsan3", "model.variant=no_text", "data.normalise=utterance"],
];

/// Utterances compared: those of the data set, and behind them one of four frames and no word, one of silence, all of whose frames
/// are the same, and one that changes in its last digits alone.
const UTTERANCES: usize = 13;

fn data() -> Dataset {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/small.dataset.safetensors");
    let mut data = Dataset::load(&path).unwrap();
    let given = data.len();
    let (mut audio, mut text) = (data.audio().unwrap().clone(), data.text().unwrap().clone());
    // Utterances are repeated in part until there are enough: later frames, fewer words.
    let last = (audio.offsets[given] - 4..audio.offsets[given], 0..0);
    let parts = (0..UTTERANCES - 3 - given).map(|utterance| {
        let [frames, words] = [&audio.offsets, &text.offsets].map(|offsets| offsets[utterance]..offsets[utterance + 1]);
        (frames.start + frames.len() / 3..frames.end, words.start..words.end.saturating_sub(1).max(words.start))
    });
    let parts: Vec<_> = parts.chain([last]).collect();
    let mut features = audio.rows(0..audio.offsets[given]).unwrap().to_vec();
    for (frames, words) in parts {
        features.extend_from_slice(&audio.rows(frames.clone()).unwrap());
        audio.offsets.push(audio.offsets[audio.offsets.len() - 1] + frames.len());
        let words = text.tokens[words].to_vec();
        text.offsets.push(text.offsets[text.offsets.len() - 1] + words.len());
        text.tokens.extend(words);
        data.labels.push(0);
        data.utterances.push(Default::default());
    }
    for changes in [false, true] {
        let silence = |frame: usize, column: usize| {
            let value = if column == 0 { -1_131.370_9 } else { 0.3 - column as f32 / 7.0 };
            if changes && frame.is_multiple_of(3) { f32::from_bits(value.to_bits() + 1 + (column % 2) as u32) } else { value }
        };
        features.extend((0..701).flat_map(|frame| (0..audio.columns).map(move |column| silence(frame, column))));
        audio.offsets.push(audio.offsets[audio.offsets.len() - 1] + 701);
        text.offsets.push(text.tokens.len());
        data.labels.push(0);
        data.utterances.push(Default::default());
    }
    audio.values = features.into();
    text.tokens[1] = -1;
    data.streams.insert(AUDIO, DataStream::Frames(audio));
    data.streams.insert(TEXT, DataStream::Tokens(text));
    // Utterance u has u pictures, the first none.
    let number = |place: usize| (place * 7 % 31) as f32 / 9.0 - 1.5;
    let offsets: Vec<usize> = (0..=UTTERANCES).map(|utterance| utterance * utterance.saturating_sub(1) / 2).collect();
    let columns = 6;
    let values = (0..offsets[UTTERANCES] * columns).map(number).collect::<Vec<_>>().into();
    data.streams.insert(VISUAL, DataStream::Frames(Frames { columns, values, offsets }));
    let values = (0..UTTERANCES * 3).map(number).collect::<Vec<_>>().into();
    data.streams.insert(PROSODY, DataStream::Vector(Vectors { columns: 3, values }));
    assert_eq!(data.len(), UTTERANCES);
    data
}

/// An untrained model with features that are not zero anywhere, on the data set.
fn checkpoint(case: &[&str], data: &mut Dataset) -> Checkpoint {
    let mut assignments: Vec<String> = ["model.hidden=16", "model.heads=2", "model.feed_forward=32"].map(str::to_owned).into();
    assignments.extend(case.iter().filter(|setting| **setting != "learned").map(|setting| (*setting).to_owned()));
    let settings = Config::default().assign(&assignments).unwrap().settings;
    if case.contains(&"learned") {
        let text = TokenLists { vectors: None, ..data.text().unwrap().clone() };
        data.streams.insert(TEXT, DataStream::Tokens(text));
    }
    let dimensions = Dimensions::of(data, &settings.model);
    let normalisation = Normalisation::fit(settings.data.normalise, data, &[0, 1, 2], &model::readings(&settings, &dimensions)).unwrap();
    let parameters = model::parameters(&settings, &dimensions).initial_values(3);
    let classes = data.classes.clone();
    let device = "auto".into();
    Checkpoint {
        settings,
        device,
        dimensions,
        classes,
        normalisation,
        parameters,
        machine: None,
        moments: None,
        average: None,
        step: 0,
        epoch: 0,
        best: None,
        progress: None,
    }
}

/// Our logits `[utterances, classes]`.
fn logits(checkpoint: &Checkpoint, data: &Dataset) -> Vec<f32> {
    let backend = Cpu::<f32>::default();
    let session = Session::trained(&backend, checkpoint, data).unwrap();
    let all: Vec<usize> = (0..data.len()).collect();
    pollster::block_on(backend.finish_read(session.network().infer(&session.batches.batch(&all).unwrap()))).unwrap()
}

#[test]
fn every_exported_graph_is_whole_and_in_order() {
    for case in CASES {
        let checkpoint = checkpoint(case, &mut data());
        let model = wire::Model::read(&onnx::model(&checkpoint).unwrap());
        assert_eq!(model.opset, 17, "{case:?}");
        let mut known: BTreeSet<&str> = model.inputs.iter().map(String::as_str).collect();
        for constant in &model.constants {
            let elements: i64 = constant.shape.iter().product();
            assert_eq!(constant.bytes, elements as usize * if constant.element == 1 { 4 } else { 8 }, "{case:?}: {}", constant.name);
            assert!(known.insert(&constant.name), "{case:?}: {} twice", constant.name);
        }
        for node in &model.nodes {
            let unknown: Vec<&String> = node.inputs.iter().filter(|input| !known.contains(input.as_str())).collect();
            assert!(unknown.is_empty(), "{case:?}: {} reads {unknown:?}, which nothing has made yet", node.operation);
            assert!(known.insert(&node.output), "{case:?}: {} is made twice", node.output);
        }
        assert_eq!(model.outputs, ["logits"]);
        assert!(known.contains("logits"));
        let read: BTreeSet<&str> = model.nodes.iter().flat_map(|node| node.inputs.iter().map(String::as_str)).collect();
        let unread: Vec<_> = model.constants.iter().filter(|constant| !read.contains(constant.name.as_str())).collect();
        assert!(unread.is_empty(), "{case:?}: nothing reads {unread:?}");
        let words = if case.contains(&"learned") { "tokens" } else { "vectors" };
        let readings = model::build::<Cpu<f32>>(&checkpoint.settings, &checkpoint.dimensions).reads();
        let mut expected: Vec<&str> = Vec::new();
        for (stream, input) in [(AUDIO, "features"), (TEXT, words), (VISUAL, "visual"), (PROSODY, "prosody")] {
            expected.extend(readings.iter().any(|reading| reading.stream == stream).then_some(input));
        }
        expected.extend(case.contains(&"model.system=can").then_some("segments"));
        let mut found: Vec<&str> = model.inputs.iter().map(String::as_str).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{case:?}");
        let trained = checkpoint.layout().count();
        let kept: i64 =
            model.constants.iter().filter(|constant| constant.element == 1).map(|constant| constant.shape.iter().product::<i64>()).sum();
        assert!(kept as usize >= trained, "{case:?}: {kept} numbers of {trained} parameters");
    }
}

/// A Python that has what the comparison needs.
fn python(test: &str) -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("MCSAN_PYTHON").unwrap_or_else(|| "python3".into()));
    let has = |python: &Path| {
        Command::new(python).args(["-c", "import onnxruntime, safetensors.numpy"]).output().is_ok_and(|output| output.status.success())
    };
    if has(&python) {
        return Some(python);
    }
    assert!(std::env::var_os("MCSAN_PYTHON").is_none(), "{}: has no onnxruntime or no safetensors", python.display());
    println!("skipped: no Python with onnxruntime and safetensors: {test}");
    None
}

#[test]
fn onnxruntime_gives_our_logits_for_every_variant() {
    let Some(python) = python("onnxruntime_gives_our_logits_for_every_variant") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut worst = 0f64;
    for case in CASES {
        let mut data = data();
        let checkpoint = checkpoint(case, &mut data);
        let ours = logits(&checkpoint, &data);
        let [model, utterances] = ["model.onnx", "utterances.safetensors"].map(|name| folder.path().join(name));
        std::fs::write(&model, onnx::model(&checkpoint).unwrap()).unwrap();
        write_utterances(&utterances, &data);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx/logits.py");
        let output = Command::new(&python).arg(script).args([&model, &utterances]).output().unwrap();
        assert!(output.status.success(), "{case:?}: {}", String::from_utf8_lossy(&output.stderr));
        let theirs: Vec<Vec<f64>> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(theirs.len(), UTTERANCES);
        for (utterance, (ours, theirs)) in ours.chunks_exact(data.classes.len()).zip(&theirs).enumerate() {
            assert_eq!(ours.len(), theirs.len());
            let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
            let difference = square(&mut ours.iter().zip(theirs).map(|(&ours, theirs)| f64::from(ours) - theirs));
            // A system without biases gives zeros where it hears silence and no word.
            let distance = if difference == 0.0 { 0.0 } else { (difference / square(&mut theirs.iter().copied())).sqrt() };
            worst = worst.max(distance);
            // Two honest float32 lie some 1e-6 apart.
            assert!(distance < 2e-5, "{case:?}, utterance {utterance}: {distance:.2e}");
        }
    }
    println!("{} models, {UTTERANCES} utterances each: at most {worst:.1e} apart", CASES.len());
}

/// The inputs of each utterance, as the exported models take them.
fn write_utterances(path: &Path, data: &Dataset) {
    let mut floats: BTreeMap<String, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
    let mut integers: BTreeMap<String, (Vec<usize>, Vec<i64>)> = BTreeMap::new();
    let text = data.text().unwrap();
    let width = text.vectors.as_ref().map_or(0, |table| table.width);
    for utterance in 0..data.len() {
        for (name, stream) in data.streams.iter() {
            let input = [(AUDIO, "features"), (VISUAL, "visual"), (PROSODY, "prosody")].into_iter().find(|&(own, _)| own == name);
            let (Some((_, input)), Some(columns)) = (input, stream.columns()) else { continue };
            let rows = stream.rows(utterance, usize::MAX).unwrap().to_vec();
            floats.insert(format!("{input}.{utterance}"), (vec![rows.len() / columns, columns], rows));
        }
        let tokens = text.of(utterance);
        match &text.vectors {
            None => {
                integers.insert(format!("tokens.{utterance}"), (vec![tokens.len()], tokens.iter().map(|&row| row.into()).collect()));
            }
            Some(table) => {
                let vector = |&row: &i32| match u32::try_from(row).unwrap_or(OUT_OF_VOCABULARY) {
                    OUT_OF_VOCABULARY => vec![0.0; width],
                    row => table.values[row as usize * width..(row as usize + 1) * width].to_vec(),
                };
                floats.insert(format!("vectors.{utterance}"), (vec![tokens.len(), width], tokens.iter().flat_map(vector).collect()));
            }
        }
        let (frames, words) = (data.audio().unwrap().of(utterance, 750).len().max(1), tokens.len().max(1));
        let begin = |word: usize| (word * frames / words) as i64;
        let segments = (0..words).flat_map(|word| [begin(word), begin(word + 1).max(begin(word) + 1)]).collect();
        integers.insert(format!("segments.{utterance}"), (vec![words, 2], segments));
    }
    let mut tensors: Vec<Tensor<'_>> = floats.iter().map(|(name, (shape, values))| Tensor::f32(name, shape, values)).collect();
    tensors.extend(integers.iter().map(|(name, (shape, values))| Tensor::i64(name, shape, values)));
    store::write(path, &BTreeMap::new(), &tensors).unwrap();
}

/// What a script makes of a model and its inputs.
fn run(python: &Path, script: &str, model: &[u8], write: impl Fn(&Path)) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let [path, inputs] = ["model.onnx", "inputs.safetensors"].map(|name| folder.path().join(name));
    std::fs::write(&path, model).unwrap();
    write(&inputs);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx").join(script);
    let output = Command::new(python).arg(script).args([&path, &inputs]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_padded_batch_gives_the_logits_of_each_utterance_alone() {
    let test = "a_padded_batch_gives_the_logits_of_each_utterance_alone";
    let Some(python) = python(test) else { return };
    let cases: [&[&str]; 6] = [
        &[],
        &["learned", "data.normalise=utterance"],
        &["model.variant=no_audio"],
        &["model.system=mha", "mha.hidden=8", "mha.cell=lstm", "mha.prosody=true"],
        &["model.system=can", "can.hidden=6"],
        &["model.system=mcsan3"],
    ];
    for case in cases {
        let mut data = data();
        let checkpoint = checkpoint(case, &mut data);
        let [alone, batch] = [false, true].map(|batch| onnx::model_in(&checkpoint, &onnx::Form { batch, ..Default::default() }).unwrap());
        let inputs = |path: &Path| write_utterances(path, &data);
        let [alone, together] = [run(&python, "logits.py", &alone, inputs), run(&python, "batch.py", &batch, inputs)];
        assert_eq!(alone.as_array().unwrap().len(), UTTERANCES);
        assert_eq!(alone, together, "{case:?}: what is behind an utterance's rows is not read");
    }
}

#[test]
fn a_model_normalised_by_speaker_says_that_the_caller_normalises() {
    let mut data = data();
    let mut checkpoint = checkpoint(&[], &mut data);
    checkpoint.settings.data.normalise = Normalise::Speaker;
    checkpoint.normalisation = Normalisation::Speaker;
    let model = wire::Model::read(&onnx::model(&checkpoint).unwrap());
    assert!(model.description.contains("by the caller"), "{}", model.description);
    assert!(model.constants.iter().all(|constant| !constant.name.starts_with("normalisation.")));
    let settings = Default::default();
    let from_samples = onnx::Form { samples: Some(&settings), ..Default::default() };
    let refused = onnx::model_in(&checkpoint, &from_samples).unwrap_err().to_string();
    assert!(refused.contains("it is normalised by speaker"), "{refused}");
}
