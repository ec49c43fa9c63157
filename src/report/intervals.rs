//! Values with their uncertainty, a row each: accuracy by length with its Wilson interval, a model's mean over repeats with
//! its standard deviation, the folds of a cross-validation.

use super::drawing::{Drawing, LETTERS, WIDTH, shorten, text_width};
use super::scale::{Scale, Unit};
use crate::base::shown::percent;
use crate::picture::svg::Anchor;

/// A row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Interval {
    /// What is written at the left.
    pub label: String,
    /// Where the dot is, on the axis.
    pub value: f64,
    /// Where the bar begins.
    pub low: f64,
    /// Where the bar ends.
    pub high: f64,
    /// Single results that the value stands for.
    pub points: Vec<f64>,
    /// What others found.
    pub reference: Option<f64>,
    /// What is written at the right, for example how many utterances there are.
    pub note: String,
}

/// Rows on a common axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Intervals {
    /// What is written above.
    pub title: String,
    /// What the axis counts.
    pub axis: String,
    /// How values on the axis are written.
    pub unit: Unit,
    /// Values at the axis' ends; those of the rows where not given.
    pub ends: Option<(f64, f64)>,
    /// From top to bottom.
    pub rows: Vec<Interval>,
    /// What the dot and its bar are.
    pub value: String,
    /// What the diamonds are.
    pub reference: String,
}

const ROW: f64 = 26.0;
/// Height of a line of the legend.
const LEGEND: f64 = 19.0;
const LABEL: f64 = 140.0;
const NOTE: f64 = 110.0;

/// A plot of means ± one standard deviation in percent, with what others published where that is known.
///
/// `rows`: label, mean, standard deviation (not a number where there is none), published figure; shares of one.
pub fn intervals(title: &str, axis: &str, rows: &[(String, f64, f64, Option<f64>)]) -> Intervals {
    let figures = |mean: f64, deviation: f64| match deviation.is_finite() {
        true => format!("{:.1} ± {}", 100.0 * mean, percent(deviation)),
        false => percent(mean),
    };
    let row = |(label, mean, deviation, reference): &(String, f64, f64, Option<f64>)| Interval {
        label: label.clone(),
        value: *mean,
        low: mean - deviation,
        high: mean + deviation,
        points: Vec::new(),
        reference: *reference,
        note: figures(*mean, *deviation),
    };
    Intervals {
        title: title.into(),
        axis: axis.into(),
        unit: Unit::Percent,
        ends: None,
        rows: rows.iter().map(row).collect(),
        value: "mean ± standard deviation".into(),
        reference: "published".into(),
    }
}

impl Intervals {
    /// Draws it, as wide as a column of the page.
    pub(crate) fn draw(&self) -> Drawing {
        let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(text_width).fold(0.0, f64::max);
        let left = widest(&mut self.rows.iter().map(|row| row.label.as_str())).min(LABEL) + 12.0;
        let right = WIDTH - widest(&mut self.rows.iter().map(|row| row.note.as_str())).min(NOTE) - 18.0;
        let legend = self.legend();
        let lines = legend.last().map_or(1, |(_, _, (_, line))| line + 1);
        let top = LEGEND * lines as f64 + 4.0;
        let bottom = top + ROW * self.rows.len().max(1) as f64;
        let mut drawing = Drawing::new(WIDTH, bottom + 42.0, &self.title);
        drawing.description = self.describe();

        let values = self
            .rows
            .iter()
            .flat_map(|row| [row.value, row.low, row.high].into_iter().chain(row.reference).chain(row.points.iter().copied()));
        let x = match self.ends {
            Some(domain) => Scale { domain, range: (left, right) },
            None => Scale::over(values, (left, right)),
        };
        for (value, label) in x.ticks(4, self.unit) {
            let at = x.at(value);
            drawing.line("grid", (at, top), (at, bottom));
            drawing.text("tick", Anchor::Middle, (at, bottom + 18.0), &label);
        }
        drawing.line("rule", (left, bottom), (right, bottom));
        drawing.text("axis", Anchor::End, (right, bottom + 36.0), &self.axis);
        for (mark, text, (at, line)) in legend {
            let base = LETTERS + LEGEND * line as f64;
            mark.draw(&mut drawing, (at, base - 4.0));
            drawing.text("", Anchor::Start, (at + mark.width(), base), text);
        }
        if self.rows.is_empty() {
            drawing.text("tick", Anchor::Middle, (WIDTH / 2.0, top + ROW / 2.0 + 4.0), "no values");
        }

        for (place, row) in self.rows.iter().enumerate() {
            let y = top + ROW * (place as f64 + 0.5);
            drawing.text("", Anchor::End, (left - 8.0, y + 4.5), &shorten(&row.label, LABEL));
            drawing.text("tick", Anchor::End, (WIDTH - 2.0, y + 4.5), &shorten(&row.note, NOTE));
            if row.low.is_finite() && row.high.is_finite() {
                let (from, to) = (x.at(row.low), x.at(row.high));
                drawing.line("bar c0", (from, y), (to, y));
                drawing.line("bar c0", (from, y - 4.0), (from, y + 4.0));
                drawing.line("bar c0", (to, y - 4.0), (to, y + 4.0));
            }
            for &point in row.points.iter().filter(|point| point.is_finite()) {
                drawing.circle("point c0", (x.at(point), y), 3.5);
            }
            if let Some(reference) = row.reference.filter(|reference| reference.is_finite()) {
                diamond(&mut drawing, (x.at(reference), y));
            }
            if row.value.is_finite() {
                drawing.circle("dot c0", (x.at(row.value), y), 4.0);
            }
        }
        drawing
    }

