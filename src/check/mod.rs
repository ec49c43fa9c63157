//! Proves each kernel of a backend against the reference, on cases that are the same everywhere.
//!
//! A kernel's cases lie in [`cases`], one struct a kernel that says its shapes, draws its inputs and records the work on
//! any [`Backend`]. [`check`] runs a case on the backend in question and on the reference in float64 and compares
//! ([`compare`]). Kernels with a gradient are described once, as [`differentiable::Differentiable`]: cases run them
//! forward and back through a [`crate::tape::Tape`], and the tests hold the same gradients against central differences.

pub mod cases;
pub mod compare;
pub mod differentiable;
#[cfg(feature = "files")]
pub mod dump;
mod inputs;
pub mod model;
mod report;
mod select;
mod source;

use std::fmt;

use cases::*;
use compare::{Silence, Tolerance};

pub use inputs::{Input, Inputs, Values};
pub use report::{Evidence, Report, check, examine};
pub use select::{SelectionError, fuzz, kernels_named, select};
pub use source::{FINE, Source};

use crate::backend::{Backend, Matrix, Result};
use crate::base::real::Real;

/// A result of a case on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// `output`, `gradient of weight`, …
    pub name: String,
    pub shape: [usize; 2],
    /// Row-major.
    pub values: Vec<f64>,
}

/// A result of a case, still on the device.
pub struct Recorded<B: Backend> {
    pub name: String,
    pub tensor: B::Tensor,
}

impl<B: Backend> Recorded<B> {
    /// Names a result.
    pub fn new(name: impl Into<String>, tensor: B::Tensor) -> Self {
        Self { name: name.into(), tensor }
    }
}

/// Shapes of one kernel's work. Its `Display` is the case's name, `rows=129,in=40,out=128,relu`.
pub trait Subject: fmt::Display + Sized {
    /// The paper's shapes, edges of tiles, and everything else that has its own way through the kernel.
    fn cases() -> Vec<Self>;

    /// A small legal shape.
    fn random(source: &mut Source) -> Self;

    /// How far float32 may be from the reference, and why.
    fn tolerance(&self) -> Tolerance;

    /// Whether some result may rightly be zero everywhere.
    fn silence(&self) -> Silence {
        Silence::Wrong
    }

    /// Draws the inputs and records the work.
    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>>;
}

/// Declares [`Kernel`] and [`Shape`] from one list, so that no kernel can lack its cases.
macro_rules! kernels {
    ($($kernel:ident $name:literal)*) => {
        /// A kernel of [`Backend`], with its gradient.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kernel {
            $(#[doc = concat!("`", $name, "`")] $kernel,)*
        }

        impl Kernel {
            /// Every kernel, in the order of the model.
            pub const ALL: &[Self] = &[$(Self::$kernel),*];

            /// Its name, as its files have it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kernel => $name,)*
                }
            }

            fn shapes(self) -> Vec<Shape> {
                match self {
                    $(Self::$kernel => $kernel::cases().into_iter().map(Shape::$kernel).collect(),)*
                }
            }

            fn random_shape(self, source: &mut Source) -> Shape {
                match self {
                    $(Self::$kernel => Shape::$kernel($kernel::random(source)),)*
                }
            }
        }

        /// What a case computes, and on which shapes.
        #[derive(Debug, Clone)]
        pub enum Shape {
            $(#[doc = concat!("`", $name, "`")] $kernel($kernel),)*
        }

        impl Shape {
            fn kernel(&self) -> Kernel {
                match self {
                    $(Self::$kernel(_) => Kernel::$kernel,)*
                }
            }

            fn tolerance(&self) -> Tolerance {
                match self {
                    $(Self::$kernel(subject) => subject.tolerance(),)*
                }
            }

            fn silence(&self) -> Silence {
                match self {
                    $(Self::$kernel(subject) => subject.silence(),)*
                }
            }

            fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
                match self {
                    $(Self::$kernel(subject) => subject.record(source, inputs),)*
                }
            }
        }

        impl fmt::Display for Shape {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$kernel(subject) => subject.fmt(f),)*
                }
            }
        }
    };
}

