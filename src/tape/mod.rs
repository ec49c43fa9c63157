//! Records kernels on the way forward and runs their gradients on the way back.
//!
//! The grain is the fused kernel: one entry is one operation of [`crate::backend::ops`]. What its gradient needs is captured when the
//! kernel is recorded and freed as soon as it has run.

mod kernels;

use std::fmt;
use std::rc::Rc;

use crate::backend::ops::{Accumulate, Backward, Differentiable, Differentiate, Operation};
use crate::backend::{Backend, Matrix, Sink, Storage, Write};
use crate::base::numbers::Precision;

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
    /// `[rows, columns]`, on the device.
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

/// The recording of one forward pass. `'a` is the life of the backend.
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
    /// A module's, with what it computes there: `cross.0.audio.attention`.
    pub name: String,
    /// Whether it is a value or a gradient.
    pub way: Way,
    /// `[rows, columns]`
    pub shape: [usize; 2],
    /// Its elements, once the device is done.
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
    /// Results of operations that are run together have their gradients together, too.
    together: Option<Rc<Together>>,
    /// Number of the first step that takes it: on the way back nothing adds to its gradient after that.
    first_use: Option<usize>,
}

/// Slots that follow each other.
struct Together {
    first: usize,
    shapes: Vec<[usize; 2]>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { tensor: None, written: false, together: None, first_use: None }
    }
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
        let index = var.gradient?;
        if let (None, Some(together)) = (&self.slots[index].tensor, self.slots[index].together.clone()) {
            let tensors = self.backend.uninitialised_together(&together.shapes);
            for (slot, tensor) in self.slots[together.first..].iter_mut().zip(tensors) {
                slot.tensor.get_or_insert(tensor);
            }
        }
        let slot = &mut self.slots[index];
        let tensor = slot.tensor.get_or_insert_with(|| self.backend.uninitialised(var.value.shape())).clone();
        let write = if std::mem::replace(&mut slot.written, true) { Write::Add } else { Write::Set };
        Some(Sink { tensor, write })
    }

    /// Those of an operation's operands, which are the values of `inputs`.
    fn sinks_of<O>(&mut self, values: &O, inputs: &[Var<B>]) -> O::On<Option<Sink<B::Tensor>>>
    where
        O: Operation<B, Operand = B::Tensor>,
    {
        let mut inputs = inputs.iter();
        values.map(|_| inputs.next().and_then(|var| self.sink(var)))
    }

    /// Hands over a contribution that no one else uses.
    fn give(&mut self, var: &Var<B>, contribution: B::Tensor) {
        let Some(index) = var.gradient else { return };
        let slot = &mut self.slots[index];
        if slot.tensor.is_none() {
            *slot = Slot { tensor: Some(contribution), written: true, ..Slot::default() };
        } else if let Some(sink) = self.sink(var) {
            self.backend.run(&Accumulate { x: contribution, sum: sink.tensor, write: sink.write });
        }
    }
}

