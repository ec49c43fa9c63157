//! Cases of the kernels that are one matrix product and a choice: `linear` and `conv_pool`.

use std::fmt;

use super::{DENORMAL, EDGES, Lengths, Spread, total};
use crate::backend::{Backend, Ragged};
use crate::base::numbers::{Activation, POOL, Precision};
use crate::check::compare::{Silence, Tolerance};
use crate::check::differentiable::{Differentiable, Leaf, Trial};
use crate::check::source::{COARSE, COARSE_WEIGHT, FINE};
use crate::check::{Inputs, Recorded, Source, Subject};
use crate::tape::{Tape, Var};

/// A product sums at most 512 terms, a weight's gradient a few hundred rows: a sum's rounding is some √n · 6e-8 of its
/// size, 1.5e-6, and its worst element among 1e5 five times that. Where few elements leave a sum that nearly cancels, rounding
/// is still that of its terms.
const PRODUCT: Tolerance = Tolerance { floor: 3e-6, ..Tolerance::of_rms(1e-5) };

/// In mixed precision products are exact in f32, whose sums matrix units may round towards zero; devices may take for zero
/// what is denormal in f16, below 6e-5. Factors that were not rounded are 5e-4 off, and sums of them 3e-4.
const MIXED_PRODUCT: Tolerance = Tolerance { floor: 6e-5, ..Tolerance::of_rms(3e-5) };

/// Results that so few numbers make may vanish by chance.
const FEW: usize = 60;

/// Amplitude of weights.
const WEIGHT: f32 = 0.25;

fn activation_suffix(activation: Activation) -> &'static str {
    match activation {
        Activation::None => "",
        Activation::Relu => ",relu",
    }
}

pub(super) fn precision_suffix(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "",
        Precision::Mixed => ",mixed",
    }
}

/// Whether a product adds a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    Added,
    None,
}

/// `act(x · Wᵀ + b)`
#[derive(Debug, Clone)]
pub struct Linear {
    pub rows: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub bias: Bias,
    pub activation: Activation,
    pub spread: Spread,
    pub precision: Precision,
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},in={},out={}{}", self.rows, self.inputs, self.outputs, activation_suffix(self.activation))?;
        f.write_str(if self.bias == Bias::None { ",no_bias" } else { "" })?;
        f.write_str(self.spread.suffix())?;
        f.write_str(precision_suffix(self.precision))
    }
}

impl Subject for Linear {
    fn cases() -> Vec<Self> {
        use Activation::{None, Relu};
        let product = |rows, inputs, outputs, activation| Self {
            rows,
            inputs,
            outputs,
            bias: Bias::Added,
            activation,
            spread: Spread::Even,
            precision: Precision::F32,
        };
        let paper = [(200, 128, 128, None), (200, 128, 512, Relu), (200, 512, 128, None), (32, 512, 128, Relu), (32, 128, 7, None)];
        let widths = [(1, 1), (5, 20), (15, 17), (17, 15), (63, 65), (64, 64), (65, 63), (129, 1), (1, 129)];
        let paper = paper.map(|(rows, inputs, outputs, activation)| product(rows, inputs, outputs, activation));
        let full: Vec<Self> = paper
            .into_iter()
            .chain(EDGES.map(|rows| product(rows, 40, 128, Relu)))
            .chain(widths.map(|(inputs, outputs)| product(33, inputs, outputs, None)))
            .chain([
                Self { bias: Bias::None, ..product(77, 128, 128, None) },
                Self { bias: Bias::None, ..product(77, 20, 60, Relu) },
                product(2500, 4, 6, Relu),
                Self { spread: Spread::NotFinite, ..product(70, 40, 33, None) },
                Self { spread: Spread::NotFinite, ..product(70, 40, 33, Relu) },
                Self { spread: Spread::Denormal, ..product(70, 40, 33, Relu) },
            ])
            .collect();
        let mixed = full.clone().into_iter().map(|product| Self { precision: Precision::Mixed, ..product });
        let overflowing = Self { spread: Spread::Overflowing, precision: Precision::Mixed, ..product(70, 40, 33, None) };
        full.into_iter().chain(mixed).chain([overflowing]).collect()
    }

    fn random(source: &mut Source) -> Self {
        Self {
            rows: source.size(1, 150),
            inputs: source.size(1, 140),
            outputs: source.size(1, 140),
            bias: source.pick(&[Bias::Added, Bias::None]),
            activation: source.pick(&[Activation::None, Activation::Relu]),
            spread: source.pick(&[Spread::Even, Spread::Even, Spread::Even, Spread::NotFinite]),
            precision: source.pick(&[Precision::F32, Precision::Mixed]),
        }
    }

