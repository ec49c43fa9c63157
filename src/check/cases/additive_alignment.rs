//! Cases of `additive_alignment`.

use std::fmt;

use super::lengths::{Batch, Lengths, batch_of_one, total};
use super::spread::SPREADS;
use super::{Spread, suffix};
use crate::backend::gpu::shader;
use crate::backend::ops;
use crate::backend::{Backend, Ragged};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Additive alignment of words with frames.
#[derive(Debug, Clone)]
pub struct AdditiveAlignment {
    /// Words of each utterance.
    pub words: Vec<u32>,
    /// Frames of each utterance.
    pub frames: Vec<u32>,
    pub width: usize,
    pub spread: Spread,
}

impl AdditiveAlignment {
    fn new(words: &[u32], frames: &[u32], width: usize) -> Self {
        Self { words: words.to_vec(), frames: frames.to_vec(), width, spread: Spread::Even }
    }
}

impl fmt::Display for AdditiveAlignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, frames) = (Lengths(&self.words), Lengths(&self.frames));
        write!(f, "{}words={words},frames={frames},width={}", batch_of_one(&self.words), self.width)?;
        f.write_str(&suffix(SPREADS, self.spread))
    }
}

impl Subject for AdditiveAlignment {
    /// Sums over the frames, and of the scores' gradients differences of such sums.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 5e-6, ..Tolerance::of_rms(5e-5) }
    }

    /// The weight of an only frame is 1, whatever its score.
    fn silence(&self) -> Silence {
        let chooses = self.words.iter().zip(&self.frames).any(|(&words, &frames)| words > 0 && frames > 1);
        if chooses { self.spread.silence() } else { Silence::Right }
    }
}

impl Suite for AdditiveAlignment {
    fn cases() -> Vec<Self> {
        vec![
            Self::new(&[15, 33, 7], &[110, 65, 300], 200),
            Self::new(&[1], &[1], 128),
            Self::new(&[1], &[40], 5),
            Self::new(&[40], &[1], 32),
            Self::new(&[23, 40, 9, 3], &[131, 32, 233, 64], 201),
            Self::new(&[3, 0, 4, 2], &[5, 6, 0, 9], 260),
            Self { spread: Spread::NotFinite, ..Self::new(&[5, 9, 3], &[40, 7, 12], 12) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let [words, frames] = [60, 140].map(|longest| {
            let longest = source.size(1, longest) as u32;
            source.lengths(batch, 0, longest)
        });
        Self { words, frames, width: source.size(1, 280), spread: Spread::Even }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let batch = Batch::read(keys, "words")?;
        let (words, frames) = (batch.lengths(keys, "words", 0, 50)?, batch.lengths(keys, "frames", 0, 700)?);
        Ok(Self { words, frames, width: keys.number("width", 1, 200)?, spread: Spread::read(keys, &[Spread::NotFinite])? })
    }

    fn largest(&self) -> u64 {
        total(&self.words).max(total(&self.frames)) as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self::new(&[3, 0, 2], &[5, 2, 0], 5), Self::new(&[9, 2], &[1, 6], 4)])
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::additive_alignment::SHADER, "totals[row] += weight;", "totals[row] += 1.001 * weight;"),
        Sabotage::new(&shader::additive_alignment::SHADER, "part.w - mean * part.y", "part.w - 1.001 * mean * part.y"),
        Sabotage::new(&shader::additive_alignment::SHADER, "- of_word.y)", "- 1.01 * of_word.y)"),
        Sabotage::new(&shader::additive_alignment::SHADER, "BLOCK + row] * gradient", "BLOCK + row] * 1.001 * gradient"),
    ];
}

impl TapeOperation for AdditiveAlignment {
    /// Rows of the words and of the frames.
    type Constants<B: Backend> = [Ragged<B>; 2];

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> [Ragged<B>; 2] {
        [inputs.rows("words", &self.words), inputs.rows("frames", &self.frames)]
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let (words, rows) = (total(&self.words), total(&self.frames));
        let [word_scores, frame_scores] = [words, rows].map(|count| source.uniform(count, 1.5));
        let mut frames = source.uniform(rows * self.width, 1.0);
        if self.spread == Spread::NotFinite {
            source.spoil(&mut frames);
        }
        vec![
            Leaf::new("word scores", [words, 1], word_scores),
            Leaf::new("frame scores", [rows, 1], frame_scores),
            Leaf::new("states", [rows, self.width], frames),
        ]
    }

    fn output(&self) -> [usize; 2] {
        [total(&self.words), self.width]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], [words, frames]: &'a [Ragged<B>; 2]) -> Var<B> {
        let [word_scores, frame_scores, aligned] = [0, 1, 2].map(|leaf| leaves[leaf].clone());
        let (word_rows, frame_rows) = (words.clone(), frames.clone());
        tape.apply(&ops::AdditiveAlignment { word_scores, frame_scores, frames: aligned, word_rows, frame_rows })
    }
}
