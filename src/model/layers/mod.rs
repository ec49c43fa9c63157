//! The networks' layers: each declares its parameters under PyTorch's names and is a plain forward function.

mod attention;
mod gru;
mod inputs;
mod pass;
mod pooling;

pub use attention::{AttentionLayer, AttentionSizes, Entering, Projected};
pub use gru::{Gru, GruStart};
pub(super) use inputs::{Words, frames, prosody};
pub use pass::{Asking, Attended, Dropout, Pass};
pub(super) use pooling::{pool, pool_by, weights_of};

use super::Batch;
use super::parameters::{Block, Initial, Parameters};
use crate::backend::ops::{self, Directions, LstmWeights, Tokens};
use crate::backend::{Backend, Matrix, Ragged};
use crate::base::numbers::Activation;
use crate::tape::Var;

/// `y = act(x Wᵀ + b)`; PyTorch's `Linear`.
#[derive(Debug, Clone)]
pub struct Linear {
    name: String,
    weight: Block,
    bias: Option<Block>,
    activation: Activation,
}

impl Linear {
    /// Adds `NAME.weight`, `[outputs, inputs]`, and with `bias` also `NAME.bias`, `[outputs]`.
    pub fn new(parameters: &mut Parameters, name: &str, [outputs, inputs]: [usize; 2], bias: bool, activation: Activation) -> Self {
        let initial = Initial::Uniform { bound: 1.0 / (inputs as f32).sqrt() };
        Self::starting(parameters, name, [outputs, inputs], activation, initial, bias.then_some(initial))
    }

    /// The same with other starting values than PyTorch's.
    pub fn starting(
        parameters: &mut Parameters,
        name: &str,
        [outputs, inputs]: [usize; 2],
        activation: Activation,
        weight: Initial,
        bias: Option<Initial>,
    ) -> Self {
        Self {
            name: name.into(),
            weight: parameters.add(format!("{name}.weight"), &[outputs, inputs], weight),
            bias: bias.map(|bias| parameters.add(format!("{name}.bias"), &[outputs], bias)),
            activation,
        }
    }

    /// `[rows, outputs]` of `x`, `[rows, inputs]`.
    pub fn forward<B: Backend>(&self, pass: &mut Pass<'_, '_, B>, x: &Var<B>) -> Var<B> {
        let y = pass.tape.apply(&self.operation(pass, x));
        pass.tape.named(y, format_args!("{}", self.name))
    }

    /// Several of those at once.
    fn forward_together<B: Backend>(pass: &mut Pass<'_, '_, B>, all: &[(&Self, &Var<B>)]) -> Vec<Var<B>> {
        let operations: Vec<_> = all.iter().map(|(linear, x)| linear.operation(pass, x)).collect();
        pass.tape.apply_together(&operations, |number| all[number].0.name.clone())
    }

    fn operation<B: Backend>(&self, pass: &Pass<'_, '_, B>, x: &Var<B>) -> ops::Linear<Var<B>> {
        let bias = self.bias.map(|bias| pass.parameters[bias].clone());
        ops::Linear {
            x: x.clone(),
            weight: pass.parameters[self.weight].clone(),
            bias,
            activation: self.activation,
            precision: pass.tape.precision(),
        }
    }
}

/// ConvBlock (1).
#[derive(Debug, Clone)]
pub struct ConvBlock {
    name: String,
    weight: Block,
    bias: Block,
    activation: Activation,
}

impl ConvBlock {
    /// Adds `NAME.weight`, `[outputs, inputs, 3]`, and `NAME.bias`, `[outputs]`.
    pub fn new(parameters: &mut Parameters, name: &str, [outputs, inputs]: [usize; 2], activation: Activation) -> Self {
        let initial = Initial::Uniform { bound: 1.0 / ((inputs * 3) as f32).sqrt() };
        Self {
            name: name.into(),
            weight: parameters.add(format!("{name}.weight"), &[outputs, inputs, 3], initial),
            bias: parameters.add(format!("{name}.bias"), &[outputs], initial),
            activation,
        }
    }

    /// `[output rows, outputs]` of `x`, `[input rows, inputs]`; `output` is `input` pooled once.
    pub fn forward<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, x: &Var<B>, input: &'a Ragged<B>, output: &'a Ragged<B>) -> Var<B> {
        let (weight, bias) = (&pass.parameters[self.weight], &pass.parameters[self.bias]);
        let y = pass.tape.conv_pool(x, input, output, weight, bias, self.activation);
        pass.tape.named(y, format_args!("{}", self.name))
    }
}

/// BiLSTM and the mean of its directions (2–5), or both side by side.
#[derive(Debug, Clone)]
pub struct BiLstm {
    name: String,
    weights: LstmWeights<Block>,
    directions: Directions,
}

impl BiLstm {
    /// Adds both directions' weights and biases under the names of PyTorch's `LSTM`, the gates in its order.
    pub fn new(parameters: &mut Parameters, name: &str, inputs: usize, hidden: usize, directions: Directions) -> Self {
        let initial = Initial::Uniform { bound: 1.0 / (hidden as f32).sqrt() };
        let mut both = |kind: &str, shape: &[usize]| {
            parameters.add_joined([format!("{name}.{kind}_l0"), format!("{name}.{kind}_l0_reverse")], shape, initial)
        };
        // Each bias lies after its weight, so that one kernel can write both gradients.
        Self {
            name: name.into(),
            weights: LstmWeights {
                input: both("weight_ih", &[4 * hidden, inputs]),
                bias_input: both("bias_ih", &[4 * hidden]),
                recurrent: both("weight_hh", &[4 * hidden, hidden]),
                bias_recurrent: both("bias_hh", &[4 * hidden]),
            },
            directions,
        }
    }

