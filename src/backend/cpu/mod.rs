//! The reference: every kernel in plain Rust, in f32 or f64.
//!
//! It says what a shader must compute, and it is what runs where there is no adapter. One file per kernel, named as its
//! operation's in [`super::ops`]; each is a few functions from slices to new vectors, forward and backward side by side. The
//! implementation above them hands them a matrix's memory and puts their results where the caller asked.
//!
//! Two promises, on the way forward: an utterance's result is the same bits whatever else is in its batch, and on both
//! ways: the result is the same bits whatever the number of threads, because work is cut at fixed places and sums have a
//! fixed order. Products, exp and tanh are plain Rust that the compiler turns into vector instructions (`wide`), so they
//! have the same bits on every processor, too.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod fused;
mod memory;
mod product;
mod profiler;
mod sequences;
mod storage;
mod tensor;
mod wide;

use std::cell::RefCell;

use super::Backend;
use super::list::{kernels, modules};
use crate::base::real::Real;
use profiler::Profile;
pub use tensor::CpuTensor;

kernels!(modules);

/// The processor as a backend that computes in `T`.
#[derive(Default)]
pub struct Cpu<T> {
    positions: RefCell<position_embedding::Positions<T>>,
    /// There while a profile is made.
    profile: RefCell<Option<Profile>>,
}

impl<T: Real> Cpu<T> {
    /// The processor.
    pub fn new() -> Self {
        Self { positions: RefCell::default(), profile: RefCell::default() }
    }
}

impl<T: Real> Backend for Cpu<T> {}

impl<T> Drop for Cpu<T> {
    fn drop(&mut self) {
        memory::release();
    }
}
