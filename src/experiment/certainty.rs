//! How certain the figures of runs are: intervals of their means, and how far probabilities can be believed.

use serde_json::{Map, Value, json};

use super::figure::{FIGURES, Figure};
use super::gather::{Gathered, RunResult};
use super::statistics::{MeanDeviation, confidence};
use super::table::{Cell, Column, ResultTable};
use crate::train::calibration::{Calibration, judged};

/// Name of the table.
pub(super) const NAME: &str = "certainty";

/// What is known of the runs of one network.
struct Certainty {
    /// Of each figure the 95 % interval of its mean, cut at 0 and 1; none of fewer than two folds, or seeds where there are no folds.
    intervals: [Option<[f64; 2]>; FIGURES.len()],
    /// Expected calibration error of each run.
    ece: MeanDeviation,
    /// That of all test predictions together, of which small folds have too few.
    pooled_ece: f64,
}

/// The mean of each whole group of runs: of each seed over its folds, or of each fold over its seeds. A group that lacks a run has none,
/// as its mean would be of other data than the others'.
pub(super) fn means(of: &Gathered, group: fn(&RunResult) -> usize, whole: usize, figure: Figure) -> Vec<f64> {
    let groups: std::collections::BTreeSet<usize> = of.results.iter().map(group).collect();
    let values = |number: usize| of.results.iter().filter(move |run| group(run) == number).map(|run| (figure.of)(&run.test.metrics));
    let whole = groups.into_iter().filter(|&number| values(number).count() == whole);
    whole.map(|number| values(number).sum::<f64>() / values(number).count() as f64).collect()
}

impl Certainty {
    fn of(runs: &Gathered) -> Self {
        let ece = |run: &RunResult| Calibration::of(&judged(&run.test.predictions, &runs.classes)).ece;
        let all: Vec<_> = runs.results.iter().flat_map(|run| judged(&run.test.predictions, &runs.classes)).collect();
        let interval = |figure: Figure| {
            let units = match runs.folds {
                1 => runs.figures(figure),
                _ => means(runs, |run| run.fold, runs.seeds.len(), figure),
            };
            let between = confidence(&units, runs.test_to_train.filter(|_| runs.folds > 1).unwrap_or(0.0))?;
            Some(between.map(|end| end.clamp(0.0, 1.0)))
        };
        Self {
            intervals: FIGURES.map(interval),
            ece: MeanDeviation::of(&runs.results.iter().map(ece).collect::<Vec<_>>()),
            pooled_ece: Calibration::of(&all).ece,
        }
    }
}

/// A line a network.
pub(super) fn table(networks: &[(&str, &Gathered)]) -> ResultTable {
    let ends = |figure: Figure| Column::shown(&format!("{}_interval", figure.key), figure.title);
    let calibration = [("ece", "ECE"), ("pooled_ece", "ECE, pooled")].map(|(key, title)| Column::shown(key, title));
    let columns = [Column::shown("model", "model")].into_iter().chain(FIGURES.map(ends)).chain(calibration).collect();
    let mut table = ResultTable::new("95 % intervals of the means, and calibration", columns);
    for (name, runs) in networks {
        let Certainty { intervals, ece, pooled_ece } = Certainty::of(runs);
        let ends = intervals.map(|ends| ends.map_or(Cell::Empty, Cell::Interval));
        let calibration = [Cell::Spread(ece), Cell::Share(pooled_ece)];
        table.rows.push([Cell::Text((*name).into())].into_iter().chain(ends).chain(calibration).collect());
    }
    let folds = networks.iter().any(|(_, runs)| runs.folds > 1);
    let seeds = networks.iter().any(|(_, runs)| runs.seeds.len() > 1);
    table.notes.push(match (folds, seeds) {
        (false, _) => "95 %: Student's t over the seeds, so what the seed moves, not what other test utterances would.".to_owned(),
        (true, several) => format!(
            "95 %: Student's t over the folds{}, its variance enlarged for the training data that folds share (Nadeau and Bengio 2003); cut \
             at 0 and 100 %.",
            if several { ", each by the mean of its seeds" } else { "" }
        ),
    });
    table
        .notes
        .push("ECE: expected calibration error, 15 bins of one width (Guo et al. 2017), of each run and of all test predictions.".into());
    table
}

/// The same as an object: `{"intervals": {figure: [low, high]}, "ece": {…}, "pooled_ece"}`.
pub(super) fn json(runs: &Gathered) -> Value {
    let Certainty { intervals, ece, pooled_ece } = Certainty::of(runs);
    let intervals: Map<String, Value> = FIGURES.iter().zip(intervals).map(|(figure, ends)| (figure.key.to_owned(), json!(ends))).collect();
    json!({ "intervals": intervals, "ece": ece, "pooled_ece": pooled_ece })
}
