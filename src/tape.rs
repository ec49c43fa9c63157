//! Records kernels on the way forward and runs their gradients on the way back.
//!
//! The grain is the fused kernel: one method here is one entry of [`Backend`] with its gradient beside it. What the
//! gradient needs is captured when the kernel is recorded and freed as soon as it has run.

use std::fmt;

use crate::backend::{
    AttentionInputs, Backend, ConvPoolSaved, ConvPoolSinks, LstmWeights, Matrix, NormSinks, Ragged, Sink, Tokens, Write, ZScore,
};
use crate::base::numbers::{Activation, Precision};
use crate::base::philox::Stream;

/// Whether a tape keeps what gradients need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Forward and, later, [`Tape::backward`].
    Train,
    /// Forward only; every intermediate is freed as soon as it was used.
    Infer,
}

/// A matrix on the tape.
pub struct Var<B: Backend> {
    pub value: B::Tensor,
    /// Index of its gradient; none where no gradient is wanted.
    gradient: Option<usize>,
}

impl<B: Backend> Clone for Var<B> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), gradient: self.gradient }
    }
}

type Step<'a, B> = Box<dyn FnOnce(&mut Gradients<'a, B>) + 'a>;

/// The recording of one forward pass. `'a` is the life of the backend and of the batch's layouts.
pub struct Tape<'a, B: Backend> {
    backend: &'a B,
    mode: Mode,
    precision: Precision,
    slots: Vec<Slot<B::Tensor>>,
    steps: Vec<Step<'a, B>>,
    watch: Option<Watch<B>>,
}

/// A named matrix of a watched pass, on its way to the host.
pub struct Seen<B: Backend> {
    pub name: String,
    pub way: Way,
    pub shape: [usize; 2],
    pub readback: B::Readback,
}

/// On which way a matrix was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A value.
    Forward,
    /// The gradient of the value of that name.
    Back,
}

/// What a watched tape has seen, in the order of computation.
struct Watch<B: Backend> {
    seen: Vec<Seen<B>>,
    /// Slot → name of the value whose gradient it holds.
    names: Vec<(usize, String)>,
}

struct Slot<T> {
    /// The gradient, or the memory set aside for it.
    tensor: Option<T>,
    written: bool,
}

/// Gradients as far as the way back has come.
pub struct Gradients<'a, B: Backend> {
    backend: &'a B,
    slots: Vec<Slot<B::Tensor>>,
    watch: Option<Watch<B>>,
}

impl<'a, B: Backend> Gradients<'a, B> {
    /// The gradient of `var`, if something reached it.
    pub fn get(&self, var: &Var<B>) -> Option<&B::Tensor> {
        let slot = &self.slots[var.gradient?];
        slot.tensor.as_ref().filter(|_| slot.written)
    }

    /// Takes the finished gradient of a kernel's output: nothing adds to it any more.
    fn take(&mut self, output: Option<usize>) -> Option<B::Tensor> {
        let index = output?;
        let slot = &mut self.slots[index];
        let gradient = if slot.written { slot.tensor.take() } else { None };
        if let (Some(watch), Some(gradient)) = (&mut self.watch, &gradient) {
            watch.see_gradient(self.backend, index, gradient);
        }
        gradient
    }

    /// The named values and their gradients in the order of computation; nothing where the tape was not watched.
    pub fn into_seen(self) -> Vec<Seen<B>> {
        self.watch.map_or_else(Vec::new, |watch| watch.seen)
    }

    /// Where a kernel leaves its contribution to the gradient of `var`; the first one sets, later ones add.
    fn sink(&mut self, var: &Var<B>) -> Option<Sink<B::Tensor>> {
        let slot = &mut self.slots[var.gradient?];
        let tensor = slot.tensor.get_or_insert_with(|| self.backend.uninitialised(var.value.shape())).clone();
        let write = if std::mem::replace(&mut slot.written, true) { Write::Add } else { Write::Set };
        Some(Sink { tensor, write })
    }

    /// A sink for `var`, or one that is thrown away where no gradient is wanted.
    fn sink_or_discard(&mut self, var: &Var<B>) -> Sink<B::Tensor> {
        self.sink(var).unwrap_or_else(|| Sink { tensor: self.backend.uninitialised(var.value.shape()), write: Write::Set })
    }

