//! The paired tests of a row against another, over the runs that both have: a t-test of each figure, and McNemar's test of the
//! predictions.
//!
//! Runs of several seeds over one fold share all their data, so that they are no units by themselves (Aarts et al., "A solution to
//! dependency", 2014): the t-test compares folds, each by the mean of its seeds; only where there are no folds does it compare seeds.
//! Predictions are compared utterance by utterance, each by how many of its seeds are right, see [`sign_flips`](super::statistics::sign_flips).

use std::collections::BTreeMap;

use super::discordant::Discordant;
use super::figure::Figure;
use super::gather::{Gathered, RunResult};
use super::rows::Over;
use super::statistics::{MeanDeviation, PairedT, paired_t};
use super::table::{Cell, Column};

/// Columns of the tests of some figures against the row `against`; those of the corrected test where runs are `corrected` for the
/// training data that they share.
pub(super) fn columns(figures: &[Figure], against: &str, corrected: bool) -> Vec<Column> {
    let of_each = |form: &dyn Fn(&Figure) -> Column| figures.iter().map(form).collect::<Vec<_>>();
    let shown = of_each(&|figure| Column::shown(&format!("p_{}", figure.key), &format!("p ({})", figure.title)));
    let statistics = of_each(&|figure| Column::kept(&format!("t_{}", figure.key)));
    let corrections = if corrected { of_each(&|figure| Column::kept(&corrected_key(figure))) } else { Vec::new() };
    let mcnemar = [Column::shown("p_mcnemar", "p (McNemar)")];
    let right = [format!("only_{against}_right"), "only_row_right".into()].map(|key| Column::kept(&key));
    let freedom = [Column::kept("degrees_of_freedom")];
    shown.into_iter().chain(mcnemar).chain(statistics).chain(freedom).chain(corrections).chain(right).collect()
}

/// What stands below a table with these columns: what the tests against a row, by its name, are over; `is_there` says whether that
/// row has a run.
pub(super) fn note(figures: &[Figure], against: &str, is_there: bool, over: Over, corrected: bool) -> String {
    let run = over.one();
    if !is_there {
        return format!("p: two-sided tests against {against}, which has no {run} yet.");
    }
    let names = |form: &dyn Fn(&Figure) -> String, between: &str| figures.iter().map(form).collect::<Vec<_>>().join(between);
    let titles = names(&|figure| figure.title.into(), ", ");
    let (units, unit) = match over {
        Over::Folds => ("folds", "fold"),
        Over::Seeds => ("seeds", "seed"),
        Over::Both => ("folds, each by the mean of its seeds", "fold"),
    };
    let predictions = match over {
        Over::Folds => "McNemar: exact, on all test predictions.",
        Over::Seeds | Over::Both => {
            "McNemar: exact, over the test utterances, each by how many of its seeds are right (one seed makes it McNemar's test; the unit \
             is that of Durkalski et al. 2003)."
        }
    };
    let mut note = format!(
        "p: two-sided tests against {against}; {titles}: paired t-test over the {units} ({unit}s - 1 degrees of freedom); {predictions}"
    );
    if corrected {
        let columns = names(&|figure| corrected_key(figure), " and ");
        note += &format!(" The columns {columns} of the CSV allow for the training data that folds share (Nadeau and Bengio 2003).");
    }
    note
}

fn corrected_key(figure: &Figure) -> String {
    format!("p_{}_corrected", figure.key)
}

/// The cells of these columns, of a row against another.
pub(super) fn cells(row: &Gathered, against: &Gathered, figures: &[Figure]) -> Vec<Cell> {
    let of = |run: &RunResult| against.results.iter().find(|other| (other.seed, other.fold) == (run.seed, run.fold));
    let pairs: Vec<(&RunResult, &RunResult)> = row.results.iter().filter_map(|run| Some((run, of(run)?))).collect();
    let mut units: BTreeMap<usize, Vec<&(&RunResult, &RunResult)>> = BTreeMap::new();
    for pair in &pairs {
        units.entry(if row.folds > 1 { pair.0.fold } else { pair.0.seed }).or_default().push(pair);
    }
    let test = |figure: &Figure| {
        let mean = |values: Vec<f64>| MeanDeviation::of(&values).mean;
        let of_unit = |pairs: &Vec<&(&RunResult, &RunResult)>| {
            let of = |run: &RunResult| (figure.of)(&run.test.metrics);
            (mean(pairs.iter().map(|pair| of(pair.0)).collect()), mean(pairs.iter().map(|pair| of(pair.1)).collect()))
        };
        let (ours, theirs): (Vec<f64>, Vec<f64>) = units.values().map(of_unit).unzip();
        paired_t(&ours, &theirs, row.test_to_train.unwrap_or(0.0))
    };
    let tests: Vec<Option<PairedT>> = figures.iter().map(test).collect();
    let cell = |test: &Option<PairedT>, value: fn(PairedT) -> f64, of: fn(f64) -> Cell| {
        test.map(value).filter(|value| value.is_finite()).map_or(Cell::Empty, of)
    };
    let of_each = |value: fn(PairedT) -> f64, of: fn(f64) -> Cell| tests.iter().map(|test| cell(test, value, of)).collect::<Vec<_>>();
    let freedom = tests.iter().flatten().next().map_or(Cell::Empty, |test| Cell::Count(test.degrees_of_freedom));
    let discordant = discordant(&pairs);
    let compared = pairs.iter().any(|(run, _)| run.test.metrics.utterances > 0);
    let mcnemar = if compared { Cell::Probability(discordant.p()) } else { Cell::Empty };
    let corrections = if row.test_to_train.is_some() { of_each(|test| test.corrected_p, Cell::Probability) } else { Vec::new() };
    let statistics = of_each(|test| test.t, Cell::Number);
    let right = [discordant.only_first, discordant.only_second].map(Cell::Count);
    of_each(|test| test.p, Cell::Probability)
        .into_iter()
        .chain([mcnemar])
        .chain(statistics)
        .chain([freedom])
        .chain(corrections)
        .chain(right)
        .collect()
}

