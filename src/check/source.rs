//! Where a case's inputs come from: numbers of Philox, the same on every machine.

use crate::base::philox::Stream;

/// Step between drawn numbers, 2⁻¹⁶. Numbers below 128 are exact in float32, and so are they one step further, which
/// makes it the step of the tests' central differences.
pub(crate) const FINE: f32 = 1.0 / 65536.0;

/// Inputs of kernels that choose, by a maximum or a ReLU, are multiples of 2⁻⁶ …
pub(crate) const COARSE: f32 = 1.0 / 64.0;
/// … and weights of 2⁻⁸: their sums of products, up to 2¹⁰, are exact in float32 in any order, so that every device
/// chooses as the reference does.
pub(crate) const COARSE_WEIGHT: f32 = 1.0 / 256.0;

/// Sizes on either side of the edges of tiles and workgroups.
const EDGES: [usize; 16] = [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129];

/// Draws the inputs of a case, one Philox stream after the other.
pub struct Source {
    seed: u64,
    drawn: u64,
}

impl Source {
    /// The inputs of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// A stream that no other draw has used.
    pub(crate) fn stream(&mut self) -> Stream {
        self.drawn += 1;
        Stream { seed: self.seed, stream: self.drawn }
    }

    /// Numbers uniform in `[-amplitude, amplitude]`, multiples of `FINE`.
    pub fn uniform(&mut self, count: usize, amplitude: f32) -> Vec<f32> {
        self.multiples(count, amplitude, FINE)
    }

    /// Numbers uniform in `[-amplitude, amplitude]`, multiples of `step`.
    pub(crate) fn multiples(&mut self, count: usize, amplitude: f32, step: f32) -> Vec<f32> {
        let stream = self.stream();
        let steps = amplitude / step;
        let number = |block: [u32; 4]| block.map(|word| (steps * (word as f32 / 2f32.powi(31) - 1.0)).round() * step);
        (0..count.div_ceil(4) as u64).flat_map(|index| number(stream.block(index))).take(count).collect()
    }

    /// Whole numbers below `bound`.
    pub(crate) fn below(&mut self, count: usize, bound: u32) -> Vec<u32> {
        let stream = self.stream();
        (0..count as u64).map(|index| ((u64::from(stream.word(index)) * u64::from(bound)) >> 32) as u32).collect()
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(1, (most - least + 1) as u32)[0] as usize
    }

    /// A whole number from `least` to `most`, half of the time one at the edges of tiles.
    pub fn size(&mut self, least: usize, most: usize) -> usize {
        let edges: Vec<usize> = EDGES.into_iter().filter(|edge| (least..=most).contains(edge)).collect();
        if edges.is_empty() || self.pick(&[true, false]) { self.between(least, most) } else { self.pick(&edges) }
    }

    /// Puts a NaN and both infinities at drawn places.
    pub(crate) fn spoil(&mut self, values: &mut [f32]) {
        for wrong in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            let place = self.between(0, values.len() - 1);
            values[place] = wrong;
        }
    }

    /// One of the choices.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.between(0, choices.len() - 1)]
    }

    /// Lengths from `least` to `most` of `batch` sequences, at least one of them `most`.
    pub(crate) fn lengths(&mut self, batch: usize, least: u32, most: u32) -> Vec<u32> {
        let mut lengths: Vec<u32> = (0..batch).map(|_| self.size(least as usize, most as usize) as u32).collect();
        let longest = self.between(0, batch - 1);
        lengths[longest] = most;
        lengths
    }
}
