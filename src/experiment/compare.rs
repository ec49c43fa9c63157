//! Systems in the form of the paper's tables, with the published figures beside ours: Table 1, WA and UA over folds as on IEMOCAP, or
//! Table 2, weighted F1 over seeds on the data's own splits as on MELD.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::figure::{FIGURES, Figure, UA, WA, WEIGHTED_F1};
use super::folds::By;
use super::rows::{self, Begun, Kind, Over, Row, Rows};
use super::statistics::MeanDeviation;
use super::systems::{self, System};
use super::table::{Cell, Column, ResultTable, Results, write_text};
use super::{ExperimentError, certainty, paired};
use crate::base::streams::{Reading, TEXT};
use crate::config::{Config, Settings};
use crate::dataset::Dataset;
use crate::model::{self, Dimensions};

/// The comparison of systems.
pub(crate) const COMPARISON: Kind = Kind { stem: "compare", called: "a comparison", names: systems::names, published: "published", tables };

/// The row of a system that is trained with some settings, for data that are divided so.
pub(crate) fn row(system: &System, config: Config, by: By) -> Row {
    let spread = |(mean, deviation)| Some(MeanDeviation { mean, deviation: Some(deviation) });
    let published = match (by, system.iemocap, system.meld) {
        (By::Given, _, Some((mean, _))) => [None, None, Some(MeanDeviation { mean, deviation: None }), None],
        (By::Random | By::Speaker | By::Session | By::EmoBox, Some(([wa, ua], _)), _) => [spread(wa), spread(ua), None, None],
        _ => [None; FIGURES.len()],
    };
    Row { name: system.name, title: system.title, config, published }
}

/// Whether a data set has what the model of a row reads.
///
/// # Errors
/// [`ExperimentError::NoStream`], naming the stream.
pub(crate) fn check_streams(row: &Row, data: &Dataset) -> Result<(), ExperimentError> {
    let readings = model::readings(&row.config.settings, &dimensions(&row.config.settings, data));
    match readings.iter().find(|reading| data.stream(reading).is_err()) {
        None => Ok(()),
        Some(Reading { stream, kind, .. }) => Err(ExperimentError::NoStream { system: row.name, stream, kind: kind.name() }),
    }
}

fn dimensions(settings: &Settings, data: &Dataset) -> Dimensions {
    Dimensions::of(data, &settings.model)
}

/// The modalities that a model reads, as the paper's tables call them: of acoustics A, of language L, of vision V.
fn modalities(settings: &Settings, data: &Dataset) -> String {
    let readings = model::readings(settings, &dimensions(settings, data));
    let modality = |stream: &str| match stream {
        TEXT => 'L',
        stream if stream.starts_with("visual") => 'V',
        _ => 'A',
    };
    let read: Vec<char> = readings.iter().map(|reading| modality(reading.stream)).collect();
    ["A", "L", "V"].into_iter().filter(|letter| read.iter().any(|read| letter.starts_with(*read))).collect::<Vec<_>>().join("+")
}

/// Which of the paper's tables.
struct Form {
    /// What is shown and tested.
    figures: &'static [Figure],
    /// The corpus that figures were published on.
    corpus: &'static str,
    /// The same in a sentence.
    published_on: &'static str,
    /// Where a system's figures stand.
    source: fn(&System) -> Option<&'static str>,
}

impl Form {
    fn of(by: By) -> Self {
        match by {
            By::Given => Self {
                figures: &[WEIGHTED_F1],
                corpus: "MELD",
                published_on: "MELD",
                source: |system| system.meld.map(|(_, source)| source),
            },
            By::Random | By::Speaker | By::Session | By::EmoBox => Self {
                figures: &[WA, UA],
                corpus: "IEMOCAP",
                published_on: "seven classes of IEMOCAP",
                source: |system| system.iemocap.map(|(_, source)| source),
            },
        }
    }

    fn shows(&self, figure: &Figure) -> bool {
        self.figures.iter().any(|shown| shown.key == figure.key)
    }

    fn columns(&self, over: Over, corrected: bool) -> Vec<Column> {
        let titled = [("reference", "reference"), ("modalities", "modalities")].map(|(key, title)| Column::shown(key, title));
        let ours = |figure: Figure| if self.shows(&figure) { Column::shown(figure.key, figure.title) } else { Column::kept(figure.key) };
        let published = |figure: &Figure| {
            Column::shown(&format!("published_{}", figure.key), &format!("{}, published ({})", figure.title, self.corpus))
        };
        let mut columns = vec![Column::shown("model", "model"), Column::kept("row")];
        columns.extend(titled);
        columns.push(over.column());
        columns.extend(FIGURES.map(ours));
        columns.extend(self.figures.iter().map(published));
        columns.extend([Column::kept("published_in"), Column::shown("parameters", "parameters")]);
        columns.extend(paired::columns(self.figures, systems::REFERENCE, corrected));
        columns.push(Column::kept("defaults"));
        columns
    }

