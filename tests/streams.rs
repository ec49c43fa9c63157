//! Streams that a file brings besides audio and text: kept in the file, laid out in batches, and learned from by a model that
//! is written here in a few lines.

use crate::common::frame_values;
use mcsan::backend::Backend;
use mcsan::base::numbers::{Activation, Precision};
use mcsan::base::streams::{AUDIO, Reading, Readings, StreamShape, TEXT};
use mcsan::config::{ModelSettings, Normalise, Settings};
use mcsan::dataset::{BatchShape, Batcher, DataStream, Dataset, Frames, HostStream, Normalisation, Streams, TokenLists, Vectors};
use mcsan::model::layers::{Linear, Pass};
use mcsan::model::parameters::{Block, Initial, Parameters};
use mcsan::model::{Batch, Dimensions, Model, Network};
use mcsan::tape::Var;
use mcsan::train::batches::Batches;
use mcsan::train::evaluate::logits;
use mcsan::train::metrics::softmax;
use mcsan::train::{Inference, Trainer};

use crate::program::mcsan;

const VISUAL: &str = "visual";
const PHONES: &str = "phones";
const PROSODY: &str = "prosody";
const UTTERANCES: usize = 12;
const CLASSES: usize = 3;
/// The utterance without rows.
const SILENT: usize = 7;

/// Audio and text, and three streams more. Of those, the one that is `telling` follows the label; the others say nothing.
fn dataset(telling: &str) -> Dataset {
    let mut data = BatchShape { batch: UTTERANCES, frames: 20, words: 4, ragged: true }.dataset();
    data.classes.truncate(CLASSES);
    // A file names utterances without an id by their number.
    data.utterances.iter_mut().enumerate().for_each(|(number, utterance)| utterance.id = number.to_string());
    data.labels = (0..UTTERANCES).map(|utterance| (utterance * 5 % CLASSES) as u32).collect();
    // A row of zeros is what the middle class says, once normalised.
    data.labels[SILENT] = 1;
    let said = |stream: &str, utterance: usize| if stream == telling { data.labels[utterance] as usize } else { 1 };
    // Three rows an utterance, but one has none.
    let lengths: Vec<usize> = (0..UTTERANCES).map(|utterance| if utterance == SILENT { 0 } else { 3 }).collect();
    let offsets: Vec<usize> = (0..=UTTERANCES).map(|end| lengths[..end].iter().sum()).collect();
    let rows = lengths.iter().enumerate().flat_map(|(utterance, &length)| vec![utterance; length]);
    let visual = Frames {
        columns: 2,
        values: rows.clone().flat_map(|utterance| [said(VISUAL, utterance) as f32, 5.0]).collect::<Vec<f32>>().into(),
        offsets: offsets.clone(),
    };
    let phones = TokenLists {
        tokens: rows.map(|utterance| said(PHONES, utterance) as i32).collect(),
        offsets,
        vectors: None,
        vocabulary: ["a", "e", "o"].map(String::from).into(),
    };
    let prosody = Vectors {
        columns: 2,
        values: (0..UTTERANCES).flat_map(|utterance| [7.0, 100.0 * said(PROSODY, utterance) as f32]).collect::<Vec<f32>>().into(),
    };
    data.streams.insert(VISUAL, DataStream::Frames(visual));
    data.streams.insert(PHONES, DataStream::Tokens(phones));
    data.streams.insert(PROSODY, DataStream::Vector(prosody));
    data
}

/// What each stream says at most, through one layer or table each, and a layer over it.
struct Listener {
    parameters: Parameters,
    visual: Linear,
    phones: Block,
    prosody: Linear,
    output: Linear,
}

const WIDTH: usize = 8;

impl Listener {
    fn new(dimensions: &Dimensions) -> Self {
        let mut parameters = Parameters::default();
        let mut linear = |name, inputs, outputs| Linear::new(&mut parameters, name, [outputs, inputs], true, Activation::None);
        let visual = linear("visual", dimensions.columns(VISUAL), WIDTH);
        let prosody = linear("prosody", dimensions.columns(PROSODY), WIDTH);
        let output = linear("output", 3 * WIDTH, dimensions.classes);
        let (width, words) = dimensions.words(PHONES);
        let phones = parameters.add("phones.weight".into(), &[words.unwrap(), width], Initial::Normal { deviation: 0.5 });
        Self { parameters, visual, phones, prosody, output }
    }
}

