//! The kernels: what each computes, independent of where it runs, and the backends that run them.
//!
//! [`ops`] says what each kernel is. [`cpu`] says in plain Rust what it must compute (in f32 or f64), [`gpu`] runs the WGSL shader of
//! the same name, and [`Counting`] computes nothing and adds up the work. [`Backend`] is the sum: [`Storage`], and every kernel of
//! the one list in `list.rs`.
//!
//! # Numbers that are not finite, and denormals
//!
//! Devices may take denormal numbers for zero, and a comparison that such a zero decides may fall otherwise. What a kernel promises
//! beyond finite numbers stands with its equation in [`ops`], and [`crate::check`] holds it to that.

mod counting;
pub mod cpu;
mod device;
pub(crate) mod error;
mod execution;
mod front_end;
pub mod gpu;
mod list;
pub mod ops;
mod prosody;
mod ragged;
mod sink;
mod storage;
mod work;

pub use counting::Counting;
pub use device::Device;
pub use error::BackendError;
pub(crate) use error::Result;
pub use execution::{Clock, Execution, Executions, Submission};
pub use front_end::MfccTables;
pub use prosody::{LoudnessTables, PitchTables};
pub use ragged::{Preceding, Ragged};
pub use sink::{Sink, Write};
pub(crate) use storage::SLICE_ALIGNMENT;
pub use storage::{Matrix, Storage, as_f32};
pub use work::Work;

pub(crate) use list::{kernels, modules};
use ops::{Differentiate, Run};

/// The kernels' operands as a backend holds them.
macro_rules! form {
    (B) => {
        Self
    };
    (T) => {
        <Self as Storage>::Tensor
    };
}

macro_rules! sum {
    ($($name:ident $operation:ident<$($parameter:ident),+> $trait:ident)*) => {
        /// Where kernels run: memory, and every kernel.
        pub trait Backend: Storage $(+ $trait<ops::$operation<$(form!($parameter)),+>>)* {}
    };
}
kernels!(sum);
