//! What kernels take and give besides plain matrices: groups of weights, layouts' companions, what the way back needs.

use super::{Backend, Ragged};
use crate::base::numbers::Activation;
use crate::base::words::OUT_OF_VOCABULARY;

/// How a gradient kernel leaves its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// Overwrite what is there.
    Set,
    /// Add to what is there.
    Add,
}

/// Where a gradient goes, and how.
#[derive(Debug, Clone)]
pub struct Sink<T> {
    pub tensor: T,
    pub write: Write,
}

/// Weights of a bidirectional LSTM layer of hidden size H; both directions lie one after the other, forward first,
/// and gates stand in PyTorch's order i, f, g, o.
#[derive(Debug, Clone)]
pub struct LstmWeights<T> {
    /// `[2 · 4H, in]`
    pub input: T,
    /// `[2 · 4H, H]`
    pub recurrent: T,
    /// `[1, 2 · 4H]`
    pub bias_input: T,
    /// `[1, 2 · 4H]`
    pub bias_recurrent: T,
}

impl<T> LstmWeights<T> {
    /// The same four weights, each through `f`.
    pub fn map<'s, U>(&'s self, mut f: impl FnMut(&'s T) -> U) -> LstmWeights<U> {
        LstmWeights {
            input: f(&self.input),
            recurrent: f(&self.recurrent),
            bias_input: f(&self.bias_input),
            bias_recurrent: f(&self.bias_recurrent),
        }
    }
}

/// What [`Backend::bilstm`] keeps for the way back.
#[derive(Debug, Clone)]
pub struct LstmSaved<T> {
    /// `[rows, 2 · 4H]`: the gates after their sigmoid or tanh.
    pub gates: T,
    /// `[rows, 2H]`: cell states c_t.
    pub cells: T,
    /// `[rows, 2H]`: h_{t-1} of each direction (zero at its first step).
    pub previous: T,
}

/// Queries, keys and values of one attention, and which rows are whose.
pub struct AttentionInputs<'a, B: Backend> {
    /// `[query rows, d]`
    pub queries: &'a B::Tensor,
    /// `[key rows, d]`
    pub keys: &'a B::Tensor,
    /// `[key rows, d]`
    pub values: &'a B::Tensor,
    pub query_rows: &'a Ragged<B>,
    pub key_rows: &'a Ragged<B>,
    /// Number of heads; d_k = d / heads.
    pub heads: usize,
    /// What the products q·k are multiplied with, 1/√d_k by default.
    pub scale: f32,
}

impl<B: Backend> AttentionInputs<'_, B> {
    /// Where each utterance's weights start in [`Backend::attention_weights`], and, last, how many there are: `[batch + 1]`.
    pub fn weight_offsets(&self) -> Vec<usize> {
        let mut offsets = vec![0];
        for (queries, keys) in self.query_rows.lengths().zip(self.key_rows.lengths()) {
            offsets.push(offsets[offsets.len() - 1] + self.heads * queries as usize * keys as usize);
        }
        offsets
    }
}

/// What [`Backend::attention`] keeps for the way back.
#[derive(Debug, Clone)]
pub struct AttentionSaved<T> {
    /// `[query rows, d]`
    pub output: T,
    /// `[query rows, heads]`: log Σ exp(scale · q·k).
    pub log_sum_exp: T,
}

/// Tokens of a batch and, for the gradient, where each row of the table occurs.
pub struct Tokens<B: Backend> {
    /// `[rows]`: row of the vector table, [`OUT_OF_VOCABULARY`] where the word has none.
    pub ids: B::Words,
    /// `[table rows + 1]`: range in `positions` of each row of the table.
    pub occurrence_offsets: B::Words,
    /// Rows of the batch that use a table row, in rising order.
    pub occurrences: B::Words,
    pub rows: usize,
}

