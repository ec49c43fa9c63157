//! The rows of the paper's Table 3: the network without a module, with modules in sequence, and with more layers, each
//! cross-validated over the same folds in `DIR/ROW`, with the paper's figures beside ours.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ExperimentError;
use super::figure::{FIGURES, Figure, MACRO_F1, UA, WA};
use super::rows::{self, Begun, Kind, Over, Rows};
use super::statistics::MeanDeviation;
use super::table::{Cell, Column, ResultTable, Results};
use super::{certainty, page, paired};
use crate::base::remedy::Remedy;
use crate::config::{Config, ModelVariant, Settings};

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
    fn paper(self) -> [MeanDeviation; 2] {
        let figures = match self {
            Self::Full => {
                return [(0.612, 0.012), (0.560, 0.019)].map(|(mean, deviation)| MeanDeviation { mean, deviation: Some(deviation) });
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
        figures.map(|mean| MeanDeviation { mean, deviation: None })
    }

    /// The row of an experiment with these settings.
    fn of(self, base: &Config) -> rows::Row {
        let mut config = base.clone();
        (config.settings.model.variant, config.settings.model.layers) = self.network();
        let [wa, ua] = self.paper().map(Some);
        rows::Row { name: self.name(), title: self.title(), config, published: [wa, ua, None, None] }
    }
}

/// All rows, of an experiment with these settings.
///
/// # Errors
/// [`ExperimentError::RowSetting`] where the settings choose a network of their own.
pub(crate) fn rows(base: &Config) -> Result<Vec<rows::Row>, ExperimentError> {
    let usual = Settings::default().model;
    let refused = |key| Err(ExperimentError::RowSetting { key, remedy: Remedy::ChooseRows });
    match &base.settings.model {
        model if model.variant != usual.variant => refused("model.variant"),
        model if model.layers != usual.layers => refused("model.layers"),
        _ => Ok(Row::ALL.map(|row| row.of(base)).into()),
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The ablations.
pub(crate) const ABLATION: Kind =
    Kind { stem: "ablation", called: "an ablation", names: || Row::ALL.map(Row::name).into(), published: page::PAPER, tables };

/// The comparison of some rows.
fn tables(_: &Rows<'_>, begun: &[Begun<'_>]) -> Results {
    let Some(Begun { of: first, .. }) = begun.first() else {
        return Results { document: json!({}), tables: Vec::new() };
    };
    let full = begun.iter().find(|Begun { row, .. }| row.name == Row::Full.name()).map(|Begun { of, .. }| of);
    let over = Over::of(begun);
    let title = format!("Ablations on {} ({} classes): {}", first.corpus, first.classes.len(), first.method());
    let mut table = ResultTable::new(title, columns(over));
    for Begun { row, of } in begun {
        let mut cells = vec![Cell::Text(row.title.into()), Cell::Text(row.name.into()), Cell::Count(of.results.len())];
        cells.extend(of.spreads().map(Cell::Spread));
        cells.extend([row.published(0), row.published(1)]);
        cells.extend(match full {
            Some(full) if row.name != Row::Full.name() => paired::cells(of, full, &TESTED),
            _ => vec![Cell::Empty; paired::columns(&TESTED, FULL, true).len()],
        });
        table.rows.push(cells);
    }
    table.notes.extend(rows::missing(begun));
    table.notes.push(format!(
        "Mean ± standard deviation over the {}. Paper: Sun et al. 2021, Tables 1 and 3, seven classes of IEMOCAP.",
        over.words()
    ));
    table.notes.push(paired::note(&TESTED, "the full model", full.is_some(), over, true));
    let certainty = certainty::table(&begun.iter().map(|Begun { row, of }| (row.title, of)).collect::<Vec<_>>());
    let document = json!({
        "corpus": first.corpus, "classes": first.classes, "by": first.by, "seed": first.seed, "folds": first.folds, "rows": table.json(), "certainty": certainty.json(),
    });
    Results { document, tables: vec![("", table), (certainty::NAME, certainty)] }
}

/// What is tested.
const TESTED: [Figure; 2] = [WA, UA];
/// What the row that others are tested against is called in the columns' names.
const FULL: &str = "full";

fn columns(over: Over) -> Vec<Column> {
    let mut columns = vec![Column::shown("model", "model"), Column::kept("row"), over.column()];
    let is_shown = |figure: Figure| figure.key != MACRO_F1.key;
    let of = |figure: Figure| if is_shown(figure) { Column::shown(figure.key, figure.title) } else { Column::kept(figure.key) };
    columns.extend(FIGURES.map(of));
    columns
        .extend([("paper_wa", "WA, paper (IEMOCAP)"), ("paper_ua", "UA, paper (IEMOCAP)")].map(|(key, title)| Column::shown(key, title)));
    columns.extend(paired::columns(&TESTED, FULL, true));
    columns
}
