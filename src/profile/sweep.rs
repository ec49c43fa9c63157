//! What a step costs as one size of its batch grows: time and memory of each, and how near they lie to a straight line.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use super::measure::{Plan, Profiled};
use super::report::Quantiles;
use super::work::{self, ProfileError};
use crate::base::sizes::SizeError;
use crate::config::Settings;
use crate::dataset::BatchShape;
use crate::tape::Mode;

/// A size of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Utterances.
    Batch,
    /// Acoustic frames of the longest.
    Frames,
    /// Tokens of the longest.
    Words,
}

impl Size {
    const ALL: [Self; 3] = [Self::Batch, Self::Frames, Self::Words];

    /// As it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Frames => "frames",
            Self::Words => "words",
        }
    }

    fn of(self, shape: &mut BatchShape) -> &mut usize {
        match self {
            Self::Batch => &mut shape.batch,
            Self::Frames => &mut shape.frames,
            Self::Words => &mut shape.words,
        }
    }
}

/// Values of one size, rising: `frames=100,200,400`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// The one that grows.
    pub size: Size,
    /// At least three, rising, none twice.
    pub values: Vec<usize>,
}

/// Values that a sweep has at least: through two there is always a line.
const LEAST_VALUES: usize = 3;

impl FromStr for Sweep {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let (name, values) = text.split_once('=').unwrap_or((text, ""));
        let size = Size::ALL.into_iter().find(|size| size.name() == name.trim()).ok_or_else(|| SizeError::Unknown {
            key: name.trim().into(),
            of: "a sweep",
            known: Size::ALL.map(|size| format!("{}=N,N,N…", size.name())).join(", "),
        })?;
        let value = |value: &str| Ok(*size.of(&mut format!("{}={}", size.name(), value.trim()).parse()?));
        let mut values = values.split(',').map(value).collect::<Result<Vec<usize>, SizeError>>()?;
        values.sort_unstable();
        values.dedup();
        if values.len() < LEAST_VALUES {
            let message = format!("a sweep takes at least {LEAST_VALUES} values, which a line may miss; '{text}' has {}", values.len());
            return Err(SizeError::Misfit(message));
        }
        Ok(Self { size, values })
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(usize::to_string).collect();
        write!(f, "{}={}", self.size.name(), values.join(","))
    }
}

/// A step at one value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepPoint {
    /// Of the size that grows.
    pub value: usize,
    /// Acoustic frames of the whole batch.
    pub frames: u64,
    /// Tokens of the whole batch.
    pub words: u64,
    /// Milliseconds of the steps by the wall clock.
    pub step_ms: Quantiles,
    /// Milliseconds of the very first step, which compiles the shaders and finds the memory.
    pub first_step_ms: f64,
    /// Bytes that the device held for it, where that is counted.
    pub held_bytes: Option<u64>,
}

/// The line `at_zero + value · each` with the least squares of what points lie off it, as shares of themselves: values grow by powers,
/// and the small ones count as much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Line {
    /// Its value where the size is 0.
    pub at_zero: f64,
    /// What each more of the size adds.
    pub each: f64,
    /// Largest distance of a point from the line, as a share of the line's value there.
    pub largest_deviation: f64,
}

impl Line {
    /// Through at least two points of different values, none of them zero high.
    pub(crate) fn through(points: &[[f64; 2]]) -> Self {
        let weighted = |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|&[x, y]| of(x, y) / (y * y)).sum::<f64>();
        let weights = weighted(&|_, _| 1.0);
        let [x, y] = [weighted(&|x, _| x) / weights, weighted(&|_, y| y) / weights];
        let each = weighted(&|at, value| (at - x) * (value - y)) / weighted(&|at, _| (at - x) * (at - x));
        let mut line = Self { at_zero: y - each * x, each, largest_deviation: 0.0 };
        let deviation = |&[x, y]: &[f64; 2]| ((y - line.at(x)) / line.at(x)).abs();
        line.largest_deviation = points.iter().map(deviation).fold(0.0, f64::max);
        line
    }

    /// Its value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        self.at_zero + self.each * value
    }
}

/// All of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepReport {
    /// The device, as the command `devices` tells of it.
    pub device: Value,
    /// `train` or `inference`.
    pub what: String,
    /// The shape, its growing size as N: `batch=8,frames=N,words=11`.
    pub on: String,
    /// The size that grows.
    pub over: Size,
    /// Steps that were measured at each value.
    pub steps: usize,
    /// By value, rising.
    pub points: Vec<SweepPoint>,
    /// Of the steps' medians.
    pub milliseconds: Line,
    /// Of the bytes held, where they are counted.
    pub bytes: Option<Line>,
    /// The first value that the device had no room for, and why; it and those after it are missing.
    pub ended: Option<String>,
}

