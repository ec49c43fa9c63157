//! Cases of `linear`.

use std::fmt;

use super::products::{ACTIVATIONS, FEW, MIXED_PRODUCT, MIXED_TANGENT, PRECISIONS, PRODUCT, WEIGHT};
use super::spread::{DENORMAL, SPREADS};
use super::{EDGES, Spread, suffix};
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::base::numbers::{Activation, Precision};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::source::{COARSE, COARSE_WEIGHT, FINE};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// Whether a product adds a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    Added,
    None,
}

const BIASES: &[(&str, Bias)] = &[("no_bias", Bias::None)];

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

impl Linear {
    fn new(rows: usize, inputs: usize, outputs: usize, activation: Activation) -> Self {
        Self { rows, inputs, outputs, bias: Bias::Added, activation, spread: Spread::Even, precision: Precision::F32 }
    }
}

impl fmt::Display for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows={},in={},out={}{}", self.rows, self.inputs, self.outputs, suffix(ACTIVATIONS, self.activation))?;
        write!(f, "{}{}{}", suffix(BIASES, self.bias), suffix(SPREADS, self.spread), suffix(PRECISIONS, self.precision))
    }
}

impl Subject for Linear {
    fn tolerance(&self) -> Tolerance {
        match self.precision {
            Precision::F32 => PRODUCT,
            Precision::Mixed if self.activation == Activation::Tanh => MIXED_TANGENT,
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
}

impl Suite for Linear {
    fn cases() -> Vec<Self> {
        use Activation::{None, Relu, Tanh};
        let paper = [(200, 128, 128, None), (200, 128, 512, Relu), (200, 512, 128, None), (32, 512, 128, Relu), (32, 128, 7, None)];
        let widths = [(1, 1), (5, 20), (15, 17), (17, 15), (63, 65), (64, 64), (65, 63), (129, 1), (1, 129)];
        let paper = paper.map(|(rows, inputs, outputs, activation)| Self::new(rows, inputs, outputs, activation));
        let full: Vec<Self> = paper
            .into_iter()
            .chain(EDGES.map(|rows| Self::new(rows, 40, 128, Relu)))
            .chain(widths.map(|(inputs, outputs)| Self::new(33, inputs, outputs, None)))
            .chain([
                Self { bias: Bias::None, ..Self::new(77, 128, 128, None) },
                Self { bias: Bias::None, ..Self::new(77, 20, 60, Relu) },
                Self::new(2500, 4, 6, Relu),
                Self::new(77, 200, 100, Tanh),
                Self::new(70, 40, 33, Tanh),
                Self { bias: Bias::None, ..Self::new(33, 100, 1, Tanh) },
                Self { spread: Spread::NotFinite, ..Self::new(70, 40, 33, Tanh) },
                Self { spread: Spread::NotFinite, ..Self::new(70, 40, 33, None) },
                // What is not finite is in the last row, which stands for those that a tile has beyond it.
                Self { spread: Spread::NotFinite, ..Self::new(1, 40, 32, None) },
                Self { spread: Spread::NotFinite, ..Self::new(70, 40, 33, Relu) },
                Self { spread: Spread::Denormal, ..Self::new(70, 40, 33, Relu) },
            ])
            .collect();
        let mixed = full.clone().into_iter().map(|product| Self { precision: Precision::Mixed, ..product });
        let overflowing = Self { spread: Spread::Overflowing, precision: Precision::Mixed, ..Self::new(70, 40, 33, None) };
        full.into_iter().chain(mixed).chain([overflowing]).collect()
    }

    fn random(source: &mut Source) -> Self {
        Self {
            rows: source.size(1, 150),
            inputs: source.size(1, 140),
            outputs: source.size(1, 140),
            bias: source.pick(&[Bias::Added, Bias::None]),
            activation: source.pick(&[Activation::None, Activation::Relu, Activation::Tanh]),
            spread: source.pick(&[Spread::Even, Spread::Even, Spread::Even, Spread::NotFinite]),
            precision: source.pick(&[Precision::F32, Precision::Mixed]),
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self {
            rows: keys.number("rows", 1, 3552)?,
            inputs: keys.number("in|inputs", 1, 128)?,
            outputs: keys.number("out|outputs", 1, 128)?,
            activation: keys.choice(ACTIVATIONS, Activation::None)?,
            bias: keys.choice(BIASES, Bias::Added)?,
            spread: Spread::read(keys, &[Spread::NotFinite, Spread::Overflowing, Spread::Denormal])?,
            precision: keys.choice(PRECISIONS, Precision::F32)?,
        })
    }

    fn largest(&self) -> u64 {
        (self.rows as u64 * self.inputs.max(self.outputs) as u64).max(self.inputs as u64 * self.outputs as u64)
    }

    fn gradient() -> Gradient {
        let relu = Self::new(9, 7, 6, Activation::Relu);
        let [none, tanh] = [Activation::None, Activation::Tanh].map(|activation| Self::new(9, 7, 6, activation));
        Gradient::of([none, tanh, relu.clone(), Self { bias: Bias::None, ..relu }])
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::linear::SHADER, "put_results(part, bias[", "put_results(part, 1.001 * bias["),
        Sabotage::new(&shader::linear::SHADER, "fma(vec4<f32>(rows.x), columns", "fma(vec4<f32>(1.001 * rows.x), columns"),
        Sabotage::new(&shader::linear::SHADER, "row[0] + first_bias", "row[0] + 1.001 * first_bias"),
        Sabotage::new(&shader::linear::SHADER, "sum += bias[product.bias + output]", "sum += 1.001 * bias[product.bias + output]"),
        Sabotage::new(&shader::tangent::SHADER, "(1.0 - saved_y[i] * saved_y[i])", "(1.001 - saved_y[i] * saved_y[i])"),
        Sabotage::new(&shader::slabs::SHADER, "total += partial[", "total += 1.001 * partial["),
    ];
}

impl TapeOperation for Linear {
    type Constants<B: Backend> = ();

    fn constants<B: Backend>(&self, _: &Inputs<'_, B>) {}

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let (step, weight_step) = match self.activation {
            Activation::None | Activation::Tanh => (FINE, FINE),
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

    fn output(&self) -> [usize; 2] {
        [self.rows, self.outputs]
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], _: &'a ()) -> Var<B> {
        tape.linear(&leaves[0], &leaves[1], leaves.get(2), self.activation)
    }
}
