//! Errors as JavaScript has them: the message is what is wrong, `remedy` what may help.

use std::path::Path;

use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

use crate::base::remedy::Remedied;

/// What goes to JavaScript in place of a result.
#[derive(Debug, Clone)]
pub struct Failure {
    message: String,
    remedy: Option<String>,
}

impl Failure {
    /// What is wrong, where nothing is known that helps.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: None }
    }

    /// What is wrong.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// With what may help.
    pub(super) fn with(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    /// Names files as the page does, who does not know in which folder they are held.
    pub(super) fn without(self, folder: &Path) -> Self {
        let shown = format!("{}/", folder.display());
        Self { message: self.message.replace(&shown, ""), remedy: self.remedy.map(|remedy| remedy.replace(&shown, "")) }
    }
}

/// An error of the library, in one line.
pub(super) fn refuse(error: &(impl Remedied + ?Sized)) -> Failure {
    let message = error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let remedies: Vec<String> = error.remedies().iter().map(ToString::to_string).collect();
    Failure { message, remedy: (!remedies.is_empty()).then(|| remedies.join(", or ")) }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let error = Error::new(&failure.message);
        if let Some(remedy) = failure.remedy {
            let _is_an_object = Reflect::set(&error, &"remedy".into(), &remedy.into());
        }
        error.into()
    }
}
