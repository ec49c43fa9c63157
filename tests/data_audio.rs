//! Recordings of every kind become samples or one clear error.

use std::fs;
use std::path::{Path, PathBuf};

use mcsan::audio::decode::{AudioError, decode};

/// A folder of the shared data; says so where it is absent.
fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if !folder.exists() {
        println!("skipped: ../shared/data/{name} is not here");
        return None;
    }
    Some(folder)
}

fn wav(folder: &Path, spec: hound::WavSpec, samples: &[i32]) -> PathBuf {
    let path = folder.join("a.wav");
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for &sample in samples {
        match spec.sample_format {
            hound::SampleFormat::Int => writer.write_sample(sample).unwrap(),
            hound::SampleFormat::Float => writer.write_sample(f32::from_bits(sample as u32)).unwrap(),
        }
    }
    writer.finalize().unwrap();
    path
}

const MONO_16_BIT: hound::WavSpec =
    hound::WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };

#[test]
fn samples_at_16_khz_are_the_files_own() {
    let folder = tempfile::tempdir().unwrap();
    for bits in [8, 16, 24, 32] {
        let full = 1i64 << (bits - 1);
        let samples: Vec<i32> = [0, 1, -1, full - 1, -full, full / 3].map(|sample| sample as i32).to_vec();
        let path = wav(folder.path(), hound::WavSpec { bits_per_sample: bits, ..MONO_16_BIT }, &samples);
        let expected: Vec<f32> = samples.iter().map(|&sample| (f64::from(sample) / full as f64) as f32).collect();
        assert_eq!(decode(&path).unwrap(), expected, "{bits} bits");
    }
    let values = [0.5f32, -0.25, 1.5, 1e-20];
    let spec = hound::WavSpec { bits_per_sample: 32, sample_format: hound::SampleFormat::Float, ..MONO_16_BIT };
    assert_eq!(decode(&wav(folder.path(), spec, &values.map(|value| value.to_bits() as i32))).unwrap(), values);
}

#[test]
fn channels_are_averaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = wav(folder.path(), hound::WavSpec { channels: 3, ..MONO_16_BIT }, &[3 << 8, 6 << 8, 9 << 8, 0, 0, -3 << 8]);
    assert_eq!(decode(&path).unwrap(), [6.0 / 128.0, -1.0 / 128.0]);
}

#[test]
fn chunks_of_odd_length_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = wav(folder.path(), MONO_16_BIT, &[100, -200, 300, 400]);
    let plain = fs::read(&path).unwrap();
    let expected = decode(&path).unwrap();
    let mut odd = [&plain[..36], b"note\x03\0\0\0abc\0", &plain[36..]].concat();
    let length = odd.len() as u32 - 8;
    odd[4..8].copy_from_slice(&length.to_le_bytes());
    fs::write(&path, odd).unwrap();
    assert_eq!(decode(&path).unwrap(), expected);
}

#[test]
fn a_stream_of_unknown_length_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = wav(folder.path(), MONO_16_BIT, &[100, -200, 300, 400]);
    let expected = decode(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[4..8].fill(0xFF);
    bytes[40..44].fill(0xFF);
    fs::write(&path, bytes).unwrap();
    assert_eq!(decode(&path).unwrap(), expected);
}

#[test]
fn the_format_is_told_by_content_and_not_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let misnamed = folder.path().join("a.flac");
    fs::rename(wav(folder.path(), MONO_16_BIT, &[1, 2, 3]), &misnamed).unwrap();
    assert_eq!(decode(&misnamed).unwrap().len(), 3);
    fs::write(&misnamed, "Dear reader, this is a letter.").unwrap();
    assert!(matches!(decode(&misnamed), Err(AudioError::Unsupported { .. })));
}

