//! Successive halving (Jamieson & Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016): all
//! trials are trained for a few epochs, the best one in η of them for η times as many, and so on until the last are trained to
//! their end. Numbers and epochs of the rungs are those of a bracket of Hyperband (Li et al. 2018).
//!
//! A run that waits has been stopped within its own schedule, which is laid out for all its epochs: one that goes on ends in the bytes
//! of a run that nobody stopped, whatever the schedule; and with a cosine, those that are left behind have been seen at high learning
//! rates alone.

/// How many trials are trained for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rung {
    /// Epochs from the beginning.
    pub epochs: u64,
    /// How many trials come so far.
    pub trials: usize,
}

/// The rungs of so many trials of so many epochs, of which one in `eta` goes on; one rung where none can be left out.
pub(crate) fn rungs(trials: usize, epochs: usize, eta: usize) -> Vec<Rung> {
    let reductions = |mut of: usize| {
        let mut count = 0;
        while of >= eta {
            (of, count) = (of / eta, count + 1);
        }
        count
    };
    let last = reductions(trials).min(reductions(epochs));
    let powers = (0..=last).map(|rung| (eta.pow(rung), eta.pow(last - rung)));
    powers.map(|(left, to_go)| Rung { epochs: (epochs / to_go) as u64, trials: trials / left }).collect()
}

/// Which trials go on, by their figures, larger being better: the best `count`, the first of equals; those without a figure never do.
pub(crate) fn survivors(figures: &[(usize, Option<f64>)], count: usize) -> Vec<usize> {
    let mut ranked: Vec<(usize, f64)> = figures.iter().filter_map(|&(trial, figure)| Some((trial, figure?))).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut going: Vec<usize> = ranked.into_iter().take(count).map(|(trial, _)| trial).collect();
    going.sort_unstable();
    going
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_are_those_of_hyperbands_brackets() {
        let of = |trials, epochs, eta| rungs(trials, epochs, eta).into_iter().map(|it| (it.trials, it.epochs)).collect::<Vec<_>>();
        // Li et al. 2018, Table 1: R = 81, η = 3, s = 4.
        assert_eq!(of(81, 81, 3), [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)]);
        assert_eq!(of(10, 30, 3), [(10, 3), (3, 10), (1, 30)]);
        assert_eq!(of(8, 4, 2), [(8, 1), (4, 2), (2, 4)]);
        assert_eq!(of(2, 30, 3), [(2, 30)]);
    }

    #[test]
    fn the_best_go_on_and_the_first_of_equals() {
        assert_eq!(survivors(&[(0, Some(0.5)), (1, None), (2, Some(0.7)), (3, Some(0.5))], 2), [0, 2]);
        assert_eq!(survivors(&[(0, None), (1, None)], 1), [0; 0]);
    }
}
