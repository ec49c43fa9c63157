//! The front-end as a part of an ONNX file: recordings in, our features and our probabilities out.

use std::path::Path;

use mcsan::audio::mfcc::{Convention, MfccSettings, Window};
use mcsan::backend::MfccTables;
use mcsan::backend::cpu::Cpu;
use mcsan::dataset::store::{self, Tensor};
use mcsan::onnx;
use mcsan::prepare::extract;
use mcsan::train::Predictor;
use serde_json::Value;

use super::{python, run};
use crate::cli::corpus::trained;
use crate::program::mcsan;

/// Front-ends that differ in every step.
fn front_ends() -> Vec<MfccSettings> {
    let usual = MfccSettings::default;
    vec![
        usual(),
        MfccSettings { pre_emphasis: 0.97, deltas: 2, lifter: 22, energy: true, coefficients: 13, mel_bands: 26, ..usual() },
        MfccSettings { convention: Convention::Htk, window_shape: Window::Hamming, window: 399, deltas: 1, top_db: 40.0, ..usual() },
        MfccSettings { convention: Convention::Torchaudio, pre_emphasis: 0.5, deltas: 2, energy: true, hop: 100, ..usual() },
        MfccSettings { convention: Convention::Spectrum, transform: 256, window: 200, pre_emphasis: 0.97, ..usual() },
    ]
}

/// Sounds of these lengths, the last of silence: one sample, fewer than a transform or a filter has, and some.
fn clips() -> Vec<Vec<f32>> {
    let sample = |place: usize| (place as f32 * 0.13).sin() * 0.4 + ((place * 7919) % 201) as f32 / 2010.0 - 0.05;
    let mut clips: Vec<Vec<f32>> = [1, 2, 300, 4000, 4961].map(|samples| (0..samples).map(sample).collect()).into();
    clips.push(vec![0.0; 1000]);
    clips
}

fn write(path: &Path, clips: &[Vec<f32>]) {
    let shapes: Vec<[usize; 1]> = clips.iter().map(|clip| [clip.len()]).collect();
    let tensors = clips.iter().zip(&shapes).enumerate();
    let tensors: Vec<Tensor<'_>> = tensors.map(|(place, (clip, shape))| Tensor::f32(format!("samples.{place}"), shape, clip)).collect();
    store::write(path, &Default::default(), &tensors).unwrap();
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

#[test]
fn onnxruntime_computes_our_features_from_samples() {
    let Some(python) = python("onnxruntime_computes_our_features_from_samples") else { return };
    let (clips, reference) = (clips(), Cpu::<f64>::default());
    for settings in front_ends() {
        let tables = MfccTables::new(&reference, &settings).unwrap();
        let (ours, frames) = pollster::block_on(extract(&reference, &tables, &clips)).unwrap();
        let theirs = run(&python, "logits.py", &onnx::front_end(&settings), |path| write(path, &clips));
        assert_eq!(
            theirs.as_array().unwrap().iter().map(|clip| clip.as_array().unwrap().len()).collect::<Vec<_>>(),
            frames,
            "{settings:?}"
        );
        let theirs = numbers(&theirs);
        assert_eq!(theirs.len(), ours.len(), "{settings:?}");
        let loudest = ours.iter().fold(0f64, |loudest, &value| loudest.max(f64::from(value).abs()));
        let apart = ours.iter().zip(&theirs).map(|(&ours, theirs)| (f64::from(ours) - theirs).abs()).fold(0.0, f64::max);
        println!("{:?}: {apart:.1e} of {loudest:.1e}", settings.convention);
        // The constants of ours are float32: 1e-7 of the loudest.
        assert!(apart < 2e-6 * loudest.max(1.0), "{settings:?}: {apart:.1e} of {loudest:.1e}");
    }
}

#[test]
fn a_run_is_exported_from_samples_and_gives_what_it_predicts() {
    let Some(python) = python("a_run_is_exported_from_samples_and_gives_what_it_predicts") else { return };
    let folder = trained();
    let here = folder.path();
    mcsan(here, "export --run run --onnx m.onnx --from samples --batch").succeeds();
    let clips: Vec<Vec<f32>> = clips().into_iter().filter(|clip| clip.len() > 999).collect();
    let theirs = run(&python, "batch.py", &std::fs::read(here.join("m.onnx")).unwrap(), |path| {
        let width = super::super::cli::corpus::WORD_WIDTH;
        let (none, shape) = (Vec::<f32>::new(), [0, width]);
        let lengths: Vec<[usize; 1]> = clips.iter().map(|clip| [clip.len()]).collect();
        let samples = clips.iter().zip(&lengths).enumerate();
        let samples = samples.map(|(place, (clip, shape))| Tensor::f32(format!("samples.{place}"), shape, clip));
        let vectors = (0..clips.len()).map(|place| Tensor::f32(format!("vectors.{place}"), &shape, &none));
        store::write(path, &Default::default(), &samples.chain(vectors).collect::<Vec<_>>()).unwrap();
    });
    let predictor = Predictor::load(&here.join("run")).unwrap();
    let device = mcsan::Device::Cpu(Cpu::default());
    for (clip, theirs) in clips.iter().zip(theirs.as_array().unwrap()) {
        let ours = pollster::block_on(predictor.predict(&device, clip, "")).unwrap();
        let logits: Vec<f32> = numbers(theirs).into_iter().map(|logit| logit as f32).collect();
        let theirs = mcsan::train::metrics::softmax(&logits);
        assert!(ours.iter().zip(&theirs).all(|(ours, theirs)| (ours - theirs).abs() < 1e-5), "{ours:?} {theirs:?}");
    }
    // Without text in it the file says of its words and front-end.
    let bytes = std::fs::read(here.join("m.onnx")).unwrap();
    let holds = |part: &str| bytes.windows(part.len()).any(|window| window == part.as_bytes());
    for part in ["front_end", "\"mel_bands\":128", "\"quiet\"", "samples_length"] {
        assert!(holds(part), "{part}");
    }
    let line = mcsan(here, "export --run run --out w.safetensors --from samples");
    assert_eq!(line.code, Some(2));
}