kernels! {
    Mfcc "mfcc"
    Deltas "deltas"
    ZScore "z_score"
    Embedding "embedding"
    PositionEmbedding "position_embedding"
    Accumulate "accumulate"
    ConvPool "conv_pool"
    Linear "linear"
    Bilstm "bilstm"
    Attention "attention"
    AttentionWeights "attention_weights"
    ResidualNorm "residual_norm"
    GlobalMax "global_max"
    CrossEntropy "cross_entropy"
    Dropout "dropout"
    GradientNorm "gradient_norm"
    LossScale "loss_scale"
    Adam "adam"
    Sgd "sgd"
}

impl Kernel {
    /// Its list of cases.
    pub fn cases(self) -> Vec<Case> {
        let seeds = 1u64..;
        self.shapes().into_iter().zip(seeds).map(|(shape, seed)| Case { shape, seed, origin: Origin::Listed }).collect()
    }

    /// A case on shapes that `seed` chooses.
    pub fn random_case(self, seed: u64) -> Case {
        Case { shape: self.random_shape(&mut Source::new(!seed)), seed, origin: Origin::Random }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kernel's work on given shapes and drawn inputs.
#[derive(Debug, Clone)]
pub struct Case {
    pub shape: Shape,
    /// Of the inputs.
    pub seed: u64,
    pub origin: Origin,
}

/// Where a case comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Its kernel's list.
    Listed,
    /// The same, with inputs of another seed.
    Reseeded,
    /// [`Kernel::random_case`].
    Random,
}

impl Case {
    /// The kernel that it runs.
    pub fn kernel(&self) -> Kernel {
        self.shape.kernel()
    }

    /// Its shapes in words.
    pub fn name(&self) -> String {
        self.shape.to_string()
    }

    /// How far its results may be from the reference's.
    pub fn tolerance(&self) -> Tolerance {
        self.shape.tolerance()
    }

    /// Whether some result may rightly be zero everywhere.
    pub fn silence(&self) -> Silence {
        self.shape.silence()
    }

    /// The same work on inputs of another seed.
    pub fn reseeded(self, seed: u64) -> Self {
        Self { seed, origin: Origin::Reseeded, ..self }
    }

    /// The options of `mcsan check` that run this case alone.
    pub fn options(&self) -> String {
        let (kernel, seed) = (self.kernel(), self.seed);
        match self.origin {
            Origin::Listed => format!("--kernel {kernel} --case '{}'", self.shape),
            Origin::Reseeded => format!("--kernel {kernel} --case '{}' --seed {seed}", self.shape),
            Origin::Random => format!("--kernel {kernel} --fuzz-seed {seed}"),
        }
    }

    /// Runs it and copies every result to the host.
    pub async fn run<B: Backend>(&self, backend: &B) -> Result<Vec<Output>> {
        Ok(self.run_with_inputs(backend).await?.1)
    }

    /// As [`Case::run`], with what went in.
    pub async fn run_with_inputs<B: Backend>(&self, backend: &B) -> Result<(Vec<Input>, Vec<Output>)> {
        let inputs = Inputs::new(backend);
        let recorded = self.shape.record(&mut Source::new(self.seed), &inputs);
        Ok((inputs.into_given(), read_all(backend, recorded).await?))
    }

    /// Draws the inputs and records the work, forward and back.
    pub fn record<B: Backend>(&self, backend: &B) -> Vec<Recorded<B>> {
        self.shape.record(&mut Source::new(self.seed), &Inputs::new(backend))
    }
}

/// Copies results to the host.
pub async fn read_all<B: Backend>(backend: &B, recorded: Vec<Recorded<B>>) -> Result<Vec<Output>> {
    let readbacks: Vec<_> = recorded.iter().map(|output| backend.start_read(&output.tensor)).collect();
    let mut outputs = Vec::with_capacity(recorded.len());
    for (Recorded { name, tensor }, readback) in recorded.into_iter().zip(readbacks) {
        let values = backend.finish_read(readback).await?.into_iter().map(Real::as_f64).collect();
        outputs.push(Output { name, shape: tensor.shape(), values });
    }
    Ok(outputs)
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kernel(), self.shape)
    }
}
