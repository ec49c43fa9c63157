//! What is compared with the reference: work on given shapes, and all by which a kernel is proved.

use std::fmt;

use super::compare::{Silence, Tolerance};
use super::{Gradient, Inputs, Sabotage, Source};
use crate::backend::Backend;
use crate::base::sizes::{Keys, SizeError};

/// Work on given shapes. Its `Display` is the case's name, `rows=129,in=40,out=128,relu`.
pub trait Subject: fmt::Display {
    /// How far float32 may be from the reference, and why.
    fn tolerance(&self) -> Tolerance;

    /// Whether some result may rightly be zero everywhere.
    fn silence(&self) -> Silence {
        Silence::Wrong
    }
}

/// A subject's way onto a backend. What its record for the reference, [`Cpu<f64>`](crate::backend::cpu::Cpu), computes is what
/// every other must.
pub trait Record<B: Backend>: Subject {
    /// Draws the inputs and puts them on the backend; the work on them is recorded whenever what is returned is called.
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B>;
}

/// Work whose inputs lie on a backend. Work in place goes on from where the last call has left it.
pub type Prepared<'a, B> = Box<dyn Fn() -> Vec<Recorded<B>> + 'a>;

/// A result of a case, still on the device.
pub struct Recorded<B: Backend> {
    /// `output`, `gradient of weight`, …
    pub name: String,
    /// What is read back.
    pub tensor: B::Tensor,
}

impl<B: Backend> Recorded<B> {
    /// Names a result.
    pub fn new(name: impl Into<String>, tensor: B::Tensor) -> Self {
        Self { name: name.into(), tensor }
    }
}

/// All by which a kernel is proved.
pub(crate) trait Suite: Subject + Sized {
    /// The paper's shapes, edges of tiles, and everything else that has its own way through the kernel.
    fn cases() -> Vec<Self>;

    /// A small legal shape.
    fn random(source: &mut Source) -> Self;

    /// The shape that is typed; reads every name that `Display` writes. What is not typed is as in the paper's network, for a
    /// batch of 32.
    ///
    /// # Errors
    /// [`SizeError`] of shapes that the kernel does not take.
    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError>;

    /// Numbers of the largest matrix that goes in or comes out.
    fn largest(&self) -> u64;

    /// How its gradient is proved, or why it has none.
    fn gradient() -> Gradient;

    /// What to break in its shaders: together at least one part of every variant.
    const SABOTAGE: &'static [Sabotage];
}
