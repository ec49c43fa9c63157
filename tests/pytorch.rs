//! The whole network against PyTorch's numbers (fixtures made by `tests/pytorch/fixtures.py`): logits, loss, every
//! gradient, loss curves. The yardstick is how far PyTorch's own float32 lies from its float64.

use std::path::PathBuf;

use mcsan::backend::Backend;
use mcsan::base::streams::FUNCTIONALS;
use mcsan::config::{Config, Normalise, Settings};
use mcsan::dataset::store::Store;
use mcsan::dataset::{DataStream, Dataset, Vectors};
use mcsan::model::parameters::{Parameter, Parameters};
use mcsan::model::{self, Dimensions};
use mcsan::train::checkpoint::read_named;
use mcsan::train::{GradientReport, Session, Weights};

/// How many times an honest float32's distance from float64 a result may lie from it. Seen at most: the CPU reference 3.0
/// (4.1 with another C library's exp), Vulkan 2.3 on Mesa 22.3.6 and 4.7 on 26.2.6, GL 4.8 (its compiler may reorder sums, so
/// that the two-part reduction in `exponential` loses its point).
const TIMES: f64 = 6.0;
/// Distances below this are luck: some 32 roundings, of which flash-style attention takes a few more than the plain one,
/// since its way back forms the weights anew from the log-sum-exp.
const FLOOR: f64 = 2e-6;

const SMALL_CASES: [&str; 14] = [
    "full",
    "no_audio",
    "no_text",
    "no_self",
    "no_cross",
    "cross_self",
    "self_cross",
    "two_layers",
    "three_layers",
    "no_attention_bias",
    "scale_model",
    "conv_relu",
    "weighted_smoothed",
    "single_utterance",
];

/// Those that MCSAN is compared with, and over three modalities.
const SYSTEM_CASES: [&str; 15] = [
    "mdre",
    "mdre_softmax",
    "mdrea",
    "mha",
    "mha_chain",
    "mha_lstm",
    "xu",
    "xu_paper",
    "amh",
    "mcsan3",
    "mcsan3_separate",
    "can",
    "cmkl",
    "liang",
    "liang_unlabelled",
];

/// A fixture with its data, settings and utterances.
struct Fixture {
    store: Store,
    data: Dataset,
    settings: Settings,
    utterances: Vec<usize>,
}

impl Fixture {
    fn load(name: &str, more_settings: Option<&str>) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let store = Store::open(&folder.join(format!("{name}.safetensors"))).unwrap();
        let text = |key: &str| store.metadata(key).unwrap_or_else(|| panic!("{name} has no {key}")).to_owned();
        let mut assignments: Vec<String> = serde_json::from_str(&text("settings")).unwrap();
        if let Some(key) = more_settings {
            assignments.extend(serde_json::from_str::<Vec<String>>(&text(key)).unwrap());
        }
        let mut settings = Settings::default();
        settings.data.normalise = Normalise::None;
        let (from, to) = text("utterances").split_once("..").map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).unwrap();
        let mut data = Dataset::load(&folder.join(text("dataset"))).unwrap();
        if data.streams.get(FUNCTIONALS).is_none() {
            // cMKL's network asks for what its SVM takes, and computes nothing of it.
            let functionals = Vectors { columns: 1, values: vec![0.0; data.len()].into() };
            data.streams.insert(FUNCTIONALS, DataStream::Vector(functionals));
        }
        Self { data, settings: Config::from(settings).assign(&assignments).unwrap().settings, utterances: (from..to).collect(), store }
    }

    fn parameters(&self) -> Parameters {
        model::parameters(&self.settings, &Dimensions::of(&self.data, &self.settings.model))
    }

    fn session<'s, B: Backend>(&'s self, backend: &'s B, weights: &[f32]) -> Session<'s, B> {
        Session::new(backend, &self.settings, &self.data, &self.utterances, Weights::Given(weights)).unwrap()
    }

    fn gradients<B: Backend>(&self, backend: &B, weights: &[f32]) -> GradientReport {
        let session = self.session(backend, weights);
        pollster::block_on(session.trainer().gradients(&session.batches, &self.utterances)).unwrap()
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.store.tensor(name).unwrap().doubles().unwrap()
    }

    fn bound(&self, name: &str) -> f64 {
        TIMES * self.numbers(&format!("distance.{name}"))[0].max(FLOOR)
    }
}

