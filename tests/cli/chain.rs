//! The whole chain on the first adapter, be it of software, against the CPU reference.

use mcsan::dataset::store::Store;

use super::commands::keys;
use super::corpus::{TINY, corpus, prepared};
use super::training::{assert_same_results, losses};
use crate::program::{default_adapter, largest_difference, mcsan, read_npy};

/// Relative L2 distance at which gradients of the two backends count as the same: both compute in 32 bits, in other orders
/// of summation.
const GRADIENT_AGREEMENT: f64 = 1e-4;

/// Relative difference allowed between the losses of the two backends over the first steps.
const LOSS_AGREEMENT: f64 = 1e-4;

/// Largest difference allowed between the MFCC of the two backends, whose values reach hundreds.
const FEATURE_AGREEMENT: f32 = 2e-2;

/// `|a - b| / |b|`
fn relative_distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|value| value.is_finite()));
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let distance = norm(&mut a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    distance / norm(&mut b.iter().map(|&b| b.into())).max(f64::MIN_POSITIVE)
}

/// Compares two curves, step by step.
fn assert_same_curve(ours: &[f64], expected: &[f64]) {
    assert_eq!(ours.len(), expected.len());
    println!("losses {ours:?}, by the reference {expected:?}");
    let agree = |(ours, expected): (&f64, &f64)| (ours - expected).abs() < LOSS_AGREEMENT * expected;
    assert!(!ours.is_empty() && ours.iter().zip(expected).all(agree), "{ours:?}\n{expected:?}");
}

#[test]
fn the_whole_chain_runs_on_the_adapter() {
    if default_adapter("the_whole_chain_runs_on_the_adapter").is_none() {
        return;
    }
    let folder = corpus();
    let here = folder.path();
    let prepare = "prepare manifest manifest.csv --vectors vectors.txt --out";
    mcsan(here, &format!("{prepare} data.safetensors --device 0")).succeeds();
    mcsan(here, &format!("{prepare} again.safetensors --device 0")).succeeds();
    mcsan(here, &format!("{prepare} cpu.safetensors --device cpu")).succeeds();
    let bytes = |name: &str| std::fs::read(here.join(name)).unwrap();
    assert!(bytes("data.safetensors") == bytes("again.safetensors"), "preparing twice differs");
    let features = |name: &str| Store::open(&here.join(name)).unwrap().tensor("audio.features").unwrap().floats().unwrap();
    let apart = largest_difference(&features("data.safetensors"), &features("cpu.safetensors"));
    println!("features differ by {apart:.1e}");
    assert!(apart < FEATURE_AGREEMENT, "{apart}");

    let train = format!("train --data data.safetensors --epochs 2 {TINY} --set model.dropout=0.1 --out");
    mcsan(here, &format!("{train} run --device 0")).succeeds();
    mcsan(here, &format!("{train} repeated --device 0")).succeeds();
    assert_same_results(here, "run", "repeated");
    let config = std::fs::read_to_string(here.join("run/config.toml")).unwrap();
    assert!(!config.lines().next().unwrap().ends_with("on cpu"), "the adapter was not used: {config}");
    mcsan(here, &format!("{train} reference --device cpu")).succeeds();
    assert_same_curve(&losses(&here.join("run")), &losses(&here.join("reference")));

    let report = mcsan(here, "evaluate --run run --data data.safetensors --device 0 --json").json();
    let reference = mcsan(here, "evaluate --run run --data data.safetensors --device cpu --json").json();
    assert_eq!(report["confusion"], reference["confusion"]);
    let [loss, expected] = [report, reference].map(|report| report["loss"].as_f64().unwrap());
    assert!((loss / expected - 1.0).abs() < LOSS_AGREEMENT, "{loss}, {expected}");

    let predict = "predict --run run --audio audio/calm4.wav --text quiet --json";
    let [report, reference] =
        ["0", "cpu"].map(|device| mcsan(here, &format!("{predict} --device {device}")).json()["probabilities"].clone());
    for name in keys(&reference) {
        let [p, expected] = [&report, &reference].map(|report| report[name].as_f64().unwrap());
        assert!((p - expected).abs() < 1e-4, "{name}: {p}, {expected}");
    }

    mcsan(here, "features --audio audio/glad1.wav --out a.npy --device 0").succeeds();
    mcsan(here, "features --audio audio/glad1.wav --out cpu.npy --device cpu").succeeds();
    let [(shape, values), (expected_shape, expected)] = ["a.npy", "cpu.npy"].map(|name| read_npy(&here.join(name)));
    assert_eq!(shape, expected_shape);
    assert!(largest_difference(&values, &expected) < FEATURE_AGREEMENT);
}

#[test]
fn gradients_of_the_adapter_are_those_of_the_reference() {
    if default_adapter("gradients_of_the_adapter_are_those_of_the_reference").is_none() {
        return;
    }
    let folder = prepared();
    let here = folder.path();
    for (run, settings, utterances) in
        [("full", "", "0..15"), ("variant", "--set model.variant=cross_self --set data.normalise=corpus", "3..4")]
    {
        let settings = format!("{TINY} {settings}");
        mcsan(here, &format!("train --data data.safetensors --out {run} --steps 1 {settings} --device cpu")).succeeds();
        let gradients = |device: &str, out: &str| {
            let arguments =
                format!("gradients --data data.safetensors --weights {run}/best.safetensors --utterances {utterances} --out {out}");
            mcsan(here, &format!("{arguments} {settings} {device}")).succeeds();
            Store::open(&here.join(out)).unwrap()
        };
        compare(&gradients("--device 0", "adapter.safetensors"), &gradients("--device cpu", "cpu.safetensors"));
    }
}

/// Every gradient, the logits and the loss; gradients that are rounding alone are compared with the largest of all.
fn compare(ours: &Store, reference: &Store) {
    assert_eq!(ours.names(), reference.names());
    let norm = |values: &[f32]| values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    let floats = |store: &Store, name: &str| store.tensor(name).unwrap().floats().unwrap();
    let largest = ours.names().iter().map(|name| norm(&floats(reference, name))).fold(0.0, f64::max);
    let mut farthest = (0.0, String::new());
    for name in ours.names() {
        let (values, expected) = (floats(ours, &name), floats(reference, &name));
        // A key's bias shifts every score of a row alike, so its gradient is zero but for rounding.
        let is_rounding = norm(&expected) < 1e-6 * largest;
        let distance = relative_distance(&values, &expected);
        if is_rounding {
            assert!(norm(&values) < 1e-5 * largest, "{name}: {} instead of nothing", norm(&values));
            continue;
        }
        assert!(distance < GRADIENT_AGREEMENT, "{name}: {distance:.1e}");
        if distance > farthest.0 {
            farthest = (distance, name);
        }
    }
    println!("gradients differ by at most {:.1e} ({})", farthest.0, farthest.1);
}
