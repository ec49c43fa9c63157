//! The systems that MCSAN is compared with, by what was published of them. That each computes what it says is in `pytorch`.

use mcsan::backend::cpu::Cpu;
use mcsan::backend::{Backend, Matrix, Storage, Write};
use mcsan::base::streams::{AUDIO, StreamShape, TEXT};
use mcsan::check::model::check_model;
use mcsan::config::{Config, Settings};
use mcsan::dataset::{BatchShape, DataStream, Dataset, Frames, Vectors};
use mcsan::model::layers::Pass;
use mcsan::model::parameters::{Parameter, Parameters};
use mcsan::model::{self, Dimensions};
use mcsan::tape::Tape;
use mcsan::train::{Session, Trainer, Weights};

fn settings(assignments: &[&str]) -> Settings {
    let assignments: Vec<String> = assignments.iter().map(|&assignment| assignment.to_owned()).collect();
    Config::default().assign(&assignments).unwrap().settings
}

/// Of audio frames, words, and what else is named.
fn dimensions(audio: usize, classes: usize, others: &[(&str, StreamShape)]) -> Dimensions {
    let words = StreamShape::Tokens { width: 300, learned: None };
    let mut streams = vec![(AUDIO.to_owned(), StreamShape::Frames { columns: audio }), (TEXT.to_owned(), words)];
    streams.extend(others.iter().map(|&(name, shape)| (name.to_owned(), shape)));
    Dimensions { streams: streams.into_iter().collect(), classes }
}

#[test]
fn systems_have_as_many_parameters_as_was_published() {
    let prosody = ("audio.prosody", StreamShape::Vector { columns: 35 });
    let visual = ("visual", StreamShape::Frames { columns: 2048 });
    let functionals = ("audio.functionals", StreamShape::Vector { columns: 1582 });
    let cases: [(&[&str], Dimensions, usize); 15] = [
        // With a number a bias, as its authors' program has it, 493,617 and 492,966.
        (&["model.system=mdre"], dimensions(39, 7, &[prosody]), 493_838),
        (&["model.system=mdre"], dimensions(39, 4, &[prosody]), 493_184),
        (&["model.system=mdrea"], dimensions(39, 7, &[prosody]), 494_607),
        (&["model.system=mha", "mha.hops=1"], dimensions(120, 7, &[]), 1_212_807),
        (&["model.system=mha"], dimensions(120, 7, &[]), 1_373_207),
        (&["model.system=mha", "mha.hops=3"], dimensions(120, 7, &[]), 1_533_607),
        (&["model.system=xu"], dimensions(257, 7, &[]), 1_243_703),
        (&["model.system=xu"], dimensions(40, 7, &[]), 1_132_599),
        (&["model.system=xu", "xu.form=paper"], dimensions(40, 7, &[]), 838_608),
        (&["model.system=amh"], dimensions(120, 7, &[visual]), 1_750_055),
        (&["model.system=can"], dimensions(120, 7, &[]), 505_207),
        // Of the network: its SVM's columns have none.
        (&["model.system=cmkl"], dimensions(40, 7, &[functionals]), 500_391),
        (&["model.system=liang"], dimensions(40, 7, &[functionals]), 2_518_945),
        (&["model.system=mcsan3"], dimensions(40, 7, &[visual]), 2_584_711),
        (&["model.system=mcsan3", "model.variant=no_visual"], dimensions(40, 7, &[visual]), 1_628_935),
    ];
    for (assignments, dimensions, expected) in cases {
        assert_eq!(model::parameters(&settings(assignments), &dimensions).count(), expected, "{assignments:?}");
    }
    let liang = model::parameters(&settings(&["model.system=liang"]), &dimensions(40, 7, &[functionals]));
    let of = |part: &str| liang.iter().filter(|parameter| parameter.name.starts_with(part)).map(Parameter::len).sum::<usize>();
    assert_eq!([of("audio_"), of("text_")], [1_950_894, 550_444]);
}

