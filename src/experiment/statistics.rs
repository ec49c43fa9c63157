//! Statistics over runs: mean ± standard deviation, a paired t-test, McNemar's test and its like for several runs.

use serde::Serialize;
use statrs::function::beta::checked_beta_reg;

/// Mean and sample standard deviation, √(Σ (x - mean)² / (n - 1)).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanDeviation {
    /// Of the values.
    pub mean: f64,
    /// `None` of a single value.
    pub deviation: Option<f64>,
}

impl MeanDeviation {
    /// Of at least one value.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, deviation: (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt()) }
    }
}

/// A two-sided paired t-test: t = d̄ / √(s² / n) over the n differences d, with n - 1 degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedT {
    /// Infinite where all differences are one and the same number.
    pub t: f64,
    /// One less than there are differences.
    pub degrees_of_freedom: usize,
    /// Probability of a |t| as large or larger if there were no difference.
    pub p: f64,
    /// The same with t = d̄ / √(s² (1/n + test/train)): folds share what they are trained on, so their differences are not
    /// independent and the plain test finds too much (Nadeau & Bengio, "Inference for the generalization error", 2003).
    pub corrected_p: f64,
}

/// Compares two results fold by fold, `a` minus `b`; `test_to_train` is the ratio of a fold's test and training
/// utterances. `None` for fewer than two folds, or where the results do not differ at all.
pub fn paired_t(a: &[f64], b: &[f64], test_to_train: f64) -> Option<PairedT> {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    if differences.len() < 2 || differences.iter().all(|&difference| difference == 0.0) {
        return None;
    }
    let MeanDeviation { mean, deviation } = MeanDeviation::of(&differences);
    let variance = deviation?.powi(2);
    let t_of = |share: f64| mean / (variance * share).sqrt();
    let share = 1.0 / differences.len() as f64;
    let degrees_of_freedom = differences.len() - 1;
    let p = |t: f64| two_sided(t, degrees_of_freedom as f64);
    Some(PairedT { t: t_of(share), degrees_of_freedom, p: p(t_of(share)), corrected_p: p(t_of(share + test_to_train)) })
}

/// P(|T| ≥ |t|) of Student's t: I_{ν / (ν + t²)}(ν / 2, 1 / 2).
fn two_sided(t: f64, degrees_of_freedom: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    incomplete_beta(degrees_of_freedom / 2.0, 0.5, degrees_of_freedom / (degrees_of_freedom + t * t))
}

/// The 95 % interval of a mean by Student's t; as for [`paired_t`], the variance of results that share what they were trained on is
/// s² (1/n + `test_to_train`). `None` for fewer than two.
pub fn confidence(values: &[f64], test_to_train: f64) -> Option<[f64; 2]> {
    let MeanDeviation { mean, deviation } = MeanDeviation::of(values);
    let freedom = values.len() as f64 - 1.0;
    let error = (deviation?.powi(2) * (1.0 / values.len() as f64 + test_to_train)).sqrt();
    // The t that is passed with a probability of 5 %: between two that are halved until nothing lies between.
    let (mut low, mut high) = (0.0, 1e3);
    for _ in 0..64 {
        let t = 0.5 * (low + high);
        if two_sided(t, freedom) > 0.05 { low = t } else { high = t }
    }
    Some([mean - high * error, mean + high * error])
}

/// McNemar's exact test, two-sided: of the utterances that only one of two models has right, how likely is a division as
/// uneven as `only_a` to `only_b`, or more so, if each side were equally likely. P(X ≤ k) of B(n, 1/2) is
/// I_{1/2}(n - k, k + 1).
pub fn mcnemar(only_a: usize, only_b: usize) -> f64 {
    let fewer = only_a.min(only_b) as f64;
    let more = only_a.max(only_b) as f64;
    if fewer == more { 1.0 } else { (2.0 * incomplete_beta(more, fewer + 1.0, 0.5)).min(1.0) }
}

/// An exact test of paired counts, two-sided: how likely is a sum of the differences as far from zero as theirs, or farther, if each
/// had either sign with the same probability, whatever the others have (Fisher's randomisation test; Pitman 1937). Differences of one
/// make it McNemar's exact test. Of utterances that several runs have tested, a difference is that of how many of the runs of either
/// model have the utterance right: their answers are no independent evidence, so the utterance is the unit, as in the asymptotic tests
/// of clustered pairs (Durkalski et al., "Analysis of clustered matched-pair data", 2003).
pub fn sign_flips(differences: &[i64]) -> f64 {
    let sizes: Vec<usize> = differences.iter().map(|difference| difference.unsigned_abs() as usize).filter(|&size| size > 0).collect();
    let all: usize = sizes.iter().sum();
    let observed = differences.iter().sum::<i64>().unsigned_abs() as usize;
    // The distribution of the sum of those that are positive.
    let mut likely = vec![0.0; all + 1];
    likely[0] = 1.0;
    let mut reached = 0;
    for size in sizes {
        reached += size;
        for sum in (0..=reached).rev() {
            let with = if sum >= size { likely[sum - size] } else { 0.0 };
            likely[sum] = 0.5 * (likely[sum] + with);
        }
    }
    let tail = likely.iter().enumerate().filter(|&(positive, _)| (2 * positive).abs_diff(all) >= observed);
    tail.map(|(_, likely)| likely).sum::<f64>().min(1.0)
}