/// ‖got − want‖ / ‖want‖; NaN where anything is NaN, which no bound allows.
fn distance(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let difference: f64 = got.iter().zip(want).map(|(&got, want)| (f64::from(got) - want).powi(2)).sum();
    (difference / want.iter().map(|want| want * want).sum::<f64>()).sqrt()
}

/// Collects what is out of bounds, by name.
#[derive(Default)]
struct Verdict {
    failures: Vec<String>,
    worst: f64,
}

impl Verdict {
    fn see(&mut self, what: &str, found: f64, bound: f64) {
        self.worst = self.worst.max(found / bound);
        if found.is_nan() || found > bound {
            self.failures.push(format!("{what}: {found:.2e}, allowed {bound:.2e}"));
        }
    }

    fn finish(self, test: &str) {
        println!("{test}: worst at {:.2} of its bound", self.worst);
        assert!(self.failures.is_empty(), "{test}\n{}", self.failures.join("\n"));
    }
}

#[test]
fn logits_loss_and_every_gradient_of_every_variant_agree_with_pytorch() {
    on_every_device!("variants", |backend, name| { agree(backend, name, &SMALL_CASES) });
}

#[test]
fn logits_loss_and_every_gradient_of_every_system_agree_with_pytorch() {
    on_every_device!("systems", |backend, name| { agree(backend, name, &SYSTEM_CASES) });
}

fn agree<B: Backend>(backend: &B, name: &str, cases: &[&str]) {
    let mut verdict = Verdict::default();
    for case in cases {
        let fixture = Fixture::load(case, None);
        let parameters = fixture.parameters();
        let weights = read_named(&fixture.store, &parameters, "weight.").unwrap();
        let report = fixture.gradients(backend, &weights);
        verdict.see(&format!("{case} logits"), distance(&report.logits, &fixture.numbers("logits")), fixture.bound("logits"));
        verdict.see(&format!("{case} loss"), distance(&[report.loss], &fixture.numbers("loss")), fixture.bound("loss"));
        for parameter in &parameters {
            let got = &report.gradients[parameter.offset..parameter.offset + parameter.len()];
            let want = fixture.numbers(&format!("grad.{}", parameter.name));
            let what = format!("{case} {}", parameter.name);
            if parameter.name.ends_with("k.bias") {
                // Zero in exact arithmetic: compared by magnitude with the layer's own weight gradient.
                let weight = fixture.numbers(&format!("grad.{}", parameter.name.replace("bias", "weight")));
                let scale = weight.iter().map(|value| value.abs()).fold(0.0, f64::max);
                let largest = got.iter().fold(0.0, |largest, &value| f64::max(largest, f64::from(value.abs())));
                let largest = if got.iter().any(|value| value.is_nan()) { f64::NAN } else { largest };
                verdict.see(&what, largest, TIMES * FLOOR * scale.max(1e-3));
            } else {
                assert!(want.iter().any(|&value| value != 0.0), "{what}: the expected gradient is zero");
                verdict.see(&what, distance(got, &want), fixture.bound(&parameter.name));
            }
        }
    }
    verdict.finish(name);
}

