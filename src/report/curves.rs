//! Curves over one axis: losses, accuracies, the learning rate.

use super::drawing::{COLOURS, Drawing, LETTERS, WIDTH, text_width};
use super::scale::{Scale, Unit};
use crate::picture::svg::Anchor;

/// How strongly a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Thin and pale, for noise such as single steps.
    Light,
    /// With dots where there are few points.
    Bold,
    /// As bold, but dashed, so that two lines differ without their colours.
    Dashed,
}

impl Weight {
    fn class(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Bold => "bold",
            Self::Dashed => "bold dashed",
        }
    }
}

/// A named line; where a value is not finite it has a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend says; without a name it is not in the legend.
    pub name: String,
    /// Index of the colour.
    pub colour: usize,
    /// How strongly it is drawn.
    pub weight: Weight,
    /// In order of x.
    pub points: Vec<(f64, f64)>,
}

/// What an axis counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axis {
    /// What is written at its end.
    pub label: String,
    /// How the values at its ticks are written.
    pub unit: Unit,
    /// Values at its ends; those of the points where not given.
    pub ends: Option<(f64, f64)>,
}

/// A plot of some series.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plot {
    /// What is written above.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines, later ones above earlier ones.
    pub series: Vec<Series>,
    /// A place on the x axis with a word on it.
    pub mark: Option<(f64, String)>,
}

/// Height of the area that the curves are in.
const AREA: f64 = 190.0;
/// Height of a row of text.
const ROW: f64 = 19.0;
/// More dots than this on one line would hide it.
const DOTS: usize = 40;

impl Plot {
    /// Draws it, as wide as a column of the page.
    pub(crate) fn draw(&self) -> Drawing {
        let legend = self.legend();
        let rows = legend.last().map_or(0, |&(_, row, _)| row + 1);
        // Rows above the area: the y axis' label, the legend, the word of the mark.
        let top = ROW * (1 + rows + usize::from(self.mark.is_some())) as f64 + 6.0;
        let bottom = top + AREA;
        let mut drawing = Drawing::new(WIDTH, bottom + 2.0 * ROW + 4.0, &self.title);
        drawing.description = self.describe();

        let points = || self.series.iter().flat_map(|series| &series.points).filter(|(x, y)| x.is_finite() && y.is_finite());
        let scale = |axis: &Axis, values: &mut dyn Iterator<Item = f64>, range| match axis.ends {
            Some(domain) => Scale { domain, range },
            None => Scale::over(values, range),
        };
        let y = scale(&self.y, &mut points().map(|point| point.1), (bottom, top));
        let y_ticks = y.ticks(5, self.y.unit);
        let left = y_ticks.iter().map(|(_, label)| text_width(label)).fold(20.0, f64::max) + 8.0;
        let x = scale(&self.x, &mut points().map(|point| point.0), (left, WIDTH - 14.0));

        drawing.text("axis", Anchor::Start, (0.0, LETTERS), &self.y.label);
        for (value, label) in &y_ticks {
            let at = y.at(*value);
            drawing.line("grid", (left, at), (WIDTH - 14.0, at));
            drawing.text("tick", Anchor::End, (left - 6.0, at + 4.0), label);
        }
        for (value, label) in x.ticks(6, self.x.unit) {
            let at = x.at(value);
            drawing.line("grid", (at, bottom), (at, bottom + 4.0));
            // That of the last one may be wider than the room behind the axis.
            let middle = at.min(WIDTH - text_width(&label) / 2.0);
            drawing.text("tick", Anchor::Middle, (middle, bottom + ROW), &label);
        }
        drawing.line("rule", (left, bottom), (WIDTH - 14.0, bottom));
        drawing.text("axis", Anchor::End, (WIDTH - 14.0, bottom + 2.0 * ROW), &self.x.label);

        for (series, row, at) in legend {
            let middle = ROW * (1.0 + row as f64) + LETTERS - 4.0;
            let class = series.class();
            drawing.line(&format!("curve {class}"), (at, middle), (at + 22.0, middle));
            drawing.text("", Anchor::Start, (at + 27.0, middle + 4.0), &series.name);
        }
        if points().next().is_none() {
            drawing.text("tick", Anchor::Middle, ((left + WIDTH) / 2.0, (top + bottom) / 2.0), "no values");
        }
        for series in &self.series {
            let placed: Vec<(f64, f64)> = series.points.iter().map(|&(px, py)| (x.at(px), y.at(py))).collect();
            let class = series.class();
            drawing.curve(&class, &placed);
            if series.weight != Weight::Light && placed.len() <= DOTS {
                for &point in placed.iter().filter(|(x, y)| x.is_finite() && y.is_finite()) {
                    drawing.circle(&format!("dot {class}"), point, 2.5);
                }
            }
        }
        if let Some((place, word)) = self.mark.as_ref().filter(|(place, _)| place.is_finite()) {
            let at = x.at(*place);
            let half = text_width(word) / 2.0;
            drawing.line("mark", (at, top - 2.0), (at, bottom));
            drawing.text("", Anchor::Middle, (at.clamp(half, (WIDTH - half).max(half)), top - 7.0), word);
        }
        drawing
    }

