//! The paired tests of a row against another, over the runs that both have: a t-test of each figure, and McNemar's test of the
//! predictions.

use super::figure::Figure;
use super::gather::{Gathered, RunResult};
use super::rows::Over;
use super::statistics::{PairedT, mcnemar, paired_t};
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
    let predictions = if over == Over::Folds { "all test predictions" } else { "the test predictions of the first seed" };
    let mut note = format!(
        "p: two-sided tests against {against}; {titles}: paired t-test over the {} ({run}s - 1 degrees of freedom); McNemar: exact, on \
         {predictions}.",
        over.words()
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
    let test = |figure: &Figure| {
        let values = |(row, against): &(&RunResult, &RunResult)| ((figure.of)(&row.test.metrics), (figure.of)(&against.test.metrics));
        let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.iter().map(values).unzip();
        paired_t(&ours, &theirs, row.test_to_train().unwrap_or(0.0))
    };
    let tests: Vec<Option<PairedT>> = figures.iter().map(test).collect();
    let cell = |test: &Option<PairedT>, value: fn(PairedT) -> f64, of: fn(f64) -> Cell| {
        test.map(value).filter(|value| value.is_finite()).map_or(Cell::Empty, of)
    };
    let of_each = |value: fn(PairedT) -> f64, of: fn(f64) -> Cell| tests.iter().map(|test| cell(test, value, of)).collect::<Vec<_>>();
    let freedom = tests.iter().flatten().next().map_or(Cell::Empty, |test| Cell::Count(test.degrees_of_freedom));
    let [only_against, only_row] = only_right(&pairs);
    let compared = pairs.iter().any(|(run, _)| run.test.metrics.utterances > 0);
    let mcnemar = if compared { Cell::Probability(mcnemar(only_against, only_row)) } else { Cell::Empty };
    let corrections = if row.test_to_train().is_some() { of_each(|test| test.corrected_p, Cell::Probability) } else { Vec::new() };
    let statistics = of_each(|test| test.t, Cell::Number);
    let right = [only_against, only_row].map(Cell::Count);
    of_each(|test| test.p, Cell::Probability)
        .into_iter()
        .chain([mcnemar])
        .chain(statistics)
        .chain([freedom])
        .chain(corrections)
        .chain(right)
        .collect()
}

/// How many utterances only the other row has right, and how many only this one. Runs of several seeds test the same utterances
/// again, which are no further evidence: those of the first seed count.
fn only_right(pairs: &[(&RunResult, &RunResult)]) -> [usize; 2] {
    let first = pairs.iter().map(|(run, _)| run.seed).min();
    let right = |run: &RunResult| run.test.predictions.iter().map(|it| it.predicted == it.label).collect::<Vec<_>>();
    let (mut only_against, mut only_row) = (0, 0);
    for (row, against) in pairs.iter().filter(|(run, _)| Some(run.seed) == first) {
        for (row, against) in right(row).into_iter().zip(right(against)) {
            only_against += usize::from(against && !row);
            only_row += usize::from(row && !against);
        }
    }
    [only_against, only_row]
}

#[cfg(test)]
mod tests {
    use super::super::figure::{UA, WA};
    use super::super::folds::By;
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
            RunResult { seed, fold, folder: "run".into(), test: Evaluation { metrics, predictions: predictions.collect() } }
        };
        Gathered {
            model: "",
            corpus: String::new(),
            classes: names.to_vec(),
            folds: 3,
            by: By::Random,
            seed: 0,
            seeds: vec![1, 2],
            results: runs.iter().map(run).collect(),
        }
    }

    #[test]
    fn runs_are_paired_by_seed_and_fold_and_predictions_are_counted_of_one_seed() {
        let against = gathered(&[(1, 1, [0, 1, 0, 1]), (1, 2, [0, 1, 0, 0]), (2, 1, [0, 1, 0, 1]), (2, 2, [0, 0, 0, 1])]);
        let row = gathered(&[(2, 2, [1, 1, 0, 1]), (1, 2, [1, 0, 0, 1]), (1, 1, [0, 0, 0, 1]), (1, 3, [0; 4])]);
        let figures = [WA, UA];
        let columns = columns(&figures, "other", true);
        let cells = cells(&row, &against, &figures);
        assert_eq!(cells.len(), columns.len());
        let of = |key: &str| &cells[columns.iter().position(|column| column.key == key).unwrap()];
        // Differences in WA: 0, -0.25, -0.25, of three pairs; t = mean / (deviation / √3).
        assert!(matches!(of("t_wa"), Cell::Number(t) if (t + 2.0).abs() < 1e-12), "{:?}", of("t_wa"));
        assert_eq!(of("degrees_of_freedom"), &Cell::Count(2));
        // Of the first seed, fold 1: only the other has the second right; fold 2: the other the first two, the row the last.
        assert_eq!((of("only_other_right"), of("only_row_right")), (&Cell::Count(3), &Cell::Count(1)));
        assert_eq!(of("p_mcnemar"), &Cell::Probability(mcnemar(3, 1)));
        assert!(matches!((of("p_wa"), of("p_wa_corrected")), (Cell::Probability(p), Cell::Probability(corrected)) if p < corrected));
    }

    #[test]
    fn runs_of_the_same_splits_have_no_correction() {
        let of = |runs| Gathered { by: By::Given, folds: 1, ..gathered(runs) };
        let cells = cells(&of(&[(1, 1, [0; 4]), (2, 1, [0, 1, 0, 1])]), &of(&[(1, 1, [1; 4]), (2, 1, [0, 1, 1, 1])]), &[WA]);
        assert_eq!(cells.len(), columns(&[WA], "other", false).len());
    }
}
