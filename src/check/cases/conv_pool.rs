//! Cases of `conv_pool`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::products::{ACTIVATIONS, FEW, PRODUCT, WEIGHT};
use super::spread::SPREADS;
use super::{Spread, suffix};
use crate::backend::gpu::shader;
use crate::backend::{Backend, Ragged};
use crate::base::numbers::{Activation, POOL};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::source::{COARSE, COARSE_WEIGHT};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Convolution, max-pool, activation (1).
#[derive(Debug, Clone)]
pub struct ConvPool {
    /// Frames of each sequence.
    pub lengths: Vec<u32>,
    pub inputs: usize,
    pub outputs: usize,
    pub activation: Activation,
    pub spread: Spread,
}

impl ConvPool {
    fn new(lengths: &[u32], inputs: usize, outputs: usize, activation: Activation) -> Self {
        Self { lengths: lengths.to_vec(), inputs, outputs, activation, spread: Spread::Even }
    }
}

impl fmt::Display for ConvPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, inputs, outputs, activation, spread } = self;
        write!(f, "{}lengths={},in={inputs},out={outputs}", batch_of_one(lengths), Lengths(lengths))?;
        write!(f, "{}{}", suffix(ACTIVATIONS, *activation), suffix(SPREADS, *spread))
    }
}

impl Subject for ConvPool {
    fn tolerance(&self) -> Tolerance {
        PRODUCT
    }

    /// Few windows and ReLU may leave nothing open.
    fn silence(&self) -> Silence {
        if (total(&self.lengths) * self.inputs.min(self.outputs) / 3).min(self.inputs * self.outputs) < FEW {
            Silence::Right
        } else {
            self.spread.silence()
        }
    }
}

impl Suite for ConvPool {
    fn cases() -> Vec<Self> {
        use Activation::{None, Relu, Tanh};
        vec![
            Self::new(&[121, 64, 33], 40, 128, None),
            Self::new(&[40, 22, 13], 128, 128, Relu),
            Self::new(&[3], 40, 128, None),
            Self::new(&[0, 1, 2, 3, 4, 5, 6, 0], 20, 24, Relu),
            Self::new(&[2, 0, 1], 20, 24, Relu),
            Self::new(&[15, 16, 17], 16, 16, None),
            Self::new(&[45, 48, 51], 17, 15, Relu),
            Self::new(&[63, 64, 65, 129], 15, 17, None),
            Self::new(&[189, 192, 195], 5, 7, Relu),
            Self::new(&[1000, 2, 9], 3, 33, None),
            Self::new(&[12, 7], 1, 1, None),
            Self::new(&[10, 31], 65, 63, None),
            Self::new(&[5000, 4, 3300], 8, 20, Relu),
            Self::new(&[45, 48, 51], 16, 20, Tanh),
            Self::new(&[13, 0, 8], 17, 15, Tanh),
            Self { spread: Spread::Ties, ..Self::new(&[60, 31, 9], 20, 40, None) },
            Self { spread: Spread::Ties, ..Self::new(&[60, 31, 9], 3, 17, Relu) },
            Self { spread: Spread::NotFinite, ..Self::new(&[60, 30, 9], 20, 40, None) },
            Self { spread: Spread::NotFinite, ..Self::new(&[60, 30, 9], 3, 17, Relu) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(3, 130) as u32;
        Self {
            lengths: source.lengths(batch, 0, longest),
            inputs: source.size(1, 70),
            outputs: source.size(1, 70),
            activation: source.pick(&[Activation::None, Activation::Relu, Activation::Tanh]),
            spread: source.pick(&[Spread::Even, Spread::Ties]),
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self {
            lengths: read_lengths(keys, "lengths|frames", 0, 1000)?,
            inputs: keys.number("in|inputs", 1, 40)?,
            outputs: keys.number("out|outputs", 1, 128)?,
            activation: keys.choice(ACTIVATIONS, Activation::None)?,
            spread: Spread::read(keys, &[Spread::Ties, Spread::NotFinite])?,
        })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * self.inputs.max(self.outputs) as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Activation::None, Activation::Relu, Activation::Tanh].map(|activation| Self::new(&[13, 2, 0, 9], 5, 18, activation)))
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::conv_pool::SHADER, "vec4<f32>(rows.y)", "vec4<f32>(rows.x)"),
        Sabotage::new(&shader::conv_pool::SHADER, "(2u - winner)", "(0u * winner)"),
        Sabotage::new(&shader::conv_pool::SHADER, "place * vec4", "(2u - place) * vec4"),
        Sabotage::new(&shader::conv_pool_edges::SHADER, "row + WINDOW ==", "row + WINDOW !="),
    ];
}

impl TapeOperation for ConvPool {
    /// Rows before and after the pool.
    type Constants<B: Backend> = [Ragged<B>; 2];

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> [Ragged<B>; 2] {
        let input = inputs.rows("lengths", &self.lengths);
        let output = input.pooled(inputs.backend, POOL);
        [input, output]
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let (rows, taps) = (total(&self.lengths), 3 * self.inputs);
        let (step, weight_step) = match self.spread {
            Spread::Ties => (1.0, WEIGHT),
            Spread::Even | Spread::NotFinite | Spread::Overflowing | Spread::Denormal => (COARSE, COARSE_WEIGHT),
        };
        let mut x = source.multiples(rows * self.inputs, 1.0, step);
        if self.spread == Spread::NotFinite {
            source.spoil(&mut x);
        }
        vec![
            Leaf::new("x", [rows, self.inputs], x),
            Leaf::new("weight", [self.outputs, taps], source.multiples(self.outputs * taps, WEIGHT, weight_step)),
            Leaf::new("bias", [1, self.outputs], source.multiples(self.outputs, WEIGHT, weight_step)),
        ]
    }

    fn output(&self) -> [usize; 2] {
        [self.lengths.iter().map(|length| (length / POOL) as usize).sum(), self.outputs]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], [input, output]: &'a [Ragged<B>; 2]) -> Var<B> {
        tape.conv_pool(&leaves[0], input, output, &leaves[1], &leaves[2], self.activation)
    }
}
