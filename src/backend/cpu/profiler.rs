//! Observes the reference: when each call of a kernel began and ended, and its work. A call is what a dispatch is elsewhere.

use super::{Cpu, Real};
use crate::backend::ops::{Call, Linear, Run};
use crate::backend::{Clock, Execution, Executions, Storage, Work};
use crate::base::numbers::{Activation, Precision};
use crate::base::parallel::*;

/// A profile in the making.
pub(super) struct Profile {
    clock: Clock,
    recorded: Executions,
}

/// Side of the product that shows what the processor's arithmetic can do: its operands lie in the caches.
const SIDE: usize = 256;

/// Numbers that a thread copies at a time.
const PART: usize = 1 << 16;

impl<T: Real> Cpu<T> {
    /// Times the calls from here to [`Cpu::finish_profile`].
    pub fn start_profile(&self, clock: Clock) {
        *self.profile.borrow_mut() = Some(Profile { clock, recorded: Executions::default() });
    }

    /// Ends a profile.
    pub fn finish_profile(&self) -> Executions {
        self.profile.take().map(|profile| profile.recorded).unwrap_or_default()
    }

    /// Makes a call, and keeps when it began and ended where a profile is made.
    pub(super) fn time<R>(&self, describe: impl FnOnce() -> Call, call: impl FnOnce() -> R) -> R {
        let now = || self.profile.borrow().as_ref().map(|profile| (profile.clock)());
        let begin = now();
        let result = call();
        let span = begin.zip(now()).map(|(begin, end)| [begin, end]);
        if let Some(profile) = self.profile.borrow_mut().as_mut() {
            let Call { kernel, entry, sizes, work } = describe();
            let sizes = sizes.into_iter().map(|(name, size)| (name, size as u32)).collect();
            let (flop, bytes) = (work.flop(), work.bytes);
            profile.recorded.runs.push(Execution { kernel, entry, variant: None, grid: None, sizes, flop, bytes, span });
        }
        result
    }

    /// Products of square matrices that fit the caches, all cores at work: what comes nearest to the processor's peak.
    pub(crate) fn record_multiply_adds(&self, rounds: u32) {
        let operand = self.upload(&vec![1.0 / SIDE as f32; SIDE * SIDE], [SIDE, SIDE]);
        let product = Linear { x: operand.clone(), weight: operand, bias: None, activation: Activation::None, precision: Precision::F32 };
        let work = Work { bytes: 0.0, ..Call::forward::<Self, _>(&product).work.share(f64::from(rounds)) };
        self.time(
            || Call { kernel: "multiply_add", entry: "multiply_add", sizes: Vec::new(), work },
            || {
                for _ in 0..rounds {
                    std::hint::black_box(self.forward(&product));
                }
            },
        );
    }

    /// A copy of `count` numbers.
    pub(crate) fn record_copy(&self, count: usize) {
        let source = vec![1f32; count];
        // Written beforehand: memory that was never touched is slow the first time.
        let mut copied = vec![2f32; count];
        let work = Work::elementwise(0.0, 0, 2 * count);
        self.time(
            || Call { kernel: "copy", entry: "copy", sizes: Vec::new(), work },
            || copied.par_chunks_mut(PART).zip(source.par_chunks(PART)).for_each(|(to, from)| to.copy_from_slice(from)),
        );
        std::hint::black_box(copied);
    }
}
