//! A sweep drawn: time and memory over the size that grows, each with its line.

use super::sweep::{Line, SweepReport};
use crate::picture::svg::{Anchor, Svg};
use crate::report::scale::{Scale, Unit};

const SIZE: [f64; 2] = [900.0, 420.0];
const LEFT: f64 = 80.0;
const RIGHT: f64 = 870.0;
/// Top and bottom of a panel, and how far apart panels lie.
const PANEL: [f64; 2] = [60.0, 360.0];
const LETTERS: f64 = 11.0;
const INK: &str = "#222222";
const GRID: &str = "#dddddd";
const POINT: &str = "#2166ac";
const FIT: &str = "#b2182b";

/// What one panel shows: a value with its low and high end over each value of the size.
struct Panel {
    axis: &'static str,
    points: Vec<[f64; 4]>,
    line: Line,
}

/// The picture as SVG: points with their quartiles, and the fitted line.
pub(crate) fn sweep_plot(report: &SweepReport) -> String {
    let time = |point: &super::sweep::SweepPoint| [point.value as f64, point.step_ms.median, point.step_ms.q1, point.step_ms.q3];
    let mut panels = vec![Panel { axis: "ms a step", points: report.points.iter().map(time).collect(), line: report.milliseconds }];
    if let Some(line) = report.bytes {
        let megabytes = |line: Line| Line { at_zero: line.at_zero / 1e6, each: line.each / 1e6, ..line };
        let held = |point: &super::sweep::SweepPoint| {
            let held = point.held_bytes.unwrap_or(0) as f64 / 1e6;
            [point.value as f64, held, held, held]
        };
        panels.push(Panel { axis: "MB held", points: report.points.iter().map(held).collect(), line: megabytes(line) });
    }
    let mut svg = Svg::new(SIZE[0], SIZE[1] * panels.len() as f64, "#ffffff");
    let device = report.device["name"].as_str().unwrap_or_default();
    let title = format!("{} over {} ({}) on {device}", report.what, report.over.name(), report.on);
    svg.text([LEFT, 22.0], 14.0, INK, Anchor::Start, &title);
    for (place, panel) in panels.iter().enumerate() {
        panel.draw(&mut svg, SIZE[1] * place as f64, report.over.name());
    }
    svg.finish()
}

impl Panel {
    fn draw(&self, svg: &mut Svg, shift: f64, size: &str) {
        let [top, bottom] = PANEL.map(|y| y + shift);
        let values = |place: usize| self.points.iter().map(move |point| point[place]);
        let x = Scale::over(values(0).chain([0.0]), (LEFT, RIGHT));
        let ends = x.domain;
        let y = Scale::over(values(2).chain(values(3)).chain([0.0, self.line.at(ends.1)]), (bottom, top));
        let Line { at_zero, each, largest_deviation } = self.line;
        let line = format!("{}: {at_zero:.4} + {each:.4} · {size}, largest deviation {:.1} %", self.axis, 100.0 * largest_deviation);
        svg.text([LEFT, top - 14.0], LETTERS, INK, Anchor::Start, &line);
        for (value, label) in x.ticks(8, Unit::Whole) {
            svg.line([x.at(value), top, x.at(value), bottom], GRID);
            svg.text([x.at(value), bottom + 16.0], LETTERS, INK, Anchor::Middle, &label);
        }
        for (value, label) in y.ticks(6, Unit::Plain) {
            svg.line([LEFT, y.at(value), RIGHT, y.at(value)], GRID);
            svg.text([LEFT - 6.0, y.at(value) + 4.0], LETTERS, INK, Anchor::End, &label);
        }
        svg.text([RIGHT, bottom + 34.0], LETTERS, INK, Anchor::End, size);
        // Where the line leaves the frame below, it begins there.
        let start = if at_zero < y.domain.0 && each > 0.0 { (y.domain.0 - at_zero) / each } else { ends.0 };
        svg.line([x.at(start), y.at(self.line.at(start)), x.at(ends.1), y.at(self.line.at(ends.1))], FIT);
        for &[value, middle, low, high] in &self.points {
            svg.line([x.at(value), y.at(low), x.at(value), y.at(high)], POINT);
            svg.circle([x.at(value), y.at(middle)], 4.0, POINT);
        }
    }
}
