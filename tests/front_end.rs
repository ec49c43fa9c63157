//! What the front-end computes beside plain MFCC, on the CPU reference and on the adapter, against the fixtures of
//! `tests/fixtures/features/front_end.py`: the power spectrum, HTK's cepstra with log energy, functionals.

use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use mcsan::audio::vectors::FUNCTIONALS;
use mcsan::dataset::{DataStream, Dataset};

use crate::program::{default_adapter, largest_difference, mcsan, read_npy};

/// Recordings of the embedded corpus, and of how many frames each fixture has one.
const CLIPS: [&str; 3] = ["ann_good01_lively", "bea_bad18_intense", "dot_bad04_calm"];
const STEP: usize = 8;

/// HTK's MFCC_E_D_A, as near as may be.
const HTK: &str = "--features torchaudio --coefficients 13 --mel-bands 26 --pre-emphasis 0.97 --window hamming --deltas 2 --top-db 200 \
                   --lifter 22 --energy";

/// `--device` of the reference, and of the adapter that the program takes by itself.
const DEVICES: [&str; 2] = ["--device cpu", ""];

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fixture(clip: &str, name: &str) -> ([usize; 2], Vec<f32>) {
    read_npy(&at(&format!("tests/fixtures/features/{clip}.{name}.npy")))
}

/// The features of a clip, of which every [`STEP`]th frame is kept.
fn features(clip: &str, options: &str) -> ([usize; 2], Vec<f32>) {
    let folder = tempfile::tempdir().unwrap();
    let audio = at(&format!("assets/demo/clips/{clip}.flac"));
    mcsan(folder.path(), &format!("features --audio {} --out a.npy {options}", audio.display())).succeeds();
    let ([_, columns], values) = read_npy(&folder.path().join("a.npy"));
    let kept: Vec<f32> = values.chunks_exact(columns).step_by(STEP).flatten().copied().collect();
    ([kept.len() / columns, columns], kept)
}

/// Runs a test on the reference, and on an adapter where there is one.
fn on_each_device(name: &str, test: impl Fn(&str)) {
    test(DEVICES[0]);
    if default_adapter(name).is_some() {
        test(DEVICES[1]);
    }
}

#[test]
fn the_power_spectrum_is_librosas() {
    on_each_device("the_power_spectrum_is_librosas", |device| {
        for clip in CLIPS {
            let (shape, values) = features(clip, &format!("--features spectrum {device}"));
            let (expected_shape, expected) = fixture(clip, "spectrum");
            assert_eq!((shape, shape[1]), (expected_shape, 257), "{clip}");
            // Rounding of a transform is as large as its loudest bins are.
            let loudest = expected.iter().fold(0.0, |loudest: f32, &power| loudest.max(power));
            let apart = largest_difference(&values, &expected) / loudest;
            println!("{clip}: {apart:.1e} of the loudest bin");
            assert!(apart < 1e-6, "{clip}: {apart}");
        }
    });
}

#[test]
fn htks_cepstra_and_log_energy_are_those_of_librosa_with_its_lifter() {
    on_each_device("htks_cepstra_and_log_energy_are_those_of_librosa_with_its_lifter", |device| {
        for clip in CLIPS {
            let (shape, values) = features(clip, &format!("{HTK} {device}"));
            let (expected_shape, expected) = fixture(clip, "mfcc_e_d_a");
            assert_eq!((shape, shape[1]), (expected_shape, 39), "{clip}");
            let apart = largest_difference(&values, &expected);
            println!("{clip}: {apart:.1e}");
            assert!(apart < 5e-2, "{clip}: {apart}");
            // What is no decibel is right to more digits.
            let energies = |values: &[f32]| values.iter().step_by(39).copied().collect::<Vec<f32>>();
            assert!(largest_difference(&energies(&values), &energies(&expected)) < 2e-5, "{clip}");
        }
    });
}

