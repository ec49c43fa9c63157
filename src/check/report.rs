//! What became of one case on one backend, as `mcsan check` prints it.

use serde::Serialize;

use super::Case;
use super::compare::{Agreement, compare};
use crate::backend::cpu::Cpu;
use crate::backend::{Backend, BackendError, Result};

/// One entry of `mcsan check`: `{"name","case","max_abs","rel_l2","bound","pass",…}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Of the kernel.
    pub name: &'static str,
    pub case: String,
    #[serde(flatten)]
    pub agreement: Agreement,
}

impl Report {
    /// Whether the backend computed what the reference does.
    pub fn passed(&self) -> bool {
        self.agreement.pass
    }
}

/// Runs a case on `backend` and on the reference in float64, compares, and looks at the guard words.
///
/// Fails only where the backend cannot run the case at all.
pub async fn check<B: Backend>(backend: &B, case: &Case) -> Result<Report> {
    let got = case.run(backend).await?;
    let expected = case.run(&Cpu::<f64>::new()).await?;
    let mut agreement = compare(&expected, &got, case.tolerance(), case.silence());
    match backend.verify().await {
        Err(overwritten @ BackendError::GuardOverwritten { .. }) => agreement.fail(overwritten.to_string()),
        verified => verified?,
    }
    Ok(Report { name: case.kernel().name(), case: case.name(), agreement })
}
