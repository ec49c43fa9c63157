//! A case: a subject's work on drawn inputs, run and read back.

use std::fmt;

use super::{Input, Inputs, Kernel, KernelShape, Record, Recorded, Source, Subject};
use crate::backend::cpu::Cpu;
use crate::backend::{self, Backend, Counting, Matrix, Work};
use crate::base::memory::{self, Bytes, NoRoom};
use crate::base::real::Real;

/// A result of a case on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// `output`, `gradient of weight`, …
    pub name: String,
    /// `[rows, columns]`
    pub shape: [usize; 2],
    /// Row-major.
    pub values: Vec<f64>,
}

/// A kernel's work on given shapes and drawn inputs.
#[derive(Debug, Clone)]
pub struct Case<S = KernelShape> {
    /// As `mcsan check --kernel` takes it; of a kernel from elsewhere any name.
    pub kernel_name: &'static str,
    /// The sizes of the work.
    pub shape: S,
    /// Of the inputs.
    pub seed: u64,
    /// Whether its name alone brings it back.
    pub origin: Origin,
}

/// What brings a case back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Its name: the inputs are of the seed that the name stands for.
    Named,
    /// Its name and its seed.
    Drawn,
}

impl<S: Subject> Case<S> {
    /// A subject's work on the inputs of a seed.
    pub fn of(kernel_name: &'static str, shape: S, seed: u64) -> Self {
        Self { kernel_name, shape, seed, origin: Origin::Drawn }
    }

    /// Its shapes in words.
    pub fn name(&self) -> String {
        self.shape.to_string()
    }

    /// The same work on inputs of another seed.
    pub fn reseeded(self, seed: u64) -> Self {
        Self { seed, origin: Origin::Drawn, ..self }
    }

    /// The options of `mcsan check` that run this case alone.
    pub(crate) fn options(&self) -> String {
        let named = format!("--kernel {} --case '{}'", self.kernel_name, self.shape);
        match self.origin {
            Origin::Named => named,
            Origin::Drawn => format!("{named} --seed {}", self.seed),
        }
    }

    /// What the operations ask for that it runs, forward and back.
    pub fn work(&self) -> Work
    where
        S: Record<Counting>,
    {
        let counting = Counting::default();
        self.prepare(&counting)();
        counting.work()
    }

    /// Runs it and copies every result to the host.
    pub async fn run<B: Backend>(&self, backend: &B) -> backend::Result<Vec<Output>>
    where
        S: Record<B>,
    {
        Ok(self.run_with_inputs(backend).await?.1)
    }

    /// As [`Case::run`], with what went in.
    pub(crate) async fn run_with_inputs<B: Backend>(&self, backend: &B) -> backend::Result<(Vec<Input>, Vec<Output>)>
    where
        S: Record<B>,
    {
        let inputs = Inputs::new(backend);
        let recorded = self.shape.prepare(&mut Source::new(self.seed), &inputs)();
        Ok((inputs.into_given(), read_all(backend, recorded).await?))
    }

    /// Draws the inputs; what is returned records the work on them, forward and back, as often as it is called.
    pub fn prepare<'a, B: Backend>(&self, backend: &'a B) -> impl Fn() -> Vec<Recorded<B>> + use<'a, B, S>
    where
        S: Record<B>,
    {
        self.shape.prepare(&mut Source::new(self.seed), &Inputs::new(backend))
    }
}

impl Case {
    /// The kernel that it runs.
    pub fn kernel(&self) -> Kernel {
        self.shape.kernel()
    }

    /// Refuses what the host has no room for: so many bytes for each number of its largest matrix.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn check_room(&self, bytes: u64) -> Result<(), NoRoom> {
        let needed = Bytes(self.shape.largest().saturating_mul(bytes));
        memory::room_for(needed).map_err(|free| NoRoom { what: format!("{self}: its largest matrix"), needed, free })
    }
}

impl<S: Subject> fmt::Display for Case<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kernel_name, self.shape)
    }
}

/// Copies results to the host.
pub(crate) async fn read_all<B: Backend>(backend: &B, recorded: Vec<Recorded<B>>) -> backend::Result<Vec<Output>> {
    let readbacks: Vec<_> = recorded.iter().map(|output| backend.start_read(&output.tensor)).collect();
    let mut outputs = Vec::with_capacity(recorded.len());
    for (Recorded { name, tensor }, readback) in recorded.into_iter().zip(readbacks) {
        let values = backend.finish_read(readback).await?.into_iter().map(Real::as_f64).collect();
        outputs.push(Output { name, shape: tensor.shape(), values });
    }
    Ok(outputs)
}

/// Results of the reference, which are on the host.
pub(super) fn reference(recorded: Vec<Recorded<Cpu<f64>>>) -> Vec<Output> {
    recorded.into_iter().map(|Recorded { name, tensor }| Output { name, shape: tensor.shape(), values: tensor.values().to_vec() }).collect()
}