impl<B: Backend> Tokens<B> {
    /// Uploads tokens for a table of `table_rows` vectors.
    pub fn new(backend: &B, ids: &[u32], table_rows: usize) -> Self {
        let mut offsets = vec![0u32; table_rows + 1];
        for &id in ids.iter().filter(|&&id| id != OUT_OF_VOCABULARY) {
            offsets[id as usize + 1] += 1;
        }
        for row in 0..table_rows {
            offsets[row + 1] += offsets[row];
        }
        let mut next = offsets.clone();
        let mut occurrences = vec![0u32; offsets[table_rows] as usize];
        for (position, &id) in ids.iter().enumerate().filter(|&(_, &id)| id != OUT_OF_VOCABULARY) {
            occurrences[next[id as usize] as usize] = position as u32;
            next[id as usize] += 1;
        }
        Self {
            ids: backend.upload_words(ids),
            occurrence_offsets: backend.upload_words(&offsets),
            occurrences: backend.upload_words(&occurrences),
            rows: ids.len(),
        }
    }
}

/// Z-score of each utterance's group: `(x - mean) · reciprocal_deviation`.
pub struct ZScore<B: Backend> {
    /// `[batch]`: which row of the statistics an utterance uses.
    pub groups: B::Words,
    /// `[groups, columns]`
    pub mean: B::Tensor,
    /// `[groups, columns]`: 1 / standard deviation.
    pub reciprocal_deviation: B::Tensor,
}

/// One optimiser step's numbers; float64, because `1 - β₂` of a float32 β₂ is off by 1e-5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepSize {
    pub learning_rate: f64,
    /// Decoupled: weights shrink by `learning_rate · weight_decay` before the step.
    pub weight_decay: f64,
    /// Gradients are scaled by `min(1, clip_norm / (norm + 1e-6))`; infinity turns it off.
    pub clip_norm: f64,
}

impl StepSize {
    /// What weight decay multiplies the parameters with.
    pub fn shrink(&self) -> f64 {
        1.0 - self.learning_rate * self.weight_decay
    }

    /// The clipping norm as shaders take it, 0 where clipping is off.
    pub fn clip_or_zero(&self) -> f64 {
        if self.clip_norm.is_finite() { self.clip_norm } else { 0.0 }
    }
}

/// Adam's numbers (Kingma & Ba 2015, algorithm 1, PyTorch's form).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    pub size: StepSize,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// 1 for the first step.
    pub step: u32,
}

/// What [`Backend::conv_pool_backward`] needs of the way forward.
pub struct ConvPoolSaved<'a, B: Backend> {
    pub x: &'a B::Tensor,
    pub y: &'a B::Tensor,
    pub winners: &'a B::Words,
    pub input: &'a Ragged<B>,
    pub output: &'a Ragged<B>,
    pub weight: &'a B::Tensor,
    pub activation: Activation,
}

/// Where the gradients of a ConvBlock go.
pub struct ConvPoolSinks<T> {
    /// `[input rows, in]`; the first block needs none.
    pub x: Option<Sink<T>>,
    pub weight: Sink<T>,
    pub bias: Sink<T>,
}

/// What [`Backend::residual_norm`] keeps for the way back.
#[derive(Debug, Clone)]
pub struct NormSaved<T> {
    /// `[rows, d]`
    pub normalised: T,
    /// `[rows, 1]`
    pub reciprocal_deviation: T,
}

/// Where the gradients of [`Backend::residual_norm`] go.
pub struct NormSinks<T> {
    pub x: Sink<T>,
    pub residual: Sink<T>,
    pub scale: Sink<T>,
    pub shift: Sink<T>,
}

/// What of an utterance a filter over its frames reads where it would reach past an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    /// The outermost frames that hold the whole filter; an utterance shorter than the filter has its end frames repeated.
    Shifted,
    /// The end frame, as often as needed.
    Repeated,
}

/// How features' differences over time are made, see [`Backend::deltas`].
#[derive(Debug, Clone)]
pub struct DeltaFilter<B: Backend> {
    /// How many differences are made, 1 or 2.
    pub orders: usize,
    pub edges: Edges,
    /// `[filters, width]`, width odd: a filter for each order, or one filter that makes the second from the first.
    pub taps: B::Tensor,
}
