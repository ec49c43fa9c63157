//! Proves each kernel of a backend against the reference, on cases that are the same everywhere.
//!
//! A kernel's `Suite` lies in `cases`, one file a kernel: its shapes, how a shape is typed, random shapes, tolerance, gradient,
//! and what to break in its shaders. [`check`] runs a [`Case`] on the backend in question and on the reference in float64 and
//! compares ([`compare`]). Kernels with a gradient are described once, as `TapeOperation`: cases run them
//! forward and back through a [`crate::tape::Tape`], and the same gradients are held against central differences ([`Gradient`]).
//!
//! Checks, fuzzing, `mcsan profile --kernel`, benches and tests walk [`Kernel::ALL`], so that a case which one of them prints
//! can be given to another.
//!
//! # A kernel of one's own
//!
//! A kernel outside this crate is compared in the same way: a type whose `Display` names its shapes and that is a [`Subject`],
//! with a [`Record`] for [`Gpu`](crate::backend::gpu::Gpu), which runs any shader, and one for
//! [`Cpu<f64>`](crate::backend::cpu::Cpu), which says what must come out. [`examine`] then takes a [`Case::of`] it: outputs
//! that the record allocates are poisoned and guarded where the device was opened so, a [`Source`] draws shapes to fuzz it by, and
//! [`dump`] writes its evidence. `tests/own_kernel.rs` is a whole example.

mod case;
pub(crate) mod cases;
pub mod compare;
#[cfg(feature = "files")]
pub mod dump;
mod gradient;
mod inputs;
mod kernels;
pub mod model;
mod report;
mod sabotage;
pub mod select;
mod source;
mod subject;
pub(crate) mod tape_operation;

pub use case::{Case, Origin, Output};
pub use gradient::{Gradient, Objective, differences};
pub use inputs::{Input, Inputs, Values};
pub use kernels::{Kernel, KernelShape};
pub use report::{CaseReport, Evidence, Expected, check, check_against, examine};
pub use sabotage::Sabotage;
pub use select::{SelectionError, fuzz, kernels_named, select};
pub(crate) use source::FINE;
pub use source::Source;
pub(crate) use subject::Suite;
pub use subject::{Prepared, Record, Recorded, Subject};

use case::reference;
