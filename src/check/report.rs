//! What became of one case on one backend, as `mcsan check` prints it.

use serde::Serialize;

use super::compare::{Agreement, compare};
use super::{Case, Input, Output, Record};
use crate::backend::cpu::Cpu;
use crate::backend::{Backend, BackendError, Result};

/// One entry of `mcsan check`: `{"name","case","max_abs","rel_l2","bound","pass",…}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseReport {
    /// Of the kernel.
    pub name: &'static str,
    /// Its shapes in words: [`Case::name`].
    pub case: String,
    /// Of the inputs.
    pub seed: u64,
    /// How the backend's results compare with the reference's.
    #[serde(flatten)]
    pub agreement: Agreement,
}

impl CaseReport {
    /// Whether the backend computed what the reference does.
    pub fn passed(&self) -> bool {
        self.agreement.pass
    }
}

/// What the reference makes of a case, in float64: computed once, it serves any number of comparisons.
#[derive(Debug, Clone)]
pub struct Expected {
    /// What went in, the same on every backend.
    pub inputs: Vec<Input>,
    /// What came out.
    pub outputs: Vec<Output>,
}

impl Expected {
    /// Runs a case on the reference.
    ///
    /// # Errors
    /// None that the reference is known to have.
    pub async fn of<S: Record<Cpu<f64>>>(case: &Case<S>) -> Result<Self> {
        let (inputs, outputs) = case.run_with_inputs(&Cpu::<f64>::new()).await?;
        Ok(Self { inputs, outputs })
    }
}

/// All that went into a case and came out of it.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// What went in, the same on both.
    pub inputs: Vec<Input>,
    /// Of the reference in float64.
    pub expected: Vec<Output>,
    /// Of the backend.
    pub got: Vec<Output>,
}

/// Runs a case on `backend` and on the reference in float64, compares, and looks at the guard words.
///
/// Fails only where the backend cannot run the case at all.
pub async fn check<B: Backend, S: Record<B> + Record<Cpu<f64>>>(backend: &B, case: &Case<S>) -> Result<CaseReport> {
    Ok(examine(backend, case).await?.0)
}

/// As [`check`], with what it looked at.
pub async fn examine<B: Backend, S: Record<B> + Record<Cpu<f64>>>(backend: &B, case: &Case<S>) -> Result<(CaseReport, Evidence)> {
    let expected = Expected::of(case).await?;
    let (report, got) = check_against(backend, case, &expected).await?;
    let Expected { inputs, outputs: expected } = expected;
    Ok((report, Evidence { inputs, expected, got }))
}

/// As [`check`], against what is known to be expected of the case; with what the backend computed.
///
/// # Errors
/// Those of [`check`].
pub async fn check_against<B: Backend, S: Record<B>>(
    backend: &B,
    case: &Case<S>,
    expected: &Expected,
) -> Result<(CaseReport, Vec<Output>)> {
    let got = case.run(backend).await?;
    let mut agreement = compare(&expected.outputs, &got, case.shape.tolerance(), case.shape.silence());
    match backend.verify().await {
        Err(overwritten @ BackendError::GuardOverwritten { .. }) => agreement.fail(overwritten.to_string()),
        verified => verified?,
    }
    let report = CaseReport { name: case.kernel_name, case: case.name(), seed: case.seed, agreement };
    Ok((report, got))
}
