//! Batches of drawn numbers with the lengths that INTERFACE gives a shape.

use mcsan::backend::{Backend, Ragged, Tokens, ZScore};
use mcsan::check::Source;
use mcsan::model::Batch;
use mcsan::model::batch::acoustic_rows;

pub const COEFFICIENTS: usize = 40;
pub const WORD_WIDTH: usize = 300;
pub const CLASSES: usize = 7;
const VOCABULARY: usize = 2000;

#[derive(Clone, Copy)]
pub struct Shape {
    pub batch: usize,
    pub frames: usize,
    pub words: usize,
    pub ragged: bool,
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { batch, frames, words, ragged } = self;
        write!(f, "batch={batch},frames={frames},words={words}{}", if *ragged { ",ragged" } else { "" })
    }
}

impl Shape {
    fn lengths(&self, most: usize, least: usize) -> Vec<u32> {
        let batch = self.batch;
        let share = |i: usize| {
            let r = if batch.is_multiple_of(13) { i } else { (13 * i + 5) % batch };
            if !self.ragged || r == batch - 1 { 1.0 } else { 0.1 + 0.9 * ((r as f64 + 0.5) / batch as f64).powf(11.0 / 7.0) }
        };
        (0..batch).map(|i| ((share(i) * most as f64).round_ties_even() as usize).max(least) as u32).collect()
    }

    pub fn frame_lengths(&self) -> Vec<u32> {
        self.lengths(self.frames, 9)
    }

    pub fn word_lengths(&self) -> Vec<u32> {
        self.lengths(self.words, 1)
    }

    pub fn batch<B: Backend>(&self, backend: &B) -> Batch<B> {
        let mut source = Source::new(1);
        let frames = acoustic_rows(backend, &self.frame_lengths());
        let words = Ragged::new(backend, &self.word_lengths());
        let rows = frames[0].rows();
        let tokens = source.below(words.rows(), VOCABULARY as u32);
        Batch {
            features: backend.upload(&source.uniform(rows * COEFFICIENTS, 2.0), [rows, COEFFICIENTS]),
            frames,
            normalisation: ZScore {
                groups: backend.upload_words(&vec![0; self.batch]),
                mean: backend.upload(&[0.0; COEFFICIENTS], [1, COEFFICIENTS]),
                reciprocal_deviation: backend.upload(&[1.0; COEFFICIENTS], [1, COEFFICIENTS]),
            },
            tokens: Tokens::new(backend, &tokens, VOCABULARY),
            words,
            vectors: backend.upload(&source.uniform(VOCABULARY * WORD_WIDTH, 1.0), [VOCABULARY, WORD_WIDTH]),
            labels: backend.upload_words(&source.below(self.batch, CLASSES as u32)),
        }
    }
}
