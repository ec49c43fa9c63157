//! The network's layers: each declares its parameters under PyTorch's names and is a plain forward function.

use super::parameters::{Block, BoundParameters, Initial, Parameters};
use crate::backend::ops::{self, Attention, AttentionWeights, Directions, LstmWeights};
use crate::backend::{Backend, Matrix, Ragged};
use crate::base::numbers::Activation;
use crate::base::philox::Stream;
use crate::tape::{Tape, Var};

/// One forward pass: the tape, the parameters on it, and dropout where it is on.
pub struct Pass<'t, 'a, B: Backend> {
    /// What the layers are recorded on.
    pub tape: &'t mut Tape<'a, B>,
    /// All of the model's, on that tape.
    pub parameters: &'t BoundParameters<B>,
    /// `None` where nothing is dropped: outside of training.
    pub dropout: Option<Dropout>,
    /// Where the weights of every cross layer go, for who wants to see them; without it they are not computed.
    pub watched: Option<Vec<CrossWeights<B>>>,
}

/// Attention weights of a cross layer, laid out as [`AttentionWeights`] says.
pub struct CrossWeights<B: Backend> {
    /// The text's queries over the audio's rows.
    pub text_to_audio: B::Tensor,
    /// The audio's queries over the words.
    pub audio_to_text: B::Tensor,
}

/// Dropout of one training step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Of the run.
    pub seed: u64,
    /// Number of the training step.
    pub step: u64,
    /// Number of the next place in the network.
    place: u64,
}

impl Dropout {
    /// Dropout for a step.
    pub fn new(seed: u64, step: u64) -> Self {
        Self { seed, step, place: 0 }
    }
}

/// Random streams of dropout start here; those of the starting values are hashes, those of the shuffle are small.
const DROPOUT_STREAMS: u64 = 1 << 62;

impl<B: Backend> Pass<'_, '_, B> {
    /// Drops elements with probability `rate`, in [0, 1), where dropout is on; every `place` in the network draws from a stream of its
    /// own, and from that what belongs to the rows after the `preceding` ones of the batch's earlier parts.
    fn drop_out(&mut self, x: Var<B>, rate: f32, place: u64, preceding: usize) -> Var<B> {
        let Some(dropout) = self.dropout.filter(|_| rate > 0.0) else { return x };
        let stream = Stream { seed: dropout.seed, stream: DROPOUT_STREAMS | (dropout.step << 16) | place };
        let first = preceding * x.value.columns();
        let kept = self.tape.dropout(&x, rate, stream, first);
        self.tape.named(kept, format_args!("dropout.{}", place + 1))
    }

