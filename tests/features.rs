//! `mcsan features` against librosa's and torchaudio's MFCC, on the CPU reference and on the adapter, and on recordings of
//! odd kinds.

use std::path::{Path, PathBuf};

use crate::program::{Outcome, call, default_adapter, largest_difference, read_npy};

/// Largest difference allowed from librosa, which works in 64 bits; coefficients reach several hundred.
const AGREEMENT: f32 = 2e-2;

/// Recordings with golden matrices, below the shared data.
const GOLDEN: [(&str, &str); 6] = [
    ("03-01-01-01-01-01-13", "ravdess/Actor_13/03-01-01-01-01-01-13.flac"),
    ("03-01-05-02-01-01-01", "ravdess/Actor_01/03-01-05-02-01-01-01.flac"),
    ("03-01-06-01-02-01-02", "ravdess/Actor_02/03-01-06-01-02-01-02.flac"),
    ("float32-16k", "audio-oddities/float32-16k.wav"),
    ("short-40ms", "audio-oddities/short-40ms.wav"),
    ("silence-1s", "audio-oddities/silence-1s.wav"),
];

/// What becomes of each odd recording: so many frames, or a line that holds so much.
const ODDITIES: [(&str, Result<usize, &str>); 15] = [
    ("03-01-03-01-02-01-20.48k-chunks.wav", Ok(348)),
    ("03-01-05-02-01-01-01.48k-chunks.wav", Ok(411)),
    ("aac-5.1.mp4", Ok(414)),
    ("aac-stereo.mp4", Ok(414)),
    ("empty.wav", Err("the file is empty; fetch it again")),
    ("float32-16k.wav", Ok(411)),
    ("no-moov.mp4", Err("the moov atom, is missing")),
    ("no-samples.wav", Err("holds no samples; leave it out")),
    ("pcm24-44k1.wav", Ok(411)),
    ("pcm8-8k.wav", Ok(411)),
    ("short-40ms.wav", Ok(5)),
    ("silence-1s.wav", Ok(101)),
    ("stereo-48k.wav", Ok(438)),
    ("truncated-data.wav", Err("cut short or damaged; fetch it again")),
    ("truncated-header.wav", Err("the file ends within its header; fetch it again")),
];

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    let here = path.exists();
    if !here {
        println!("skipped: ../shared/data/{name} absent");
    }
    here.then_some(path)
}

/// Calls `mcsan features` on the CPU reference, or on the adapter that the program takes by itself.
fn features(audio: &Path, out: &Path, options: &str, device: Device) -> Outcome {
    let mut arguments = vec!["features".as_ref(), "--audio".as_ref(), audio.as_os_str(), "--out".as_ref(), out.as_os_str()];
    arguments.extend(options.split_whitespace().map(std::ffi::OsStr::new));
    if device == Device::Cpu {
        arguments.extend(["--device", "cpu"].map(std::ffi::OsStr::new));
    }
    call(Path::new("."), &arguments)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Device {
    Cpu,
    Default,
}

/// Compares every golden matrix; prints and bounds the largest difference.
fn agree_with_librosa(device: Device) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a.npy");
    let (mut largest, mut compared) = (0.0f32, 0);
    for ((name, audio), mel_bands) in GOLDEN.into_iter().flat_map(|golden| [128, 40].map(|bands| (golden, bands))) {
        let golden = shared(&format!("mfcc-golden/{name}.mels{mel_bands}.npy"));
        let (Some(golden), Some(audio)) = (golden, shared(audio)) else { continue };
        features(&audio, &out, &format!("--mel-bands {mel_bands}"), device).succeeds();
        let ((shape, values), (expected_shape, expected)) = (read_npy(&out), read_npy(&golden));
        assert_eq!(shape, expected_shape, "{name}, {mel_bands} bands");
        let apart = largest_difference(&values, &expected);
        println!("{device:?}: {name}, {mel_bands} bands: {apart:.2e}");
        assert!(apart < AGREEMENT, "{name}, {mel_bands} bands: {apart}");
        largest = largest.max(apart);
        compared += 1;
    }
    println!("{device:?}: {compared} matrices, largest difference from librosa {largest:.2e}");
}

