//! A confusion matrix as a heat map: a row a true class, a column a predicted one, the count in the cell, and as its colour
//! the share of the row, so that rare classes are seen as well as frequent ones.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;

use super::drawing::{Drawing, LETTERS, coordinate, escape, shorten, text_width};
use super::page::{Table, grouped};
use crate::base::shown::percent;
use crate::picture::svg::Anchor;
use crate::train::metrics::{confusions, taken_for};

/// Steps of colour from none of a row to all of it, classes `h0` to `h20` of the style sheet; `i0` to `i20` are the colours
/// of letters on them.
pub(crate) const LEVELS: usize = 20;

/// Widest label.
const LABEL: f64 = 130.0;
/// Most letters of a name in a sentence.
const NAME: usize = 60;
/// Rows of the table that stands for a matrix.
const CONFUSIONS: usize = 20;
const CELL_HEIGHT: f64 = 34.0;
/// Angle of the columns' labels, in degrees; its cosine and sine.
const ANGLE: f64 = 40.0;
const SLOPE: (f64, f64) = (0.766, 0.643);

/// What was taken for what most often, where there are too many classes for a matrix.
pub(crate) fn table(title: &str, classes: &[String], counts: &[Vec<usize>]) -> Table {
    let supports: Vec<usize> = counts.iter().map(|row| row.iter().sum()).collect();
    let row = |[truth, predicted, count]: [usize; 3]| {
        let of = percent(share(count, supports[truth]));
        vec![classes[truth].clone(), classes[predicted].clone(), grouped(count), of]
    };
    let rows = confusions(counts, CONFUSIONS).into_iter().map(row).collect();
    let caption = format!("{title}: of {} classes, what was most often taken for what.", grouped(classes.len()));
    Table::new(&caption, &["true", "predicted", "utterances", "of the true class"], rows)
}

/// Draws `counts[true class][predicted class]`.
pub(crate) fn draw(title: &str, classes: &[String], counts: &[Vec<usize>]) -> Drawing {
    let labels = labels(classes);
    let classes: Vec<Cow<'_, str>> = classes.iter().map(|class| name(class)).collect();
    let widest = labels.iter().map(|label| text_width(label)).fold(0.0, f64::max);
    let largest = counts.iter().flatten().max().copied().unwrap_or(0);
    let cell = (text_width(&largest.to_string()) + 12.0).max(38.0);
    let left = widest.max(text_width("true class ↓")) + 10.0;
    let top = LETTERS + 10.0 + widest * SLOPE.1 + LETTERS;
    let side = cell * classes.len() as f64;
    let bottom = top + CELL_HEIGHT * classes.len() as f64;
    // The last label leans out over the last column; the legend wants its room too.
    let legend = text_width("share of the true class: 0 %") + 130.0 + text_width("100 %");
    let width = (left + side + (widest * SLOPE.0 + LETTERS * SLOPE.1 - cell / 2.0).max(4.0)).max(legend);
    let mut drawing = Drawing::new(width.ceil(), bottom + 36.0, title);
    drawing.description = describe(&classes, counts);

    drawing.text("axis", Anchor::Start, (0.0, LETTERS), "predicted class →");
    drawing.text("axis", Anchor::Start, (0.0, top - 8.0), "true class ↓");
    for (class, label) in labels.iter().enumerate() {
        let (x, y) = (left + cell * (class as f64 + 0.5), top + CELL_HEIGHT * (class as f64 + 0.5));
        drawing.rotated("", Anchor::Start, (x, top - 6.0), -ANGLE, label);
        drawing.text("", Anchor::End, (left - 7.0, y + 4.5), label);
    }
    for (truth, row) in counts.iter().enumerate() {
        let support: usize = row.iter().sum();
        for (predicted, &count) in row.iter().enumerate() {
            let (x, y) = (left + cell * predicted as f64, top + CELL_HEIGHT * truth as f64);
            let share = share(count, support);
            let level = level(count, support);
            let frame = if truth == predicted { " right" } else { "" };
            let mut markup = String::new();
            let [rx, ry, width, height] = [x + 1.0, y + 1.0, cell - 2.0, CELL_HEIGHT - 2.0].map(coordinate);
            let tip = format!("true {}, predicted {}: {count} of {support} ({})", classes[truth], classes[predicted], percent(share));
            let _ = write!(
                markup,
                r#"<rect class="h{level}{frame}" x="{rx}" y="{ry}" width="{width}" height="{height}" rx="2"><title>{}</title></rect>"#,
                escape(&tip)
            );
            drawing.push(&markup);
            let ink = format!("count i{level}");
            drawing.text(&ink, Anchor::Middle, (x + cell / 2.0, y + CELL_HEIGHT / 2.0 + 4.5), &count.to_string());
        }
    }
    ramp(&mut drawing, bottom + 14.0);
    drawing
}