/// An operation on matrices of the tape as one on their values, and the matrices in their order.
fn values_of<B: Backend, O: Operation<B, Operand = Var<B>>>(operation: &O) -> (O::On<B::Tensor>, Vec<Var<B>>) {
    let mut inputs = Vec::new();
    let values = operation.map(|var| {
        inputs.push(var.clone());
        var.value.clone()
    });
    (values, inputs)
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

    /// The same; the name is made where it is asked for.
    fn named_by(&mut self, var: Var<B>, name: impl Fn() -> String) -> Var<B> {
        if self.watch.is_some() { self.named(var, format_args!("{}", name())) } else { var }
    }

    /// The backend that this tape records on.
    pub fn backend(&self) -> &'a B {
        self.backend
    }

    /// The precision of its products.
    pub fn precision(&self) -> Precision {
        self.precision
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
            self.slots[index] = Slot { tensor: Some(gradient.tensor), written: gradient.write == Write::Add, ..Slot::default() };
        }
        var
    }

    fn var(&mut self, value: B::Tensor, wanted: bool) -> Var<B> {
        let gradient = (wanted && self.mode == Mode::Train).then(|| {
            self.slots.push(Slot::default());
            self.slots.len() - 1
        });
        Var { value, gradient }
    }

    /// Makes the output of a kernel and keeps its gradient step, which gets the output's finished gradient.
    fn record(&mut self, value: B::Tensor, inputs: &[Var<B>], step: impl FnOnce(&mut Gradients<'a, B>, B::Tensor) + 'a) -> Var<B> {
        let output = self.var(value, inputs.iter().any(|input| input.gradient.is_some()));
        if let Some(index) = output.gradient {
            let step = move |gradients: &mut Gradients<'a, B>| {
                if let Some(dy) = gradients.take(Some(index)) {
                    step(gradients, dy);
                }
            };
            self.keep(inputs, Box::new(step));
        }
        output
    }

    /// Keeps a step of the way back, which adds to the gradients of `inputs` and to no other.
    fn keep<'v>(&mut self, inputs: impl IntoIterator<Item = &'v Var<B>>, step: Step<'a, B>)
    where
        B: 'v,
    {
        let number = self.steps.len();
        for slot in inputs.into_iter().filter_map(|input| input.gradient) {
            self.slots[slot].first_use.get_or_insert(number);
        }
        self.steps.push(step);
    }

    /// Runs an operation and keeps its way back. The kernels of the layers have a method each, as a shorter way to write this.
    pub fn apply<O>(&mut self, operation: &O) -> Var<B>
    where
        O: Operation<B, Operand = Var<B>>,
        O::On<<B as Storage>::Tensor>: Differentiable<B> + 'a,
        O::Kept: 'a,
        B: Differentiate<O::On<<B as Storage>::Tensor>>,
    {
        let backend = self.backend;
        let (values, inputs) = values_of(operation);
        let (y, kept) = backend.run_keeping(&values);
        self.record(y, &inputs.clone(), move |gradients, dy| {
            backend.run_back(&values, &kept, &dy, &gradients.sinks_of(&values, &inputs));
        })
    }

    /// Runs operations that need nothing of each other, at once where the backend can, and keeps their way back. `name` is what a watched
    /// tape calls the result of each.
    pub fn apply_together<O>(&mut self, operations: &[O], name: impl Fn(usize) -> String) -> Vec<Var<B>>
    where
        O: Operation<B, Operand = Var<B>>,
        O::On<<B as Storage>::Tensor>: Differentiable<B> + 'a,
        O::Kept: 'a,
        B: Differentiate<O::On<<B as Storage>::Tensor>>,
    {
        let backend = self.backend;
        let (values, inputs): (Vec<_>, Vec<_>) = operations.iter().map(values_of).unzip();
        let Some(results) = backend.forward_together(&values) else {
            let one = |(number, operation): (usize, &O)| {
                let y = self.apply(operation);
                self.named_by(y, || name(number))
            };
            return operations.iter().enumerate().map(one).collect();
        };
        let (results, kept): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        let wanted: Vec<bool> = inputs.iter().map(|own| own.iter().any(|input| input.gradient.is_some())).collect();
        let outputs = self.vars_together(results, &wanted);
        let slots: Vec<Option<usize>> = outputs.iter().map(|output| output.gradient).collect();
        if slots.iter().any(Option::is_some) {
            let taken: Vec<Var<B>> = inputs.iter().flatten().cloned().collect();
            let step = move |gradients: &mut Gradients<'a, B>| {
                let mut arrived = Vec::new();
                // As they would come one by one: from the last to the first.
                for number in (0..slots.len()).rev() {
                    let Some(dy) = gradients.take(slots[number]) else { continue };
                    arrived.push((number, dy, gradients.sinks_of(&values[number], &inputs[number])));
                }
                let mut ways = Vec::new();
                for (number, dy, sinks) in &arrived {
                    ways.push(Backward { of: &values[*number], kept: &kept[*number], dy, sinks });
                }
                backend.backward_together(&ways);
            };
            self.keep(&taken, Box::new(step));
        }
        outputs.into_iter().enumerate().map(|(number, output)| self.named_by(output, || name(number))).collect()
    }

    /// Matrices whose gradients, where they are wanted, lie together.
    fn vars_together(&mut self, values: Vec<B::Tensor>, wanted: &[bool]) -> Vec<Var<B>> {
        let first = self.slots.len();
        let vars: Vec<Var<B>> = values.into_iter().zip(wanted).map(|(value, &wanted)| self.var(value, wanted)).collect();
        let shapes = vars.iter().filter(|var| var.gradient.is_some()).map(|var| var.value.shape()).collect();
        let together = Rc::new(Together { first, shapes });
        self.slots[first..].iter_mut().for_each(|slot| slot.together = Some(together.clone()));
        vars
    }

    /// How many steps of the way back are still to come when nothing adds to the gradient of `var` any more; all of them where none does.
    pub(crate) fn steps_left(&self, var: &Var<B>) -> usize {
        let first_use = var.gradient.and_then(|slot| self.slots[slot].first_use);
        first_use.unwrap_or(self.steps.len())
    }

    /// Runs the way back from the given gradients of outputs.
    pub fn backward(self, seeds: Vec<(&Var<B>, B::Tensor)>) -> Gradients<'a, B> {
        self.backward_telling(seeds, &mut |_| ())
    }

    /// The same; `left` is told how many steps are still to come, before the first and after each: see [`Tape::steps_left`].
    pub(crate) fn backward_telling(self, seeds: Vec<(&Var<B>, B::Tensor)>, left: &mut dyn FnMut(usize)) -> Gradients<'a, B> {
        let mut gradients = Gradients { backend: self.backend, slots: self.slots, watch: self.watch };
        for (var, seed) in seeds {
            gradients.give(var, seed);
        }
        left(self.steps.len());
        for (number, step) in self.steps.into_iter().enumerate().rev() {
            step(&mut gradients);
            left(number);
        }
        gradients
    }
}
