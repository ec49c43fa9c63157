//! What a sweep says: its trials from the best to the worst, the chosen one on the test utterances, and the page of both.

use serde_json::{Value, json};

use super::standing::{Reached, Standing, State};
use super::{Sweep, Trial, counted, shown, typed};
use crate::config::Selection;
use crate::experiment::figure::{FIGURES, Figure, MACRO_F1, UA, WA, WEIGHTED_F1};
use crate::experiment::gather::Gathered;
use crate::experiment::statistics::{MeanDeviation, confidence};
use crate::experiment::table::{Cell, Column, ResultTable, Results};
use crate::experiment::{ExperimentError, page};
use crate::report::{self, Interval, Intervals, Unit};

/// Trials that are drawn on the page.
const DRAWN: usize = 30;
/// Trials whose training is drawn.
const CURVES: usize = 6;
/// Letters of an error that a table shows.
const ERROR: usize = 60;

/// What the validation figure is called, and whether it is a share of one.
fn title(selection: Selection) -> (&'static str, &'static str, bool) {
    let of = |figure: Figure| (figure.key, figure.title, true);
    match selection {
        Selection::Ua => of(UA),
        Selection::Wa => of(WA),
        Selection::MacroF1 => of(MACRO_F1),
        Selection::WeightedF1 => of(WEIGHTED_F1),
        Selection::Loss => ("loss", "loss", false),
    }
}

/// Of a trial, the validation figures of its runs as they are shown, and the interval of their mean.
struct Validated {
    spread: MeanDeviation,
    values: Vec<f64>,
    interval: Option<[f64; 2]>,
}

impl Validated {
    /// `None` until all runs have come to the end of the rung.
    fn of(sweep: &Sweep<'_>, reached: &Reached) -> Option<Self> {
        reached.mean()?;
        let sign = if sweep.selection() == Selection::Loss { -1.0 } else { 1.0 };
        let values: Vec<f64> = reached.figures.iter().map(|(.., figure)| sign * figure).collect();
        let folds = sweep.folds.count();
        // Runs of several seeds over one fold are no units by themselves.
        let unit = |fold: usize| {
            let of_fold = || reached.figures.iter().filter(move |run| run.1 == fold).map(|(.., figure)| sign * figure);
            of_fold().sum::<f64>() / of_fold().count() as f64
        };
        let interval = match folds {
            1 => confidence(&values, 0.0),
            _ => confidence(&(1..=folds).map(unit).collect::<Vec<_>>(), 1.0 / (folds as f64 - 2.0)),
        };
        // Of few runs it goes beyond what a share can be.
        let (_, _, is_share) = title(sweep.selection());
        let interval = interval.map(|ends| if is_share { ends.map(|end| end.clamp(0.0, 1.0)) } else { ends });
        Some(Self { spread: MeanDeviation::of(&values), values, interval })
    }
}

/// What is said of a trial besides its figures.
fn said(standing: &Standing, reached: &Reached, is_best: bool) -> String {
    match &reached.state {
        State::Done if is_best => "best".into(),
        State::Done => String::new(),
        State::LeftBehind => format!("left behind after {}", counted(standing.rungs[reached.rung].epochs, "epoch")),
        State::Waits => "waits for others".into(),
        State::Underway(left) => format!("{} to be trained", counted(left.len() as u64, "run")),
        State::Failed(failed) => format!("failed: {}", failed.error),
    }
}

