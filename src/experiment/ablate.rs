//! The rows of the paper's Table 3: the network without a module, with modules in sequence, and with more layers, each
//! cross-validated over the same folds in `DIR/ROW`, with the paper's figures beside ours.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ExperimentError;
use super::crossval::CrossValidation;
use super::folds::Folds;
use super::gather::Gathered;
use super::page;
use super::spec::{self, Identity};
use super::statistics::{MeanDeviation, PairedT, mcnemar, paired_t};
use super::table::{Cell, Column, ResultTable, Results};
use crate::base::contents::first_foreign;
use crate::base::remedy::Remedy;
use crate::config::{Config, ModelVariant, Settings};
use crate::dataset::Dataset;
use crate::report::{self, Confusion, Intervals};
use crate::train::claim::Claim;
use crate::train::{Evaluation, Metrics};

/// Name of the files, without their endings.
pub(crate) const STEM: &str = "ablation";

/// A row of Table 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum), value(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Row {
    /// Cross and self modules in parallel, one layer each
    Full,
    /// Without the recording
    NoAudio,
    /// Without the words
    NoText,
    /// Without self-attention
    NoSelf,
    /// Without cross-attention
    NoCross,
    /// Cross-attention, then self-attention
    CrossSelf,
    /// Self-attention, then cross-attention
    SelfCross,
    /// Two layers in every module
    N2,
    /// Three layers in every module
    N3,
}

impl Row {
    /// All rows, in the paper's order.
    pub(crate) const ALL: [Self; 9] =
        [Self::Full, Self::NoAudio, Self::NoText, Self::NoSelf, Self::NoCross, Self::CrossSelf, Self::SelfCross, Self::N2, Self::N3];

    /// On the command line and as the row's folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::NoAudio => "no_audio",
            Self::NoText => "no_text",
            Self::NoSelf => "no_self",
            Self::NoCross => "no_cross",
            Self::CrossSelf => "cross_self",
            Self::SelfCross => "self_cross",
            Self::N2 => "n2",
            Self::N3 => "n3",
        }
    }

    /// In the table.
    fn title(self) -> &'static str {
        match self {
            Self::Full => "full (N = 1)",
            Self::NoAudio => "w/o audio",
            Self::NoText => "w/o text",
            Self::NoSelf => "w/o self",
            Self::NoCross => "w/o cross",
            Self::CrossSelf => "cross+self",
            Self::SelfCross => "self+cross",
            Self::N2 => "N = 2",
            Self::N3 => "N = 3",
        }
    }

    /// What the row changes.
    fn network(self) -> (ModelVariant, usize) {
        match self {
            Self::Full => (ModelVariant::Full, 1),
            Self::NoAudio => (ModelVariant::NoAudio, 1),
            Self::NoText => (ModelVariant::NoText, 1),
            Self::NoSelf => (ModelVariant::NoSelf, 1),
            Self::NoCross => (ModelVariant::NoCross, 1),
            Self::CrossSelf => (ModelVariant::CrossSelf, 1),
            Self::SelfCross => (ModelVariant::SelfCross, 1),
            Self::N2 => (ModelVariant::Full, 2),
            Self::N3 => (ModelVariant::Full, 3),
        }
    }

    /// WA and UA in the paper, on IEMOCAP; the full model's with the deviation over the folds, from its Table 1.
    fn paper(self) -> [Cell; 2] {
        let figures = match self {
            Self::Full => {
                return [(0.612, 0.012), (0.560, 0.019)]
                    .map(|(mean, deviation)| Cell::Spread(MeanDeviation { mean, deviation: Some(deviation) }));
            }
            Self::NoAudio => [0.509, 0.469],
            Self::NoText => [0.491, 0.404],
            Self::NoSelf => [0.605, 0.550],
            Self::NoCross => [0.596, 0.536],
            Self::CrossSelf => [0.606, 0.552],
            Self::SelfCross => [0.602, 0.554],
            Self::N2 => [0.601, 0.551],
            Self::N3 => [0.595, 0.541],
        };
        figures.map(Cell::Share)
    }

    /// The settings of the row.
    ///
    /// # Errors
    /// [`ExperimentError::RowSetting`] where the settings choose a network of their own.
    pub(crate) fn settings(self, base: &Settings) -> Result<Settings, ExperimentError> {
        let usual = Settings::default().model;
        if base.model.variant != usual.variant {
            return Err(ExperimentError::RowSetting { key: "model.variant" });
        }
        if base.model.layers != usual.layers {
            return Err(ExperimentError::RowSetting { key: "model.layers" });
        }
        let mut settings = base.clone();
        (settings.model.variant, settings.model.layers) = self.network();
        Ok(settings)
    }

    /// The row's cross-validation in the folder of them all.
    ///
    /// # Errors
    /// Those of [`CrossValidation::open`].
    pub(crate) fn open<'c>(
        self,
        data: &'c Dataset,
        identity: &Identity,
        base: &Config,
        folds: &'c Folds,
        folder: &Path,
    ) -> Result<CrossValidation<'c>, ExperimentError> {
        let config = Config { settings: self.settings(&base.settings)?, execution: base.execution.clone() };
        CrossValidation::open(data, identity, config, folds, &folder.join(self.name()))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Whether the rows may be trained in a folder: it is not there, holds nothing, or rows and what is made of them.
