//! Cases of `weighted_sum`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::products::PRODUCT;
use super::spread::SPREADS;
use super::{Spread, suffix};
use crate::backend::gpu::shader;
use crate::backend::{Backend, Ragged};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Weighted sum of the rows of each utterance.
#[derive(Debug, Clone)]
pub struct WeightedSum {
    pub lengths: Vec<u32>,
    pub width: usize,
    pub spread: Spread,
}

impl fmt::Display for WeightedSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}lengths={},width={}", batch_of_one(&self.lengths), Lengths(&self.lengths), self.width)?;
        f.write_str(&suffix(SPREADS, self.spread))
    }
}

impl Subject for WeightedSum {
    fn tolerance(&self) -> Tolerance {
        PRODUCT
    }

    fn silence(&self) -> Silence {
        self.spread.silence()
    }
}

impl Suite for WeightedSum {
    fn cases() -> Vec<Self> {
        let sum = |lengths: &[u32], width| Self { lengths: lengths.to_vec(), width, spread: Spread::Even };
        vec![
            sum(&[111, 50, 33, 1], 400),
            sum(&[1], 128),
            // Each a slab: the sums go to the result itself.
            sum(&[15, 0, 63, 64], 20),
            sum(&[65, 0, 600, 128], 5),
            Self { spread: Spread::NotFinite, ..sum(&[9, 130, 2], 12) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(1, 200) as u32;
        Self { lengths: source.lengths(batch, 0, longest), width: source.size(1, 130), spread: Spread::Even }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let lengths = read_lengths(keys, "lengths|rows", 0, 111)?;
        Ok(Self { lengths, width: keys.number("width", 1, 200)?, spread: Spread::read(keys, &[Spread::NotFinite])? })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths).max(self.lengths.len()) as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { lengths: vec![3, 1, 0, 70], width: 5, spread: Spread::Even }])
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::weighted_sum::SHADER, "total += weights[", "total += 1.001 * weights["),
        Sabotage::new(&shader::weighted_sum::SHADER, "total += partial[", "total += 1.001 * partial["),
    ];
}

impl TapeOperation for WeightedSum {
    type Constants<B: Backend> = Ragged<B>;

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Ragged<B> {
        inputs.rows("lengths", &self.lengths)
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let rows = total(&self.lengths);
        let mut x = source.uniform(rows * self.width, 1.0);
        if self.spread == Spread::NotFinite {
            source.spoil(&mut x);
        }
        vec![Leaf::new("weights", [rows, 1], source.uniform(rows, 1.0)), Leaf::new("x", [rows, self.width], x)]
    }

    fn output(&self) -> [usize; 2] {
        [self.lengths.len(), self.width]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], rows: &'a Ragged<B>) -> Var<B> {
        tape.weighted_sum(&leaves[0], &leaves[1], rows)
    }
}