/// Small enough to be quick, of odd sizes.
pub const SMALL: [&[&str]; 12] = [
    &["model.system=mdre", "mdre.hidden=18"],
    &["model.system=mdrea", "mdre.hidden=7"],
    &["model.system=mha", "mha.hidden=10", "mha.hops=4"],
    &["model.system=mha", "mha.hidden=9", "mha.cell=lstm"],
    &["model.system=xu", "xu.dense=30", "xu.hidden=25", "xu.heads=2"],
    &["model.system=xu", "xu.form=paper", "xu.hidden=25"],
    &["model.system=amh", "amh.hidden=12", "amh.visual_hidden=5", "amh.hops=4"],
    &["model.system=can", "can.hidden=20"],
    &["model.system=cmkl", "cmkl.maps=9", "cmkl.features=14"],
    &["model.system=liang", "liang.hidden=40"],
    &["model.system=mcsan3", "model.hidden=16", "model.heads=2", "model.feed_forward=20", "model.dropout=0.2"],
    &["model.system=mcsan3", "trimodal.cross=separate", "model.hidden=16", "model.heads=2", "model.feed_forward=20", "model.layers=2"],
];

pub fn small(assignments: &[&str]) -> Settings {
    settings(&[assignments, &["model.word_width=21"]].concat())
}

#[test]
fn a_pass_of_every_system_agrees_with_the_reference_dropout_included() {
    on_every_device!("systems", |backend, name| {
        let shape = BatchShape { batch: 5, frames: 70, words: 9, ragged: true };
        for assignments in SMALL {
            let points = pollster::block_on(check_model(backend, &small(assignments), shape, 3)).unwrap();
            assert!(points.len() > 20, "{assignments:?}: {} points", points.len());
            let failed: Vec<_> = points.iter().filter(|point| !point.agreement.pass).collect();
            assert!(failed.is_empty(), "{name}, {assignments:?}: {failed:#?}");
        }
    });
}

/// What keeps a loss from zero.
const WITHOUT: [&str; 14] = [
    "model.dropout",
    "mdre.audio_dropout",
    "mdre.text_dropout",
    "mha.audio_dropout",
    "mha.text_dropout",
    "xu.dropout",
    "amh.audio_dropout",
    "amh.text_dropout",
    "amh.visual_dropout",
    "can.audio_dropout",
    "can.text_dropout",
    "cmkl.dropout",
    "liang.mmd",
    "liang.mse",
];

/// A data set with pictures, of which two utterances have none, and functionals.
pub fn data() -> Dataset {
    let mut data = BatchShape { batch: 6, frames: 40, words: 5, ragged: true }.dataset();
    let values: Vec<f32> = (0..12 * 10).map(|place| ((place * 37 % 101) as f32 - 50.0) / 25.0).collect();
    let visual = Frames { columns: 10, values: values.into(), offsets: vec![0, 4, 4, 7, 8, 12, 12] };
    data.streams.insert("visual", DataStream::Frames(visual));
    let values: Vec<f32> = (0..6 * 7).map(|place| ((place * 29 % 53) as f32 - 26.0) / 9.0).collect();
    data.streams.insert("audio.functionals", DataStream::Vector(Vectors { columns: 7, values: values.into() }));
    data
}

#[test]
fn every_system_learns_a_batch_by_heart() {
    let (cpu, data) = (Cpu::<f32>::default(), data());
    for assignments in SMALL {
        let rates = WITHOUT.map(|rate| format!("{rate}=0"));
        let all: Vec<&str> = assignments.iter().copied().chain(rates.iter().map(String::as_str)).chain(["train.lr=0.01"]).collect();
        let settings = small(&all);
        let utterances = data.training();
        let session = Session::new(&cpu, &settings, &data, &utterances, Weights::Drawn).unwrap();
        let (mut trainer, batch) = (session.trainer(), session.batches.batch(&utterances).unwrap());
        let mut step = || {
            let pending = pollster::block_on(trainer.train_step(&batch)).unwrap();
            pollster::block_on(trainer.outcome(pending)).unwrap().loss
        };
        let first = step();
        let last = (0..80).map(|_| step()).fold(f32::INFINITY, f32::min);
        assert!(last < 0.2 * first, "{assignments:?}: from {first} to {last}");
    }
}