    /// Where the published figures of some rows stand.
    fn sources(&self, begun: &[Begun<'_>]) -> Option<String> {
        let mut titles: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in begun.iter().map(|begun| begun.row) {
            if let Some(source) = systems::named(row.name).and_then(self.source) {
                titles.entry(source).or_default().push(row.title);
            }
        }
        let listed: Vec<String> = titles.iter().map(|(source, titles)| format!("{} ({})", source, titles.join(", "))).collect();
        (!listed.is_empty()).then(|| format!("Published, on {}: {}.", self.published_on, listed.join("; ")))
    }
}

/// Writes `compare.times.csv`: of each row the median of so many steps, in milliseconds. They are measured, so that no two are the same.
///
/// # Errors
/// [`ExperimentError::Write`].
pub(crate) fn write_times(folder: &Path, times: &[(&Row, f64, usize)]) -> Result<(), ExperimentError> {
    let columns = ["model", "row", "ms_per_step", "steps"].map(Column::kept).into();
    let row = |&(row, ms, steps): &(&Row, f64, usize)| {
        vec![Cell::Text(row.title.into()), Cell::Text(row.name.into()), Cell::Number(ms), Cell::Count(steps)]
    };
    let table = ResultTable { rows: times.iter().map(row).collect(), ..ResultTable::new(String::new(), columns) };
    write_text(&folder.join(format!("{}.times.csv", COMPARISON.stem)), &table.csv())
}

/// The comparison of some systems.
fn tables(rows: &Rows<'_>, begun: &[Begun<'_>]) -> Results {
    let Some(Begun { of: first, .. }) = begun.first() else {
        return Results { document: json!({}), tables: Vec::new() };
    };
    let (form, over) = (Form::of(first.by), Over::of(begun));
    let corrected = first.test_to_train.is_some();
    let reference = begun.iter().find(|Begun { row, .. }| row.name == systems::REFERENCE).map(|Begun { of, .. }| of);
    let title = format!("Systems on {} ({} classes): {}", first.corpus, first.classes.len(), first.method());
    let mut table = ResultTable::new(title, form.columns(over, corrected));
    let text = |text: &str| if text.is_empty() { Cell::Empty } else { Cell::Text(text.into()) };
    for Begun { row, of } in begun {
        let (system, settings) = (systems::named(row.name), &row.config.settings);
        let mut cells = vec![Cell::Text(row.title.into()), Cell::Text(row.name.into())];
        cells.extend([text(system.map_or("", |system| system.reference)), Cell::Text(modalities(settings, rows.data))]);
        cells.push(Cell::Count(of.results.len()));
        cells.extend(of.spreads().map(Cell::Spread));
        let published = FIGURES.iter().enumerate().filter(|(_, figure)| form.shows(figure));
        cells.extend(published.map(|(place, _)| row.published(place)));
        cells.push(text(system.and_then(form.source).unwrap_or_default()));
        cells.push(Cell::Count(model::parameters(settings, &dimensions(settings, rows.data)).count()));
        cells.extend(match reference {
            Some(reference) if row.name != systems::REFERENCE => paired::cells(of, reference, form.figures),
            _ => vec![Cell::Empty; paired::columns(form.figures, systems::REFERENCE, corrected).len()],
        });
        cells.push(text(system.map_or("", |system| system.defaults)));
        table.rows.push(cells);
    }
    table.notes.extend(rows::missing(begun));
    table.notes.push(format!("Mean ± standard deviation over the {}. A: acoustics, L: language, V: vision.", over.words()));
    table.notes.extend(form.sources(begun));
    table.notes.push(paired::note(form.figures, "MCSAN", reference.is_some(), over, corrected));
    for Begun { row, .. } in begun {
        let defaults = systems::named(row.name).map_or("", |system| system.defaults);
        if !defaults.is_empty() {
            table.notes.push(format!("{}: defaults of ours, nothing being published: {defaults}.", row.title));
        }
    }
    let certainty = certainty::table(&begun.iter().map(|Begun { row, of }| (row.title, of)).collect::<Vec<_>>());
    let document = json!({
        "corpus": first.corpus, "classes": first.classes, "by": first.by, "seed": first.seed, "folds": first.folds, "rows": table.json(), "certainty": certainty.json(),
    });
    Results { document, tables: vec![("", table), (certainty::NAME, certainty)] }
}