    /// `[rows, hidden]`, or twice as many columns side by side, of a sequence `[rows, inputs]`.
    pub fn forward<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, sequence: Sequence<'a, B>) -> Sequence<'a, B> {
        Self::forward_together(pass, &[(self, sequence)]).swap_remove(0)
    }

    /// The same of each sequence, at once.
    pub fn forward_together<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, all: &[(&Self, Sequence<'a, B>)]) -> Vec<Sequence<'a, B>> {
        let operation = |(lstm, Sequence { x, rows }): &(&Self, Sequence<'a, B>)| {
            let weights = lstm.weights.map(|&block| pass.parameters[block].clone());
            ops::Bilstm { x: x.clone(), weights, rows: (*rows).clone(), precision: pass.tape.precision(), directions: lstm.directions }
        };
        let operations: Vec<_> = all.iter().map(operation).collect();
        let encoded = pass.tape.apply_together(&operations, |number| all[number].0.name.clone());
        encoded.into_iter().zip(all).map(|(x, (_, Sequence { rows, .. }))| Sequence { x, rows }).collect()
    }
}

/// Residual and LayerNorm (9, 11).
#[derive(Debug, Clone)]
pub struct ResidualNorm {
    name: String,
    scale: Block,
    shift: Block,
}

impl ResidualNorm {
    /// Adds `NAME.weight` and `NAME.bias`, `[width]` each.
    pub fn new(parameters: &mut Parameters, name: &str, width: usize) -> Self {
        Self {
            name: name.into(),
            scale: parameters.add(format!("{name}.weight"), &[width], Initial::Constant(1.0)),
            shift: parameters.add(format!("{name}.bias"), &[width], Initial::Constant(0.0)),
        }
    }

    /// `[rows, width]` of each sum of `x` and `residual`, each `[rows, width]`, at once.
    fn forward_together<B: Backend>(pass: &mut Pass<'_, '_, B>, all: &[(&Self, &Var<B>, &Var<B>)]) -> Vec<Var<B>> {
        let operation = |&(norm, x, residual): &(&Self, &Var<B>, &Var<B>)| {
            let [scale, shift] = [norm.scale, norm.shift].map(|block| pass.parameters[block].clone());
            ops::ResidualNorm { x: x.clone(), residual: residual.clone(), scale, shift }
        };
        let operations: Vec<_> = all.iter().map(operation).collect();
        pass.tape.apply_together(&operations, |number| all[number].0.name.clone())
    }
}

/// A ragged matrix on its way through the layers: its rows and where each utterance's lie.
pub struct Sequence<'a, B: Backend> {
    /// `[rows, width]`
    pub x: Var<B>,
    /// Where each utterance's rows lie.
    pub rows: &'a Ragged<B>,
}

impl<'a, B: Backend> Sequence<'a, B> {
    /// The state `[batch, width]` that each of two directions side by side ends with: the forward one at an utterance's last row, the
    /// other at its first.
    pub(in crate::model) fn ends_of_both(&self, pass: &mut Pass<'_, 'a, B>) -> Var<B> {
        let hidden = self.x.value.columns() / 2;
        let [first, last] = [Tokens::first_rows, Tokens::last_rows].map(|of| of(pass.tape.backend(), self.rows));
        let last = pass.tape.embedding(&self.x, &last);
        let first = pass.tape.embedding(&self.x, &first);
        let forward = pass.tape.columns(&last, 0, hidden);
        let reverse = pass.tape.columns(&first, hidden, hidden);
        pass.tape.concat(&[&forward, &reverse])
    }

    /// The same with a share of its elements dropped, at a place of its own where it is above 0.
    pub(in crate::model) fn dropped(self, pass: &mut Pass<'_, 'a, B>, rate: f32) -> Self {
        if rate == 0.0 {
            return self;
        }
        let place = pass.take_places(1);
        Self { x: pass.drop_out(self.x, rate, place, self.rows.preceding.rows), ..self }
    }
}

impl<B: Backend> Clone for Sequence<'_, B> {
    fn clone(&self) -> Self {
        Self { x: self.x.clone(), rows: self.rows }
    }
}

/// Classifier (18, 19): the pooled features through one hidden layer to the logits.
#[derive(Debug, Clone)]
pub struct Classifier {
    hidden: Linear,
    output: Linear,
    dropout: f32,
}

impl Classifier {
    /// Adds `classifier.0`, from `pooled` columns to `hidden`, and `classifier.2`, from those, of which `dropout` are dropped, to
    /// `classes`.
    pub fn new(parameters: &mut Parameters, pooled: usize, hidden: usize, classes: usize, dropout: f32) -> Self {
        Self {
            hidden: Linear::new(parameters, "classifier.0", [hidden, pooled], true, Activation::Relu),
            output: Linear::new(parameters, "classifier.2", [classes, hidden], true, Activation::None),
            dropout,
        }
    }

    /// Logits `[batch, classes]` from the global maxima over time of `sequences`, mixed as the batch is.
    pub fn forward<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, sequences: &[Sequence<'a, B>], batch: &'a Batch<B>) -> Var<B> {
        let streams: Vec<_> = sequences.iter().map(|sequence| (sequence.x.clone(), sequence.rows)).collect();
        let pooled = pass.tape.global_max(&streams);
        let pooled = pass.tape.named(pooled, format_args!("classifier.pooled"));
        let pooled = pass.mix(pooled, batch);
        let hidden = self.hidden.forward(pass, &pooled);
        let place = pass.take_places(1);
        let hidden = pass.drop_out(hidden, self.dropout, place, streams[0].1.preceding.sequences);
        self.output.forward(pass, &hidden)
    }
}
