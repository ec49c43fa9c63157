//! NumPy arrays as the library takes them.

use mcsan::audio::mfcc::SAMPLE_RATE;
use mcsan::audio::{PcmFormat, read_pcm};
use mcsan::dataset::FeatureMatrix;
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use super::Fault;

/// Mono samples at `rate` hertz, resampled to 16 kHz.
pub(crate) fn samples(py: Python<'_>, samples: &PyReadonlyArray1<'_, f32>, rate: u32) -> PyResult<Vec<f32>> {
    let given = samples.as_slice().map_err(|_| Fault::new("samples: are not contiguous; give numpy.ascontiguousarray of them"))?;
    let read = || {
        if given.is_empty() {
            return Err(Fault::new("samples: there are none"));
        }
        if rate == SAMPLE_RATE && given.iter().all(|sample| sample.is_finite()) {
            return Ok(given.to_vec());
        }
        let bytes: Vec<u8> = given.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        Ok(read_pcm(&bytes[..], "samples", PcmFormat::F32, rate)?)
    };
    Ok(py.detach(read)?)
}

/// A matrix `[rows, columns]` of finite numbers.
pub(crate) fn matrix(name: &str, array: &PyReadonlyArray2<'_, f32>) -> PyResult<FeatureMatrix> {
    let [rows, columns] = [array.as_array().nrows(), array.as_array().ncols()];
    let values: Vec<f32> = array.as_array().iter().copied().collect();
    if rows == 0 || columns == 0 {
        return Err(Fault::new(format!("{name}: is {rows} × {columns} and has no number")).into());
    }
    if let Some(place) = values.iter().position(|value| !value.is_finite()) {
        let (row, column) = (place / columns, place % columns);
        return Err(Fault::new(format!("{name}: row {row}, column {column} is {}, no finite number", values[place])).into());
    }
    Ok(FeatureMatrix { columns, values })
}
