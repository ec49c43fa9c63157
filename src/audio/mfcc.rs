//! Settings of the MFCC front-end, and what its constant tables hold.
//!
//! Conventions are those of a library that others compute features with, see [`Convention`].

use std::error::Error;
use std::f64::consts::{PI, TAU};
use std::fmt::{self, Display, Formatter};

use super::mel::MelScale;
use crate::base::choice::choices;
use crate::base::remedy::{Remedied, Remedy};
use crate::base::setting::{OutOfRange, Range, Section, settings};

/// Sampling rate of the features; other rates are resampled.
pub const SAMPLE_RATE: u32 = 16_000;

choices! {
    /// Whose MFCC the features are. All three take centred frames, power spectra, decibels with a floor below the utterance's
    /// maximum and an orthonormal DCT-II. Or no MFCC: the spectra that they are made of.
    pub enum Convention {
        /// `librosa.feature.mfcc`, 0.10 and later: Slaney's mel scale, bands of equal area, zeros around the recording
        Librosa = "librosa",
        /// librosa's with `melspectrogram(htk=True, norm=None)`: HTK's mel scale, bands of equal height, zeros around the recording
        Htk = "htk",
        /// `torchaudio.transforms.MFCC`: HTK's mel scale, bands of equal height, the recording mirrored at its ends
        Torchaudio = "torchaudio",
        /// no MFCC: the power spectrum itself, half the transform and 1 columns, from librosa's frames of samples in [-1, 1]
        Spectrum = "spectrum",
    }
}

choices! {
    /// Shape of the window over a frame; both are periodic.
    pub enum Window {
        /// ½ - ½ cos(2πn / window)
        Hann = "hann",
        /// 0.54 - 0.46 cos(2πn / window)
        Hamming = "hamming",
    }
}

/// What stands before a recording's first sample and behind its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Padding {
    Zeros,
    /// The recording mirrored, its end samples not repeated; a short one is mirrored to and fro.
    Reflection,
}

/// Longest supported transform: the kernel keeps it in workgroup memory.
pub(crate) const MAX_TRANSFORM: usize = 1024;
/// Most supported mel bands: the kernel keeps a frame of them in workgroup memory.
pub(crate) const MAX_MEL_BANDS: usize = 256;
/// Most samples from frame to frame: a minute.
const MAX_HOP: usize = 60 * SAMPLE_RATE as usize;
/// Longest liftering: as long as any that is in use, and more.
const MAX_LIFTER: usize = 1000;
/// Most orders of differences over time.
pub(crate) const MAX_DELTAS: usize = 2;
/// Smallest power that the logarithm sees.
pub(crate) const SMALLEST_POWER: f32 = 1e-10;

settings! {
    /// Every figure of the front-end.
    pub struct MfccSettings in "features" {
        /// whose MFCC, or the power spectrum
        convention: Convention = Convention::Librosa; flag("LIBRARY"), long("features");
        /// coefficients kept
        coefficients: usize = 40; at_least(1), up_to("mel_bands"), flag("N");
        /// differences over time that follow the coefficients: 0 none, 1 deltas, 2 also double deltas
        deltas: usize = 0; within(0, MAX_DELTAS), words("0, 1 or 2"), flag("ORDERS");
        /// mel bands
        mel_bands: usize = 128; within(1, MAX_MEL_BANDS), flag("N");
        /// length of the window, in samples at 16 kHz; it is centred in the transform
        window: usize = 400; at_least(1), up_to("transform"), flag("SAMPLES"), long("window-length");
        /// shape of the window
        window_shape: Window = Window::Hann; flag("SHAPE"), long("window");
        /// length of the Fourier transform, in samples: a power of two
        transform: usize = 512; power_of_two(2, MAX_TRANSFORM), flag("SAMPLES");
        /// step from frame to frame, in samples
        hop: usize = 160; at_least(1), at_most(MAX_HOP), flag("SAMPLES");
        /// floor below an utterance's loudest band, in decibels
        top_db: f32 = 80.0; above(0), flag("DB");
        /// factor c of the pre-emphasis `x[n] - c x[n - 1]`; usually 0.97, 0 for none
        pre_emphasis: f32 = 0.0; below(1), words("0 (none) to below 1, usually 0.97"), flag("C");
        /// length L of HTK's liftering, coefficient n times 1 + L/2 sin(πn / L); usually 22, 0 for none
        lifter: usize = 0; within(0, MAX_LIFTER), words("0 (none) to 1000, usually 22"), flag("L");
        /// the first column is HTK's log energy in place of c0: ln of the sum of squares of a frame's samples in [-1, 1], before
        /// pre-emphasis and window
        energy: bool = false; flag("BOOL");
    }
}

