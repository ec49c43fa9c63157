//! Launches of the shaders that show what a device can do at best, for profiles.

use super::*;
use shader::{copy, multiply_add};

/// Invocations of the multiply-adds: some thousand for each of a large device's units.
const INVOCATIONS: usize = 1 << 18;
/// FLOP of an invocation in one round: four multiply-adds on three vectors of four.
const ROUND_FLOP: f64 = 2.0 * 4.0 * 3.0 * 4.0;

impl Gpu {
    /// Records `rounds` rounds of fused multiply-adds on every lane.
    pub(crate) fn record_multiply_adds(&self, rounds: u32) {
        let results = self.new_tensor([1, INVOCATIONS]);
        let args = multiply_add::Args { rounds, factor: 0.999, summand: 0.001 };
        let flop = INVOCATIONS as f64 * f64::from(rounds) * ROUND_FLOP;
        let grid = [blocks(INVOCATIONS, multiply_add::WORKGROUP), 1, 1];
        let work = Work::products(flop, INVOCATIONS);
        self.dispatch(&multiply_add::MultiplyAdd { results: &results }, args, grid, work);
    }

    /// Records a copy of `count` numbers, which must be a multiple of four.
    pub(crate) fn record_copy(&self, count: usize) {
        let [source, copied] = [(); 2].map(|()| self.new_tensor([1, count]));
        let args = copy::Args { vectors: (count / 4) as u32 };
        let grid = flat_grid(count / 4, copy::WORKGROUP * copy::ROUNDS);
        self.dispatch(&copy::Copy { source: &source, copied: &copied }, args, grid, None);
    }
}