///
/// # Errors
/// [`ExperimentError::Folder`], naming what else is there.
pub(crate) fn check_folder(folder: &Path) -> Result<(), ExperimentError> {
    let is_row = |name: &str| Row::ALL.iter().any(|row| row.name() == name) && folder.join(name).is_dir();
    let is_summary = |name: &str| name.starts_with(&format!("{STEM}.")) || name == report::FILE;
    let has_rows = Row::ALL.iter().any(|row| folder.join(row.name()).is_dir());
    match first_foreign(folder, |name| is_row(name) || has_rows && is_summary(name)) {
        None => Ok(()),
        Some(name) => {
            let problem = format!("holds '{name}', which is none of an ablation's files");
            Err(ExperimentError::Folder { path: folder.into(), problem, remedy: Remedy::OtherFolder })
        }
    }
}

/// Sums up every row that was begun in `folder`, chosen by this call or by another, and writes `ablation.*` there; `None`
/// where no fold of any row is done.
///
/// # Errors
/// A row that was begun with other data, folds or settings; a file that cannot be written.
pub(crate) fn gather(
    data: &Dataset,
    identity: &Identity,
    base: &Config,
    folds: &Folds,
    folder: &Path,
) -> Result<Option<Results>, ExperimentError> {
    let _turn = Claim::wait(folder).map_err(|source| ExperimentError::Write { path: folder.into(), source })?;
    let mut rows = Vec::new();
    for row in Row::ALL {
        if folder.join(row.name()).join(spec::FILE).exists() {
            let gathered = Gathered::read(&row.open(data, identity, base, folds, folder)?)?;
            if !gathered.results.is_empty() {
                rows.push((row, gathered));
            }
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let results = tables(&rows);
    results.write(folder, STEM)?;
    let confusions: Vec<Confusion> = rows.iter().map(|(row, gathered)| gathered.confusion(row.title())).collect();
    let runs: Vec<_> = rows.iter().map(|(row, gathered)| (row.title().to_owned(), gathered.folders(&folder.join(row.name())))).collect();
    page::write(folder, &results, &plots(&rows), &runs, &confusions, None, base)?;
    Ok(Some(results))
}

/// WA, UA and weighted F1 of every row, beside the paper's where it has them.
fn plots(rows: &[(Row, Gathered)]) -> Vec<Intervals> {
    let of_paper = |row: Row, place: usize| match row.paper().get(place) {
        Some(Cell::Share(figure) | Cell::Spread(MeanDeviation { mean: figure, .. })) => Some(*figure),
        _ => None,
    };
    let plot = |(place, (name, figure)): (usize, page::Figure)| {
        page::plot(name, rows.iter().map(|(row, of)| (row.title().to_owned(), of.figures(figure), of_paper(*row, place))).collect())
    };
    page::FIGURES.into_iter().enumerate().map(plot).collect()
}

/// The comparison of some rows.
fn tables(rows: &[(Row, Gathered)]) -> Results {
    let Some((_, first)) = rows.first() else {
        return Results { document: json!({}), tables: Vec::new() };
    };
    let full = rows.iter().find(|(row, _)| *row == Row::Full).map(|(_, gathered)| gathered);
    let title = format!("Ablations on {} ({} classes): {}", first.corpus, first.classes.len(), first.method());
    let mut table = ResultTable::new(title, columns());
    for (row, gathered) in rows {
        let [wa, ua, weighted_f1] = gathered.spreads().map(Cell::Spread);
        let [paper_wa, paper_ua] = row.paper();
        let mut cells = vec![Cell::Text(row.title().into()), Cell::Text(row.name().into()), Cell::Count(gathered.results.len())];
        cells.extend([wa, ua, weighted_f1, paper_wa, paper_ua]);
        cells.extend(match full {
            Some(full) if *row != Row::Full => comparison(gathered, full),
            _ => vec![Cell::Empty; TESTS.len()],
        });
        table.rows.push(cells);
    }
    if let Some((_, partial)) = rows.iter().find(|(_, gathered)| gathered.results.len() < gathered.folds) {
        table.notes.push(format!("Not every row has all of its {} folds yet; tests compare the folds that both have.", partial.folds));
    }
    table.notes.push("Mean ± standard deviation over the folds. Paper: Sun et al. 2021, Tables 1 and 3, seven classes of IEMOCAP.".into());
    table.notes.push(format!(
        "p: two-sided tests against the full model{}.",
        match full {
            Some(_) =>
                "; WA, UA: paired t-test over the folds (folds - 1 degrees of freedom); McNemar: exact, on all test predictions. \
             The columns p_wa_corrected and p_ua_corrected of the CSV allow for the training data that folds share \
             (Nadeau and Bengio 2003)",
            None => ", which has no fold yet",
        }
    ));
    let document = json!({
        "corpus": first.corpus, "classes": first.classes, "by": first.by, "seed": first.seed, "folds": first.folds, "rows": table.json(),
    });
    Results { document, tables: vec![("", table)] }
}

/// Columns of the tests: key, and title where shown.
const TESTS: [(&str, Option<&str>); 10] = [
    ("p_wa", Some("p (WA)")),
    ("p_ua", Some("p (UA)")),
    ("p_mcnemar", Some("p (McNemar)")),
    ("t_wa", None),
    ("t_ua", None),
    ("degrees_of_freedom", None),
    ("p_wa_corrected", None),
    ("p_ua_corrected", None),
    ("only_full_right", None),
    ("only_row_right", None),
];

fn columns() -> Vec<Column> {
    let mut columns = vec![Column::shown("model", "model"), Column::kept("row")];
    let figures = [("folds", "folds"), ("wa", "WA"), ("ua", "UA"), ("weighted_f1", "weighted F1")];
    let paper = [("paper_wa", "WA, paper (IEMOCAP)"), ("paper_ua", "UA, paper (IEMOCAP)")];
    columns.extend(figures.into_iter().chain(paper).map(|(key, title)| Column::shown(key, title)));
    columns.extend(TESTS.map(|(key, title)| Column { key: key.into(), title: title.map(str::to_owned) }));
    columns
}

/// A row against the full model, over the folds that both have.
fn comparison(row: &Gathered, full: &Gathered) -> Vec<Cell> {
    let of = |fold: usize| full.results.iter().find(|(other, _)| *other == fold).map(|(_, result)| result);
    let pairs: Vec<(&Evaluation, &Evaluation)> = row.results.iter().filter_map(|(fold, result)| Some((result, of(*fold)?))).collect();
    let utterances: usize = pairs.iter().map(|(row, _)| row.metrics.utterances).sum();
    // Of K folds, K - 2 parts are trained on and one is tested.
    let test_to_train = 1.0 / (row.folds as f64 - 2.0);
    let test = |figure: fn(&Metrics) -> f64| {
        let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.iter().map(|(row, full)| (figure(&row.metrics), figure(&full.metrics))).unzip();
        paired_t(&ours, &theirs, test_to_train)
    };
    let (wa, ua) = (test(|metrics| metrics.wa), test(|metrics| metrics.ua));
    let right = |result: &Evaluation| result.predictions.iter().map(|it| it.predicted == it.label).collect::<Vec<_>>();
    let (mut only_full, mut only_row) = (0, 0);
    for (row, full) in &pairs {
        for (row, full) in right(row).into_iter().zip(right(full)) {
            only_full += usize::from(full && !row);
            only_row += usize::from(row && !full);
        }
    }
    let cell = |test: Option<PairedT>, value: fn(PairedT) -> f64, of: fn(f64) -> Cell| {
        test.map(value).filter(|value| value.is_finite()).map_or(Cell::Empty, of)
    };
    let mcnemar = if utterances > 0 { Cell::Probability(mcnemar(only_full, only_row)) } else { Cell::Empty };
    vec![
        cell(wa, |test| test.p, Cell::Probability),
        cell(ua, |test| test.p, Cell::Probability),
        mcnemar,
        cell(wa, |test| test.t, Cell::Number),
        cell(ua, |test| test.t, Cell::Number),
        wa.or(ua).map_or(Cell::Empty, |test| Cell::Count(test.degrees_of_freedom)),
        cell(wa, |test| test.corrected_p, Cell::Probability),
        cell(ua, |test| test.corrected_p, Cell::Probability),
        Cell::Count(only_full),
        Cell::Count(only_row),
    ]
}
