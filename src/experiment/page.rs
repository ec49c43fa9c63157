//! The experiment's `report.html`: means with their spread, tables, confusion matrices and settings.

use std::path::{Path, PathBuf};

use toml::Value;

use super::gather;
use super::statistics::MeanDeviation;
use super::table::{ResultTable, Results};
use crate::config::Config;
use crate::dataset::Dataset;
use crate::report::{self, Confusion, Intervals};

/// What published figures are called where they are the paper's own.
pub(super) const PAPER: &str = "paper, IEMOCAP";

/// Where else to look, and what made the page.
const LINE: &str =
    concat!("By mcsan ", env!("CARGO_PKG_VERSION"), ". Each run's folder has a report of its own, with curves, device and front-end.");

/// Writes the page into the experiment's folder; `runs` are the folders of each model's folds, `pooled` all test predictions
/// of one model with their data.
///
/// # Errors
/// [`report::ReportError`]
pub(super) fn write(
    folder: &Path,
    results: &Results,
    plots: &[Intervals],
    runs: &[(String, Vec<PathBuf>)],
    confusions: &[Confusion],
    pooled: Option<(&report::Test, &Dataset)>,
    config: &Config,
) -> Result<(), report::ReportError> {
    // Of the confusion matrix there is a picture.
    let tables = results.tables.iter().filter(|(name, _)| *name != gather::CONFUSION);
    let tables: Vec<report::Table> = tables.map(|(_, table)| html_table(table)).collect();
    let html = report::experiment(&report::Experiment {
        title: results.tables.first().map_or("", |(_, table)| table.title.as_str()),
        line: LINE,
        plots,
        curves: &report::curves(runs)?,
        tables: &tables,
        confusions,
        tested: pooled.map(|(test, data)| (test, data, config.settings.data.max_frames)),
        settings: &listed(config),
    })?;
    report::write(&folder.join(report::FILE), &html)
}

/// The page of two runs that are compared.
///
/// # Errors
/// [`report::ReportError`]
pub(super) fn of_comparison(results: &Results, plots: &[Intervals], confusions: &[Confusion]) -> Result<String, report::ReportError> {
    let tables: Vec<report::Table> = results.tables.iter().map(|(_, table)| html_table(table)).collect();
    report::experiment(&report::Experiment {
        title: results.tables.first().map_or("", |(_, table)| table.title.as_str()),
        line: concat!("By mcsan ", env!("CARGO_PKG_VERSION"), "."),
        plots,
        tables: &tables,
        confusions,
        ..report::Experiment::default()
    })
}

/// A model's name, its runs' results, and what was published.
pub(super) type PlotRow = (String, Vec<f64>, Option<f64>);

/// The runs' results as points, their mean and one deviation to either side as a bar; `published` is what the published figures
/// are called.
pub(super) fn plot(title: &str, published: &str, rows: Vec<PlotRow>) -> Intervals {
    let mean = |(label, points, reference): &PlotRow| {
        let MeanDeviation { mean, deviation } = MeanDeviation::of(points);
        (label.clone(), mean, deviation.unwrap_or(f64::NAN), *reference)
    };
    let mut plot = report::intervals(title, "on the test utterances", &rows.iter().map(mean).collect::<Vec<_>>());
    plot.reference = published.into();
    for (row, (_, points, _)) in plot.rows.iter_mut().zip(rows) {
        row.points = points;
    }
    plot
}

fn html_table(table: &ResultTable) -> report::Table {
    let (header, rows) = table.shown();
    report::Table { caption: table.title.clone(), header, rows }
}

/// Every setting by its dotted name.
fn listed(config: &Config) -> Vec<(String, String)> {
    let document: toml::Table = config.to_toml().parse().unwrap_or_default();
    let sections = document.iter().filter_map(|(section, values)| Some((section, values.as_table()?)));
    let of_section = |(section, values): (&String, &toml::Table)| {
        let value =
            |(name, value): (&String, &Value)| (format!("{section}.{name}"), value.as_str().map_or(value.to_string(), str::to_owned));
        values.iter().map(value).collect::<Vec<_>>()
    };
    sections.flat_map(of_section).collect()
}
