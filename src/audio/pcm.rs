//! Raw samples without a header, as a pipe brings them: one channel, little-endian, `[samples]` of one format.

use std::io::Read;
use std::path::Path;

use super::AudioError;
use super::decode::held;
use super::mono::{Mono, Sink};

/// How a sample is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum PcmFormat {
    /// 16-bit integers, full scale at ±32768
    #[default]
    S16,
    /// 32-bit floats, full scale at ±1
    F32,
}

impl PcmFormat {
    /// Bytes of a sample.
    fn width(self) -> usize {
        match self {
            Self::S16 => 2,
            Self::F32 => 4,
        }
    }

    /// The samples in `bytes`, a whole number of them.
    fn samples(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::S16 => bytes.chunks_exact(2).map(|sample| f32::from(i16::from_le_bytes([sample[0], sample[1]])) / 32768.0).collect(),
            Self::F32 => bytes.chunks_exact(4).map(|sample| f32::from_le_bytes([sample[0], sample[1], sample[2], sample[3]])).collect(),
        }
    }
}

/// Bytes that are converted at a time; a multiple of every width.
const CHUNK: usize = 1 << 16;

/// Reads mono samples at `rate` hertz to the end and resamples them to [`SAMPLE_RATE`](super::mfcc::SAMPLE_RATE);
/// `name` is what errors call the source.
///
/// # Errors
/// [`AudioError`]: nothing comes, it ends within a sample or starts as a file with a header does, a sample is not finite,
/// the rate is none, or it goes on for too long.
pub fn read_pcm(source: impl Read, name: &str, format: PcmFormat, rate: u32) -> Result<Vec<f32>, AudioError> {
    held(|sink| read(source, name, format, rate, sink))
}

/// As [`read_pcm`], piece by piece.
///
/// # Errors
/// Those of [`read_pcm`], which may come after samples.
pub(super) fn read(mut source: impl Read, name: &str, format: PcmFormat, rate: u32, sink: Sink<'_>) -> Result<(), AudioError> {
    let path = Path::new(name);
    let damaged = |reason: &str| AudioError::RawDamaged { path: path.into(), reason: reason.into() };
    let mut mono = Mono::new(path, rate, 1, sink)?;
    let mut first = true;
    loop {
        let mut bytes = Vec::with_capacity(CHUNK);
        let open = |source| AudioError::Open { path: path.into(), source };
        source.by_ref().take(CHUNK as u64).read_to_end(&mut bytes).map_err(open)?;
        if first && [&b"RIFF"[..], b"fLaC", b"OggS", b"ID3"].iter().any(|magic| bytes.starts_with(magic)) {
            return Err(damaged("it starts as a file with a header"));
        }
        first = false;
        if bytes.len() % format.width() != 0 {
            return Err(damaged("it ends within a sample"));
        }
        mono.push(&format.samples(&bytes))?;
        if bytes.len() < CHUNK {
            return mono.finish(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_at_the_features_rate_pass_as_they_are_in_either_format() {
        let values = [0.0f32, 0.5, -1.0, 0.25];
        let floats: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let integers: Vec<u8> = values.iter().flat_map(|value| ((value * 32768.0) as i16).to_le_bytes()).collect();
        assert_eq!(read_pcm(&floats[..], "pipe", PcmFormat::F32, 16_000).unwrap(), values);
        assert_eq!(read_pcm(&integers[..], "pipe", PcmFormat::S16, 16_000).unwrap(), values);
    }

    #[test]
    fn a_longer_stream_of_another_rate_is_resampled_across_its_pieces() {
        let tone: Vec<f32> = (0..100_000).map(|n| (n as f32 * 0.05).sin()).collect();
        let bytes: Vec<u8> = tone.iter().flat_map(|value| value.to_le_bytes()).collect();
        let samples = read_pcm(&bytes[..], "pipe", PcmFormat::F32, 48_000).unwrap();
        assert_eq!(samples.len(), 33_333);
        // 0.05 radians a sample at 48 kHz are 0.15 at 16 kHz; the ends are the filter's.
        let worst = (1000..32_000).map(|n| (samples[n] - (n as f32 * 0.15).sin()).abs()).fold(0.0, f32::max);
        assert!(worst < 2e-3, "{worst}");
    }

    #[test]
    fn what_is_no_stream_of_samples_is_refused_with_its_reason() {
        let refused = |bytes: &[u8], format| read_pcm(bytes, "standard input", format, 16_000).unwrap_err().to_string();
        assert!(refused(&[], PcmFormat::S16).contains("standard input: holds no samples"));
        assert!(refused(&[0, 1, 2], PcmFormat::S16).contains("ends within a sample"));
        assert!(refused(b"RIFF....WAVE", PcmFormat::S16).contains("starts as a file with a header"));
        let holed: Vec<u8> = [0.0f32, f32::NAN].iter().flat_map(|value| value.to_le_bytes()).collect();
        assert!(refused(&holed, PcmFormat::F32).contains("the sample of frame 1, channel 0 is NaN"));
        assert!(read_pcm(&holed[..], "pipe", PcmFormat::F32, 0).unwrap_err().to_string().contains("sampling rate"));
    }
}