/// What the power spectrum has no use for.
#[cfg(feature = "cli")]
pub(crate) const OF_CEPSTRA: [&str; 5] = ["coefficients", "mel_bands", "top_db", "lifter", "energy"];

impl MfccSettings {
    /// Number of frames of a recording, each centred on its sample: `1 + samples / hop`.
    pub fn frames(&self, samples: usize) -> usize {
        1 + samples / self.hop
    }

    /// Number of frequency bins of the power spectrum.
    pub fn bins(&self) -> usize {
        self.transform / 2 + 1
    }

    /// Columns before their differences over time: the coefficients, or the bins of the spectrum.
    pub fn static_columns(&self) -> usize {
        if self.is_spectrum() { self.bins() } else { self.coefficients }
    }

    /// Columns of the features, differences over time included.
    pub fn columns(&self) -> usize {
        self.static_columns() * (1 + self.deltas)
    }

    /// Whether the features are the power spectrum, and no MFCC.
    pub fn is_spectrum(&self) -> bool {
        self.convention == Convention::Spectrum
    }

    /// As data sets keep them: what front-ends did not have at first stands there only where it is used.
    pub fn recorded(&self) -> serde_json::Value {
        let (mut recorded, usual) = (serde_json::json!(self), serde_json::json!(Self::default()));
        if let Some(settings) = recorded.as_object_mut() {
            settings.retain(|key, value| !["lifter", "energy"].contains(&key.as_str()) || *value != usual[key]);
        }
        recorded
    }

    /// What stands around a recording.
    pub(crate) fn padding(&self) -> Padding {
        match self.convention {
            Convention::Librosa | Convention::Htk | Convention::Spectrum => Padding::Zeros,
            Convention::Torchaudio => Padding::Reflection,
        }
    }

    /// Factors of a recording's first two samples of which the pre-emphasis makes the first: librosa continues the line
    /// through them backwards and takes that sample whole, torchaudio leaves the first sample as it is.
    pub(crate) fn first_emphasis(&self) -> [f32; 2] {
        match self.convention {
            Convention::Torchaudio => [1.0, 0.0],
            _ if self.pre_emphasis == 0.0 => [1.0, 0.0],
            Convention::Librosa | Convention::Htk | Convention::Spectrum => [3.0, -1.0],
        }
    }

    fn mel_scale(&self) -> MelScale {
        match self.convention {
            Convention::Librosa | Convention::Spectrum => MelScale::Slaney,
            Convention::Htk | Convention::Torchaudio => MelScale::Htk,
        }
    }
}

/// A figure that no front-end can have.
#[derive(Debug, Clone, PartialEq)]
pub struct MfccError(pub OutOfRange);

impl Error for MfccError {}