#[test]
fn the_reference_agrees_with_librosa() {
    agree_with_librosa(Device::Cpu);
}

#[test]
fn the_adapter_agrees_with_librosa() {
    if default_adapter("the_adapter_agrees_with_librosa").is_some() {
        agree_with_librosa(Device::Default);
    }
}

/// Largest difference allowed from the fixtures. Decibels near the floor see rounding of a frame's loudest band, more so
/// after the pre-emphasis.
const AGREEMENT_OF_CONVENTIONS: f32 = 5e-3;

/// Compares the fixtures of `tests/fixtures/features`, see `make.py` there.
fn conventions_agree(device: Device) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/features");
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("a.npy");
    let options = [("", ""), (".deltas", "--deltas 2"), (".emphasis", "--pre-emphasis 0.97 --window hamming")];
    for clip in ["sound", "short"] {
        for convention in ["librosa", "htk", "torchaudio"] {
            for (suffix, options) in options {
                let name = format!("{clip}.{convention}{suffix}");
                features(&folder.join(format!("{clip}.wav")), &out, &format!("--features {convention} {options}"), device).succeeds();
                let (shape, values) = read_npy(&out);
                let (expected_shape, expected) = read_npy(&folder.join(format!("{name}.npy")));
                assert_eq!(shape, expected_shape, "{name}");
                let apart = largest_difference(&values, &expected);
                println!("{device:?}: {name}: {apart:.2e}");
                assert!(apart < AGREEMENT_OF_CONVENTIONS, "{name}: {apart}");
            }
        }
    }
}

#[test]
fn the_reference_agrees_with_each_library_on_its_conventions() {
    conventions_agree(Device::Cpu);
}

#[test]
fn the_adapter_agrees_with_each_library_on_its_conventions() {
    if default_adapter("the_adapter_agrees_with_each_library_on_its_conventions").is_some() {
        conventions_agree(Device::Default);
    }
}

#[test]
fn settings_that_no_front_end_can_have_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/features");
    let scratch = tempfile::tempdir().unwrap();
    for (options, part) in [
        ("--deltas 3", "3 orders of deltas; choose 0, 1 or 2"),
        ("--pre-emphasis 1.5", "a pre-emphasis of 1.5; choose 0 (none) to below 1"),
        ("--mel-bands 20", "40 coefficients of 20 mel bands"),
        ("--transform 500", "a transform of 500 samples is no power of two"),
        ("--window-length 600", "the window of 600 samples does not fit"),
    ] {
        let line = features(&folder.join("sound.wav"), &scratch.path().join("a.npy"), options, Device::Cpu).fails();
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn every_golden_matrix_is_compared() {
    let Some(folder) = shared("mfcc-golden") else { return };
    let mut known: Vec<String> = GOLDEN.iter().flat_map(|(name, _)| [128, 40].map(|bands| format!("{name}.mels{bands}.npy"))).collect();
    known.sort();
    assert_eq!(names(&folder), known);
}

#[test]
fn each_odd_recording_gives_a_matrix_or_one_clear_line() {
    let Some(folder) = shared("audio-oddities") else { return };
    assert_eq!(names(&folder), ODDITIES.map(|(name, _)| name), "each oddity has its expectation");
    let scratch = tempfile::tempdir().unwrap();
    for (name, expected) in ODDITIES {
        let out = scratch.path().join(format!("{name}.npy"));
        let outcome = features(&folder.join(name), &out, "", Device::Cpu);
        match expected {
            Ok(frames) => {
                outcome.succeeds();
                let (shape, values) = read_npy(&out);
                assert_eq!(shape, [frames, 40], "{name}");
                assert!(values.iter().all(|value| value.is_finite()), "{name}");
            }
            Err(part) => {
                let line = outcome.fails();
                assert!(line.contains(part) && line.contains(name), "{line}");
                assert!(!out.exists(), "{name}");
            }
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