impl<B: Backend> Model<B> for Listener {
    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn reads(&self) -> Vec<Reading> {
        vec![Reading::frames(VISUAL, 0), Reading::tokens(PHONES), Reading::vector(PROSODY)]
    }

    fn forward<'a>(&self, pass: &mut Pass<'_, 'a, B>, batch: &'a Batch<B>) -> Var<B> {
        let (visual, phones, prosody) = (batch.frames(VISUAL), batch.tokens(PHONES), batch.vectors(PROSODY));
        let seen = visual.normalised(pass.tape);
        let seen = self.visual.forward(pass, &seen);
        let heard = phones.embedded(pass.tape, Some(&pass.parameters[self.phones]));
        let felt = prosody.normalised(pass.tape);
        let felt = self.prosody.forward(pass, &felt);
        let pooled = pass.tape.global_max(&[(seen, &visual.rows[0]), (heard, &phones.rows), (felt, &prosody.rows)]);
        self.output.forward(pass, &pooled)
    }
}

fn readings() -> Readings {
    Readings::new(&Model::<mcsan::backend::cpu::Cpu<f32>>::reads(&Listener::new(&dimensions(&dataset(VISUAL)))), 1000)
}

fn dimensions(data: &Dataset) -> Dimensions {
    Dimensions::of(data, &ModelSettings { word_width: WIDTH, ..Default::default() })
}

#[test]
fn a_file_keeps_every_stream_and_what_is_wrong_with_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = dataset(PROSODY);
    let [path, again] = ["data", "again"].map(|name| folder.path().join(name));
    data.save(&path).unwrap();
    let loaded = Dataset::load(&path).unwrap();
    assert_eq!(loaded, data);
    loaded.save(&again).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), std::fs::read(&again).unwrap());
    let names: Vec<&str> = loaded.streams.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [AUDIO, PHONES, PROSODY, TEXT, VISUAL]);
    let mut faulty = data.clone();
    let values = vec![f32::NAN; 2 * UTTERANCES].into();
    faulty.streams.insert(PROSODY, DataStream::Vector(Vectors { columns: 2, values }));
    let line = faulty.save(&path).unwrap_err().to_string();
    assert!(line.contains("prosody.values, utterance") && line.contains("column 0 is NaN"), "{line}");
}

#[test]
fn every_stream_of_a_file_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    dataset(PROSODY).save(&folder.path().join("data.safetensors")).unwrap();
    let shown = mcsan(folder.path(), "inspect data.safetensors").succeeds().stdout;
    for line in [
        "phones          33 tokens of 3 words",
        "prosody         a vector of 2 columns an utterance",
        "visual          33 frames of 2 columns",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    for name in ["frames", "phones tokens", "tokens", "visual frames"] {
        assert_eq!(shown.matches(&format!("\n{name} an utterance: ")).count(), 1, "{name}: {shown}");
    }
    let streams = &mcsan(folder.path(), "inspect data.safetensors --json").json()["streams"];
    assert_eq!(
        (&streams[VISUAL]["width"], &streams[VISUAL]["rows"]["min"], &streams[VISUAL]["rows"]["max"]),
        (&2.into(), &0.into(), &3.into())
    );
    assert_eq!((&streams[PHONES]["words"], &streams[PROSODY]["kind"]), (&3.into(), &"vector".into()));
}

