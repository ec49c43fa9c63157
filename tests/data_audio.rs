//! Recordings of every kind become samples or one clear error.

use std::fs;
use std::path::{Path, PathBuf};

use mcsan::audio::{AudioError, decode};
use mcsan::base::remedy::line;

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
fn a_sample_that_is_no_sound_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let spec = |sample_rate| hound::WavSpec { channels: 2, sample_rate, bits_per_sample: 32, sample_format: hound::SampleFormat::Float };
    // Resampled, or as powers, the last three would be infinite.
    for (wrong, said) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::MAX, "3.4028235e38"), (-3e20, "-3e20"), (5e9, "5e9")] {
        for rate in [8_000, 16_000] {
            let samples = [0.0, 0.0, 0.0, wrong, 0.0, 0.0].map(|value| value.to_bits() as i32);
            let error = decode(&wav(folder.path(), spec(rate), &samples)).unwrap_err();
            assert!(matches!(error, AudioError::NoSample { frame: 1, channel: 1, .. }), "{error}");
            assert!(error.to_string().ends_with(&format!("channel 1 is {said}")), "{error}");
        }
    }
    // Floats in the scale of integers are sound.
    let loud = [-32768.0f32, 2147483648.0].map(|value| value.to_bits() as i32);
    assert_eq!(decode(&wav(folder.path(), spec(16_000), &loud)).unwrap(), [1073725440.0]);
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
    for name in ["aac-5.1.mp4", "aac-stereo.mp4"] {
        let decoded = decode(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"));
        // 194 frames of 1024 samples at 48 kHz, the encoder's delay of one included.
        assert_eq!(decoded.len(), (194 * 1024usize).div_ceil(3), "{name}");
        let loudest = decoded.iter().fold(0.0f32, |loudest, sample| loudest.max(sample.abs()));
        assert!((0.05..1.0).contains(&loudest), "{name}: {loudest}");
    }
    let errors = [
        ("no-moov.mp4", "the moov atom, is missing"),
        ("empty.wav", "the file is empty"),
        ("no-samples.wav", "holds no samples"),
        ("truncated-data.wav", "the file is cut short or damaged"),
        ("truncated-header.wav", "ends within its header"),
        ("missing.wav", "cannot be read"),
    ];
    for (name, expected) in errors {
        let error = line(&decode(&folder.join(name)).unwrap_err());
        println!("{error}");
        assert!(error.contains(expected) && error.contains(name) && !error.contains('\n'), "{error}");
    }
}

/// A recording of `tests/fixtures/audio`, see `make.sh` there.
fn tones(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio").join(name)
}

/// Amplitude of a tone in the middle 0.2 s of half a second at 16 kHz: whole periods of all multiples of 5 Hz.
fn amplitude(samples: &[f32], hertz: f64) -> f64 {
    let middle = &samples[2400..5600];
    let turn = std::f64::consts::TAU * hertz / 16_000.0;
    let (cos, sin) = middle.iter().enumerate().fold((0.0, 0.0), |(cos, sin), (n, &sample)| {
        let angle = turn * n as f64;
        (cos + f64::from(sample) * angle.cos(), sin + f64::from(sample) * angle.sin())
    });
    2.0 * f64::hypot(cos, sin) / middle.len() as f64
}

#[test]
fn every_coding_gives_the_tone_that_was_coded() {
    for name in ["tone.mp3", "tone.ogg", "tone.m4a", "tone.aac", "alac.m4a", "tone.aiff", "tone.mka"] {
        let samples = decode(&tones(name)).unwrap_or_else(|error| panic!("{error}"));
        let seconds = samples.len() as f64 / 16_000.0;
        // Encoders add up to a few frames of silence.
        assert!((0.5..0.6).contains(&seconds), "{name}: {seconds} s");
        let (tone, other) = (amplitude(&samples, 440.0), amplitude(&samples, 880.0));
        println!("{name}: {seconds:.4} s, {tone:.4} at 440 Hz, {other:.6} at 880 Hz");
        // What the codings themselves change: MP3 at this rate takes 5 % off.
        assert!((tone - 0.25).abs() < 0.02 && other < 0.005, "{name}: {tone} at 440 Hz, {other} at 880 Hz");
    }
}

#[test]
fn six_channels_of_aac_are_averaged_like_any_others() {
    let samples = decode(&tones("six.m4a")).unwrap();
    for hertz in [300.0, 500.0, 700.0, 60.0, 1100.0, 1300.0] {
        let found = amplitude(&samples, hertz);
        // The coding itself changes a tone by up to 9 %; a channel that is lost or doubled by 100 %.
        assert!((found - 0.25 / 6.0).abs() < 0.005, "{hertz} Hz: {found}");
    }
    assert!(amplitude(&samples, 900.0) < 0.001);
}

#[test]
fn a_broken_frame_of_six_channels_is_one_clear_error() {
    let whole = fs::read(tones("six.m4a")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("a.m4a");
    let mut refused = 0;
    for place in (64..whole.len()).step_by(97) {
        let mut broken = whole.clone();
        broken[place] ^= 0x5A;
        fs::write(&path, &broken).unwrap();
        // A wrong bit may give other samples or an error, but no panic and no line break.
        if let Err(error) = decode(&path) {
            refused += 1;
            assert!(error.to_string().contains("a.m4a") && !error.to_string().contains('\n'), "{error}");
        }
    }
    assert!(refused > 10, "{refused} refused");
}

#[test]
fn a_coding_that_is_not_read_is_named() {
    let error = line(&decode(&tones("opus.ogg")).unwrap_err());
    assert!(error.contains("opus.ogg") && error.contains("Opus") && error.contains("convert it"), "{error}");
}

#[test]
fn a_recording_of_more_than_twenty_minutes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let spec = hound::WavSpec { sample_rate: 2000, bits_per_sample: 8, ..MONO_16_BIT };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for _ in 0..20 * 60 * 2000 + 1 {
        writer.write_sample(0).unwrap();
    }
    writer.finalize().unwrap();
    let error = decode(&path).unwrap_err();
    assert!(matches!(error, AudioError::TooLong { .. }), "{error}");
    assert!(line(&error).contains("lasts longer than 20 minutes; cut it"), "{error}");
}