    /// Hands over a contribution that no one else uses.
    fn give(&mut self, var: &Var<B>, contribution: B::Tensor) {
        let Some(index) = var.gradient else { return };
        let slot = &mut self.slots[index];
        if slot.tensor.is_none() {
            *slot = Slot { tensor: Some(contribution), written: true };
        } else if let Some(sink) = self.sink(var) {
            self.backend.accumulate(&contribution, &sink);
        }
    }
}

impl<B: Backend> Watch<B> {
    fn see(&mut self, backend: &B, name: String, way: Way, tensor: &B::Tensor) {
        self.seen.push(Seen { name, way, shape: tensor.shape(), readback: backend.start_read(tensor) });
    }

    fn see_gradient(&mut self, backend: &B, slot: usize, gradient: &B::Tensor) {
        if let Some((_, name)) = self.names.iter().find(|(named, _)| *named == slot) {
            self.see(backend, name.clone(), Way::Back, gradient);
        }
    }
}

impl<'a, B: Backend> Tape<'a, B> {
    /// Products are in f32.
    pub fn new(backend: &'a B, mode: Mode) -> Self {
        Self { backend, mode, precision: Precision::F32, slots: Vec::new(), steps: Vec::new(), watch: None }
    }

    /// The same tape with products in the given precision.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// A tape that trains and copies every [`Tape::named`] value and its gradient as they are when they are computed: later
    /// work may reuse their memory.
    pub fn watched(backend: &'a B) -> Self {
        Self { watch: Some(Watch { seen: Vec::new(), names: Vec::new() }), ..Self::new(backend, Mode::Train) }
    }

    /// Gives a value the name under which a watched tape shows it; does nothing on others.
    pub fn named(&mut self, var: Var<B>, name: fmt::Arguments<'_>) -> Var<B> {
        if let Some(watch) = &mut self.watch {
            let name = name.to_string();
            watch.names.extend(var.gradient.map(|slot| (slot, name.clone())));
            watch.see(self.backend, name, Way::Forward, &var.value);
        }
        var
    }