/// The tables and the document; `test` are the test results of the best trial.
pub(super) fn results(sweep: &Sweep<'_>, standing: &Standing, test: Option<&Gathered>) -> Results {
    let (key, name, is_share) = title(sweep.selection());
    let best = standing.best();
    let is_halved = standing.rungs.len() > 1;
    let method = if sweep.folds.count() == 1 { "the data's own splits".into() } else { method(sweep) };
    let heading = format!(
        "{} on {} by validation {name}: {method}, {}",
        counted(sweep.trials.len() as u64, "trial"),
        sweep.data.corpus,
        counted(sweep.seeds as u64, "seed")
    );

    let mut columns = vec![Column::shown("rank", "rank"), Column::shown("trial", "trial")];
    columns.extend(sweep.keys.iter().map(|key| Column::shown(key.name, key.name)));
    columns.push(if is_halved { Column::shown("epochs", "epochs") } else { Column::kept("epochs") });
    columns.extend([Column::shown("runs", "runs"), Column::shown(&format!("validation_{key}"), &format!("validation {name}"))]);
    if !is_share {
        columns.push(Column::shown("validation_loss_deviation", "deviation"));
    }
    columns.extend([Column::shown("low", "95 % from"), Column::shown("high", "to"), Column::shown("state", "")]);
    let mut table = ResultTable::new(heading, columns);
    let number = |value: f64| if is_share { Cell::Share(value) } else { Cell::Number(value) };
    let mut points = Vec::new();
    for (place, trial) in standing.ranked().into_iter().enumerate() {
        let (Trial { name, config, point, .. }, reached) = (&sweep.trials[trial], &standing.trials[trial]);
        let validated = Validated::of(sweep, reached);
        let rank = if validated.is_some() { Cell::Count(place + 1) } else { Cell::Empty };
        let mut cells = vec![rank, Cell::Text(name.clone())];
        cells.extend(sweep.keys.iter().map(|key| Cell::Text(shown(config, key))));
        cells.extend([Cell::Count(reached.epochs as usize), Cell::Count(reached.figures.len())]);
        match &validated {
            Some(Validated { spread, interval, .. }) => {
                if is_share {
                    cells.push(Cell::Spread(*spread));
                } else {
                    cells.extend([Cell::Number(spread.mean), spread.deviation.map_or(Cell::Empty, Cell::Number)]);
                }
                cells.extend(interval.map_or([Cell::Empty, Cell::Empty], |ends| ends.map(number)));
            }
            None => cells.extend(vec![Cell::Empty; if is_share { 3 } else { 4 }]),
        }
        let said = said(standing, reached, best == Some(trial));
        let cut: String = said.chars().take(ERROR).collect();
        let cut = if cut.len() < said.len() { cut + "…" } else { cut };
        cells.push(if said.is_empty() { Cell::Empty } else { Cell::Name(said, cut) });
        table.rows.push(cells);
        points.push(typed(point));
    }
    table.notes.extend(notes(sweep, standing, name));

    let mut document = json!({
        "corpus": sweep.data.corpus, "classes": sweep.data.classes, "by": sweep.folds.by, "seed": sweep.folds.seed,
        "folds": sweep.folds.count(), "seeds": sweep.seeds, "selection": sweep.selection(), "halving": sweep.eta,
        "rungs": standing.rungs.iter().map(|rung| json!({ "epochs": rung.epochs, "trials": rung.trials })).collect::<Vec<_>>(),
        "done": standing.is_over(), "rows": table.json(), "best": Value::Null,
    });
    if let Some(rows) = document["rows"].as_array_mut() {
        rows.iter_mut().zip(points).for_each(|(row, point)| row["settings"] = point);
    }
    let mut tables = vec![("", table)];
    if let (Some(best), Some(test)) = (best, test) {
        let Trial { name, point, .. } = &sweep.trials[best];
        let spreads = test.spreads();
        let figures: serde_json::Map<_, _> =
            FIGURES.iter().zip(spreads).map(|(figure, spread)| (figure.key.to_owned(), json!(spread))).collect();
        document["best"] = json!({ "trial": name, "settings": typed(point), "test": figures });
        let columns = [("trial", "trial"), ("runs", "runs")].map(|(key, title)| Column::shown(key, title));
        let columns = columns.into_iter().chain(FIGURES.map(|figure| Column::shown(figure.key, figure.title))).collect();
        let mut chosen = ResultTable::new("The chosen settings on the test utterances", columns);
        let cells = [Cell::Text(name.clone()), Cell::Count(test.results.len())];
        chosen.rows.push(cells.into_iter().chain(spreads.map(Cell::Spread)).collect());
        chosen.notes.push(
            "Mean ± standard deviation over the runs. They decided nothing, so they say how good the settings are; the best of many \
             validation figures is above that by chance."
                .into(),
        );
        tables.push(("test", chosen));
    }
    Results { document, tables }
}