#[test]
fn a_batch_has_the_streams_that_are_read_and_an_utterance_without_rows_has_one_of_zeros() {
    let data = dataset(VISUAL);
    let training = data.training();
    for by in [Normalise::Corpus, Normalise::Utterance, Normalise::None] {
        let normalisation = Normalisation::fit(by, &data, &training, &readings()).unwrap();
        let kept: Normalisation = serde_json::from_str(&serde_json::to_string(&normalisation).unwrap()).unwrap();
        assert_eq!(kept, normalisation);
        let batch = Batcher::new(&data, &kept, readings()).unwrap().batch(&[SILENT, 0, 3]).unwrap();
        assert_eq!(batch.streams.keys().copied().collect::<Vec<_>>(), [PHONES, PROSODY, VISUAL]);
        let HostStream::Frames(visual) = &batch.streams[VISUAL] else { panic!("{batch:?}") };
        assert_eq!((visual.lengths.as_slice(), frame_values(visual).len()), (&[1, 3, 3][..], 14));
        let padded = visual.statistics.groups[0] as usize * 2;
        assert_eq!(frame_values(visual)[..2], visual.statistics.mean[padded..padded + 2], "{by:?}: the z-score makes zeros of it");
        let HostStream::Vector(prosody) = &batch.streams[PROSODY] else { panic!("{batch:?}") };
        assert_eq!(prosody.values, [7.0, 100.0, 7.0, 100.0, 7.0, 100.0]);
        let HostStream::Tokens(phones) = &batch.streams[PHONES] else { panic!("{batch:?}") };
        assert_eq!((phones.lengths.as_slice(), phones.words), (&[1, 3, 3][..], 3));
    }
    let lacking = Readings::new(&[Reading::frames("gaze", 0)], 1000);
    let line = Batcher::new(&data, &Normalisation::None, lacking).unwrap_err().to_string();
    assert!(line.contains("no stream 'gaze' of frames"), "{line}");
    let mistaken = Readings::new(&[Reading::vector(VISUAL)], 1000);
    assert!(Batcher::new(&data, &Normalisation::None, mistaken).is_err(), "frames are no vector");
}

#[test]
fn a_vector_of_zeros_is_a_missing_one_and_has_no_part_in_the_statistics() {
    let mut data = dataset(PROSODY);
    let Some(DataStream::Vector(prosody)) = data.streams.get_mut(PROSODY) else { panic!("prosody is a vector") };
    let mut values = [7.0, 100.0].repeat(UTTERANCES);
    values[..2].copy_from_slice(&[0.0, 0.0]);
    prosody.values = values.into();
    for by in [Normalise::Corpus, Normalise::Utterance] {
        let normalisation = Normalisation::fit(by, &data, &(0..UTTERANCES).collect::<Vec<_>>(), &readings()).unwrap();
        let batch = Batcher::new(&data, &normalisation, readings()).unwrap().batch(&[0, 1]).unwrap();
        let HostStream::Vector(prosody) = &batch.streams[PROSODY] else { panic!("{batch:?}") };
        assert_eq!(prosody.statistics.mean, [7.0, 100.0]);
        assert_eq!(prosody.values[..2], prosody.statistics.mean[..], "the z-score makes zeros of it");
    }
}

#[test]
fn vectors_are_normalised_by_the_corpus_where_frames_are_by_the_utterance() {
    let data = dataset(PROSODY);
    let readings = readings();
    let [corpus, utterance] = [Normalise::Corpus, Normalise::Utterance]
        .map(|by| Normalisation::fit(by, &data, &data.training(), &readings).unwrap().groups(&data, PROSODY, &readings).unwrap());
    assert_eq!(corpus, utterance);
    let labels: u32 = data.labels.iter().sum();
    assert_eq!(corpus.mean, [7.0, (100.0 * f64::from(labels) / UTTERANCES as f64) as f32]);
}

