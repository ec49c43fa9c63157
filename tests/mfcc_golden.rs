//! The front-end against librosa's output for the same recordings.

use std::path::{Path, PathBuf};

use mcsan::audio::mfcc::{MfccSettings, MfccTables};
use mcsan::backend::cpu::{Cpu, Real};
use mcsan::backend::{Backend, Ragged};

/// librosa computes in float32 and takes a logarithm: quiet bands of a loud frame carry a few 1e-4 dB of its rounding.
const LARGEST_DIFFERENCE: f64 = 2e-3;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data")
}

/// Samples of a mono recording at 16 kHz, full scale 1.
fn samples(path: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate), (1, 16_000), "{}", path.display());
    match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().map(|sample| sample.unwrap()).collect(),
        hound::SampleFormat::Int => {
            let full_scale = (1u32 << (spec.bits_per_sample - 1)) as f32;
            reader.samples::<i32>().map(|sample| sample.unwrap() as f32 / full_scale).collect()
        }
    }
}

/// A float32 matrix of NumPy's format 1.0 and whether it lies column by column.
fn numpy_matrix(path: &Path) -> (Vec<f32>, [usize; 2], bool) {
    let bytes = std::fs::read(path).unwrap();
    let header_length = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
    let header = std::str::from_utf8(&bytes[10..10 + header_length]).unwrap();
    assert!(header.contains("'<f4'"), "{header}");
    let shape = header.split(['(', ')']).nth(1).unwrap();
    let shape: Vec<usize> = shape.split(',').filter_map(|size| size.trim().parse().ok()).collect();
    let values = bytes[10 + header_length..].chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    (values.collect(), [shape[0], shape[1]], header.contains("'fortran_order': True"))
}

fn largest_difference<T: Real>(recording: &str, mel_bands: usize) -> f64 {
    let backend = Cpu::<T>::new();
    let samples = samples(&data().join("audio-oddities").join(format!("{recording}.wav")));
    let settings = MfccSettings { mel_bands, ..MfccSettings::default() };
    let tables = MfccTables::new(&backend, &settings).unwrap();
    let utterances = Ragged::new(&backend, &[samples.len() as u32]);
    let frames = Ragged::new(&backend, &[settings.frames(samples.len()) as u32]);
    let features = backend.mfcc(&backend.upload(&samples, [samples.len(), 1]), &utterances, &frames, &tables);
    let features = pollster::block_on(backend.read(&features)).unwrap();
    let (golden, shape, by_column) = numpy_matrix(&data().join("mfcc-golden").join(format!("{recording}.mels{mel_bands}.npy")));
    assert_eq!(shape, [frames.rows(), settings.coefficients], "{recording}");
    let golden_at = |row: usize, column: usize| if by_column { golden[column * shape[0] + row] } else { golden[row * shape[1] + column] };
    let differences = features.iter().enumerate().map(|(i, value)| {
        let difference = (value.as_f64() - f64::from(golden_at(i / shape[1], i % shape[1]))).abs();
        assert!(difference.is_finite(), "{recording}: coefficient {i} is {value:?}");
        difference
    });
    differences.fold(0.0, f64::max)
}

#[test]
fn features_agree_with_librosa() {
    if !data().join("mfcc-golden").exists() {
        println!("skipped: no golden features beside the repository");
        return;
    }
    for recording in ["float32-16k", "silence-1s", "short-40ms"] {
        for mel_bands in [128, 40] {
            for (precision, difference) in
                [("f32", largest_difference::<f32>(recording, mel_bands)), ("f64", largest_difference::<f64>(recording, mel_bands))]
            {
                println!("{recording}, {mel_bands} bands, {precision}: {difference:.2e}");
                assert!(difference < LARGEST_DIFFERENCE, "{recording}, {mel_bands} bands, {precision}: {difference:.2e}");
            }
        }
    }
}
