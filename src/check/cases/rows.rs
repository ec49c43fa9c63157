//! Cases of the kernels that go over rows: `residual_norm`, `global_max`, `dropout`.

use std::fmt;

use super::{DENORMAL, EDGES, Lengths, Spread, total};
use crate::backend::{Backend, Ragged};
use crate::base::philox::Stream;
use crate::check::compare::{Silence, Tolerance};
use crate::check::differentiable::{Differentiable, Leaf, Trial};
use crate::check::source::{COARSE, FINE};
use crate::check::{Inputs, Recorded, Source, Subject};
use crate::tape::{Tape, Var};

/// What rows a LayerNorm sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Mean near 0, deviation near 1.
    Even,
    /// Mean 128, deviation near 1: the square of the mean less the mean of the squares would lose the deviation.
    Offset,
    /// All elements of a row equal: only ε keeps the deviation from zero.
    Constant,
    /// A NaN and both infinities, each of which makes NaN of its row alone.
    NotFinite,
}

/// `LayerNorm(x + residual)` (9, 11).
#[derive(Debug, Clone)]
pub struct ResidualNorm {
    pub rows: usize,
    pub width: usize,
    pub content: Rows,
}

impl fmt::Display for ResidualNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match self.content {
            Rows::Even => "",
            Rows::Offset => ",offset",
            Rows::Constant => ",constant",
            Rows::NotFinite => ",not_finite",
        };
        write!(f, "rows={},width={}{content}", self.rows, self.width)
    }
}

impl Subject for ResidualNorm {
    fn cases() -> Vec<Self> {
        let norm = |rows, width, content| Self { rows, width, content };
        EDGES
            .map(|rows| norm(rows, 128, Rows::Even))
            .into_iter()
            .chain([2, 5, 20, 63, 65, 160, 300].map(|width| norm(21, width, Rows::Even)))
            .chain([norm(2500, 4, Rows::Even), norm(50, 128, Rows::Offset), norm(30, 128, Rows::Constant), norm(65, 20, Rows::NotFinite)])
            .collect()
    }

    fn random(source: &mut Source) -> Self {
        Self {
            rows: source.size(1, 150),
            width: source.size(15, 150),
            content: source.pick(&[Rows::Even, Rows::Even, Rows::Offset, Rows::NotFinite]),
        }
    }

    /// Sums over a row, twice, and an inverse square root; a row of mean 128 is itself rounded to 1.5e-5 of its
    /// deviation when its mean is taken off.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(match self.content {
            Rows::Even | Rows::Constant | Rows::NotFinite => 3e-5,
            Rows::Offset => 2e-4,
        })
    }

    /// Equal elements normalise to zero, and so does the scale's gradient.
    fn silence(&self) -> Silence {
        if matches!(self.content, Rows::Constant | Rows::NotFinite) { Silence::Right } else { Silence::Wrong }
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        Trial::new(self, source).record(inputs)
    }
}

impl Differentiable for ResidualNorm {
    type Layout<B: Backend> = ();

    fn layout<B: Backend>(&self, _: &Inputs<'_, B>) {}

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let &Self { rows, width, content } = self;
        let mut summand = |name| {
            let values = match content {
                Rows::Even => source.uniform(rows * width, 1.0),
                Rows::NotFinite => {
                    let mut values = source.uniform(rows * width, 1.0);
                    source.spoil(&mut values);
                    values
                }
                Rows::Offset => source.uniform(rows * width, 1.0).into_iter().map(|value| 64.0 + value).collect(),
                Rows::Constant => source.uniform(rows, 1.0).into_iter().flat_map(|value| std::iter::repeat_n(value, width)).collect(),
            };
            Leaf::new(name, [rows, width], values)
        };
        let [x, residual] = ["x", "residual"].map(&mut summand);
        let [scale, shift] = ["scale", "shift"].map(|name| Leaf::new(name, [1, width], source.uniform(width, 1.0)));
        vec![x, residual, scale, shift]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], _: &'a ()) -> Var<B> {
        tape.residual_norm(&leaves[0], &leaves[1], &leaves[2], &leaves[3])
    }
}

/// Maximum over time of several streams (18).
#[derive(Debug, Clone)]
pub struct GlobalMax {
    /// Lengths of the sequences and number of columns of each stream.
    pub streams: Vec<(Vec<u32>, usize)>,
    pub spread: Spread,
}

impl fmt::Display for GlobalMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (lengths, columns)) in self.streams.iter().enumerate() {
            write!(f, "{}lengths={},columns={columns}", if index == 0 { "" } else { "," }, Lengths(lengths))?;
        }
        f.write_str(self.spread.suffix())
    }
}

