//! GRUs whose reset gate stands before the product, as TensorFlow 1's cell has it.

use super::{Pass, Sequence};
use crate::backend::Backend;
use crate::backend::ops::{GruWeights, Tokens};
use crate::model::parameters::{Block, GruPart, Initial, Parameters};
use crate::tape::Var;

/// How the weights of a GRU start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GruStart {
    /// As Yoon et al.'s programs have it, see [`GruPart`].
    Joint,
    /// As Keras has it: Glorot's range for the input's, an orthogonal matrix `[H, 3H]` for the state's, biases 0.
    Keras,
}

/// A GRU of one direction or of two side by side.
#[derive(Debug, Clone)]
pub struct Gru {
    name: String,
    weights: GruWeights<Block>,
    hidden: usize,
    bidirectional: bool,
}

impl Gru {
    /// Adds `NAME.weight_ih_l0`, `[3H, in]`, `NAME.bias_l0`, `[3H]`, and `NAME.weight_hh_l0`, `[3H, H]`, gates in the order r, u, c,
    /// and with two directions those of `_reverse`.
    pub fn new(parameters: &mut Parameters, name: &str, [inputs, hidden]: [usize; 2], bidirectional: bool, start: GruStart) -> Self {
        let mut add = |kind: &str, shape: &[usize], part| {
            let [forward, reverse] = ["", "_reverse"].map(|direction| format!("{name}.{kind}_l0{direction}"));
            let initial = match (start, part) {
                (GruStart::Joint, part) => Initial::Gru { inputs, hidden, part },
                (GruStart::Keras, GruPart::Input) => Initial::glorot(inputs, 3 * hidden),
                (GruStart::Keras, GruPart::Recurrent) => Initial::Orthogonal { inputs: hidden },
                (GruStart::Keras, GruPart::Bias) => Initial::Constant(0.0),
            };
            if bidirectional { parameters.add_joined([forward, reverse], shape, initial) } else { parameters.add(forward, shape, initial) }
        };
        let weights = GruWeights {
            input: add("weight_ih", &[3 * hidden, inputs], GruPart::Input),
            bias: add("bias", &[3 * hidden], GruPart::Bias),
            recurrent: add("weight_hh", &[3 * hidden, hidden], GruPart::Recurrent),
        };
        Self { name: name.into(), weights, hidden, bidirectional }
    }

    /// Columns of its states.
    pub fn columns(&self) -> usize {
        if self.bidirectional { 2 * self.hidden } else { self.hidden }
    }

    /// Its states `[rows, columns]` over a sequence `[rows, inputs]`.
    pub fn forward<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, sequence: &Sequence<'a, B>) -> Sequence<'a, B> {
        let weights = self.weights.map(|&block| pass.parameters[block].clone());
        let x = pass.tape.gru(&sequence.x, sequence.rows, &weights);
        Sequence { x: pass.tape.named(x, format_args!("{}", self.name)), rows: sequence.rows }
    }

    /// The state `[batch, columns]` that each direction ends with: the forward one at an utterance's last row, the other at its first.
    pub fn last_state<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, states: &Sequence<'a, B>) -> Var<B> {
        if self.bidirectional {
            return states.ends_of_both(pass);
        }
        let last = Tokens::last_rows(pass.tape.backend(), states.rows);
        pass.tape.embedding(&states.x, &last)
    }
}
