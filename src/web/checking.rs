//! Every kernel of a device against the reference, as `mcsan check` does.

use js_sys::Function;
use serde_json::json;
use wasm_bindgen::prelude::*;

use super::engine::Engine;
use super::error::{Failure, refuse};
use super::values::{object, tell};
use crate::backend::Storage;
use crate::check::{check as check_case, kernels_named, select};
use crate::on_device;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("check.d.ts");

/// Runs every case of a kernel, of all where its name is empty, and tells a line of each kernel and of each case that fails.
///
/// # Errors
/// A kernel that there is not.
#[wasm_bindgen(skip_typescript)]
pub async fn check(engine: &Engine, kernel: &str, lines: Option<Function>) -> Result<JsValue, Failure> {
    engine.recover().await?;
    let device = engine.device();
    let names = if kernel.is_empty() { Vec::new() } else { vec![kernel.to_owned()] };
    let (mut passed, mut failed) = (0, 0);
    for kernel in kernels_named(&names).map_err(|error| refuse(&error))? {
        let before = [passed, failed];
        for case in select(&[kernel], "").map_err(|error| refuse(&error))? {
            let wrong = match on_device!(*device, |backend| check_case(backend, &case).await) {
                Ok(report) if report.passed() => None,
                Ok(report) => Some(json!(report).to_string()),
                Err(error) => {
                    on_device!(*device, |backend| backend.recover().await);
                    Some(format!("{} {}: {error}", kernel.name(), case.name()))
                }
            };
            match wrong {
                None => passed += 1,
                Some(wrong) => {
                    failed += 1;
                    tell(lines.as_ref(), &format!("FAILED {wrong}").into());
                }
            }
            crate::base::turn::give().await;
        }
        let [passed, failed] = [passed - before[0], failed - before[1]];
        tell(lines.as_ref(), &format!("{}: {passed} passed, {failed} failed", kernel.name()).into());
    }
    Ok(object(&json!({ "passed": passed, "failed": failed })))
}
