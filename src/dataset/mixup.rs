//! Which utterances of a batch are mixed, and how much of each (mixup, Zhang et al. 2018; of the classifier's input, Verma et al. 2019).

use crate::base::philox::Stream;

/// Random streams of the partners and of the shares start here, two a step.
const STREAMS: u64 = 1 << 53;
/// Blocks of random numbers that an attempt at both gamma variates takes; after all attempts come those that make them smaller.
const ATTEMPT_BLOCKS: u64 = 4;
const BOOST: u64 = 1 << 40;

/// How the utterances of a batch are mixed: of each its share, and the rest of its partner.
#[derive(Debug, Clone, PartialEq)]
pub struct HostMixup {
    /// `[batch]`: place of each one's partner, a permutation of the batch.
    pub partners: Vec<u32>,
    /// From 0.5 to 1.
    pub share: f32,
}

impl HostMixup {
    /// What step `step` (from 0) draws for so many utterances: the share from Beta(`alpha`, `alpha`), or what it lacks to 1 where that is
    /// more. A partner's partner is as likely as itself, so that this is no other distribution, and an utterance is never the smaller part of
    /// what stands in its place.
    pub(super) fn draw(alpha: f64, seed: u64, step: u64, utterances: usize) -> Self {
        let [order, share] = [0, 1].map(|of| Stream { seed, stream: STREAMS | (step << 1) | of });
        let partners = order.permutation(utterances).into_iter().map(|place| place as u32).collect();
        let share = beta(share, alpha);
        Self { partners, share: share.max(1.0 - share) as f32 }
    }
}

/// A variate of Beta(`alpha`, `alpha`): of two of Gamma(`alpha`) the first one's part of their sum, by their logarithms, which a small
/// `alpha` does not make zero.
fn beta(stream: Stream, alpha: f64) -> f64 {
    let [first, second] = [0, 1].map(|which| log_gamma_variate(stream, alpha, which));
    1.0 / (1.0 + libm::exp(second - first))
}

/// The logarithm of a variate of Gamma(`alpha`): one of `alpha` + 1 (Marsaglia & Tsang 2000) times a uniform one to the power of
/// 1 / `alpha`.
fn log_gamma_variate(stream: Stream, alpha: f64, which: u64) -> f64 {
    // Of (0, 1], whose logarithm is finite.
    let log_uniform = |block: u64| libm::log(f64::from(1.0 - stream.uniform(4 * block)));
    let d = alpha + 1.0 - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    let attempt = |number: u64| {
        let block = ATTEMPT_BLOCKS * number + 2 * which;
        let x = f64::from(stream.normal(block));
        let v = (1.0 + c * x) * (1.0 + c * x) * (1.0 + c * x);
        let log_v = if v > 0.0 { libm::log(v) } else { return None };
        (log_uniform(block + 1) < 0.5 * x * x + d - d * v + d * log_v).then_some(libm::log(d) + log_v)
    };
    // Nineteen of twenty attempts are taken.
    let variate = (0..BOOST / ATTEMPT_BLOCKS).find_map(attempt).unwrap_or_else(|| libm::log(d));
    variate + log_uniform(BOOST + which) / alpha
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of 4000 shares of what Beta(α, α) has: 1/2 and 1 / (4 (2α + 1)).
    #[test]
    fn shares_are_distributed_as_beta_variates() {
        for alpha in [0.1, 0.4, 1.0, 4.0, 40.0] {
            let drawn: Vec<f64> = (0..4000).map(|step| beta(Stream { seed: 7, stream: STREAMS | (step << 1) | 1 }, alpha)).collect();
            let mean = drawn.iter().sum::<f64>() / 4000.0;
            let variance = drawn.iter().map(|share| (share - mean) * (share - mean)).sum::<f64>() / 4000.0;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 4.0 * (expected / 4000.0f64).sqrt(), "{alpha}: mean {mean}");
            assert!((variance / expected - 1.0).abs() < 0.08, "{alpha}: variance {variance} of {expected}");
        }
        // Of 1 it is uniform.
        let below = (0..4000).filter(|&step| beta(Stream { seed: 1, stream: step }, 1.0) < 0.25).count();
        assert!((880..1120).contains(&below), "{below}");
    }

    #[test]
    fn a_step_draws_a_permutation_and_the_larger_share() {
        let drawn = HostMixup::draw(0.4, 3, 12, 9);
        assert_eq!(drawn, HostMixup::draw(0.4, 3, 12, 9));
        let mut sorted = drawn.partners.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..9).collect::<Vec<u32>>());
        let shares: Vec<f32> = (0..300).map(|step| HostMixup::draw(0.4, 3, step, 9).share).collect();
        assert!(shares.iter().all(|share| (0.5..=1.0).contains(share)));
        assert!(shares.iter().any(|&share| share < 0.6) && shares.iter().any(|&share| share > 0.9));
        for alpha in [1e-40, 1e-6, 1e30] {
            assert!((0.5..=1.0).contains(&HostMixup::draw(alpha, 3, 12, 9).share), "{alpha}");
        }
    }
}
