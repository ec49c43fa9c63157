//! The reference: every kernel in plain Rust, in f32 or f64.
//!
//! It says what a shader must compute, and it is what runs where there is no adapter. One file per kernel, named as the
//! trait's method; each is a few functions from slices to new vectors, forward and backward side by side. [`Cpu`] hands
//! them a matrix's memory and puts their results where the caller asked.
//!
//! Two promises, on the way forward: an utterance's result is the same bits whatever else is in its batch, and on both
//! ways: the result is the same bits whatever the number of threads, because work is cut at fixed places and sums have a
//! fixed order. Products, exp and tanh are plain Rust that the compiler turns into vector instructions (`wide`), so they
//! have the same bits on every processor, too.

mod accumulate;
mod adam;
mod attention;
mod attention_weights;
mod bilstm;
mod conv_pool;
mod cross_entropy;
mod deltas;
mod dropout;
mod embedding;
mod global_max;
mod gradient_norm;
mod kernels;
mod linear;
mod loss_scale;
mod mfcc;
mod position_embedding;
mod product;
mod residual_norm;
mod sgd;
mod tensor;
mod wide;
mod z_score;

use std::marker::PhantomData;

use crate::base::real::Real;
pub use product::View;
pub use tensor::CpuTensor;

/// The processor as a backend that computes in `T`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu<T> {
    element: PhantomData<T>,
}

impl<T: Real> Cpu<T> {
    /// The processor.
    pub fn new() -> Self {
        Self { element: PhantomData }
    }
}
