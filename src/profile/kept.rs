//! Profiles that were kept: what `mcsan profile --json` has written, read again.

use std::path::Path;

use serde_json::Value;

use super::report::{FORMAT, ProfileReport};
use super::work::ProfileError;
use crate::base::input;

/// Largest number that a profile holds: sums and quotients of smaller ones can be shown and drawn.
const MOST: f64 = 1e15;

impl ProfileReport {
    /// Reads a profile that was kept.
    ///
    /// # Errors
    /// [`ProfileError::Kept`]: the file cannot be read, is none, or holds a number that nothing has measured.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let refused = |reason: String| ProfileError::Kept { path: path.into(), reason };
        let text = input::text(path).map_err(|error| refused(error.to_string()))?;
        FORMAT.version_of_json(&text).map_err(|newer| ProfileError::Newer { path: path.into(), newer })?;
        let is_none = |error: serde_json::Error| refused(format!("is no profile ({error})"));
        let document: Value = serde_json::from_str(&text).map_err(is_none)?;
        if let Some(number) = unmeasured(&document) {
            return Err(refused(format!("is no profile (nothing measured is {number})")));
        }
        serde_json::from_str(&text).map_err(is_none)
    }
}

/// The first number below 0 or beyond [`MOST`].
fn unmeasured(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64().filter(|number| !(0.0..=MOST).contains(number)),
        Value::Array(values) => values.iter().find_map(unmeasured),
        Value::Object(fields) => fields.values().find_map(unmeasured),
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}