impl Display for MfccError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let OutOfRange { key, value, range } = &self.0;
        formatter.write_str("features: ")?;
        match (key.parts().1, *range) {
            ("transform", Range::PowerOfTwo(least, most)) => {
                write!(formatter, "a transform of {value} samples is no power of two between {least} and {most}")
            }
            ("window", Range::Within(_, transform)) => {
                write!(formatter, "the window of {value} samples does not fit the transform of {transform}")
            }
            ("coefficients", Range::Within(_, bands)) => write!(formatter, "{value} coefficients of {bands} mel bands"),
            ("hop", Range::AtLeast(_)) => write!(formatter, "a hop of {value} samples never ends"),
            ("hop", _) => write!(formatter, "a hop of {value} samples passes whole recordings over"),
            ("mel_bands", _) => write!(formatter, "{value} mel bands"),
            ("pre_emphasis", _) => write!(formatter, "a pre-emphasis of {value}"),
            ("deltas", _) => write!(formatter, "{value} orders of deltas"),
            ("lifter", _) => write!(formatter, "a lifter of {value} coefficients"),
            (name, _) => write!(formatter, "{name} is {value}"),
        }
    }
}

impl Remedied for MfccError {
    fn remedies(&self) -> Vec<Remedy> {
        vec![Remedy::Choose { key: self.0.key, range: self.0.range }]
    }
}

impl MfccSettings {
    /// Refuses settings for which there is no front-end.
    ///
    /// # Errors
    /// [`MfccError`]
    pub fn validate(&self) -> Result<(), MfccError> {
        self.out_of_range().map_or(Ok(()), |outside| Err(MfccError(outside)))
    }

    /// Where in the transform the window begins, in whose middle it lies.
    pub(crate) fn window_begin(&self) -> usize {
        (self.transform - self.window) / 2
    }

    /// The window's samples, centred in the transform.
    pub(crate) fn window(&self) -> Vec<f64> {
        let (mean, swing) = match self.window_shape {
            Window::Hann => (0.5, 0.5),
            Window::Hamming => (0.54, 0.46),
        };
        let mut centred = vec![0.0; self.transform];
        for (n, value) in centred[self.window_begin()..][..self.window].iter_mut().enumerate() {
            *value = mean - swing * (TAU * n as f64 / self.window as f64).cos();
        }
        centred
    }

    /// `[mel_bands, bins]`: the bands' triangles.
    pub(crate) fn mel_filters(&self) -> Vec<f64> {
        self.mel_scale().filters(self.mel_bands, self.transform)
    }

    /// Mel bands that hear nothing: no bin of the spectrum lies in them, or the window takes every sample away.
    pub(crate) fn empty_bands(&self) -> usize {
        if self.is_spectrum() {
            return 0;
        }
        let is_silent = self.window().iter().all(|&factor| factor == 0.0);
        let filters = self.mel_filters();
        filters.chunks_exact(self.bins()).filter(|filter| is_silent || filter.iter().all(|&weight| weight <= 0.0)).count()
    }

    /// `√(2/M) cos(πk (2m + 1) / 2M)`, the first row divided by √2, each by its lifter.
    pub(crate) fn dct(&self) -> Vec<f64> {
        let bands = self.mel_bands as f64;
        let places = (0..self.coefficients).flat_map(|k| (0..self.mel_bands).map(move |m| (k, m)));
        let values = places.map(|(k, m)| {
            let norm = if k == 0 { 1.0 / bands } else { 2.0 / bands };
            self.liftering(k) * norm.sqrt() * (PI * k as f64 * (2 * m + 1) as f64 / (2.0 * bands)).cos()
        });
        values.collect()
    }

    /// What coefficient `n` is multiplied by: 1 of c0, at most 1 + L/2.
    pub(crate) fn liftering(&self, n: usize) -> f64 {
        let length = self.lifter as f64;
        if self.lifter == 0 { 1.0 } else { 1.0 + length / 2.0 * (PI * n as f64 / length).sin() }
    }
}