/// What only one of two rows has right, the one that is tested against being the first; utterances are known by their fold and their place
/// there.
fn discordant(pairs: &[(&RunResult, &RunResult)]) -> Discordant {
    let right = |run: &RunResult| run.test.predictions.iter().map(|it| it.predicted == it.label).collect::<Vec<_>>();
    Discordant::of(pairs.iter().flat_map(|(row, against)| {
        let both = right(against).into_iter().zip(right(row));
        both.enumerate().map(|(place, (against, row_is))| ((row.fold, place), [against, row_is])).collect::<Vec<_>>()
    }))
}

#[cfg(test)]
mod tests {
    use super::super::figure::{UA, WA};
    use super::super::folds::By;
    use super::super::statistics::sign_flips;
    use super::*;
    use crate::train::evaluate::Prediction;
    use crate::train::{Evaluation, Metrics};

    /// Runs by seed and fold, each with how the utterances of a class are predicted.
    fn gathered(runs: &[(usize, usize, [usize; 4])]) -> Gathered {
        let names = ["a".to_owned(), "b".to_owned()];
        let run = |&(seed, fold, predicted): &(usize, usize, [usize; 4])| {
            let predictions = predicted.iter().enumerate().map(|(place, &class)| Prediction {
                id: place.to_string(),
                label: names[place % 2].clone(),
                predicted: names[class].clone(),
                probabilities: Vec::new(),
            });
            let logits: Vec<f32> = predicted.iter().flat_map(|&class| [1.0 - class as f32, class as f32]).collect();
            let metrics = Metrics::of(&logits, &[0, 1, 0, 1], &names);
            RunResult {
                seed,
                fold,
                folder: "run".into(),
                test: Evaluation { metrics, corpora: Vec::new(), predictions: predictions.collect() },
            }
        };
        Gathered {
            model: "",
            corpus: String::new(),
            classes: names.to_vec(),
            folds: 3,
            by: By::Random,
            seed: 0,
            seeds: vec![1, 2],
            test_to_train: Some(1.0),
            results: runs.iter().map(run).collect(),
        }
    }

    #[test]
    fn runs_are_paired_by_seed_and_fold_and_folds_and_utterances_are_the_units() {
        let against = gathered(&[(1, 1, [0, 1, 0, 1]), (1, 2, [0, 1, 0, 0]), (2, 1, [0, 1, 0, 1]), (2, 2, [0, 0, 0, 1])]);
        let row = gathered(&[(2, 2, [1, 1, 0, 1]), (1, 2, [1, 0, 0, 1]), (1, 1, [0, 0, 0, 1]), (1, 3, [0; 4])]);
        let figures = [WA, UA];
        let columns = columns(&figures, "other", true);
        let cells = cells(&row, &against, &figures);
        assert_eq!(cells.len(), columns.len());
        let of = |key: &str| &cells[columns.iter().position(|column| column.key == key).unwrap()];
        // Differences in WA: -0.25 of fold 1; of fold 2 the mean of -0.25 and 0; t = mean / (deviation / √2).
        assert!(matches!(of("t_wa"), Cell::Number(t) if (t + 3.0).abs() < 1e-12), "{:?}", of("t_wa"));
        assert_eq!(of("degrees_of_freedom"), &Cell::Count(1));
        // Fold 1: only the other has the second right. Fold 2: the other has the first right twice alone, the second once as the row has,
        // the row the fourth once.
        assert_eq!((of("only_other_right"), of("only_row_right")), (&Cell::Count(4), &Cell::Count(2)));
        assert_eq!(of("p_mcnemar"), &Cell::Probability(sign_flips(&[-1, -2, 0, 1])));
        assert!(matches!((of("p_wa"), of("p_wa_corrected")), (Cell::Probability(p), Cell::Probability(corrected)) if p < corrected));
    }

    #[test]
    fn runs_of_the_same_splits_have_no_correction() {
        let of = |runs| Gathered { by: By::Given, folds: 1, test_to_train: None, ..gathered(runs) };
        let cells = cells(&of(&[(1, 1, [0; 4]), (2, 1, [0, 1, 0, 1])]), &of(&[(1, 1, [1; 4]), (2, 1, [0, 1, 1, 1])]), &[WA]);
        assert_eq!(cells.len(), columns(&[WA], "other", false).len());
    }
}
