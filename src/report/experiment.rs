//! The report of a cross-validation or an ablation: a pure function from plain data to a page.

use super::ReportError;
use super::curves::Plot;
use super::intervals::Intervals;
use super::page::{Page, Table};
use super::read::Test;
use super::tested::Tested;
use crate::dataset::Dataset;

/// A title, the classes and `[true class][predicted class]`.
pub type Confusion = (String, Vec<String>, Vec<Vec<usize>>);

/// What an experiment says; what is empty is left out.
#[derive(Default)]
pub struct Experiment<'e> {
    /// The page's heading.
    pub title: &'e str,
    /// A sentence below the title.
    pub line: &'e str,
    /// The results, with their spread over the folds.
    pub plots: &'e [Intervals],
    /// How the runs were trained, see [`curves`](super::curves()).
    pub curves: &'e [Plot],
    /// The results in figures.
    pub tables: &'e [Table],
    /// The confusion matrices, one a figure.
    pub confusions: &'e [Confusion],
    /// All test predictions together, the data that they are of, and the most frames that the model hears.
    pub tested: Option<(&'e Test, &'e Dataset, usize)>,
    /// Names and values, in the order in which they are shown.
    pub settings: &'e [(String, String)],
}

/// A page of plots, tables, confusion matrices, what is said of the test predictions, and settings.
///
/// # Errors
/// [`ReportError::Misfit`] for predictions of other data.
pub fn experiment(of: &Experiment<'_>) -> Result<String, ReportError> {
    let mut page = Page::new(of.title, of.line);
    if !of.plots.is_empty() {
        page.section("Results");
        page.figures(&of.plots.iter().map(|plot| (plot.draw(), String::new())).collect::<Vec<_>>());
    }
    if !of.curves.is_empty() {
        page.section("Training");
        page.figures(&of.curves.iter().map(|plot| (plot.draw(), String::new())).collect::<Vec<_>>());
    }
    if !of.tables.is_empty() {
        page.section("Tables");
        of.tables.iter().for_each(|table| page.table(table));
    }
    if !of.confusions.is_empty() {
        page.section("Confusions");
        page.confusions(of.confusions, "");
    }
    if let Some((test, data, max_frames)) = of.tested {
        let tested = Tested::new(test, Some(data))?;
        tested.classes(&mut page);
        tested.lengths(&mut page, max_frames);
        tested.mistakes(&mut page);
    }
    if !of.settings.is_empty() {
        page.section("Settings");
        let rows = of.settings.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
        page.table(&Table::new("", &["setting", "value"], rows));
    }
    Ok(page.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::intervals;

    #[test]
    fn an_experiment_shows_all_it_is_given_and_no_heading_without_content() {
        let rows = [("full".to_owned(), 0.6, 0.02, Some(0.61)), ("no_<b>".to_owned(), 0.5, 0.03, None)];
        let table = Table::new("Rows", &["row", "WA"], vec![vec!["full".into(), "60.0 ± 2.0".into()]]);
        let confusion = ("All folds".to_owned(), vec!["a".into(), "b".into()], vec![vec![3, 1], vec![0, 4]]);
        let settings = [("train.lr".to_owned(), "0.001".to_owned())];
        let html = experiment(&Experiment {
            title: "Ablation",
            plots: &[intervals("WA", "weighted accuracy", &rows)],
            tables: &[table],
            confusions: &[confusion],
            settings: &settings,
            ..Experiment::default()
        })
        .unwrap();
        for text in ["<h1>Ablation</h1>", "60.0 ± 2.0 %", "60.0 ± 2.0<", "All folds", "train.lr", "no_&lt;b&gt;", "published"] {
            assert!(html.contains(text), "{text}");
        }
        let empty = experiment(&Experiment { title: "Nothing", ..Experiment::default() }).unwrap();
        assert!(!empty.contains("<h2>"));
    }
}
