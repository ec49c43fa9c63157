//! What became of one case on one backend, as `mcsan check` prints it.

use serde::Serialize;

use super::compare::{Agreement, compare};
use super::{Case, Input, Output, Record};
use crate::backend::cpu::Cpu;
use crate::backend::{Backend, BackendError, Result};

/// One entry of `mcsan check`: `{"name","case","max_abs","rel_l2","bound","pass",…}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Of the kernel.
    pub name: &'static str,
    pub case: String,
    /// Of the inputs.
    pub seed: u64,
    #[serde(flatten)]
    pub agreement: Agreement,
}

impl Report {
    /// Whether the backend computed what the reference does.
    pub fn passed(&self) -> bool {
        self.agreement.pass
    }
}

/// All that went into a case and came out of it.
#[derive(Debug, Clone)]
pub struct Evidence {
    pub inputs: Vec<Input>,
    /// Of the reference in float64.
    pub expected: Vec<Output>,
    /// Of the backend.
    pub got: Vec<Output>,
}

/// Runs a case on `backend` and on the reference in float64, compares, and looks at the guard words.
///
/// Fails only where the backend cannot run the case at all.
pub async fn check<B: Backend, S: Record<B> + Record<Cpu<f64>>>(backend: &B, case: &Case<S>) -> Result<Report> {
    Ok(examine(backend, case).await?.0)
}

/// As [`check`], with what it looked at.
pub async fn examine<B: Backend, S: Record<B> + Record<Cpu<f64>>>(backend: &B, case: &Case<S>) -> Result<(Report, Evidence)> {
    let got = case.run(backend).await?;
    let (inputs, expected) = case.run_with_inputs(&Cpu::<f64>::new()).await?;
    let mut agreement = compare(&expected, &got, case.shape.tolerance(), case.shape.silence());
    match backend.verify().await {
        Err(overwritten @ BackendError::GuardOverwritten { .. }) => agreement.fail(overwritten.to_string()),
        verified => verified?,
    }
    let report = Report { name: case.kernel_name, case: case.name(), seed: case.seed, agreement };
    Ok((report, Evidence { inputs, expected, got }))
}