impl Subject for GlobalMax {
    fn cases() -> Vec<Self> {
        let pool = |streams: &[(&[u32], usize)], spread| Self {
            streams: streams.iter().map(|&(lengths, columns)| (lengths.to_vec(), columns)).collect(),
            spread,
        };
        let (audio, text): (&[u32], &[u32]) = (&[110, 50, 37, 1], &[15, 1, 22, 9]);
        vec![
            pool(&[(audio, 128), (text, 128), (audio, 128), (text, 128)], Spread::Even),
            pool(&[(&[1], 128)], Spread::Even),
            pool(&[(&[15, 16, 17], 20), (&[65, 64, 63], 17)], Spread::Even),
            pool(&[(&[1, 129, 2, 1, 5, 3, 1, 4, 9], 1)], Spread::Even),
            pool(&[(&[2, 1], 3), (&[1, 7], 65), (&[4, 4], 1)], Spread::Even),
            pool(&[(audio, 128), (text, 20)], Spread::Ties),
            pool(&[(audio, 20), (text, 33)], Spread::NotFinite),
            pool(&[(audio, 20), (text, 33)], Spread::Denormal),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 6);
        let streams = source.between(1, 4);
        let spread = source.pick(&[Spread::Even, Spread::Ties, Spread::NotFinite]);
        let mut stream = || {
            let longest = source.size(1, 130) as u32;
            (source.lengths(batch, 1, longest), source.size(1, 140))
        };
        Self { streams: (0..streams).map(|_| stream()).collect(), spread }
    }

    /// Nothing is computed but the sum of two gradients.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    /// Few maxima may all be zero.
    fn silence(&self) -> Silence {
        if self.streams.iter().any(|(lengths, columns)| lengths.len() * columns < 60) { Silence::Right } else { self.spread.silence() }
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        Trial::new(self, source).record(inputs)
    }
}

impl Differentiable for GlobalMax {
    type Layout<B: Backend> = Vec<Ragged<B>>;

    fn layout<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Vec<Ragged<B>> {
        let streams = self.streams.iter().enumerate();
        streams.map(|(index, (lengths, _))| inputs.rows(format!("lengths of stream {index}"), lengths)).collect()
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let (amplitude, step) = match self.spread {
            Spread::Even | Spread::NotFinite | Spread::Overflowing | Spread::Denormal => (4.0, FINE),
            Spread::Ties => (COARSE, COARSE),
        };
        let streams = self.streams.iter().enumerate();
        streams
            .map(|(index, (lengths, columns))| {
                let rows = total(lengths);
                let mut values = source.multiples(rows * columns, amplitude, step);
                match self.spread {
                    Spread::Even | Spread::Ties | Spread::Overflowing => {}
                    Spread::NotFinite => source.spoil(&mut values),
                    // All below zero but for some rows that may be taken for it.
                    Spread::Denormal => {
                        let below = values.iter_mut().enumerate();
                        below.for_each(|(place, value)| *value = if place % 97 == 0 { DENORMAL } else { -value.abs() - 0.125 });
                    }
                }
                Leaf::new(format!("stream {index}"), [rows, *columns], values)
            })
            .collect()
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], layout: &'a Vec<Ragged<B>>) -> Var<B> {
        let streams: Vec<_> = leaves.iter().cloned().zip(layout).collect();
        tape.global_max(&streams)
    }
}

/// Dropout.
#[derive(Debug, Clone)]
pub struct Dropout {
    pub rows: usize,
    pub columns: usize,
    pub rate: f32,
    /// Of the mask.
    pub stream: Stream,
    /// Number of the first element.
    pub first: usize,
}

impl fmt::Display for Dropout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},columns={},rate={},stream={},first={}", self.rows, self.columns, self.rate, self.stream.stream, self.first)
    }
}

impl Subject for Dropout {
    fn cases() -> Vec<Self> {
        let mask = |rows, columns, rate, seed, stream, first| Self { rows, columns, rate, stream: Stream { seed, stream }, first };
        vec![
            mask(129, 128, 0.1, 7, 0, 0),
            mask(63, 128, 0.5, u64::MAX, 1 << 40, 0),
            mask(1, 1, 0.0, 3, 5, 0),
            mask(1, 15, 0.2, 1 << 33, 6, 3),
            mask(17, 5, 0.3, 9, u64::MAX, 85),
            mask(65, 3, 0.9, 11, 12, 4),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let (rows, columns) = (source.size(1, 130), source.size(1, 130));
        Self { rows, columns, rate: source.pick(&[0.0, 0.1, 0.25, 0.6]), stream: source.stream(), first: source.between(0, 9) }
    }

    /// One division; the mask is exact.
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }

    /// Few elements may all be dropped.
    fn silence(&self) -> Silence {
        if self.rows * self.columns < 60 { Silence::Right } else { Silence::Wrong }
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        Trial::new(self, source).record(inputs)
    }
}

impl Differentiable for Dropout {
    type Layout<B: Backend> = ();

    fn layout<B: Backend>(&self, _: &Inputs<'_, B>) {}

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        vec![Leaf::new("x", [self.rows, self.columns], source.uniform(self.rows * self.columns, 1.0))]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], _: &'a ()) -> Var<B> {
        tape.dropout(&leaves[0], self.rate, self.stream, self.first)
    }
}
