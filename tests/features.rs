//! `mcsan features` against librosa's MFCC, on the CPU reference and on the adapter, and on recordings of odd kinds.

use std::path::{Path, PathBuf};

mod program;

use program::{Outcome, call, default_adapter, largest_difference, read_npy};

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
    ("aac-5.1.mp4", Err("MP4 (AAC) is not supported; convert it to WAV or FLAC")),
    ("aac-stereo.mp4", Err("MP4 (AAC) is not supported; convert it to WAV or FLAC")),
    ("empty.wav", Err("the file is empty; fetch it again")),
    ("float32-16k.wav", Ok(411)),
    ("no-moov.mp4", Err("MP4 (AAC) is not supported; convert it to WAV or FLAC")),
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
fn features(audio: &Path, out: &Path, mel_bands: usize, device: Device) -> Outcome {
    let bands = mel_bands.to_string();
    let mut arguments = vec!["features".as_ref(), "--audio".as_ref(), audio.as_os_str(), "--out".as_ref(), out.as_os_str()];
    arguments.extend(["--mel-bands", &bands].map(std::ffi::OsStr::new));
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
        features(&audio, &out, mel_bands, device).succeeds();
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
        let outcome = features(&folder.join(name), &out, 128, Device::Cpu);
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