    /// The first of `count` places of dropout that no other part of the network has.
    pub(super) fn take_places(&mut self, count: u64) -> u64 {
        let Some(dropout) = &mut self.dropout else { return 0 };
        let first = dropout.place;
        dropout.place += count;
        first
    }
}

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
        Self {
            name: name.into(),
            weight: parameters.add(format!("{name}.weight"), &[outputs, inputs], initial),
            bias: bias.then(|| parameters.add(format!("{name}.bias"), &[outputs], initial)),
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

/// BiLSTM and the mean of its directions (2–5).
#[derive(Debug, Clone)]
pub struct BiLstm {
    name: String,
    weights: LstmWeights<Block>,
}

impl BiLstm {
    /// Adds both directions' weights and biases under the names of PyTorch's `LSTM`, the gates in its order.
    pub fn new(parameters: &mut Parameters, name: &str, inputs: usize, hidden: usize) -> Self {
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
        }
    }

    /// `[rows, hidden]` of each sequence, `[rows, inputs]`, at once.
    pub fn forward_together<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, all: &[(&Self, Sequence<'a, B>)]) -> Vec<Sequence<'a, B>> {
        let operation = |(lstm, Sequence { x, rows }): &(&Self, Sequence<'a, B>)| {
            let weights = lstm.weights.map(|&block| pass.parameters[block].clone());
            ops::Bilstm { x: x.clone(), weights, rows: (*rows).clone(), precision: pass.tape.precision(), directions: Directions::Mean }
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

/// Sizes of an attention layer.
#[derive(Debug, Clone, Copy)]
pub struct AttentionSizes {
    /// Columns of its sequences, which the heads divide among them.
    pub width: usize,
    /// How many there are; they divide `width`.
    pub heads: usize,
    /// Columns between the two layers of the feed-forward part.
    pub feed_forward: usize,
    /// Whether queries, keys, values and their output have a bias.
    pub bias: bool,
    /// What q·k is multiplied with.
    pub scale: f32,
    /// Probability that an element of what the attention and the feed-forward part add is dropped.
    pub dropout: f32,
}

/// A sequence in the attention modules: its rows and where each utterance's lie.
pub struct Sequence<'a, B: Backend> {
    /// `[rows, width]`
    pub x: Var<B>,
    /// Where each utterance's rows lie.
    pub rows: &'a Ragged<B>,
}

impl<B: Backend> Clone for Sequence<'_, B> {
    fn clone(&self) -> Self {
        Self { x: self.x.clone(), rows: self.rows }
    }
}

/// Queries, keys and values of one sequence (6–8, 15).
pub struct Projected<'a, B: Backend> {
    queries: Var<B>,
    keys: Var<B>,
    values: Var<B>,
    rows: &'a Ragged<B>,
}

/// A sequence that enters an attention layer, beside others that enter theirs.
pub struct Entering<'l, 'a, B: Backend> {
    /// The layer.
    pub layer: &'l AttentionLayer,
    /// Whose queries attend.
    pub sequence: Sequence<'a, B>,
    /// Which of those beside each other they attend to: itself in a self layer.
    pub source: usize,
    /// First of two places of dropout.
    pub place: u64,
}

/// One modality's half of a cross layer (6–14), or a self layer (15–17): projections, multi-head attention, residual and
/// LayerNorm, feed-forward, residual and LayerNorm.
#[derive(Debug, Clone)]
pub struct AttentionLayer {
    name: String,
    sizes: AttentionSizes,
    queries: Linear,
    keys: Linear,
    values: Linear,
    output: Linear,
    norm1: ResidualNorm,
    ff1: Linear,
    ff2: Linear,
    norm2: ResidualNorm,
}

impl AttentionLayer {
    /// Adds the parameters of its parts, under names that begin with `name`.
    pub fn new(parameters: &mut Parameters, name: &str, sizes: AttentionSizes) -> Self {
        let AttentionSizes { width, feed_forward, bias, .. } = sizes;
        let mut linear = |part: &str, shape, bias, activation| Linear::new(parameters, &format!("{name}.{part}"), shape, bias, activation);
        let queries = linear("q", [width, width], bias, Activation::None);
        let keys = linear("k", [width, width], bias, Activation::None);
        let values = linear("v", [width, width], bias, Activation::None);
        let output = linear("o", [width, width], bias, Activation::None);
        let ff1 = linear("ff1", [feed_forward, width], true, Activation::Relu);
        let ff2 = linear("ff2", [width, feed_forward], true, Activation::None);
        let norm1 = ResidualNorm::new(parameters, &format!("{name}.norm1"), width);
        let norm2 = ResidualNorm::new(parameters, &format!("{name}.norm2"), width);
        Self { name: name.into(), sizes, queries, keys, values, output, norm1, ff1, ff2, norm2 }
    }

    /// Projects each sequence to queries, keys and values, all at once.
    pub fn project<'a, B: Backend>(pass: &mut Pass<'_, 'a, B>, entering: &[Entering<'_, 'a, B>]) -> Vec<Projected<'a, B>> {
        // All queries, then all keys, then all values: a device then has three ranges of memory, which do not meet.
        let parts: [fn(&Self) -> &Linear; 3] = [|layer| &layer.queries, |layer| &layer.keys, |layer| &layer.values];
        let linears: Vec<_> = parts.iter().flat_map(|part| entering.iter().map(|one| (part(one.layer), &one.sequence.x))).collect();
        let projected = Linear::forward_together(pass, &linears);
        let of = |(number, one): (usize, &Entering<'_, 'a, B>)| {
            let [queries, keys, values] = [0, 1, 2].map(|part| projected[part * entering.len() + number].clone());
            Projected { queries, keys, values, rows: one.sequence.rows }
        };
        entering.iter().enumerate().map(of).collect()
    }

    /// With which weights the queries of `own` attend to the rows of `source`.
    pub fn weights<'a, B: Backend>(&self, backend: &B, own: &Projected<'a, B>, source: &Projected<'a, B>) -> B::Tensor {
        backend.run(&AttentionWeights(Attention {
            queries: own.queries.value.clone(),
            keys: source.keys.value.clone(),
            values: source.values.value.clone(),
            query_rows: own.rows.clone(),
            key_rows: source.rows.clone(),
            heads: self.sizes.heads,
            scale: self.sizes.scale,
        }))
    }

    /// What the sequences become when the queries of each attend to its source, all at once.
    pub fn attend<'a, B: Backend>(
        pass: &mut Pass<'_, 'a, B>,
        entering: &[Entering<'_, 'a, B>],
        projected: &[Projected<'a, B>],
    ) -> Vec<Sequence<'a, B>> {
        let attention = |(Entering { layer, source, .. }, own): (&Entering<'_, 'a, B>, &Projected<'a, B>)| {
            let AttentionSizes { heads, scale, .. } = layer.sizes;
            let Projected { keys, values, rows, .. } = &projected[*source];
            let [queries, keys, values] = [&own.queries, keys, values].map(Clone::clone);
            Attention { queries, keys, values, query_rows: own.rows.clone(), key_rows: (*rows).clone(), heads, scale }
        };
        let attentions: Vec<_> = entering.iter().zip(projected).map(attention).collect();
        let attended = pass.tape.apply_together(&attentions, |number| format!("{}.attention", entering[number].layer.name));
        let attended = Self::linears(pass, entering, &attended, |layer| &layer.output);
        let attended = Self::drop_out(pass, entering, attended, 0);
        let residuals: Vec<Var<B>> = entering.iter().map(|one| one.sequence.x.clone()).collect();
        let middle = Self::norms(pass, entering, &attended, &residuals, |layer| &layer.norm1);
        let inner = Self::linears(pass, entering, &middle, |layer| &layer.ff1);
        let inner = Self::linears(pass, entering, &inner, |layer| &layer.ff2);
        let inner = Self::drop_out(pass, entering, inner, 1);
        let ending = Self::norms(pass, entering, &inner, &middle, |layer| &layer.norm2);
        entering.iter().zip(ending).map(|(one, x)| Sequence { x, rows: one.sequence.rows }).collect()
    }

    /// A part of each layer.
    fn linears<B: Backend>(
        pass: &mut Pass<'_, '_, B>,
        entering: &[Entering<'_, '_, B>],
        xs: &[Var<B>],
        part: impl Fn(&Self) -> &Linear,
    ) -> Vec<Var<B>> {
        let linears: Vec<_> = entering.iter().zip(xs).map(|(one, x)| (part(one.layer), x)).collect();
        Linear::forward_together(pass, &linears)
    }

    /// The same of sums with residuals.
    fn norms<B: Backend>(
        pass: &mut Pass<'_, '_, B>,
        entering: &[Entering<'_, '_, B>],
        xs: &[Var<B>],
        residuals: &[Var<B>],
        part: impl Fn(&Self) -> &ResidualNorm,
    ) -> Vec<Var<B>> {
        let norms: Vec<_> = entering.iter().zip(xs).zip(residuals).map(|((one, x), residual)| (part(one.layer), x, residual)).collect();
        ResidualNorm::forward_together(pass, &norms)
    }

    /// Dropout of each at its first or second place.
    fn drop_out<B: Backend>(pass: &mut Pass<'_, '_, B>, entering: &[Entering<'_, '_, B>], xs: Vec<Var<B>>, place: u64) -> Vec<Var<B>> {
        let one = |(one, x): (&Entering<'_, '_, B>, Var<B>)| {
            pass.drop_out(x, one.layer.sizes.dropout, one.place + place, one.sequence.rows.preceding.rows)
        };
        entering.iter().zip(xs).map(one).collect()
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

    /// Logits `[batch, classes]` from the global maxima over time of `sequences`.
    pub fn forward<'a, B: Backend>(&self, pass: &mut Pass<'_, 'a, B>, sequences: &[Sequence<'a, B>]) -> Var<B> {
        let streams: Vec<_> = sequences.iter().map(|sequence| (sequence.x.clone(), sequence.rows)).collect();
        let pooled = pass.tape.global_max(&streams);
        let pooled = pass.tape.named(pooled, format_args!("classifier.pooled"));
        let hidden = self.hidden.forward(pass, &pooled);
        let place = pass.take_places(1);
        let hidden = pass.drop_out(hidden, self.dropout, place, streams[0].1.preceding.sequences);
        self.output.forward(pass, &hidden)
    }
}
