//! What has become of each kernel since another profile, or since it was predicted.

use serde::Serialize;

use super::predict::Prediction;
use super::report::{ProfileReport, Quantiles};

/// A kernel, or the step as a whole, then and now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Of the kernel's entry point, or `step`.
    pub name: String,
    /// Milliseconds in a step; none where it did not run.
    pub base_ms: Option<f64>,
    /// The same now.
    pub ms: Option<f64>,
    /// `ms / base_ms`
    pub ratio: Option<f64>,
    /// Whether the middle halves of both overlap: then the difference says nothing.
    pub within_spread: bool,
}

/// Times of a step and of its kernels.
struct Times {
    step: Quantiles,
    kernels: Vec<(String, Quantiles)>,
}

impl From<&ProfileReport> for Times {
    fn from(report: &ProfileReport) -> Self {
        let kernels = report.kernels.iter().map(|row| (row.name.clone(), row.figures.spread));
        Self { step: report.step_ms, kernels: kernels.collect() }
    }
}

/// A prediction has no spread.
impl From<&Prediction> for Times {
    fn from(prediction: &Prediction) -> Self {
        let point = |ms: f64| Quantiles { median: ms, min: ms, max: ms, q1: ms, q3: ms };
        let kernels = prediction.kernels.iter().map(|kernel| (kernel.name.clone(), point(kernel.ms)));
        Self { step: point(prediction.predicted_ms), kernels: kernels.collect() }
    }
}

/// The step, then every kernel of either profile, by its larger time.
pub fn compare(base: &ProfileReport, now: &ProfileReport) -> Vec<Change> {
    changes(&base.into(), &now.into())
}

/// The same of what was predicted and what was measured.
pub(crate) fn confirm(predicted: &Prediction, measured: &ProfileReport) -> Vec<Change> {
    changes(&predicted.into(), &measured.into())
}

fn changes(base: &Times, now: &Times) -> Vec<Change> {
    let spread = |times: &Times, name: &str| times.kernels.iter().find(|(own, _)| own == name).map(|&(_, spread)| spread);
    let gone = base.kernels.iter().filter(|(name, _)| spread(now, name).is_none());
    let names = now.kernels.iter().chain(gone).map(|(name, _)| name);
    let mut changes: Vec<Change> = names.map(|name| change(name, spread(base, name), spread(now, name))).collect();
    changes.sort_by(|a, b| b.larger().total_cmp(&a.larger()));
    changes.insert(0, change("step", Some(base.step), Some(now.step)));
    changes
}

fn change(name: &str, base: Option<Quantiles>, now: Option<Quantiles>) -> Change {
    let [base_ms, ms] = [base, now].map(|spread| spread.map(|spread| spread.median));
    Change {
        name: name.into(),
        base_ms,
        ms,
        ratio: base_ms.zip(ms).filter(|(base, _)| *base > 0.0).map(|(base, now)| now / base),
        within_spread: base.zip(now).is_some_and(|(base, now)| base.overlaps(&now)),
    }
}

impl Change {
    fn larger(&self) -> f64 {
        self.base_ms.unwrap_or(0.0).max(self.ms.unwrap_or(0.0))
    }

    /// In one line.
    pub fn line(&self) -> String {
        let time = |ms: Option<f64>| ms.map_or("-".into(), |ms| format!("{ms:.3}"));
        let verdict = match (self.ratio, self.within_spread) {
            (None, _) => if self.ms.is_some() { "new" } else { "gone" }.into(),
            (Some(ratio), true) => format!("{:+.1} %  within the spread", 100.0 * (ratio - 1.0)),
            (Some(ratio), false) => format!("{:+.1} %", 100.0 * (ratio - 1.0)),
        };
        format!("{:34}  {:>10}  {:>10}  {verdict}", self.name, time(self.base_ms), time(self.ms))
    }
}