/// openSMILE has mel bands' edges even in mel, pre-emphasis within the frame, nepers for decibels, and of the energy the mean: all but
/// the first two are a factor or a constant of a column, which a z-score takes away.
#[test]
fn htks_columns_go_with_opensmiles() {
    let ln_400 = 400f32.ln();
    for clip in CLIPS {
        let (_, values) = features(clip, &format!("{HTK} {}", DEVICES[0]));
        let (_, expected) = fixture(clip, "opensmile");
        let column = |values: &[f32], column: usize| values.iter().skip(column).step_by(39).map(|&x| f64::from(x)).collect::<Vec<f64>>();
        // Of digital silence each has a smallest number of its own.
        let heard = values.iter().zip(&expected).step_by(39).filter(|(ours, _)| **ours > -23.0);
        let apart = heard.map(|(ours, theirs)| (ours - theirs - ln_400).abs()).fold(0.0, f32::max);
        assert!(apart < 2e-4, "{clip}: energies are {apart} apart");
        let lowest =
            |columns: std::ops::Range<usize>| columns.map(|c| correlation(&column(&values, c), &column(&expected, c))).fold(1.0, f64::min);
        let (cepstra, deltas) = (lowest(1..13), lowest(14..26).min(lowest(27..39)));
        println!("{clip}: correlation of cepstra {cepstra:.4}, of their deltas {deltas:.4} at least");
        assert!(cepstra > 0.99 && deltas > 0.97, "{clip}: {cepstra}, {deltas}");
    }
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let centred = |x: &[f64]| x.iter().map(|value| value - x.iter().sum::<f64>() / x.len() as f64).collect::<Vec<f64>>();
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (a, b) = (centred(a), centred(b));
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// The floor of a recording is below its loudest band, wherever that is: a minute has more bands than llvmpipe lets one loop see.
#[test]
fn what_comes_after_a_minute_counts_for_the_floor() {
    let folder = tempfile::tempdir().unwrap();
    let spec = WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(folder.path().join("long.wav"), spec).unwrap();
    for place in 0..61 * 16_000i64 {
        let swing = if place < 60 * 16_000 { 5 } else { 15_000 };
        writer.write_sample(((place * 7919 % 201 - 100) * swing / 100) as i32).unwrap();
    }
    writer.finalize().unwrap();
    on_each_device("what_comes_after_a_minute_counts_for_the_floor", |device| {
        mcsan(folder.path(), &format!("features --audio long.wav --out a.npy --coefficients 1 {device}")).succeeds();
        let (_, values) = read_npy(&folder.path().join("a.npy"));
        // √128 times -72 dB, which is the floor; the bands themselves lie 14 dB lower.
        assert!((-825.0..-800.0).contains(&values[0]), "{}", values[0]);
    });
}

#[test]
fn functionals_of_mfcc_are_those_of_numpy_and_scipy() {
    on_each_device("functionals_of_mfcc_are_those_of_numpy_and_scipy", |device| {
        let folder = tempfile::tempdir().unwrap();
        let clip = |clip: &&str| format!("{clip},{},go,good\n", at(&format!("assets/demo/clips/{clip}.flac")).display());
        let manifest = format!("id,audio,text,label\n{}", CLIPS.iter().map(clip).collect::<String>());
        std::fs::write(folder.path().join("manifest.csv"), manifest).unwrap();
        // Whatever the frames are.
        mcsan(folder.path(), &format!("prepare manifest manifest.csv --functionals mfcc --features spectrum --out d {device}")).succeeds();
        let data = Dataset::load(&folder.path().join("d")).unwrap();
        let Some(DataStream::Vector(vectors)) = data.streams.get("audio.functionals") else { panic!("{:?}", data.streams) };
        assert_eq!(vectors.columns, 1080);
        for (place, clip) in CLIPS.into_iter().enumerate() {
            let (ours, (_, expected)) = (vectors.of(place).unwrap(), fixture(clip, "functionals"));
            for (name, (ours, expected)) in FUNCTIONALS.into_iter().zip(ours.chunks_exact(120).zip(expected.chunks_exact(120))) {
                let apart = largest_difference(ours, expected);
                println!("{clip}: {name}: {apart:.1e}");
                assert!(apart < 5e-3, "{clip}: {name}: {apart}");
            }
        }
    });
}