/// Steps on the shape at each value of the sweep. Between them the device gives its memory back, so what it holds is each one's
/// own.
///
/// # Errors
/// [`ProfileError`]; too little memory only for one of the first values.
pub async fn sweep<B: Profiled>(
    backend: &B,
    device: Value,
    plan: Plan,
    (what, mode): (String, Mode),
    shape: BatchShape,
    sweep: &Sweep,
    settings: &Settings,
) -> Result<SweepReport, ProfileError> {
    let mut points = Vec::with_capacity(sweep.values.len());
    let mut ended = None;
    for &value in &sweep.values {
        let mut shape = shape;
        *sweep.size.of(&mut shape) = value;
        let steps = async {
            shape.check_room(size_of::<f32>())?;
            work::steps(backend, plan, mode, &work::settings_of(shape, settings), &work::data_of(shape, settings)).await
        };
        let measured = match steps.await {
            // What fits is worth showing.
            Err(error) if error.smaller_batch_helps() && points.len() >= LEAST_VALUES => {
                ended = Some(format!("{}={value}: {error}", sweep.size.name()));
                backend.recover().await;
                break;
            }
            measured => measured?,
        };
        let sum = |lengths: Vec<u32>| lengths.into_iter().map(u64::from).sum();
        points.push(SweepPoint {
            value,
            frames: sum(shape.frame_lengths()),
            words: sum(shape.word_lengths()),
            step_ms: Quantiles::of(measured.walls),
            first_step_ms: measured.first / 1e6,
            held_bytes: measured.counters.map(|counters| counters.held_bytes),
        });
        backend.recover().await;
    }
    let line = |figure: &dyn Fn(&SweepPoint) -> Option<f64>| {
        let points: Option<Vec<[f64; 2]>> = points.iter().map(|point| Some([point.value as f64, figure(point)?])).collect();
        points.map(|points| Line::through(&points))
    };
    let milliseconds = line(&|point| Some(point.step_ms.median)).unwrap_or(Line { at_zero: 0.0, each: 0.0, largest_deviation: 0.0 });
    let bytes = line(&|point| point.held_bytes.map(|bytes| bytes as f64));
    let mut others = shape;
    let named = |value: usize| format!("{}={value}", sweep.size.name());
    let on = shape.to_string().replace(&named(*sweep.size.of(&mut others)), &format!("{}=N", sweep.size.name()));
    Ok(SweepReport { device, what, on, over: sweep.size, steps: plan.steps, points, milliseconds, bytes, ended })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_read_as_it_is_shown_and_what_is_wrong_is_named() {
        let sweep: Sweep = "frames=400, 100,200,100".parse().expect("a sweep");
        assert_eq!(sweep, Sweep { size: Size::Frames, values: vec![100, 200, 400] });
        assert_eq!(sweep.to_string().parse(), Ok(sweep));
        for (text, words) in [
            ("rows=1,2,3", "'rows' is no size of a sweep, which has batch=N,N,N…, frames=N,N,N…, words=N,N,N…"),
            ("batch", "batch: '' is no number from 1"),
            ("batch=1,,3", "batch: '' is no number from 1"),
            ("frames=8,9,10", "frames: '8' is no number from 9"),
            ("words=1,2,2", "a sweep takes at least 3 values, which a line may miss; 'words=1,2,2' has 2"),
        ] {
            let error = text.parse::<Sweep>().expect_err(text).to_string();
            assert!(error.starts_with(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_line_is_found_and_what_lies_off_it_is_seen() {
        let straight = Line::through(&[[1.0, 5.0], [2.0, 7.0], [10.0, 23.0]]);
        assert!((straight.at_zero - 3.0).abs() < 1e-12 && (straight.each - 2.0).abs() < 1e-12 && straight.largest_deviation < 1e-12);
        // 1, 2 and 1 over 0, 1 and 2 weigh 4, 1 and 4: level, at 10/9.
        let bent = Line::through(&[[0.0, 1.0], [1.0, 2.0], [2.0, 1.0]]);
        assert!((bent.at_zero - 10.0 / 9.0).abs() < 1e-12 && bent.each.abs() < 1e-12);
        assert!((bent.largest_deviation - 0.8).abs() < 1e-12, "the second, 2 where the line is 10/9");
    }
}