#[test]
fn a_sample_that_is_not_a_number_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let spec = hound::WavSpec { channels: 2, bits_per_sample: 32, sample_format: hound::SampleFormat::Float, ..MONO_16_BIT };
    let samples = [0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0].map(|value| value.to_bits() as i32);
    let error = decode(&wav(folder.path(), spec, &samples)).unwrap_err();
    assert!(matches!(error, AudioError::NotFinite { frame: 1, channel: 1, .. }), "{error}");
}

#[test]
fn every_early_end_of_a_wav_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = wav(folder.path(), MONO_16_BIT, &[7; 32]);
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = decode(&path).unwrap_err();
        let fits = match &error {
            AudioError::Empty { .. } => length == 0,
            AudioError::HeaderCutShort { .. } | AudioError::Unsupported { .. } => (1..44).contains(&length),
            AudioError::CutShort { frames, promised: 32, .. } => length >= 44 && *frames as usize == (length - 44) / 2,
            _ => false,
        };
        assert!(fits, "{length} bytes: {error}");
        assert!(!error.to_string().contains('\n') && error.to_string().contains("a.wav"), "{error}");
    }
}

#[test]
fn a_flac_that_is_cut_short_or_altered_is_refused() {
    let Some(folder) = shared("ravdess/Actor_01") else { return };
    let source = folder.join("03-01-01-01-01-01-01.flac");
    let samples = decode(&source).unwrap();
    assert!(samples.len() > 16_000);
    assert!(samples.iter().all(|sample| (sample * 32768.0).fract() == 0.0), "16-bit samples are multiples of 1/32768");
    let bytes = fs::read(source).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("a.flac");
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = decode(&path).unwrap_err();
    assert!(matches!(error, AudioError::CutShort { .. }), "{error}");
    for length in [4, 20, 41] {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(matches!(decode(&path), Err(AudioError::HeaderCutShort { .. })), "{length} bytes");
    }
    let mut altered = bytes;
    let middle = altered.len() / 2;
    altered[middle] ^= 0x10;
    fs::write(&path, altered).unwrap();
    assert!(decode(&path).is_err());
}

#[test]
fn each_oddity_gives_samples_or_one_clear_error() {
    let Some(folder) = shared("audio-oddities") else { return };
    let samples = [
        ("03-01-03-01-02-01-20.48k-chunks.wav", 48_000),
        ("03-01-05-02-01-01-01.48k-chunks.wav", 48_000),
        ("float32-16k.wav", 16_000),
        ("pcm24-44k1.wav", 44_100),
        ("pcm8-8k.wav", 8_000),
        ("short-40ms.wav", 16_000),
        ("silence-1s.wav", 16_000),
        ("stereo-48k.wav", 48_000),
    ];
    for (name, rate) in samples {
        let decoded = decode(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
        let frames = hound::WavReader::open(folder.join(name)).unwrap().duration() as usize;
        assert_eq!(decoded.len(), (frames as f64 * 16_000.0 / f64::from(rate)).round() as usize, "{name}");
        let loudest = decoded.iter().fold(0.0f32, |loudest, sample| loudest.max(sample.abs()));
        assert!(if name.starts_with("silence") { loudest == 0.0 } else { (1e-4..1.0).contains(&loudest) }, "{name}: {loudest}");
    }
    let errors = [
        ("aac-5.1.mp4", "MP4 (AAC) is not supported"),
        ("aac-stereo.mp4", "MP4 (AAC) is not supported"),
        ("no-moov.mp4", "MP4 (AAC) is not supported"),
        ("empty.wav", "the file is empty"),
        ("no-samples.wav", "holds no samples"),
        ("truncated-data.wav", "the file is cut short or damaged"),
        ("truncated-header.wav", "ends within its header"),
        ("missing.wav", "cannot be read"),
    ];
    for (name, expected) in errors {
        let error = decode(&folder.join(name)).unwrap_err().to_string();
        println!("{error}");
        assert!(error.contains(expected) && error.contains(name) && !error.contains('\n'), "{error}");
    }
}