/// With a classifier that sees one modality alone, as its auxiliary one does, both losses are the same, and so are their gradients.
#[test]
fn the_auxiliary_losses_of_can_are_those_of_a_modality_alone() {
    let (cpu, data) = (Cpu::<f64>::new(), data());
    let settings = small(&[
        "model.system=can",
        "can.hidden=6",
        "can.audio_dropout=0",
        "can.text_dropout=0",
        "can.auxiliary=0.5",
        "data.normalise=none",
    ]);
    let parameters = model::parameters(&settings, &Dimensions::of(&data, &settings.model));
    let of = |name: &str| parameters.get(name).unwrap();
    let (inputs, classes) = (4 * 12, data.classes.len());
    for (block, seeing, blind) in [(0, "auxiliary_audio", "auxiliary_text"), (1, "auxiliary_text", "auxiliary_audio")] {
        let mut weights = parameters.initial_values(6);
        let own = of(&format!("{seeing}.weight")).clone();
        let first = weights[own.offset..own.offset + own.len()].to_vec();
        for row in 0..classes {
            let start = of("classifier.weight").offset + row * inputs;
            weights[start..start + inputs].fill(0.0);
            weights[start + block * 12..start + (block + 1) * 12].copy_from_slice(&first[row * 12..(row + 1) * 12]);
        }
        let silent = of(&format!("{blind}.weight"));
        weights[silent.offset..silent.offset + silent.len()].fill(0.0);
        let utterances = data.training();
        let session = Session::new(&cpu, &settings, &data, &utterances, Weights::Given(&weights)).unwrap();
        let report = pollster::block_on(session.trainer().gradients(&session.batches, &utterances)).unwrap();
        let losses = data
            .labels
            .iter()
            .zip(report.logits.chunks(classes))
            .map(|(&label, logits)| logits.iter().map(|logit| (logit - logits[label as usize]).exp()).sum::<f32>().ln());
        let entropy = losses.sum::<f32>() / data.len() as f32;
        // Logits of zeros are as likely each.
        let expected = 1.5 * entropy + 0.5 * (classes as f32).ln();
        assert!((report.loss - expected).abs() < 1e-5, "{seeing}: {} for {expected}", report.loss);
        for row in 0..classes {
            let start = of("classifier.weight").offset + row * inputs + block * 12;
            let (full, half) = (&report.gradients[start..start + 12], &report.gradients[own.offset + row * 12..][..12]);
            assert!(full.iter().zip(half).all(|(full, half)| (half - 0.5 * full).abs() < 1e-6), "{seeing}: {full:?} {half:?}");
        }
    }
    assert_eq!(
        parameters.count(),
        2 * classes * 13
            + model::parameters(&small(&["model.system=can", "can.hidden=6"]), &Dimensions::of(&data, &settings.model)).count()
    );
}

/// Features of words that another program computed are read by every system, and a word table is not.
#[test]
fn every_system_takes_features_in_place_of_words() {
    let (cpu, mut data) = (Cpu::<f32>::default(), data());
    let values: Vec<f32> = (0..12 * 7).map(|place| ((place * 29 % 83) as f32 - 41.0) / 20.0).collect();
    data.streams.insert(TEXT, DataStream::Frames(Frames { columns: 7, values: values.into(), offsets: vec![0, 3, 3, 5, 6, 10, 12] }));
    for assignments in SMALL {
        let settings = small(assignments);
        let parameters = model::parameters(&settings, &Dimensions::of(&data, &settings.model));
        assert!(parameters.iter().all(|parameter| !parameter.name.contains("embedding")), "{assignments:?}");
        let utterances = data.training();
        let session = Session::new(&cpu, &settings, &data, &utterances, Weights::Drawn).unwrap();
        let report = pollster::block_on(session.trainer().gradients(&session.batches, &utterances)).unwrap();
        assert!(report.loss.is_finite() && report.logits.iter().all(|logit| logit.is_finite()), "{assignments:?}");
        let reads = |parameter: &&Parameter| parameter.shape.len() == 2 && parameter.shape[1].is_multiple_of(7);
        let touched =
            parameters.iter().filter(reads).any(|own| report.gradients[own.offset..own.offset + own.len()].iter().any(|&g| g != 0.0));
        assert!(touched, "{assignments:?}: nothing reads the seven columns");
    }
}