    /// The backend that this tape records on.
    pub fn backend(&self) -> &'a B {
        self.backend
    }

    /// A matrix that needs no gradient.
    pub fn constant(&self, value: B::Tensor) -> Var<B> {
        Var { value, gradient: None }
    }

    /// A matrix whose gradient is wanted.
    pub fn leaf(&mut self, value: B::Tensor) -> Var<B> {
        self.var(value, true)
    }

    /// A parameter: its gradient is written into `gradient`, or added to it; it has the same shape.
    pub fn parameter(&mut self, value: B::Tensor, gradient: Sink<B::Tensor>) -> Var<B> {
        let var = self.var(value, true);
        if let Some(index) = var.gradient {
            self.slots[index] = Slot { tensor: Some(gradient.tensor), written: gradient.write == Write::Add };
        }
        var
    }

    fn var(&mut self, value: B::Tensor, wanted: bool) -> Var<B> {
        let gradient = (wanted && self.mode == Mode::Train).then(|| {
            self.slots.push(Slot { tensor: None, written: false });
            self.slots.len() - 1
        });
        Var { value, gradient }
    }

    /// Makes the output of a kernel and keeps its gradient step, which gets the output's finished gradient.
    fn record(&mut self, value: B::Tensor, inputs: &[&Var<B>], step: impl FnOnce(&mut Gradients<'a, B>, B::Tensor) + 'a) -> Var<B> {
        let output = self.var(value, inputs.iter().any(|input| input.gradient.is_some()));
        if let Some(index) = output.gradient {
            self.steps.push(Box::new(move |gradients| {
                if let Some(dy) = gradients.take(Some(index)) {
                    step(gradients, dy);
                }
            }));
        }
        output
    }

    /// Runs the way back from the given gradients of outputs.
    pub fn backward(self, seeds: Vec<(&Var<B>, B::Tensor)>) -> Gradients<'a, B> {
        let mut gradients = Gradients { backend: self.backend, slots: self.slots, watch: self.watch };
        for (var, seed) in seeds {
            gradients.give(var, seed);
        }
        for step in self.steps.into_iter().rev() {
            step(&mut gradients);
        }
        gradients
    }

    /// See [`Backend::z_score`]; features are constants, so there is no way back.
    pub fn z_score(&mut self, x: &B::Tensor, rows: &Ragged<B>, statistics: &ZScore<B>) -> Var<B> {
        self.constant(self.backend.z_score(x, rows, statistics))
    }

    /// See [`Backend::embedding`].
    pub fn embedding(&mut self, table: &Var<B>, tokens: &'a Tokens<B>) -> Var<B> {
        let (backend, table) = (self.backend, table.clone());
        let y = backend.embedding(&table.value, tokens);
        self.record(y, &[&table.clone()], move |gradients, dy| {
            if let Some(sink) = gradients.sink(&table) {
                backend.embedding_backward(&dy, tokens, &sink);
            }
        })
    }

    /// See [`Backend::position_embedding`].
    pub fn position_embedding(&mut self, x: &Var<B>, rows: &'a Ragged<B>) -> Var<B> {
        let x = x.clone();
        let y = self.backend.position_embedding(&x.value, rows);
        self.record(y, &[&x.clone()], move |gradients, dy| gradients.give(&x, dy))
    }

    /// See [`Backend::conv_pool`].
    pub fn conv_pool(
        &mut self,
        x: &Var<B>,
        input: &'a Ragged<B>,
        output: &'a Ragged<B>,
        weight: &Var<B>,
        bias: &Var<B>,
        activation: Activation,
    ) -> Var<B> {
        let backend = self.backend;
        let (x, weight, bias) = (x.clone(), weight.clone(), bias.clone());
        let (y, winners) = backend.conv_pool(&x.value, input, output, &weight.value, &bias.value, activation);
        let result = y.clone();
        self.record(y, &[&x.clone(), &weight.clone(), &bias.clone()], move |gradients, dy| {
            let sinks =
                ConvPoolSinks { x: gradients.sink(&x), weight: gradients.sink_or_discard(&weight), bias: gradients.sink_or_discard(&bias) };
            let saved = ConvPoolSaved { x: &x.value, y: &result, winners: &winners, input, output, weight: &weight.value, activation };
            backend.conv_pool_backward(&dy, &saved, &sinks);
        })
    }

    /// See [`Backend::linear`].
    pub fn linear(&mut self, x: &Var<B>, weight: &Var<B>, bias: Option<&Var<B>>, activation: Activation) -> Var<B> {
        let (backend, precision) = (self.backend, self.precision);
        let (x, weight, bias) = (x.clone(), weight.clone(), bias.cloned());
        let y = backend.linear(&x.value, &weight.value, bias.as_ref().map(|bias| &bias.value), activation, precision);
        let gate = (activation == Activation::Relu).then(|| y.clone());
        let inputs = [Some(&x), Some(&weight), bias.as_ref()].map(|input| input.cloned());
        let inputs: Vec<&Var<B>> = inputs.iter().flatten().collect();
        self.record(y, &inputs, move |gradients, dy| {
            let bias_sink = bias.as_ref().and_then(|bias| gradients.sink(bias));
            if weight.gradient.is_some() || bias_sink.is_some() {
                let sink = gradients.sink_or_discard(&weight);
                backend.linear_backward_weight(&dy, gate.as_ref(), &x.value, &sink, bias_sink.as_ref(), precision);
            }
            if let Some(sink) = gradients.sink(&x) {
                backend.linear_backward_input(&dy, gate.as_ref(), &weight.value, &sink, precision);
            }
        })
    }

    /// See [`Backend::bilstm`].
    pub fn bilstm(&mut self, x: &Var<B>, rows: &'a Ragged<B>, weights: &LstmWeights<Var<B>>) -> Var<B> {
        let (backend, precision, x, weights) = (self.backend, self.precision, x.clone(), weights.clone());
        let values = weights.map(|weight| weight.value.clone());
        let (y, saved) = backend.bilstm(&x.value, rows, &values, precision);
        let inputs = [&x, &weights.input, &weights.recurrent, &weights.bias_input, &weights.bias_recurrent].map(Clone::clone);
        self.record(y, &inputs.each_ref(), move |gradients, dy| {
            let sinks = weights.map(|weight| gradients.sink_or_discard(weight));
            let dx = gradients.sink(&x);
            backend.bilstm_backward(&dy, &x.value, rows, &values, &saved, dx.as_ref(), &sinks, precision);
        })
    }

    /// See [`Backend::attention`].
    #[allow(clippy::too_many_arguments, reason = "an attention has three operands, two layouts and two numbers")]
    pub fn attention(
        &mut self,
        queries: &Var<B>,
        keys: &Var<B>,
        values: &Var<B>,
        query_rows: &'a Ragged<B>,
        key_rows: &'a Ragged<B>,
        heads: usize,
        scale: f32,
    ) -> Var<B> {
        let backend = self.backend;
        let [queries, keys, values] = [queries, keys, values].map(Clone::clone);
        let inputs =
            AttentionInputs { queries: &queries.value, keys: &keys.value, values: &values.value, query_rows, key_rows, heads, scale };
        let saved = backend.attention(&inputs);
        let output = saved.output.clone();
        let vars = [&queries, &keys, &values].map(Clone::clone);
        self.record(output, &vars.each_ref(), move |gradients, dy| {
            let inputs =
                AttentionInputs { queries: &queries.value, keys: &keys.value, values: &values.value, query_rows, key_rows, heads, scale };
            let sinks = [&queries, &keys, &values].map(|var| gradients.sink_or_discard(var));
            backend.attention_backward(&dy, &inputs, &saved, sinks.each_ref());
        })
    }

    /// See [`Backend::residual_norm`].
    pub fn residual_norm(&mut self, x: &Var<B>, residual: &Var<B>, scale: &Var<B>, shift: &Var<B>) -> Var<B> {
        let backend = self.backend;
        let [x, residual, scale, shift] = [x, residual, scale, shift].map(Clone::clone);
        let (y, saved) = backend.residual_norm(&x.value, &residual.value, &scale.value, &shift.value);
        let inputs = [&x, &residual, &scale, &shift].map(Clone::clone);
        self.record(y, &inputs.each_ref(), move |gradients, dy| {
            let sinks = NormSinks {
                x: gradients.sink_or_discard(&x),
                residual: gradients.sink_or_discard(&residual),
                scale: gradients.sink_or_discard(&scale),
                shift: gradients.sink_or_discard(&shift),
            };
            backend.residual_norm_backward(&dy, &scale.value, &saved, &sinks);
        })
    }

    /// See [`Backend::global_max`].
    pub fn global_max(&mut self, streams: &[(Var<B>, &'a Ragged<B>)]) -> Var<B> {
        let backend = self.backend;
        let streams = streams.to_vec();
        let values: Vec<_> = streams.iter().map(|(x, rows)| (&x.value, *rows)).collect();
        let (y, winners) = backend.global_max(&values);
        let inputs: Vec<_> = streams.iter().map(|(x, _)| x.clone()).collect();
        self.record(y, &inputs.iter().collect::<Vec<_>>(), move |gradients, dy| {
            let mut column = 0;
            for (x, rows) in &streams {
                if let Some(sink) = gradients.sink(x) {
                    backend.global_max_backward(&dy, &winners, rows, column, &sink);
                }
                column += x.value.columns();
            }
        })
    }

    /// See [`Backend::dropout`].
    pub fn dropout(&mut self, x: &Var<B>, rate: f32, stream: Stream, first: usize) -> Var<B> {
        let (backend, x) = (self.backend, x.clone());
        let y = backend.dropout(&x.value, rate, stream, first);
        self.record(y, &[&x.clone()], move |gradients, dy| gradients.give(&x, backend.dropout(&dy, rate, stream, first)))
    }

    /// See [`Backend::cross_entropy`]. Returns the loss and the gradient that starts the way back at `logits`.
    pub fn cross_entropy(
        &mut self,
        logits: &Var<B>,
        labels: &B::Words,
        class_weights: &B::Tensor,
        smoothing: f32,
        total_weight: Option<f32>,
        scaling: &B::Tensor,
    ) -> (B::Tensor, B::Tensor) {
        self.backend.cross_entropy(&logits.value, labels, class_weights, smoothing, total_weight, scaling)
    }
}