#[test]
fn new_utterances_are_predicted_from_their_streams() {
    let data = dataset(VISUAL);
    let dimensions = dimensions(&data);
    let normalisation = Normalisation::fit(Normalise::Corpus, &data, &data.training(), &readings()).unwrap();
    let all: Vec<usize> = (0..UTTERANCES).collect();
    on_every_device!("a prediction from other streams", |backend, name| {
        let network = || {
            let model = Listener::new(&dimensions);
            let weights = model.parameters.initial_values(1);
            Network::new(backend, Box::new(model), &weights, Precision::F32)
        };
        let batches = Batches::new(backend, &data, &normalisation, readings()).unwrap();
        let logits = pollster::block_on(logits(&network(), &batches, &all)).unwrap();
        let expected: Vec<Vec<f64>> = logits.chunks_exact(CLASSES).map(softmax).collect();
        let inference = Inference::new(network(), dimensions.clone(), normalisation.clone(), 1000);
        let predict = |streams: Streams| pollster::block_on(inference.predict(streams));
        assert_eq!(predict(data.streams.clone()).unwrap(), expected, "{name}");

        // One utterance, and no more than the model reads of it.
        let alone: Streams = [
            (VISUAL, DataStream::Frames(Frames { columns: 2, values: vec![1.0, 5.0, 1.0, 5.0].into(), offsets: vec![0, 2] })),
            (PHONES, DataStream::Tokens(TokenLists { tokens: vec![2, -1], offsets: vec![0, 2], ..TokenLists::default() })),
            (PROSODY, DataStream::Vector(Vectors { columns: 2, values: vec![7.0, 100.0].into() })),
        ]
        .into();
        let probabilities = predict(alone.clone()).unwrap();
        assert!(probabilities.len() == 1 && (probabilities[0].iter().sum::<f64>() - 1.0).abs() < 1e-9, "{name}: {probabilities:?}");

        // What a kernel could not read, or would read as something else, is refused by name.
        let refused = |stream: &str, given: DataStream| {
            let mut streams = alone.clone();
            streams.insert(stream, given);
            predict(streams).unwrap_err().to_string()
        };
        for (line, part) in [
            (predict(Streams::default()).unwrap_err().to_string(), "no stream 'visual' of frames"),
            (refused(PHONES, DataStream::Vector(Vectors { columns: 1, values: vec![7.0].into() })), "no stream 'phones' of tokens"),
            (
                refused(PROSODY, DataStream::Vector(Vectors { columns: 2, values: vec![7.0; 4].into() })),
                "streams: prosody.values: 4 numbers for 1 vectors of 2 columns",
            ),
            (
                refused(PROSODY, DataStream::Vector(Vectors { columns: 3, values: vec![7.0; 3].into() })),
                "'prosody' has 3 columns, the model takes 2",
            ),
            (
                refused(PHONES, DataStream::Tokens(TokenLists { tokens: vec![3], offsets: vec![0, 1], ..TokenLists::default() })),
                "its words are not represented as the model's",
            ),
            (
                refused(VISUAL, DataStream::Frames(Frames { columns: 2, values: vec![1.0; 4].into(), offsets: vec![0, 3] })),
                "streams: visual.offsets: the last offset is 3, there are 2 rows",
            ),
        ] {
            assert!(line.contains(part), "{name}: {line}");
        }
    });
}

#[test]
fn a_model_learns_what_one_stream_alone_tells() {
    for telling in [VISUAL, PHONES, PROSODY] {
        let data = dataset(telling);
        let dimensions = dimensions(&data);
        assert_eq!(dimensions.streams[PROSODY], StreamShape::Vector { columns: 2 });
        let mut settings = Settings::default();
        settings.train.lr = 0.1;
        let readings = readings();
        let training = data.training();
        let normalisation = Normalisation::fit(Normalise::Corpus, &data, &training, &readings).unwrap();
        on_every_device!("a model of other streams", |backend, name| {
            let model = Listener::new(&dimensions);
            let parameters = model.parameters.clone();
            let network = Network::new(backend, Box::new(model), &parameters.initial_values(1), Precision::F32);
            let batches = Batches::new(backend, &data, &normalisation, readings.clone()).unwrap();
            let mut trainer = Trainer::new(network, &settings, &[1.0; CLASSES]);
            let batch = batches.batch(&training).unwrap();
            let first = pollster::block_on(trainer.gradients(&batches, &training)).unwrap();
            for parameter in parameters.iter().filter(|parameter| [telling, "output"].iter().any(|name| parameter.name.starts_with(name))) {
                let own = &first.gradients[parameter.offset..parameter.offset + parameter.len()];
                assert!(own.iter().any(|&gradient| gradient != 0.0), "{name}, {telling}: no gradient of {}", parameter.name);
            }
            let mut loss = first.loss;
            for _ in 0..60 {
                let pending = pollster::block_on(trainer.train_step(&batch)).unwrap();
                loss = pollster::block_on(trainer.outcome(pending)).unwrap().loss;
            }
            println!("{name}, {telling}: loss from {} to {loss}", first.loss);
            assert!(loss < 0.1 && first.loss > 0.8, "{name}, {telling}: {} to {loss}", first.loss);
        });
    }
}
