//! The roofline: each kernel's GFLOP/s over its FLOP a byte, under the two roofs, both axes logarithmic.

use super::peaks::Bound;
use super::report::ProfileReport;
use crate::picture::svg::{Anchor, Svg};

const SIZE: [f64; 2] = [900.0, 560.0];
/// Left, top, right, bottom.
const PLOT: [f64; 4] = [80.0, 50.0, 870.0, 500.0];
const LETTERS: f64 = 11.0;
const INK: &str = "#222222";
const GRID: &str = "#dddddd";
const COMPUTE: &str = "#b2182b";
const MEMORY: &str = "#2166ac";

/// A logarithmic axis over whole decades.
struct Axis {
    decades: [i32; 2],
    range: [f64; 2],
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, range: [f64; 2]) -> Self {
        let logarithms = values.filter(|value| *value > 0.0 && value.is_finite()).map(f64::log10);
        let [low, high] = logarithms.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| [low.min(value), high.max(value)]);
        let decades = if low <= high { [low.floor() as i32, (high.ceil() as i32).max(low.floor() as i32 + 1)] } else { [0, 1] };
        Self { decades, range }
    }

    fn at(&self, value: f64) -> f64 {
        let [low, high] = self.decades.map(f64::from);
        let share = (value.log10() - low) / (high - low);
        self.range[0] + share.clamp(0.0, 1.0) * (self.range[1] - self.range[0])
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.decades[0]..=self.decades[1]).map(|decade| 10f64.powi(decade))
    }

    fn low(&self) -> f64 {
        10f64.powi(self.decades[0])
    }

    fn high(&self) -> f64 {
        10f64.powi(self.decades[1])
    }
}

/// The picture as SVG. A dot's area is the kernel's share of the time.
pub fn roofline(report: &ProfileReport) -> String {
    let [left, top, right, bottom] = PLOT;
    // A roof that could not be measured lies at the bottom.
    let [gflops, gbytes_per_s] = [report.peaks.gflops, report.peaks.gbytes_per_s].map(|roof| roof.max(f64::MIN_POSITIVE));
    let ridge = gflops / gbytes_per_s;
    let shown: Vec<_> =
        report.kernels.iter().filter(|row| row.figures.gflop > 0.0 && row.figures.gbyte > 0.0 && row.figures.ms > 0.0).collect();
    let intensity = |row: &super::report::KernelRow| row.figures.gflop / row.figures.gbyte;
    let x = Axis::over(shown.iter().map(|row| intensity(row)).chain([ridge / 4.0, ridge * 4.0]), [left, right]);
    let y = Axis::over(shown.iter().map(|row| row.figures.gflops).chain([gflops, gflops / 10.0]), [bottom, top]);
    let mut svg = Svg::new(SIZE[0], SIZE[1], "#ffffff");
    let device = report.device["name"].as_str().unwrap_or_default();
    svg.text([left, 22.0], 14.0, INK, Anchor::Start, &format!("Roofline of {} ({}) on {device}", report.what, report.on));
    let roofs = format!("peaks: {gflops:.3} GFLOP/s, {gbytes_per_s:.3} GB/s");
    svg.text([left, 40.0], LETTERS, INK, Anchor::Start, &format!("{roofs}; area: share of the kernels' time"));
    for tick in x.ticks() {
        svg.line([x.at(tick), top, x.at(tick), bottom], GRID);
        svg.text([x.at(tick), bottom + 16.0], LETTERS, INK, Anchor::Middle, &tick.to_string());
    }
    for tick in y.ticks() {
        svg.line([left, y.at(tick), right, y.at(tick)], GRID);
        svg.text([left - 6.0, y.at(tick) + 4.0], LETTERS, INK, Anchor::End, &tick.to_string());
    }
    svg.text([(left + right) / 2.0, bottom + 38.0], LETTERS, INK, Anchor::Middle, "FLOP a byte");
    svg.text([left - 6.0, (top + bottom) / 2.0 - LETTERS], LETTERS, INK, Anchor::End, "GFLOP/s");
    // The slanted roof begins where it leaves the frame.
    let start = x.low().max(y.low() / gbytes_per_s);
    let corner = [x.at(ridge), y.at(gflops)];
    svg.line([x.at(start), y.at(start * gbytes_per_s), corner[0], corner[1]], MEMORY);
    svg.line([corner[0], corner[1], x.at(x.high()), corner[1]], COMPUTE);
    let mut labels = Labels::default();
    for row in shown {
        let place = [x.at(intensity(row)), y.at(row.figures.gflops)];
        let share = (row.figures.ms / report.gpu_ms.max(f64::MIN_POSITIVE)).min(1.0);
        let radius = 2.5 + 12.0 * share.sqrt();
        let colour = if row.figures.bound == Bound::Compute { COMPUTE } else { MEMORY };
        svg.circle(place, radius, colour);
        labels.write(&mut svg, place, radius, &row.name);
    }
    svg.finish()
}

/// Labels that stand beside their dots and over no other label.
#[derive(Default)]
struct Labels(Vec<[f64; 4]>);

impl Labels {
    /// Writes a label on the nearest free line, with a thread to its dot where that is not the dot's own.
    fn write(&mut self, svg: &mut Svg, [x, y]: [f64; 2], radius: f64, text: &str) {
        const LINE: f64 = LETTERS + 2.0;
        let width = 0.6 * LETTERS * text.chars().count() as f64;
        let left = if x + radius + width > SIZE[0] - 10.0 { x - radius - 4.0 - width } else { x + radius + 4.0 };
        let boxed = |line: i32| {
            let middle = y + f64::from(line) * LINE;
            [left, middle - LINE / 2.0, left + width, middle + LINE / 2.0]
        };
        let is_free = |[l, t, r, b]: [f64; 4]| self.0.iter().all(|other| r <= other[0] || other[2] <= l || b <= other[1] || other[3] <= t);
        // 0, -1, 1, -2, 2, …
        let mut lines = (0..40).map(|place| if place % 2 == 0 { place / 2 } else { -(place + 1) / 2 });
        let line = lines.find(|&line| is_free(boxed(line))).unwrap_or(0);
        let place = boxed(line);
        let middle = (place[1] + place[3]) / 2.0;
        if line != 0 {
            svg.line([x, y, if left > x { left } else { left + width }, middle], GRID);
        }
        svg.text([left, middle + 4.0], LETTERS, INK, Anchor::Start, text);
        self.0.push(place);
    }
}