/// A name for a sentence, of which a drawing has many.
fn name(class: &str) -> Cow<'_, str> {
    let cut = class.char_indices().nth(NAME);
    cut.map_or(class.into(), |(end, _)| (class[..end].to_owned() + "…").into())
}

/// Names that fit, with their numbers where they would look alike.
fn labels(classes: &[String]) -> Vec<String> {
    let short: Vec<String> = classes.iter().map(|class| shorten(class, LABEL)).collect();
    if short.iter().collect::<HashSet<_>>().len() == short.len() {
        return short;
    }
    classes.iter().enumerate().map(|(class, name)| shorten(&format!("{}. {name}", class + 1), LABEL)).collect()
}

/// The colours with their meaning.
fn ramp(drawing: &mut Drawing, y: f64) {
    let words = "share of the true class: 0 %";
    drawing.text("tick", Anchor::Start, (0.0, y + 11.0), words);
    let start = text_width(words) + 4.0;
    for level in 0..=LEVELS {
        let [x, y] = [start + 5.0 * level as f64, y].map(coordinate);
        drawing.push(&format!(r#"<rect class="h{level}" x="{x}" y="{y}" width="5" height="13"/>"#));
    }
    drawing.text("tick", Anchor::Start, (start + 5.0 * (LEVELS + 1) as f64 + 6.0, y + 11.0), "100 %");
}

fn share(count: usize, support: usize) -> f64 {
    if support == 0 { 0.0 } else { count as f64 / support as f64 }
}

/// Step of colour; 0 is kept for what never happened.
fn level(count: usize, support: usize) -> usize {
    let level = (share(count, support) * LEVELS as f64).round() as usize;
    level.clamp(usize::from(count > 0), LEVELS)
}

/// Each class in a sentence.
fn describe(classes: &[Cow<'_, str>], counts: &[Vec<usize>]) -> String {
    let mut text = "Rows are true classes, columns predicted ones.".to_owned();
    for (truth, (class, row)) in classes.iter().zip(counts).enumerate() {
        let support: usize = row.iter().sum();
        let right = row.get(truth).copied().unwrap_or(0);
        let _ = write!(text, " {class}: {right} of {support} right ({})", percent(share(right, support)));
        match taken_for(row, truth) {
            Some(other) => {
                let _ = write!(text, ", most often taken for {} ({}).", classes[other], row[other]);
            }
            None => text.push('.'),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> (Vec<String>, Vec<Vec<usize>>) {
        (["calm", "<i>glad", "sad"].map(String::from).to_vec(), vec![vec![3, 1, 0], vec![0, 200, 0], vec![0, 0, 0]])
    }

    #[test]
    fn colours_are_shares_of_the_row_and_cells_hold_counts() {
        let (classes, counts) = matrix();
        let svg = draw("Confusions", &classes, &counts).svg("f");
        assert!(svg.contains("true calm, predicted &lt;i&gt;glad: 1 of 4 (25.0 %)"), "{svg}");
        for class in ["h15 right", "h5", "h0", "h20 right", "h0 right"] {
            assert!(svg.contains(&format!(r#"<rect class="{class}" "#)), "{class}: {svg}");
        }
        for text in [r#"class="count i20""#, ">200</text>", ">3</text>"] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(!svg.contains("<i>") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn names_that_would_be_cut_to_the_same_are_numbered() {
        let classes: Vec<String> = (0..12).map(|class| format!("pleasantly surprised, kind {class}")).collect();
        let labels = labels(&classes);
        assert!(labels[0].starts_with("1. pleasant") && labels[11].starts_with("12. pleasant"), "{labels:?}");
        assert_eq!(super::labels(&classes[..1]), [shorten(&classes[0], LABEL)]);
    }

    #[test]
    fn what_happened_once_in_a_thousand_is_not_white() {
        assert_eq!((level(1, 1000), level(0, 1000), level(0, 0), level(1000, 1000)), (1, 0, 0, LEVELS));
    }

    #[test]
    fn the_description_says_what_each_class_is_taken_for() {
        let (classes, counts) = matrix();
        let text = describe(&classes.iter().map(|class| name(class)).collect::<Vec<_>>(), &counts);
        assert!(text.contains("calm: 3 of 4 right (75.0 %), most often taken for <i>glad (1)."), "{text}");
        assert!(text.contains("sad: 0 of 0 right (0.0 %)."), "{text}");
    }
}
