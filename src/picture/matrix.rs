//! A confusion matrix as a picture: counts, coloured by the share of the true class.

use super::svg::{Anchor, Svg};
use super::{FAINT, INK, LABEL, LETTER, MARGIN, PAPER, SHADES, TITLE, colour};
use crate::base::columns::{shorten, told_apart, width};

const CELL: [f64; 2] = [64.0, 34.0];
/// Widest name, in columns.
const NAME: usize = 24;
/// Share of the row from which on letters are of the paper's colour.
const DARK: f64 = 0.55;

/// Draws `counts[true class][predicted class]`: a row a true class, a column a predicted one.
pub(crate) fn confusion(title: &str, classes: &[String], counts: &[Vec<usize>]) -> String {
    let told = told_apart(&classes.iter().map(String::as_str).collect::<Vec<_>>(), NAME);
    let rows: Vec<String> = told.iter().map(|name| shorten(name, NAME)).collect();
    let heads: Vec<String> = told.iter().map(|name| shorten(name, (CELL[0] / (LABEL * LETTER)) as usize)).collect();
    let widest = rows.iter().map(|row| width(row)).fold("true \\ predicted".len(), usize::max) as f64 * LABEL * LETTER;
    let (left, top) = (MARGIN + widest + 8.0, MARGIN + TITLE + 14.0 + LABEL + 6.0);
    let across = (left + CELL[0] * classes.len() as f64).max(MARGIN + width(title) as f64 * TITLE * LETTER);
    let mut svg = Svg::new(across + MARGIN, top + CELL[1] * classes.len() as f64 + MARGIN, PAPER);
    svg.text([MARGIN, MARGIN + TITLE], TITLE, INK, Anchor::Start, title);
    svg.text([left - 8.0, top - 6.0], LABEL, FAINT, Anchor::End, "true \\ predicted");
    for (class, (row, head)) in rows.iter().zip(&heads).enumerate() {
        let [x, y] = [left + CELL[0] * (class as f64 + 0.5), top + CELL[1] * (class as f64 + 0.5)];
        svg.text([x, top - 6.0], LABEL, INK, Anchor::Middle, head);
        svg.text([left - 8.0, y + LABEL / 3.0], LABEL, INK, Anchor::End, row);
    }
    for (truth, row) in counts.iter().enumerate() {
        let support = row.iter().sum::<usize>().max(1) as f64;
        for (predicted, &count) in row.iter().enumerate() {
            let share = count as f64 / support;
            let [x, y] = [left + CELL[0] * predicted as f64, top + CELL[1] * truth as f64];
            svg.rectangle([x + 1.0, y + 1.0, CELL[0] - 2.0, CELL[1] - 2.0], &colour((share * (SHADES - 1) as f64).round() as usize));
            let ink = if share >= DARK { PAPER } else { INK };
            svg.text([x + CELL[0] / 2.0, y + CELL[1] / 2.0 + LABEL / 3.0], LABEL, ink, Anchor::Middle, &count.to_string());
        }
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_its_count_and_names_are_text() {
        let classes = ["calm", "<b>glad", "a very long name of a class of emotions"].map(String::from);
        let svg = confusion("Test split", &classes, &[vec![3, 1, 0], vec![0, 200, 0], vec![0, 0, 0]]);
        assert!(svg.starts_with("<svg xmlns=") && svg.contains(">200</text>") && svg.contains("&lt;b&gt;glad"), "{svg}");
        assert!(!svg.contains("<b>") && !svg.contains("NaN") && svg.contains('…'), "{svg}");
        assert_eq!(svg.matches("<rect ").count(), 1 + 9, "the paper and the cells");
    }
}
