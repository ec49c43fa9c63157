//! Values on their way to JavaScript and from there: as JSON, which both sides know.

use js_sys::{Function, JSON, Reflect};
use serde_json::Value;
use wasm_bindgen::JsValue;

use super::error::Failure;
use crate::config::{Config, System};

/// A value as a JavaScript object.
pub(super) fn object(value: &Value) -> JsValue {
    JSON::parse(&value.to_string()).unwrap_or_default()
}

/// Tells a function of a page something; what it throws is its own.
pub(super) fn tell(to: Option<&Function>, value: &JsValue) {
    if let Some(to) = to {
        let _thrown = to.call1(&JsValue::UNDEFINED, value);
    }
}

/// A member of an object; `None` where it has none.
pub(super) fn member(of: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(of, &name.into()).ok().filter(|value| !value.is_undefined() && !value.is_null())
}

/// A text of an object.
///
/// # Errors
/// What is there and is no text.
pub(super) fn text(of: &JsValue, name: &str) -> Result<Option<String>, Failure> {
    let Some(value) = member(of, name) else { return Ok(None) };
    value.as_string().map(Some).ok_or_else(|| Failure::new(format!("{name}: is no text")))
}

/// The settings that an object names, over `config`: `{"train.epochs": 3}`.
///
/// # Errors
/// A setting that there is not, or a value that it does not take.
pub(super) fn settings(config: Config, options: &JsValue) -> Result<Config, Failure> {
    let text = if options.is_object() { JSON::stringify(options).ok().and_then(|text| text.as_string()) } else { None };
    let Some(text) = text else { return Ok(config) };
    let members: serde_json::Map<String, Value> = serde_json::from_str(&text).map_err(|error| Failure::new(error.to_string()))?;
    let assignment = |(key, value): (&String, &Value)| format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let assignments: Vec<String> = members.iter().map(assignment).collect();
    let named = members.get("model.system").and_then(Value::as_str);
    let system = named.and_then(|name| serde_json::from_value::<System>(name.into()).ok());
    let config = match system {
        Some(system) => config.with_recipe(system).map_err(|error| super::refuse(&error))?,
        None => config,
    };
    config.assign(&assignments).map_err(|error| super::refuse(&error))
}
