//! Cases of `segment_mean`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths};
use super::products::PRODUCT;
use super::spread::SPREADS;
use super::{Spread, suffix};
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::backend::ops::Segments;
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Means of segments of rows. Between some of them are rows of none, some have a row in common with the one before.
#[derive(Debug, Clone)]
pub struct SegmentMean {
    /// Rows of each segment.
    pub lengths: Vec<u32>,
    pub width: usize,
    pub spread: Spread,
}

impl SegmentMean {
    /// Where each segment begins and ends.
    fn bounds(&self) -> (Vec<u32>, Vec<u32>) {
        let mut next = 2;
        let place = |(number, &length): (usize, &u32)| {
            let start = match number % 5 {
                2 => next + 2,
                4 if length > 0 => next - 1,
                _ => next,
            };
            next = start + length;
            (start, next)
        };
        self.lengths.iter().enumerate().map(place).unzip()
    }

    /// One is behind the last segment.
    fn rows(&self) -> usize {
        self.bounds().1.last().map_or(0, |&end| end as usize) + 1
    }
}

impl fmt::Display for SegmentMean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}lengths={},width={}", batch_of_one(&self.lengths), Lengths(&self.lengths), self.width)?;
        f.write_str(&suffix(SPREADS, self.spread))
    }
}

impl Subject for SegmentMean {
    fn tolerance(&self) -> Tolerance {
        PRODUCT
    }

    fn silence(&self) -> Silence {
        self.spread.silence()
    }
}

impl Suite for SegmentMean {
    fn cases() -> Vec<Self> {
        let mean = |lengths: &[u32], width| Self { lengths: lengths.to_vec(), width, spread: Spread::Even };
        vec![
            mean(&[30, 7, 1, 0, 44, 9, 8], 200),
            mean(&[1], 128),
            mean(&[300, 0, 1, 1, 1, 17, 5], 5),
            Self { spread: Spread::NotFinite, ..mean(&[5, 40, 3, 9, 20], 20) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 12);
        let longest = source.size(1, 70) as u32;
        Self { lengths: source.lengths(batch, 0, longest), width: source.size(1, 130), spread: Spread::Even }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let lengths = read_lengths(keys, "lengths|rows", 0, 20)?;
        Ok(Self { lengths, width: keys.number("width", 1, 200)?, spread: Spread::read(keys, &[Spread::NotFinite])? })
    }

    fn largest(&self) -> u64 {
        self.rows() as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { lengths: vec![3, 1, 0, 2, 4], width: 3, spread: Spread::Even }])
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::segment_mean::SHADER, "part += x[", "part += 1.001 * x["),
        Sabotage::new(&shader::segment_mean::SHADER, "total += y_gradient[", "total += 1.001 * y_gradient["),
    ];
}

impl TapeOperation for SegmentMean {
    type Constants<B: Backend> = Segments<B>;

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Segments<B> {
        let (starts, ends) = self.bounds();
        inputs.segments("starts and ends", [&starts, &ends], self.rows())
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let mut x = source.uniform(self.rows() * self.width, 1.0);
        if self.spread == Spread::NotFinite {
            source.spoil(&mut x);
        }
        vec![Leaf::new("x", [self.rows(), self.width], x)]
    }

    fn output(&self) -> [usize; 2] {
        [self.lengths.len(), self.width]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], segments: &'a Segments<B>) -> Var<B> {
        tape.segment_mean(&leaves[0], segments)
    }
}
