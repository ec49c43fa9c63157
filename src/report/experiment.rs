//! The report of a cross-validation or an ablation: a pure function from plain data to a page.

use super::confusion;
use super::intervals::Intervals;
use super::page::{Page, Table};

/// A title, the classes and `[true class][predicted class]`.
pub type Confusion = (String, Vec<String>, Vec<Vec<usize>>);

/// A page of plots, tables, confusion matrices and settings, in that order; what is empty is left out.
///
/// `settings`: names and values, in the order in which they are shown.
pub fn experiment(title: &str, plots: &[Intervals], tables: &[Table], confusions: &[Confusion], settings: &[(String, String)]) -> String {
    let mut page = Page::new(title, "");
    if !plots.is_empty() {
        page.section("Results");
        page.figures(&plots.iter().map(|plot| (plot.draw(), String::new())).collect::<Vec<_>>());
    }
    if !tables.is_empty() {
        page.section("Tables");
        tables.iter().for_each(|table| page.table(table));
    }
    if !confusions.is_empty() {
        page.section("Confusions");
        let drawn = |(title, classes, counts): &Confusion| (confusion::draw(title, classes, counts), String::new());
        page.figures(&confusions.iter().map(drawn).collect::<Vec<_>>());
    }
    if !settings.is_empty() {
        page.section("Settings");
        let rows = settings.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
        page.table(&Table::new("", &["setting", "value"], rows));
    }
    page.finish()
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
        let html = experiment("Ablation", &[intervals("WA", "weighted accuracy", &rows)], &[table], &[confusion], &settings);
        for text in ["<h1>Ablation</h1>", "60.00 ± 2.00", "60.0 ± 2.0", "All folds", "train.lr", "no_&lt;b&gt;", "published"] {
            assert!(html.contains(text), "{text}");
        }
        let empty = experiment("Nothing", &[], &[], &[], &[]);
        assert!(!empty.contains("<h2>"));
    }
}
