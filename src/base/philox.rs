//! Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//!
//! A number is a function of (seed, stream, index) and of nothing else, so any lane of any device draws it
//! without state, and a run resumes by remembering its step. `shaders/shared/philox.wgsl` is the same function.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Which sequence of random numbers to draw from: `seed` is the run's, `stream` tells uses apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// The key: what is drawn by another seed has nothing to do with it.
    pub seed: u64,
    /// The upper half of the counter: the same seed's numbers for another use.
    pub stream: u64,
}

impl Stream {
    /// Block `index` of the stream: four independent 32-bit words.
    pub(crate) fn block(self, index: u64) -> [u32; 4] {
        let mut key = [self.seed as u32, (self.seed >> 32) as u32];
        let mut counter = [index as u32, (index >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32];
        for _ in 0..10 {
            let even = u64::from(counter[0]) * u64::from(MULTIPLIERS[0]);
            let odd = u64::from(counter[2]) * u64::from(MULTIPLIERS[1]);
            counter = [(odd >> 32) as u32 ^ counter[1] ^ key[0], odd as u32, (even >> 32) as u32 ^ counter[3] ^ key[1], even as u32];
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        counter
    }

    /// Word `index` of the stream: 32 random bits.
    pub(crate) fn word(self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// Number `index` of the stream, uniform in `[0, 1)` with 24 bits.
    pub fn uniform(self, index: u64) -> f32 {
        unit(self.word(index))
    }

    /// Number `index` of the stream, normal with mean 0 and deviation 1 (Box & Muller 1958), from one block. Logarithm and
    /// cosine are `libm`'s: those of the platforms differ in their last bits.
    pub(crate) fn normal(self, index: u64) -> f32 {
        let [first, second, ..] = self.block(index);
        // 1 - u lies in (0, 1], where the logarithm is finite.
        let radius = (-2.0 * libm::log(f64::from(1.0 - unit(first)))).sqrt();
        (radius * libm::cos(std::f64::consts::TAU * f64::from(unit(second)))) as f32
    }

    /// Number `index` of the stream, below `bound`, as even as 32 bits are.
    pub(crate) fn below(self, index: u64, bound: usize) -> usize {
        ((u64::from(self.word(index)) * bound as u64) >> 32) as usize
    }

    /// A permutation of `0..count` (Fisher–Yates).
    pub(crate) fn permutation(self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.below(last as u64, last + 1));
        }
        order
    }
}

/// 32 random bits as a number in `[0, 1)`: the upper 24, so that float32 holds it exactly.
pub(crate) fn unit(word: u32) -> f32 {
    (word >> 8) as f32 / (1 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the authors' own test file (Random123, kat_vectors, philox4x32 10 rounds).
    #[test]
    fn matches_the_published_vectors() {
        let zero = Stream { seed: 0, stream: 0 };
        assert_eq!(zero.block(0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = Stream { seed: u64::MAX, stream: u64::MAX };
        assert_eq!(ones.block(u64::MAX), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    }

    #[test]
    fn a_permutation_holds_every_index_once() {
        let mut order = Stream { seed: 3, stream: 9 }.permutation(1000);
        assert_ne!(order[..10], (0..10).collect::<Vec<_>>()[..]);
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }
}