    fn tolerance(&self) -> Tolerance {
        match self.precision {
            Precision::F32 => PRODUCT,
            Precision::Mixed => MIXED_PRODUCT,
        }
    }

    fn silence(&self) -> Silence {
        if (self.rows * self.outputs.min(self.inputs)).min(self.inputs * self.outputs) < FEW {
            Silence::Right
        } else {
            self.spread.silence()
        }
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        Trial::new(self, source).record(inputs)
    }
}

impl Differentiable for Linear {
    type Layout<B: Backend> = ();

    fn layout<B: Backend>(&self, _: &Inputs<'_, B>) {}

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let (step, weight_step) = match self.activation {
            Activation::None => (FINE, FINE),
            Activation::Relu => (COARSE, COARSE_WEIGHT),
        };
        let &Self { rows, inputs, outputs, .. } = self;
        let mut x = source.multiples(rows * inputs, 1.0, step);
        let weight = Leaf::new("weight", [outputs, inputs], source.multiples(outputs * inputs, WEIGHT, weight_step));
        let bias = Leaf::new("bias", [1, outputs], source.multiples(outputs, WEIGHT, weight_step));
        match self.spread {
            Spread::Even | Spread::Ties => {}
            Spread::NotFinite => source.spoil(&mut x),
            Spread::Overflowing => x.iter_mut().step_by(97).for_each(|value| *value = 70_000.0),
            Spread::Denormal => x.iter_mut().step_by(5).for_each(|value| *value = DENORMAL),
        }
        let x = Leaf::new("x", [rows, inputs], x);
        match self.bias {
            Bias::Added => vec![x, weight, bias],
            Bias::None => vec![x, weight],
        }
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], _: &'a ()) -> Var<B> {
        tape.linear(&leaves[0], &leaves[1], leaves.get(2), self.activation)
    }
}

/// Convolution, max-pool, activation (1).
#[derive(Debug, Clone)]
pub struct ConvPool {
    pub lengths: Vec<u32>,
    pub inputs: usize,
    pub outputs: usize,
    pub activation: Activation,
    pub spread: Spread,
}

impl fmt::Display for ConvPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lengths, activation) = (Lengths(&self.lengths), activation_suffix(self.activation));
        write!(f, "lengths={lengths},in={},out={}{activation}{}", self.inputs, self.outputs, self.spread.suffix())
    }
}

impl Subject for ConvPool {
    fn cases() -> Vec<Self> {
        use Activation::{None, Relu};
        let block = |lengths: &[u32], inputs, outputs, activation| Self {
            lengths: lengths.to_vec(),
            inputs,
            outputs,
            activation,
            spread: Spread::Even,
        };
        vec![
            block(&[121, 64, 33], 40, 128, None),
            block(&[40, 22, 13], 128, 128, Relu),
            block(&[3], 40, 128, None),
            block(&[0, 1, 2, 3, 4, 5, 6, 0], 20, 24, Relu),
            block(&[15, 16, 17], 16, 16, None),
            block(&[45, 48, 51], 17, 15, Relu),
            block(&[63, 64, 65, 129], 15, 17, None),
            block(&[189, 192, 195], 5, 7, Relu),
            block(&[1000, 2, 9], 3, 33, None),
            block(&[12, 7], 1, 1, None),
            block(&[10, 31], 65, 63, None),
            block(&[5000, 4, 3300], 8, 20, Relu),
            Self { spread: Spread::Ties, ..block(&[60, 31, 9], 20, 40, None) },
            Self { spread: Spread::Ties, ..block(&[60, 31, 9], 3, 17, Relu) },
            Self { spread: Spread::NotFinite, ..block(&[60, 30, 9], 20, 40, None) },
            Self { spread: Spread::NotFinite, ..block(&[60, 30, 9], 3, 17, Relu) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(3, 130) as u32;
        Self {
            lengths: source.lengths(batch, 0, longest),
            inputs: source.size(1, 70),
            outputs: source.size(1, 70),
            activation: source.pick(&[Activation::None, Activation::Relu]),
            spread: source.pick(&[Spread::Even, Spread::Ties]),
        }
    }

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

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        Trial::new(self, source).record(inputs)
    }
}

impl Differentiable for ConvPool {
    /// Rows before and after the pool.
    type Layout<B: Backend> = [Ragged<B>; 2];

    fn layout<B: Backend>(&self, inputs: &Inputs<'_, B>) -> [Ragged<B>; 2] {
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

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], [input, output]: &'a [Ragged<B>; 2]) -> Var<B> {
        tape.conv_pool(&leaves[0], input, output, &leaves[1], &leaves[2], self.activation)
    }
}
