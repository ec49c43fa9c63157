//! Cases of `pitch_candidates`.

use std::f32::consts::TAU;
use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths};
use super::settled::settled;
use crate::audio::mfcc::SAMPLE_RATE;
use crate::audio::prosody::PITCH;
use crate::backend::cpu::Cpu;
use crate::backend::gpu::shader;
use crate::backend::{Backend, PitchTables, Ragged, Storage, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Candidates of voices in noise, drawn until no rounding decides which peaks there are; every fourth recording is digital silence.
#[derive(Debug, Clone)]
pub struct PitchCandidates {
    /// Samples of each recording.
    pub samples: Vec<u32>,
}

/// Harmonics of a voice.
const HARMONICS: usize = 12;
/// By how much of the loudest sample a recording may be different, some five times what a transform's rounding makes of it, and how far
/// candidates may move for it: five times as far, about, as the tolerance allows.
const SETTLED: [f64; 2] = [2e-6, 1.5e-5];
/// Samples from which on nothing is drawn again: what is timed at length need not have settled.
const MOST: u64 = 30_000;

/// A voice whose frequency rises, in noise.
fn voice(source: &mut Source, samples: u32) -> Vec<f32> {
    let drawn = source.uniform(HARMONICS + 2, 1.0);
    let (hertz, rise) = (230.0 + 130.0 * drawn[0], 0.2 * drawn[1]);
    let noise = source.uniform(samples as usize, 0.03);
    let sound = |index: u32, noise: f32| {
        let seconds = index as f32 / SAMPLE_RATE as f32;
        let phase = TAU * hertz * seconds * (1.0 + rise * seconds);
        let harmonics = drawn[2..].iter().enumerate().map(|(above, strength)| (1.0 + strength) * (phase * (above + 1) as f32).sin());
        0.05 * harmonics.sum::<f32>() + noise
    };
    (0..samples).zip(noise).map(|(index, noise)| sound(index, noise)).collect()
}

fn frames(samples: &[u32]) -> Vec<u32> {
    samples.iter().map(|&samples| PITCH.count(samples as usize) as u32).collect()
}

/// What the reference makes of a recording.
fn candidates(cpu: &Cpu<f64>, tables: &PitchTables<Cpu<f64>>, recording: &[f32]) -> Vec<f64> {
    let lengths = [recording.len() as u32];
    let candidates = cpu.run(&ops::PitchCandidates {
        samples: cpu.upload(recording, [recording.len(), 1]),
        utterances: Ragged::new(cpu, &lengths),
        frames: Ragged::new(cpu, &frames(&lengths)),
        tables: tables.clone(),
    });
    candidates.values().to_vec()
}

impl fmt::Display for PitchCandidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}samples={}", batch_of_one(&self.samples), Lengths(&self.samples))
    }
}

impl Subject for PitchCandidates {
    /// Hertz by a parabola over sums that hardly differ, shares, decibels of a difference that nearly cancels.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 2e-4, of_rms: 0.0, ..Tolerance::of_rms(3e-6) }
    }
}

impl Suite for PitchCandidates {
    fn cases() -> Vec<Self> {
        let candidates = |samples: &[u32]| Self { samples: samples.to_vec() };
        vec![candidates(&[4000, 1039, 1040, 500, 880, 2561]), candidates(&[1300]), candidates(&[1, 2000, 641])]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 3);
        Self { samples: source.lengths(batch, 300, 2500) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self { samples: read_lengths(keys, "samples", 1, 80_000)? })
    }

    fn largest(&self) -> u64 {
        self.samples.iter().map(|&samples| u64::from(samples)).sum::<u64>()
    }

    fn gradient() -> Gradient {
        Gradient::None("training begins behind it, with features from a file")
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::pitch_candidates::SHADER, "0.85", "0.86"),
        Sabotage::new(&shader::pitch_candidates::SHADER, "is_peak(bin + 2u)", "is_peak(bin + 1u)"),
        Sabotage::new(&shader::pitch_candidates::SHADER, "0.5 * (left - right)", "0.51 * (left - right)"),
        Sabotage::new(&shader::pitch_candidates::SHADER, "is_before(last, peak) && ", ""),
        Sabotage::new(&shader::pitch_candidates::SHADER, "floor(RATE / ", "1.5 * floor(RATE / "),
        Sabotage::new(&shader::pitch_candidates::SHADER, "size.x / FRAME", "size.x / 1000.0"),
    ];
}

impl<B: Backend> Record<B> for PitchCandidates {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let cpu = Cpu::<f64>::new();
        let (is_short, tables) = (self.largest() < MOST, PitchTables::new(&cpu));
        let recording = |(place, &samples): (usize, &u32)| match (place % 4 == 3, is_short) {
            (true, _) => vec![0.0; samples as usize],
            (false, true) => settled(source, SETTLED, |source| voice(source, samples), |recording| candidates(&cpu, &tables, recording)),
            (false, false) => voice(source, samples),
        };
        let recordings: Vec<f32> = self.samples.iter().enumerate().flat_map(recording).collect();
        let samples = inputs.matrix("samples", [recordings.len(), 1], &recordings);
        let (utterances, frames) = (inputs.rows("sample lengths", &self.samples), inputs.rows("frame lengths", &frames(&self.samples)));
        let backend = inputs.backend;
        let candidates = ops::PitchCandidates { samples, utterances, frames, tables: PitchTables::new(backend) };
        Box::new(move || vec![Recorded::new("candidates", backend.run(&candidates))])
    }
}