/// I_x(a, b) for a, b > 0 and 0 ≤ x ≤ 1, which is all that is asked here.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    checked_beta_reg(a, b, x).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 5] = [0.61, 0.598, 0.622, 0.605, 0.633];
    const B: [f64; 5] = [0.601, 0.6, 0.61, 0.59, 0.62];

    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-10 * expected.abs().max(1e-3), "{value}, expected {expected}");
    }

    #[test]
    fn mean_and_deviation_are_those_of_a_sample() {
        let MeanDeviation { mean, deviation } = MeanDeviation::of(&A);
        assert_near(mean, 0.6136);
        assert_near(deviation.unwrap(), 0.013939153489362269);
        assert_eq!(MeanDeviation::of(&[0.5]), MeanDeviation { mean: 0.5, deviation: None });
    }

    /// `scipy.stats.ttest_rel`, and its formula with the corrected variance.
    #[test]
    fn the_paired_test_agrees_with_scipy() {
        let test = paired_t(&A, &B, 1.0 / 3.0).unwrap();
        assert_near(test.t, 3.122940822669949);
        assert_near(test.p, 0.0354258317145582);
        assert_near(test.corrected_p, 0.12838995086858604);
        assert_eq!(test.degrees_of_freedom, 4);
        assert_near(paired_t(&B, &A, 0.125).unwrap().t, -test.t);
        assert_near(paired_t(&B, &A, 0.125).unwrap().p, test.p);

        let ours = [0.612, 0.6, 0.59, 0.63, 0.64, 0.58, 0.61, 0.62, 0.6, 0.605];
        let differences = [0.1, 0.12, 0.09, 0.11, 0.13, 0.1, 0.08, 0.1, 0.12, 0.1];
        let theirs: Vec<f64> = ours.iter().zip(differences).map(|(ours, difference)| ours - difference).collect();
        let test = paired_t(&ours, &theirs, 0.125).unwrap();
        assert_near(test.t, 22.00055431674169);
        assert!((test.p / 3.910497247719808e-9 - 1.0).abs() < 1e-6, "{}", test.p);
    }

    /// `scipy.stats.t.interval(0.95, 4, mean, sem)`, and with the corrected variance.
    #[test]
    fn intervals_agree_with_scipy() {
        let [low, high] = confidence(&A, 0.0).unwrap();
        assert_near(low, 0.5962922549468225);
        assert_near(high, 0.6309077450531776);
        let [wide, _] = confidence(&A, 1.0 / 3.0).unwrap();
        assert_near((0.6136 - wide) / (0.6136 - low), ((0.2 + 1.0 / 3.0) / 0.2f64).sqrt());
        assert_eq!(confidence(&A[..1], 0.0), None);
    }

    #[test]
    fn equal_results_and_single_folds_are_not_tested() {
        assert_eq!(paired_t(&A, &A, 0.125), None);
        assert_eq!(paired_t(&A[..1], &B[..1], 0.125), None);
        let shifted = paired_t(&[0.5, 0.75], &[0.25, 0.5], 0.125).unwrap();
        assert_eq!((shifted.t, shifted.p), (f64::INFINITY, 0.0));
    }

    /// `scipy.stats.binomtest(fewer, only_a + only_b, 0.5)`.
    #[test]
    fn mcnemar_agrees_with_scipy() {
        for (only_a, only_b, expected) in
            [(3, 12, 0.03515625), (12, 3, 0.03515625), (40, 40, 1.0), (0, 0, 1.0), (0, 5, 0.0625), (120, 161, 0.016869296340143808)]
        {
            assert_near(mcnemar(only_a, only_b), expected);
        }
    }

    #[test]
    fn signs_are_flipped_exactly_and_differences_of_one_make_it_mcnemars() {
        for (only_a, only_b) in [(3, 12), (12, 3), (40, 40), (0, 0), (0, 5), (120, 161)] {
            let differences: Vec<i64> = [1].repeat(only_a).into_iter().chain([-1].repeat(only_b)).chain([0; 9]).collect();
            assert_near(sign_flips(&differences), mcnemar(only_a, only_b));
        }
        // Of the eight sums ±1 ±2 ±3, six are as far from zero as 2 or farther.
        assert_near(sign_flips(&[1, -2, 3]), 0.75);
        assert_near(sign_flips(&[3, 3, 2]), 0.25);
    }
}