/// The formula of `full_size_weights` in `tests/pytorch/fixtures.py`.
fn formula(name: &str, shape: &[usize], hidden: usize) -> Vec<f32> {
    let key = name.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let unit = |index: u64| {
        let mut z = key.wrapping_add((index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        2.0 * ((z >> 40) as f64 / (1u64 << 24) as f64) - 1.0
    };
    let fan_in = if name.contains("lstm") { hidden } else { shape[1..].iter().product() };
    (0..shape.iter().product::<usize>() as u64)
        .map(|index| match name.contains("norm") {
            true if name.ends_with("weight") => (1.0 + 0.1 * unit(index)) as f32,
            true => (0.1 * unit(index)) as f32,
            false => (unit(index) / (fan_in as f64).sqrt()) as f32,
        })
        .collect()
}

#[test]
fn the_papers_model_agrees_with_pytorch_on_a_thousand_frames_and_on_five() {
    let fixture = Fixture::load("full_size", None);
    let parameters = fixture.parameters();
    assert_eq!(parameters.count(), 1_628_935, "MODEL's number of parameters");
    // A bias has the bound of its weight, so its fan-in is the weight's.
    let weight_of = |name: &str| {
        let weight = name.replace(".bias", ".weight");
        parameters.get(&weight).map(|parameter| parameter.shape.clone())
    };
    let values = |parameter: &Parameter| {
        let fan_shape = weight_of(&parameter.name).unwrap_or_else(|| parameter.shape.clone());
        let mut shape = fan_shape.clone();
        shape[0] = parameter.shape[0];
        let all = formula(&parameter.name, &fan_shape, 128);
        all[..parameter.len()].to_vec()
    };
    let first: serde_json::Value = serde_json::from_str(fixture.store.metadata("first_weights").unwrap()).unwrap();
    for parameter in &parameters {
        let want: Vec<f32> = serde_json::from_value(first[&parameter.name].clone()).unwrap();
        assert_eq!(values(parameter)[..want.len()], want, "{}", parameter.name);
    }
    let weights = parameters.assemble(values);
    on_every_device!("full size", |backend, name| {
        let report = fixture.gradients(backend, &weights);
        let mut verdict = Verdict::default();
        verdict.see("logits", distance(&report.logits, &fixture.numbers("logits")), fixture.bound("logits"));
        verdict.see("loss", distance(&[report.loss], &fixture.numbers("loss")), fixture.bound("loss"));
        for parameter in parameters.iter().filter(|parameter| !parameter.name.ends_with("k.bias")) {
            let own = &report.gradients[parameter.offset..parameter.offset + parameter.len()];
            let norm = fixture.numbers(&format!("norm.{}", parameter.name))[0];
            let got: f64 = own.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
            let bound = fixture.bound(&parameter.name);
            verdict.see(&format!("norm of {}", parameter.name), (got - norm).abs() / norm, bound);
            let indices = fixture.store.tensor(&format!("index.{}", parameter.name)).unwrap().integers().unwrap();
            let sampled: Vec<f32> = indices.iter().map(|&index| own[index as usize]).collect();
            let want = fixture.numbers(&format!("sample.{}", parameter.name));
            // A sample is noisier than the whole: its elements' errors are compared with the whole's root mean square.
            let difference: f64 = sampled.iter().zip(&want).map(|(&got, want)| (f64::from(got) - want).powi(2)).sum();
            let scale = norm * (want.len() as f64 / own.len() as f64).sqrt();
            verdict.see(&format!("sample of {}", parameter.name), difference.sqrt() / scale, 2.0 * bound);
        }
        verdict.finish(name);
    });
}

fn curve<B: Backend>(fixture: &Fixture, backend: &B, weights: &[f32], steps: usize) -> Vec<f32> {
    let session = fixture.session(backend, weights);
    let mut trainer = session.trainer();
    let batch = session.batches.batch(&fixture.utterances).unwrap();
    (0..steps)
        .map(|_| {
            let pending = pollster::block_on(trainer.train_step(&batch)).unwrap();
            pollster::block_on(trainer.outcome(pending)).unwrap().loss
        })
        .collect()
}

#[test]
fn twenty_steps_of_sgd_and_adam_follow_pytorchs_loss_curve() {
    on_every_device!("curves", |backend, name| {
        for (optimizer, steps) in [("sgd", 20), ("adam", 20), ("adamw_clip", 10)] {
            let fixture = Fixture::load("curves", Some(optimizer));
            let weights = read_named(&fixture.store, &fixture.parameters(), "weight.").unwrap();
            let got = curve(&fixture, backend, &weights, steps);
            let want = fixture.numbers(optimizer);
            let honest = fixture.numbers(&format!("{optimizer}_f32"));
            let apart = |curve: &[f64]| curve.iter().zip(&want).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max);
            let got: Vec<f64> = got.into_iter().map(f64::from).collect();
            // Twenty steps amplify rounding, so the floor is ten times that of one step.
            let (found, bound) = (apart(&got), TIMES * apart(&honest).max(10.0 * FLOOR));
            println!("{name} {optimizer}: {found:.2e} from float64, PyTorch's float32 {:.2e}", apart(&honest));
            assert!(found <= bound && want[0] > want[steps - 1], "{name} {optimizer}: {found:.2e}, allowed {bound:.2e}");
        }
    });
}
