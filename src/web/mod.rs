//! What a page, or Node, calls: the library's own code, its errors as JavaScript's, its results as JavaScript's objects.
//!
//! There are no files in a page: what it has of them lies in memory ([`crate::base::files`]), where data sets are prepared and runs are
//! kept as anywhere else. `types.d.ts` says what there is.

// What JavaScript calls is exported under names of its own, for which wasm-bindgen writes code that the compiler cannot check: its
// values come through wasm-bindgen's own table, and nothing here touches memory by itself.
#![allow(unsafe_code)]

#[cfg(feature = "web-check")]
mod checking;
mod data;
mod engine;
mod error;
mod model;
mod training;
mod values;

use std::path::Path;

use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

use crate::audio;
use crate::base::files;
use crate::check::Kernel;
use error::{Failure, refuse};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

/// Before anything else: what breaks down is said on the console.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| {
        let console = js_sys::Reflect::get(&js_sys::global(), &"console".into()).unwrap_or_default();
        let error = js_sys::Reflect::get(&console, &"error".into()).and_then(|error| error.dyn_into::<js_sys::Function>());
        let _nobody_reads = error.and_then(|error| error.call1(&console, &panic.to_string().into()));
    }));
}

/// The program's version.
#[wasm_bindgen(skip_typescript)]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

/// Names of all kernels.
#[wasm_bindgen(skip_typescript)]
pub fn kernels() -> Vec<String> {
    Kernel::ALL.iter().map(|kernel| kernel.name().to_owned()).collect()
}

/// A recording's samples: mono, 16 kHz.
///
/// # Errors
/// Those of [`audio::decode`]; `name` is what they name.
#[wasm_bindgen(skip_typescript)]
pub fn decode(bytes: Vec<u8>, name: &str) -> Result<Float32Array, Failure> {
    let folder = Path::new("decoded");
    let _gone = Held::new(folder);
    let path = put(folder, name, &bytes)?;
    let samples = audio::decode(&path).map_err(|error| refuse(&error).without(folder))?;
    Ok(Float32Array::from(samples.as_slice()))
}

/// A folder in memory that is gone when this is.
pub(crate) struct Held<'h>(&'h Path);

impl<'h> Held<'h> {
    fn new(folder: &'h Path) -> Self {
        Self(folder)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let _there_is_none = files::remove_dir_all(self.0);
    }
}

/// Puts a file into a folder in memory, under its name, in which `/` parts folders.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<std::path::PathBuf, Failure> {
    use std::io::Write;
    let path = folder.join(name.trim_start_matches('/'));
    let wrong = |error: std::io::Error| Failure::new(format!("{name}: cannot be held ({error})"));
    files::create_dir_all(path.parent().unwrap_or(folder)).map_err(wrong)?;
    files::File::create_new(&path).and_then(|mut file| file.write_all(bytes)).map_err(wrong)?;
    Ok(path)
}