/// `[transform / 2, 2]`: cos and sin of -2πk / transform.
pub(crate) fn twiddles(transform: usize) -> Vec<f64> {
    let angles = (0..transform / 2).map(|k| -TAU * k as f64 / transform as f64);
    angles.flat_map(|angle| [angle.cos(), angle.sin()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::remedy::line;

    #[test]
    fn what_is_out_of_range_is_named_with_what_would_do() {
        let usual = MfccSettings::default;
        for (settings, said) in [
            (
                MfccSettings { transform: 500, ..usual() },
                "a transform of 500 samples is no power of two between 2 and 1024; choose one (default 512)",
            ),
            (
                MfccSettings { transform: 300, window: 600, ..usual() },
                "a transform of 300 samples is no power of two between 2 and 1024; choose one (default 512)",
            ),
            (MfccSettings { window: 600, ..usual() }, "the window of 600 samples does not fit the transform of 512; choose 1 to 512"),
            (MfccSettings { window: 0, ..usual() }, "the window of 0 samples does not fit the transform of 512; choose 1 to 512"),
            (MfccSettings { hop: 0, ..usual() }, "a hop of 0 samples never ends; choose at least 1 (default 160)"),
            (MfccSettings { mel_bands: 300, ..usual() }, "300 mel bands; choose 1 to 256 (default 128)"),
            (MfccSettings { mel_bands: 20, ..usual() }, "40 coefficients of 20 mel bands; choose 1 to 20"),
            (MfccSettings { top_db: f32::NAN, ..usual() }, "top_db is NaN; choose more than 0 (default 80)"),
            (MfccSettings { top_db: 0.0, ..usual() }, "top_db is 0; choose more than 0 (default 80)"),
            (MfccSettings { pre_emphasis: 1.1, ..usual() }, "a pre-emphasis of 1.1; choose 0 (none) to below 1, usually 0.97"),
            (MfccSettings { deltas: 3, ..usual() }, "3 orders of deltas; choose 0, 1 or 2"),
            (MfccSettings { lifter: 1001, ..usual() }, "a lifter of 1001 coefficients; choose 0 (none) to 1000, usually 22"),
        ] {
            assert_eq!(line(&settings.validate().unwrap_err()), format!("features: {said}"));
        }
        for hop in [960_001, usize::MAX] {
            let line = line(&MfccSettings { hop, ..usual() }.validate().unwrap_err());
            assert!(line.contains("passes whole recordings over; choose 1 to 960000"), "{line}");
        }
        assert!(MfccSettings { top_db: f32::INFINITY, ..usual() }.validate().is_err());
        assert_eq!(usual().validate(), Ok(()));
        assert_eq!(MfccSettings { mel_bands: 256, coefficients: 256, window: 2, transform: 2, ..usual() }.validate(), Ok(()));
    }

    #[test]
    fn bands_that_hear_nothing_are_counted() {
        let usual = MfccSettings::default;
        for (convention, empty) in [(Convention::Librosa, 0), (Convention::Htk, 1), (Convention::Torchaudio, 1)] {
            assert_eq!(MfccSettings { convention, ..usual() }.empty_bands(), empty, "{convention}");
        }
        let narrow = MfccSettings { transform: 64, window: 64, ..usual() }.empty_bands();
        assert!((32..128).contains(&narrow), "{narrow}");
        assert_eq!(MfccSettings { window: 1, ..usual() }.empty_bands(), 128);
    }

    #[test]
    fn settings_are_kept_as_they_always_were() {
        let kept = r#"{"convention":"librosa","coefficients":40,"deltas":0,"mel_bands":128,"window":400,"window_shape":"hann","#.to_owned()
            + r#""transform":512,"hop":160,"top_db":80.0,"pre_emphasis":0.0}"#;
        assert_eq!(MfccSettings::default().recorded(), serde_json::from_str::<serde_json::Value>(&kept).unwrap());
        assert_eq!(serde_json::from_str::<MfccSettings>(&kept).unwrap(), MfccSettings::default());
        assert_eq!(serde_json::from_str::<MfccSettings>("{}").unwrap(), MfccSettings::default());
        let later = MfccSettings { lifter: 22, energy: true, ..MfccSettings::default() };
        assert_eq!(serde_json::from_value::<MfccSettings>(later.recorded()).unwrap(), later);
    }
}
