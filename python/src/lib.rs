//! mcsan as a Python module: what computes is the library; this crate hands NumPy arrays in and out.
//!
//! A device is not made for several threads, and a call may take hours. So each object that computes has a thread of its own
//! ([`thread`]), which keeps device and model; Python waits for it with the interpreter released and looks for Ctrl-C meanwhile.

mod arrays;
mod front_end;
mod predictor;
mod thread;
mod training;

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

use mcsan::base::remedy::{self, Remedied};
use numpy::{IntoPyArray, PyArray1};
use pyo3::create_exception;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

create_exception!(mcsan, Error, PyRuntimeError, "What went wrong, and what may help, in one line.");

/// Why something failed, in one line: an error of the library with its remedies.
#[derive(Debug, Clone)]
struct Fault(String);

impl Fault {
    fn new(what: impl Display) -> Self {
        Self(what.to_string())
    }
}

impl<E: Remedied> From<E> for Fault {
    fn from(error: E) -> Self {
        Self(remedy::line(&error))
    }
}

impl From<Fault> for PyErr {
    fn from(Fault(line): Fault) -> Self {
        Error::new_err(line)
    }
}

/// Runs the command line, of which the first is the program's name, and returns its exit code.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    let code = py.detach(|| mcsan::cli::run_from(arguments));
    (0..=u8::MAX).find(|&number| ExitCode::from(number) == code).unwrap_or(1)
}

/// The tokens of a text: what has a row in a table of word vectors.
#[pyfunction]
fn tokens(text: &str) -> Vec<String> {
    mcsan::text::tokenise(text)
}

/// The samples of a recording, mono at 16 kHz in [-1, 1].
#[pyfunction]
fn decode(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyArray1<f32>>> {
    let samples = py.detach(|| mcsan::audio::decode(&path).map_err(Fault::from))?;
    Ok(samples.into_pyarray(py))
}

#[pymodule]
fn _mcsan(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("Error", module.py().get_type::<Error>())?;
    module.add_class::<front_end::FrontEnd>()?;
    module.add_class::<predictor::Predictor>()?;
    module.add_function(wrap_pyfunction!(main, module)?)?;
    module.add_function(wrap_pyfunction!(tokens, module)?)?;
    module.add_function(wrap_pyfunction!(decode, module)?)?;
    module.add_function(wrap_pyfunction!(training::train, module)?)
}