/// Values that are zero leave nothing of the pictures in the other modalities' sequences.
#[test]
fn three_modalities_without_visual_values_pool_what_two_do() {
    let (cpu, data) = (Cpu::<f64>::new(), data());
    let of = |more: &str| small(&["model.system=mcsan3", "model.hidden=16", "model.heads=2", "model.feed_forward=20", more]);
    let [three, two] = ["model.variant=full", "model.variant=no_visual"].map(of);
    let dimensions = Dimensions::of(&data, &three.model);
    let parameters = model::parameters(&three, &dimensions);
    let silent = |name: &str| name.starts_with("cross.0.visual.v.");
    let drawn = |parameter: &Parameter| match silent(&parameter.name) {
        true => vec![0.0; parameter.len()],
        false => parameter.initial_values(4),
    };
    let pooled = |settings: &Settings| {
        let model = model::build::<Cpu<f64>>(settings, &dimensions);
        let session = Session::new(&cpu, settings, &data, &data.training(), Weights::Drawn).unwrap();
        let batch = session.batches.batch(&data.training()).unwrap();
        let weights = cpu.upload(&model.parameters().assemble(drawn), [1, model.parameters().len()]);
        let gradients = cpu.zeros([1, model.parameters().len()]);
        let mut tape = Tape::watched(&cpu);
        let bound = model.parameters().bind(&mut tape, &weights, &gradients, Write::Set);
        let logits = model
            .forward(&mut Pass { tape: &mut tape, parameters: &bound, dropout: None, watched: None, terms: None, mixing: None }, &batch);
        let seed = cpu.zeros(logits.value.shape());
        let seen = tape.backward(vec![(&logits, seed)]).into_seen();
        let pooled = seen.into_iter().find(|seen| seen.name == "classifier.pooled").unwrap();
        (pollster::block_on(cpu.finish_read(pooled.readback)).unwrap(), pooled.shape[1])
    };
    assert!(parameters.iter().filter(|parameter| silent(&parameter.name)).count() == 2);
    let ((of_three, wide), (of_two, narrow)) = (pooled(&three), pooled(&two));
    assert_eq!([wide, narrow], [6 * 16, 4 * 16]);
    for (three, two) in of_three.chunks(wide).zip(of_two.chunks(narrow)) {
        // Recording and words, crossed and by themselves; between them lie those of the pictures.
        assert_eq!([&three[..32], &three[48..80]].concat(), two);
    }
}

/// Parameters, and the weights before and after a step without some modules.
fn step_without<B: Backend>(backend: &B, data: &Dataset, assignments: &[&str], frozen: &[&str]) -> (Parameters, Vec<f32>, Vec<f32>) {
    let freeze = format!("train.freeze={}", frozen.join(","));
    let settings = small(&[assignments, &["model.tune_words=true", "train.optimizer=sgd", "train.lr=1", freeze.as_str()]].concat());
    let session = Session::new(backend, &settings, data, &data.training(), Weights::Drawn).unwrap();
    let mut trainer = session.trainer();
    let weights = |trainer: &Trainer<'_, B>| pollster::block_on(trainer.network().read_weights()).unwrap();
    let before = weights(&trainer);
    let batch = session.batches.batch(&data.training()).unwrap();
    let pending = pollster::block_on(trainer.train_step(&batch)).unwrap();
    pollster::block_on(trainer.outcome(pending)).unwrap();
    (model::parameters(&settings, &Dimensions::of(data, &settings.model)), before, weights(&trainer))
}

#[test]
fn of_every_system_a_part_can_stay_as_it_is_and_the_rest_learns_as_it_did() {
    let data = data();
    on_every_device!("frozen parameters", |backend, name| {
        // An adapter computes three of them: GRUs, LSTMs side by side, everything of MCSAN's.
        for assignments in
            SMALL.into_iter().enumerate().filter(|(place, _)| name == "cpu" || [1, 7, 11].contains(place)).map(|(_, one)| one)
        {
            let (parameters, before, learned) = step_without(backend, &data, assignments, &[]);
            let mut modules: Vec<&str> = parameters.iter().filter_map(|parameter| parameter.name.split('.').next()).collect();
            modules.dedup();
            let every_second: Vec<&str> = modules.iter().copied().step_by(2).collect();
            let (first, last) = (&modules[..1], &modules[modules.len() - 1..]);
            // On a device what is computed together may be summed in other parts when there is less of it.
            let (chosen, most): (&[&[&str]], f32) =
                if name == "cpu" { (&[first, last, &every_second], 0.0) } else { (&[&every_second], 1e-5) };
            for frozen in chosen {
                let (_, _, after) = step_without(backend, &data, assignments, frozen);
                for parameter in &parameters {
                    let of = |weights: &[f32]| weights[parameter.offset..][..parameter.len()].to_vec();
                    let what = format!("{name}, {assignments:?} without {frozen:?}: {}", parameter.name);
                    if frozen.iter().any(|module| parameter.name.starts_with(module)) {
                        assert!(of(&after) == of(&before), "{what}");
                    } else {
                        let far = of(&after).iter().zip(of(&learned)).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
                        assert!(far <= most, "{what}: {far}");
                    }
                }
            }
        }
    });
}