fn method(sweep: &Sweep<'_>) -> String {
    format!("{} folds by {}, seed {}", sweep.folds.count(), sweep.folds.by, sweep.folds.seed)
}

/// What stands below the table of trials.
fn notes(sweep: &Sweep<'_>, standing: &Standing, name: &str) -> Vec<String> {
    let mut notes = vec![format!(
        "Validation {name}: of each run's best epoch, mean ± standard deviation over the runs. Test utterances decide nothing."
    )];
    notes.push(match (sweep.folds.count(), sweep.seeds) {
        (1, 1) => "One run a trial has no interval: several seeds or folds have one.".into(),
        (1, _) => "95 %: Student's interval of the mean over the seeds; other validation utterances would move it besides.".into(),
        _ => "95 %: Student's interval of the mean over the folds, each by the mean of its seeds, corrected for the training data that \
              folds share (Nadeau and Bengio 2003)."
            .to_owned(),
    });
    if standing.rungs.len() > 1 {
        let rungs: Vec<String> =
            standing.rungs.iter().map(|rung| format!("{} to {}", rung.trials, counted(rung.epochs, "epoch"))).collect();
        notes.push(format!(
            "Successive halving (Jamieson and Talwalkar 2016; rungs as in Li et al. 2018): of the trials, {} are trained. Ranked by how far \
             they came, then by the figure there.",
            rungs.join(", ")
        ));
    }
    if sweep.trials.iter().any(|trial| trial.config.settings.model.system.has_machine()) {
        notes
            .push("cMKL: the validation figure is that of its network, without the SVM, which stands on the trained network alone.".into());
    }
    notes
}

/// Writes the page.
pub(super) fn write_page(
    sweep: &Sweep<'_>,
    standing: &Standing,
    results: &Results,
    test: Option<&Gathered>,
) -> Result<(), ExperimentError> {
    let (_, name, is_share) = title(sweep.selection());
    let ranked: Vec<usize> = standing.ranked().into_iter().filter(|&trial| standing.trials[trial].mean().is_some()).collect();
    let row = |&trial: &usize| {
        let Validated { spread, values, interval } = Validated::of(sweep, &standing.trials[trial])?;
        let [low, high] = interval.unwrap_or([f64::NAN; 2]);
        let note = if is_share { crate::base::shown::percent(spread.mean) } else { format!("{:.3}", spread.mean) };
        let label = sweep.trials[trial].name.clone();
        Some(Interval {
            label,
            value: spread.mean,
            low,
            high,
            points: if values.len() > 1 { values } else { Vec::new() },
            reference: None,
            note,
        })
    };
    let plot = Intervals {
        title: if ranked.len() > DRAWN { format!("Validation {name}, the best {DRAWN} trials") } else { format!("Validation {name}") },
        axis: "on the validation utterances".into(),
        unit: if is_share { Unit::Percent } else { Unit::Plain },
        rows: ranked.iter().take(DRAWN).filter_map(row).collect(),
        value: "mean with its 95 % interval".into(),
        ..Intervals::default()
    };
    let runs = |&trial: &usize| {
        let Trial { name, .. } = &sweep.trials[trial];
        let seeded = sweep.seeded(&sweep.trials[trial]);
        let folders = standing.trials[trial].figures.iter().map(|&(seed, fold, _)| seeded.run(seed, fold)).collect();
        (name.clone(), folders)
    };
    let curves: Vec<_> = ranked.iter().take(CURVES).map(runs).collect();
    let confusions: Vec<report::Confusion> =
        test.map(|test| test.confusion("The chosen settings, all test predictions")).into_iter().collect();
    let config = standing.best().map_or(&sweep.base, |best| &sweep.trials[best].config);
    let plots = if plot.rows.is_empty() { Vec::new() } else { vec![plot] };
    Ok(page::write(sweep.folder, results, &plots, &curves, &confusions, None, config)?)
}
