//! Times the calls of a backend that computes at once, as the CPU reference does: a call is what a dispatch is elsewhere.
//!
//! FLOP are those that the launches on a graphics device declare, bytes those of every operand once.

mod kernels;
mod within;

use std::cell::RefCell;
use std::future::{Future, ready};

use super::measure::{COPIED, Profiled};
use crate::backend::gpu::{Counters, Timing};
use crate::backend::{Backend, Clock, Execution, Executions, Result};
use crate::base::numbers::{Activation, Precision};

/// A backend whose calls are timed while a profile is made.
pub struct Timed<B> {
    inner: B,
    profile: RefCell<Option<(Clock, Executions)>>,
}

impl<B> Timed<B> {
    /// Times `inner`.
    pub fn new(inner: B) -> Self {
        Self { inner, profile: RefCell::default() }
    }

    /// Runs a call; `numbers` are those that it has to read or write, of four bytes each.
    fn time<T>(
        &self,
        [kernel, entry]: [&'static str; 2],
        sizes: &[(&'static str, usize)],
        flop: f64,
        numbers: usize,
        call: impl FnOnce() -> T,
    ) -> T {
        let now = || self.profile.borrow().as_ref().map(|(clock, _)| clock());
        let begin = now();
        let result = call();
        let span = begin.zip(now()).map(|(begin, end)| [begin, end]);
        if let Some((_, executions)) = self.profile.borrow_mut().as_mut() {
            let sizes = sizes.iter().map(|&(name, size)| (name, size as u32)).collect();
            let bytes = 4.0 * numbers as f64;
            executions.runs.push(Execution { kernel, entry, variant: None, grid: None, sizes, flop, bytes, span });
        }
        result
    }

    /// As [`Timed::time`] for `flop` a number.
    fn time_elementwise<T>(&self, name: [&'static str; 2], count: usize, flop: f64, numbers: usize, call: impl FnOnce() -> T) -> T {
        self.time(name, &[("count", count)], flop * count as f64, numbers, call)
    }
}

/// Side of the product that shows what the processor's arithmetic can do: its operands lie in the caches.
const SIDE: usize = 256;

impl<B: Backend> Profiled for Timed<B> {
    fn has_timestamps(&self) -> bool {
        false
    }

    fn start(&self, _: Timing, clock: Clock) {
        *self.profile.borrow_mut() = Some((clock, Executions::default()));
    }

    fn finish(&self) -> impl Future<Output = Result<Executions>> {
        ready(Ok(self.profile.take().map(|(_, executions)| executions).unwrap_or_default()))
    }

    fn counters(&self) -> Option<Counters> {
        None
    }

    /// Products of square matrices that fit the caches, all cores at work: what comes nearest to the processor's peak.
    fn record_arithmetic(&self, rounds: u32) {
        let operand = self.inner.upload(&vec![1.0 / SIDE as f32; SIDE * SIDE], [SIDE, SIDE]);
        let flop = 2.0 * f64::from(rounds) * (SIDE * SIDE * SIDE) as f64;
        self.time(["multiply_add", "multiply_add"], &[], flop, 0, || {
            for _ in 0..rounds {
                std::hint::black_box(self.inner.linear(&operand, &operand, None, Activation::None, Precision::F32));
            }
        });
    }

    fn record_copy(&self) {
        use rayon::prelude::*;
        const PART: usize = 1 << 16;
        let source = vec![1f32; COPIED];
        // Written beforehand: memory that was never touched is slow the first time.
        let mut copied = vec![2f32; COPIED];
        self.time(["copy", "copy"], &[], 0.0, 2 * COPIED, || {
            copied.par_chunks_mut(PART).zip(source.par_chunks(PART)).for_each(|(to, from)| to.copy_from_slice(from));
        });
        std::hint::black_box(copied);
    }
}