    /// Each series that has a name, with its row and place in the legend.
    fn legend(&self) -> Vec<(&Series, usize, f64)> {
        let (mut row, mut at) = (0, 0.0);
        let mut placed = Vec::new();
        for series in self.series.iter().filter(|series| !series.name.is_empty()) {
            let width = 27.0 + text_width(&series.name);
            if at > 0.0 && at + width > WIDTH {
                (row, at) = (row + 1, 0.0);
            }
            placed.push((series, row, at));
            at += width + 14.0;
        }
        placed
    }

    /// Ends and extremes of every series in words.
    fn describe(&self) -> String {
        let shown = |value: f64| match self.y.unit {
            Unit::Percent => format!("{:.1} %", 100.0 * value),
            _ => format!("{value:.4}"),
        };
        let place = |x: f64| format!("{:.2}", x).trim_end_matches('0').trim_end_matches('.').to_owned();
        let mut text = format!("{} over {}.", self.y.label, self.x.label);
        for series in &self.series {
            let mut finite = series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
            let Some(first) = finite.next() else {
                text += &format!(" {}: no values.", series.name);
                continue;
            };
            let (last, low, high) = finite.fold((first, first, first), |(_, low, high), point| {
                (point, if point.1 < low.1 { point } else { low }, if point.1 > high.1 { point } else { high })
            });
            text += &format!(
                " {}: {} at {}, {} at {}; lowest {} at {}, highest {} at {}.",
                series.name,
                shown(first.1),
                place(first.0),
                shown(last.1),
                place(last.0),
                shown(low.1),
                place(low.0),
                shown(high.1),
                place(high.0)
            );
        }
        if let Some((_, word)) = &self.mark {
            text += &format!(" Marked: {word}.");
        }
        text
    }
}

impl Series {
    fn class(&self) -> String {
        format!("c{} {}", self.colour % COLOURS, self.weight.class())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: &[(f64, f64)]) -> String {
        let series = Series { name: "loss <b>".into(), colour: 0, weight: Weight::Bold, points: points.to_vec() };
        let y = Axis { label: "loss".into(), ends: Some((0.0, 1.0)), ..Axis::default() };
        let x = Axis { label: "epochs".into(), ends: Some((0.0, 10.0)), unit: Unit::Whole };
        Plot { title: "Loss".into(), x, y, series: vec![series], mark: Some((10.0, "best: epoch 10".into())) }.draw().svg("f")
    }

    #[test]
    fn a_curve_ends_where_its_values_do() {
        let svg = plot(&[(0.0, 0.0), (10.0, 1.0)]);
        // The area is 190 high below three rows of 19 and 6; labels "0.0" take 8 and the width of the widest.
        let left = coordinate_of_left();
        assert!(svg.contains(&format!(r#"d="M{left} 253L386 63""#)), "{svg}");
        assert!(svg.contains("loss &lt;b&gt;") && !svg.contains("<b>"), "{svg}");
    }

    fn coordinate_of_left() -> String {
        super::super::drawing::coordinate(text_width("0.8").max(20.0) + 8.0)
    }

    #[test]
    fn no_values_are_said_and_nothing_is_not_a_number() {
        for points in [&[][..], &[(1.0, f64::NAN)], &[(f64::NAN, 1.0)]] {
            let svg = plot(points);
            assert!(svg.contains("no values") && !svg.contains("NaN"), "{svg}");
        }
        let empty = Plot::default().draw().svg("f");
        assert!(empty.contains("no values") && !empty.contains("NaN"), "{empty}");
    }

    #[test]
    fn the_description_tells_ends_and_extremes() {
        let svg = plot(&[(1.0, 0.9), (2.0, 0.25), (3.0, 0.5)]);
        assert!(svg.contains("0.9000 at 1, 0.5000 at 3; lowest 0.2500 at 2, highest 0.9000 at 1"), "{svg}");
    }
}
