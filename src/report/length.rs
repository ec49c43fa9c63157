//! Accuracy against length: bins of about as many utterances each, with Wilson's interval of their accuracy.

/// Utterances whose lengths lie near each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bin {
    /// Shortest and longest, in frames.
    pub shortest: usize,
    pub longest: usize,
    pub right: usize,
    pub count: usize,
}

/// Most bins, and utterances a bin should have.
const BINS: usize = 8;
const ENOUGH: usize = 10;

/// Sorts utterances (frames, whether right) into bins; equal lengths share a bin.
pub(crate) fn bins(mut utterances: Vec<(usize, bool)>) -> Vec<Bin> {
    utterances.sort_unstable();
    let wanted = (utterances.len() / ENOUGH).clamp(1, BINS);
    let mut bins: Vec<Bin> = Vec::new();
    let (mut placed, mut last) = (0, None);
    for same in utterances.chunk_by(|a, b| a.0 == b.0) {
        // The bin that the first of them falls into, were all bins of one size.
        let place = placed * wanted / utterances.len();
        placed += same.len();
        let right = same.iter().filter(|(_, right)| *right).count();
        let (frames, count) = (same[0].0, same.len());
        match bins.last_mut().filter(|_| last == Some(place)) {
            Some(bin) => {
                bin.longest = frames;
                bin.right += right;
                bin.count += count;
            }
            None => bins.push(Bin { shortest: frames, longest: frames, right, count }),
        }
        last = Some(place);
    }
    bins
}

/// Wilson's score interval of a share, at 95 %: with z = 1.96 and p = right / count
/// `(p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)`. Unlike p ± 2σ it stays within 0 and 1 and has a width where all or
/// none are right.
pub(crate) fn wilson(right: usize, count: usize) -> (f64, f64) {
    if count == 0 {
        return (0.0, 1.0);
    }
    let z = 1.959_963_984_540_054f64;
    let (n, p) = (count as f64, right as f64 / count as f64);
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Well-known values, to four decimals.
    #[test]
    fn wilson_intervals_agree_with_known_ones() {
        for (right, count, low, high) in
            [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962), (1, 1, 0.2065, 1.0)]
        {
            let (l, h) = wilson(right, count);
            assert!((l - low).abs() < 5e-5 && (h - high).abs() < 5e-5, "{right} of {count}: {l}, {h}");
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn every_utterance_is_in_one_bin_and_bins_follow_each_other() {
        for count in [0, 1, 9, 10, 57, 1000] {
            let utterances: Vec<(usize, bool)> = (0..count).map(|place| (100 + place * place % 37 * 10, place % 3 == 0)).collect();
            let right = utterances.iter().filter(|(_, right)| *right).count();
            let bins = bins(utterances);
            assert!(bins.len() <= BINS);
            assert_eq!(bins.iter().map(|bin| bin.count).sum::<usize>(), count);
            assert_eq!(bins.iter().map(|bin| bin.right).sum::<usize>(), right);
            assert!(bins.windows(2).all(|pair| pair[0].longest < pair[1].shortest), "{bins:?}");
        }
    }

    #[test]
    fn bins_have_about_as_many_utterances_each() {
        let bins = bins((0..800).map(|place| (place, true)).collect());
        assert!(bins.len() == 8 && bins.iter().all(|bin| bin.count == 100), "{bins:?}");
        let equal = super::bins(vec![(50, true); 300]);
        let uneven = super::bins((0..400).map(|place| (place.max(300), true)).collect());
        assert!(uneven.len() == 3 && uneven[1].count >= 49, "{uneven:?}");
        assert_eq!(equal, [Bin { shortest: 50, longest: 50, right: 300, count: 300 }]);
    }
}
