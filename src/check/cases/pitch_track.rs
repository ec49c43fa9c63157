//! Cases of `pitch_track`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::settled::settled;
use crate::backend::cpu::Cpu;
use crate::backend::gpu::shader;
use crate::backend::ops::{self, CANDIDATE_COLUMNS, CANDIDATES};
use crate::backend::{Backend, Ragged, Storage};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Paths through candidates that come and go, drawn until no rounding decides which is the cheapest.
#[derive(Debug, Clone)]
pub struct PitchTrack {
    /// Frames of each utterance.
    pub lengths: Vec<u32>,
}

/// Frames in a row that are alike.
const ALIKE: usize = 7;
/// By how much of the largest number, some hundreds of hertz, candidates may be different, which moves voicing by as much as rounding of
/// costs does, and how far contours may move for it.
const SETTLED: [f64; 2] = [1e-8, 1e-3];
/// Frames from which on nothing is drawn again: what is timed at length need not have settled.
const MOST: usize = 2000;

/// Frames with a candidate at a frequency that wanders, one an octave above and one anywhere, of little voicing in every third stretch;
/// without any candidate in every fifth, and quiet in every seventh.
fn candidates(source: &mut Source, frames: usize) -> Vec<f32> {
    let drawn = source.uniform(8 * frames, 1.0);
    let mut wandering = 180.0;
    let frame = |(place, drawn): (usize, &[f32])| {
        let stretch = place / ALIKE;
        wandering = (wandering * (1.0 + 0.03 * drawn[0])).clamp(60.0, 300.0);
        let hertz = [wandering, 2.0 * wandering * (1.0 + 0.01 * drawn[1]), 330.0 + 270.0 * drawn[2], 0.0];
        let strength = if stretch % 3 == 2 { 0.45 } else { 0.8 };
        let voicing = [strength + 0.15 * drawn[3], strength - 0.1 + 0.15 * drawn[4], 0.5 + 0.2 * drawn[5], 0.0];
        let decibels = [10.0 * drawn[6], 5.0, 10.0 * drawn[7], 0.0];
        let is_there = |candidate: usize| stretch % 5 != 4 && candidate < 3;
        // The empty place is not always the last.
        let order = |candidate: usize| (candidate + place / 3) % CANDIDATES;
        let mut row = [0.0; CANDIDATE_COLUMNS];
        for candidate in (0..CANDIDATES).filter(|&candidate| is_there(candidate)) {
            for (group, values) in [hertz, voicing, decibels].iter().enumerate() {
                row[group * CANDIDATES + order(candidate)] = values[candidate];
            }
        }
        row[3 * CANDIDATES] = if stretch % 7 == 6 { 0.0007 } else { 0.1 };
        row
    };
    drawn.chunks_exact(8).enumerate().flat_map(frame).collect()
}

/// What the reference makes of an utterance's candidates.
fn contours(candidates: &[f32]) -> Vec<f64> {
    let cpu = Cpu::<f64>::new();
    let frames = candidates.len() / CANDIDATE_COLUMNS;
    let track =
        ops::PitchTrack { candidates: cpu.upload(candidates, [frames, CANDIDATE_COLUMNS]), frames: Ragged::new(&cpu, &[frames as u32]) };
    cpu.run(&track).values().to_vec()
}

impl fmt::Display for PitchTrack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}lengths={}", batch_of_one(&self.lengths), Lengths(&self.lengths))
    }
}

impl Subject for PitchTrack {
    /// Copies, and a logarithm.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 2e-5, of_rms: 0.0, ..Tolerance::of_rms(1e-6) }
    }
}

impl Suite for PitchTrack {
    fn cases() -> Vec<Self> {
        let track = |lengths: &[u32]| Self { lengths: lengths.to_vec() };
        // The longest is cut into three dispatches.
        vec![track(&[200, 1, 0, 33, 64, 7]), track(&[1]), track(&[2, 31, 32, 65]), track(&[33_000, 90])]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(1, 200) as u32;
        Self { lengths: source.lengths(batch, 0, longest) }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self { lengths: read_lengths(keys, "lengths|frames", 0, 500)? })
    }

    fn largest(&self) -> u64 {
        (total(&self.lengths) * CANDIDATE_COLUMNS) as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("training begins behind it, with features from a file")
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::pitch_track::SHADER, "JUMP: f32 = 20.0", "JUMP: f32 = 2.0"),
        Sabotage::new(&shader::pitch_track::SHADER, "AGAINST_THRESHOLD: f32 = 4.0", "AGAINST_THRESHOLD: f32 = 1.0"),
        Sabotage::new(&shader::pitch_track::SHADER, "CHANGE: f32 = 10.0", "CHANGE: f32 = 3.0"),
        Sabotage::new(&shader::pitch_track::SHADER, "3u * state", "3u * (state ^ 1u)"),
        Sabotage::new(&shader::pitch_track::SHADER, "] < QUIETEST", "] < 0.5 * QUIETEST"),
    ];
}

impl<B: Backend> Record<B> for PitchTrack {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let is_short = total(&self.lengths) < MOST;
        let utterance = |&frames: &u32| match is_short {
            true => settled(source, SETTLED, |source| candidates(source, frames as usize), contours),
            false => candidates(source, frames as usize),
        };
        let rows: Vec<f32> = self.lengths.iter().flat_map(utterance).collect();
        let candidates = inputs.matrix("candidates", [rows.len() / CANDIDATE_COLUMNS, CANDIDATE_COLUMNS], &rows);
        let track = ops::PitchTrack { candidates, frames: inputs.rows("lengths", &self.lengths) };
        let backend = inputs.backend;
        Box::new(move || vec![Recorded::new("contours", backend.run(&track))])
    }
}
