//! Cases of `residual_norm`.

use std::fmt;

use super::{EDGES, suffix};
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
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

const ROWS: &[(&str, Rows)] = &[("offset", Rows::Offset), ("constant", Rows::Constant), ("not_finite", Rows::NotFinite)];

/// `LayerNorm(x + residual)` (9, 11).
#[derive(Debug, Clone)]
pub struct ResidualNorm {
    pub rows: usize,
    pub width: usize,
    pub content: Rows,
}

impl fmt::Display for ResidualNorm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},width={}{}", self.rows, self.width, suffix(ROWS, self.content))
    }
}

impl Subject for ResidualNorm {
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
}

impl Suite for ResidualNorm {
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

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let (rows, width) = (keys.number("rows", 1, 3552)?, keys.number("width", 1, 128)?);
        Ok(Self { rows, width, content: keys.choice(ROWS, Rows::Even)? })
    }

    fn largest(&self) -> u64 {
        self.rows as u64 * self.width as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { rows: 6, width: 9, content: Rows::Even }])
    }

    const SABOTAGE: &'static [Sabotage] = &[Sabotage::new(&shader::residual_norm::SHADER, "EPSILON: f32 = 1e-5", "EPSILON: f32 = 1e-3")];
}

impl TapeOperation for ResidualNorm {
    type Constants<B: Backend> = ();

    fn constants<B: Backend>(&self, _: &Inputs<'_, B>) {}

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

    fn output(&self) -> [usize; 2] {
        [self.rows, self.width]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], _: &'a ()) -> Var<B> {
        tape.residual_norm(&leaves[0], &leaves[1], &leaves[2], &leaves[3])
    }
}