    /// What the marks are, each with its place from the left and its line.
    fn legend(&self) -> Vec<(Mark, &str, (f64, usize))> {
        let has_points = self.rows.iter().any(|row| !row.points.is_empty());
        let has_reference = self.rows.iter().any(|row| row.reference.is_some());
        let entries = [
            (Mark::Value, self.value.as_str(), true),
            (Mark::Point, "single results", has_points),
            (Mark::Reference, &self.reference, has_reference),
        ];
        let (mut at, mut line) = (0.0, 0);
        let mut placed = Vec::new();
        for (mark, text, _) in entries.into_iter().filter(|&(.., has)| has) {
            let width = mark.width() + text_width(text);
            if at > 0.0 && at + width > WIDTH {
                (at, line) = (0.0, line + 1);
            }
            placed.push((mark, text, (at, line)));
            at += width + 16.0;
        }
        placed
    }

    fn describe(&self) -> String {
        let shown = |value: f64| match self.unit {
            Unit::Percent => format!("{:.1} %", 100.0 * value),
            _ => format!("{value:.4}"),
        };
        let mut text = format!("{}.", self.axis);
        for row in &self.rows {
            text += &format!(" {}: {}, from {} to {}", row.label, shown(row.value), shown(row.low), shown(row.high));
            if let Some(reference) = row.reference {
                text += &format!(", {} {}", self.reference, shown(reference));
            }
            text.push('.');
        }
        text
    }
}

/// What is drawn in a row, and in the legend before its meaning.
#[derive(Clone, Copy)]
enum Mark {
    Value,
    Point,
    Reference,
}

impl Mark {
    /// With the gap behind it.
    fn width(self) -> f64 {
        match self {
            Self::Value => 26.0,
            Self::Point | Self::Reference => 16.0,
        }
    }

    fn draw(self, drawing: &mut Drawing, (x, y): (f64, f64)) {
        match self {
            Self::Value => {
                drawing.line("bar c0", (x, y), (x + 20.0, y));
                drawing.circle("dot c0", (x + 10.0, y), 4.0);
            }
            Self::Point => drawing.circle("point c0", (x + 6.0, y), 3.5),
            Self::Reference => diamond(drawing, (x + 6.0, y)),
        }
    }
}

fn diamond(drawing: &mut Drawing, (x, y): (f64, f64)) {
    let point = |dx: f64, dy: f64| format!("{} {}", super::drawing::coordinate(x + dx), super::drawing::coordinate(y + dy));
    let path = format!("M{}L{}L{}L{}Z", point(0.0, -5.5), point(5.5, 0.0), point(0.0, 5.5), point(-5.5, 0.0));
    drawing.push(&format!(r#"<path class="diamond c1" d="{path}"/>"#));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_goes_one_deviation_to_each_side_of_its_mean() {
        let plot = intervals("Rows", "WA", &[("full".into(), 0.5, 0.25, Some(0.6)), ("no_self".into(), 0.4, f64::NAN, None)]);
        let plot = Intervals { ends: Some((0.0, 1.0)), ..plot };
        let svg = plot.draw().svg("f");
        let left = text_width("no_self") + 12.0;
        let right = WIDTH - text_width("50.0 ± 25.0 %") - 18.0;
        let at = |share: f64| super::super::drawing::coordinate(left + share * (right - left));
        let y = super::super::drawing::coordinate(23.0 + 13.0);
        assert!(svg.contains(&format!(r#"<line class="bar c0" x1="{}" y1="{y}" x2="{}" y2="{y}"/>"#, at(0.25), at(0.75))), "{svg}");
        assert!(svg.contains(&format!(r#"<circle class="dot c0" cx="{}" cy="{y}" r="4"/>"#, at(0.5))), "{svg}");
        let numbers = svg.split("</desc>").nth(1).unwrap();
        assert!(!numbers.contains(r#"="NaN""#), "{svg}");
        assert!(svg.contains("full: 50.0 %, from 25.0 % to 75.0 %, published 60.0 %."), "{svg}");
    }

    #[test]
    fn a_legend_that_is_too_long_for_a_line_goes_on_in_the_next() {
        let row = Interval { value: 0.5, points: vec![0.4], reference: Some(0.6), ..Interval::default() };
        let reference = "paper, IEMOCAP".into();
        let plot = Intervals { value: "mean ± standard deviation".into(), reference, rows: vec![row], ..Intervals::default() };
        let legend = plot.legend();
        assert!(legend.iter().all(|(mark, text, (at, _))| at + mark.width() + text_width(text) <= WIDTH));
        assert_eq!(legend.iter().map(|(_, _, (_, line))| *line).collect::<Vec<_>>(), [0, 0, 1]);
    }

    #[test]
    fn no_rows_are_said() {
        assert!(Intervals::default().draw().svg("f").contains("no values"));
    }
}
