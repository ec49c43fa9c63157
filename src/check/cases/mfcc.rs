//! Cases of `mfcc`.

use std::f32::consts::TAU;
use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths};
use super::suffix;
use crate::audio::mfcc::{Convention, MfccSettings, SAMPLE_RATE, Window};
use crate::backend::gpu::shader;
use crate::backend::{Backend, MfccTables, ops};
use crate::base::choice::Choice;
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Cepstra of two tones over noise; every fourth recording is digital silence.
#[derive(Debug, Clone)]
pub struct Mfcc {
    /// Samples of each recording.
    pub samples: Vec<u32>,
    pub settings: MfccSettings,
}

const CONVENTIONS: &[(&str, Convention)] = &[
    ("librosa", Convention::Librosa),
    ("htk", Convention::Htk),
    ("torchaudio", Convention::Torchaudio),
    ("spectrum", Convention::Spectrum),
];

const WINDOWS: &[(&str, Window)] = &[("hamming", Window::Hamming)];

const ENERGY: &[(&str, bool)] = &[("energy", true)];

impl Mfcc {
    fn waveform(&self, source: &mut Source) -> Vec<f32> {
        let tone = |index: u32, hertz: f32| (TAU * hertz * index as f32 / SAMPLE_RATE as f32).sin();
        let silent = |recording: usize| recording % 4 == 3;
        let recordings = self.samples.iter().enumerate();
        recordings
            .flat_map(|(recording, &samples)| {
                let noise = source.uniform(samples as usize, 0.05);
                let loudness = if silent(recording) { 0.0 } else { 1.0 };
                let sound = (0..samples).zip(noise);
                sound.map(move |(index, noise)| loudness * (0.4 * tone(index, 310.0) + 0.2 * tone(index, 2750.0) + noise))
            })
            .collect()
    }
}

impl fmt::Display for Mfcc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MfccSettings { convention, transform, mel_bands, coefficients, pre_emphasis, window, hop, top_db, .. } = self.settings;
        let MfccSettings { window_shape, lifter, energy, .. } = self.settings;
        let usual = MfccSettings::default();
        write!(f, "{}samples={}", batch_of_one(&self.samples), Lengths(&self.samples))?;
        write!(f, ",transform={transform},mel={mel_bands},coefficients={coefficients}{}", suffix(CONVENTIONS, convention))?;
        write!(f, ",pre_emphasis={pre_emphasis}")?;
        for (key, value, usual) in [("window", window, usual.window), ("hop", hop, usual.hop), ("lifter", lifter, usual.lifter)] {
            if value != usual {
                write!(f, ",{key}={value}")?;
            }
        }
        if top_db != usual.top_db {
            write!(f, ",top_db={top_db}")?;
        }
        write!(f, "{}{}", suffix(WINDOWS, window_shape), suffix(ENERGY, energy))
    }
}

impl Subject for Mfcc {
    /// The logarithm of a weak band sees rounding of the loudest one, some 1e-4 of it in amplitude: a few thousandths of a
    /// decibel, of which the transform to cepstra takes a mean, times the lifter. A spectrum's weak bins see rounding of its loud ones.
    fn tolerance(&self) -> Tolerance {
        if self.settings.is_spectrum() {
            return Tolerance::of_rms(1e-5);
        }
        let lifted = (0..self.settings.coefficients).map(|n| self.settings.liftering(n).abs()).fold(1.0, f64::max);
        Tolerance { floor: 2e-3 * lifted, of_rms: 0.0, ..Tolerance::of_rms(1e-5) }
    }
}

