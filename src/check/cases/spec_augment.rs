//! Cases of `spec_augment`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::products::FEW;
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::backend::ops::{self, Masks};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Masks of frames and columns.
#[derive(Debug, Clone)]
pub struct SpecAugment {
    pub lengths: Vec<u32>,
    pub columns: usize,
    /// Of frames and of columns, that each utterance has.
    pub masks: [usize; 2],
}

impl fmt::Display for SpecAugment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, columns, masks: [of_frames, of_columns] } = self;
        let lengths = Lengths(lengths);
        write!(f, "{}lengths={lengths},columns={columns},frame_masks={of_frames},column_masks={of_columns}", batch_of_one(lengths.0))
    }
}

impl Subject for SpecAugment {
    /// Nothing is computed.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(0.0)
    }

    /// Of few elements all may be covered.
    fn silence(&self) -> Silence {
        if total(&self.lengths) * self.columns < FEW { Silence::Right } else { Silence::Wrong }
    }
}

impl Suite for SpecAugment {
    fn cases() -> Vec<Self> {
        let masked = |lengths: &[u32], columns, masks| Self { lengths: lengths.to_vec(), columns, masks };
        vec![
            masked(&[120, 64, 33], 40, [2, 2]),
            masked(&[1], 40, [1, 1]),
            masked(&[15, 0, 16, 17], 40, [1, 0]),
            masked(&[63, 64, 65, 129], 33, [0, 3]),
            masked(&[300, 7], 5, [4, 1]),
            masked(&[9, 2], 1, [1, 0]),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 6);
        let longest = source.size(1, 130) as u32;
        let masks = [source.between(0, 3), source.between(0, 3)];
        Self { lengths: source.lengths(batch, 0, longest), columns: source.size(1, 50), masks }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let lengths = read_lengths(keys, "lengths|frames", 0, 1000)?;
        let columns = keys.number("columns", 1, 40)?;
        Ok(Self { lengths, columns, masks: [keys.number("frame_masks", 0, 2)?, keys.number("column_masks", 0, 2)?] })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * self.columns as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("it covers what the network reads, for which no gradient is asked")
    }

    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::spec_augment::SHADER, "place < masks[2u * m + 1u]", "place <= masks[2u * m + 1u]")];
}

impl<B: Backend> Record<B> for SpecAugment {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let (rows, [of_frames, of_columns]) = (total(&self.lengths), self.masks);
        let mut bounds = Vec::new();
        for &length in &self.lengths {
            for (count, size) in [(of_frames, length as usize), (of_columns, self.columns)] {
                for _ in 0..count {
                    let covered = source.between(0, size / 4);
                    let first = source.between(0, size - covered);
                    bounds.push([first, first + covered].map(|bound| bound as u32));
                }
            }
        }
        let words: Vec<u32> = bounds.iter().flatten().copied().collect();
        let masks =
            Masks { bounds: inputs.words("masks", &words), ..Masks::new(inputs.backend, &bounds, self.masks, &self.lengths, self.columns) };
        let x = inputs.matrix("x", [rows, self.columns], &source.uniform(rows * self.columns, 3.0));
        let of = ops::SpecAugment { x, rows: inputs.rows("lengths", &self.lengths), masks };
        let backend = inputs.backend;
        Box::new(move || {
            backend.run(&of);
            vec![Recorded::new("covered", of.x.clone())]
        })
    }
}