impl Suite for Mfcc {
    fn cases() -> Vec<Self> {
        let usual = MfccSettings::default();
        let htk = MfccSettings {
            convention: Convention::Htk,
            coefficients: 13,
            mel_bands: 26,
            window_shape: Window::Hamming,
            pre_emphasis: 0.97,
            lifter: 22,
            energy: true,
            ..usual.clone()
        };
        let cepstra = |samples: &[u32], settings: &MfccSettings| Self { samples: samples.to_vec(), settings: settings.clone() };
        vec![
            cepstra(&[4000, 1, 159, 1600, 160, 2561], &usual),
            cepstra(&[1], &usual),
            cepstra(&[1000, 600], &MfccSettings { mel_bands: 40, ..usual.clone() }),
            cepstra(&[700, 333], &MfccSettings { coefficients: 13, mel_bands: 26, window: 200, transform: 256, hop: 80, ..usual.clone() }),
            cepstra(&[2100], &MfccSettings { window: 1024, transform: 1024, hop: 256, top_db: 20.0, ..usual.clone() }),
            cepstra(&[1, 2, 900, 160], &MfccSettings { pre_emphasis: 0.97, window_shape: Window::Hamming, ..usual.clone() }),
            cepstra(&[4000, 257], &MfccSettings { convention: Convention::Htk, ..usual.clone() }),
            // Reflections of recordings shorter than the transform go to and fro.
            cepstra(&[2, 1, 100, 3, 1600, 255], &MfccSettings { convention: Convention::Torchaudio, ..usual.clone() }),
            cepstra(&[1, 700, 2], &MfccSettings { convention: Convention::Torchaudio, pre_emphasis: 0.9, ..usual.clone() }),
            // HTK's MFCC_E; of digital silence the energy is the least that there is.
            cepstra(&[900, 1, 401, 160], &htk),
            cepstra(
                &[3, 260, 1],
                &MfccSettings {
                    convention: Convention::Torchaudio,
                    coefficients: 1,
                    lifter: 0,
                    window: 33,
                    transform: 64,
                    hop: 40,
                    ..htk.clone()
                },
            ),
            cepstra(&[1700, 1, 159, 500], &MfccSettings { convention: Convention::Spectrum, ..usual.clone() }),
            cepstra(&[100], &MfccSettings { convention: Convention::Spectrum, transform: 4, window: 3, hop: 7, ..usual }),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 4);
        let longest = source.between(400, 3000) as u32;
        Self {
            samples: source.lengths(batch, 1, longest),
            settings: MfccSettings {
                mel_bands: source.pick(&[40, 64, 128]),
                convention: source.pick(Convention::ALL),
                pre_emphasis: source.pick(&[0.0, 0.97]),
                lifter: source.pick(&[0, 22]),
                energy: source.pick(&[false, true]),
                ..MfccSettings::default()
            },
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let usual = MfccSettings::default();
        let samples = read_lengths(keys, "samples", 1, 80_000)?;
        let settings = MfccSettings {
            transform: keys.number("transform", 1, usual.transform)?,
            mel_bands: keys.number("mel", 1, usual.mel_bands)?,
            coefficients: keys.number("coefficients", 1, usual.coefficients)?,
            convention: keys.choice(CONVENTIONS, usual.convention)?,
            pre_emphasis: keys.value("pre_emphasis", "number", usual.pre_emphasis, |_| true)?,
            window: keys.number("window", 1, usual.window)?,
            hop: keys.number("hop", 1, usual.hop)?,
            top_db: keys.value("top_db", "number", usual.top_db, |_| true)?,
            window_shape: keys.choice(WINDOWS, usual.window_shape)?,
            deltas: 0,
            lifter: keys.number("lifter", 0, usual.lifter)?,
            energy: keys.choice(ENERGY, usual.energy)?,
        };
        settings.validate().map_err(|error| SizeError::Misfit(error.to_string()))?;
        Ok(Self { samples, settings })
    }

    fn largest(&self) -> u64 {
        self.samples.iter().map(|&samples| u64::from(samples)).sum::<u64>()
    }

    fn gradient() -> Gradient {
        Gradient::None("training begins behind it, with features from a file")
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::mfcc::SHADER, "3.0102999566", "3.02"),
        Sabotage::new(&shader::mfcc::SHADER, "+ i32(args.window_begin)", "+ i32(args.window_begin) + 1"),
        Sabotage::new(&shader::mfcc::SHADER, "squares += x * x", "squares += 1.01 * x * x"),
        Sabotage::new(&shader::mfcc::SHADER, "= power[bin]", "= 1.0001 * power[bin]"),
    ];
}

impl<B: Backend> Record<B> for Mfcc {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        // Settings that are refused leave no output, and a case without output fails.
        let Ok(tables) = MfccTables::new(inputs.backend, &self.settings) else { return Box::new(Vec::new) };
        let waveform = self.waveform(source);
        let samples = inputs.matrix("samples", [waveform.len(), 1], &waveform);
        let frames: Vec<u32> = self.samples.iter().map(|&samples| self.settings.frames(samples as usize) as u32).collect();
        let (utterances, frames) = (inputs.rows("sample lengths", &self.samples), inputs.rows("frame lengths", &frames));
        let backend = inputs.backend;
        let mfcc = ops::Mfcc { samples, utterances, frames, tables };
        Box::new(move || vec![Recorded::new("cepstra", backend.run(&mfcc))])
    }
}
