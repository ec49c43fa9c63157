//! The acoustic front-end on samples.

use std::sync::mpsc::{Receiver, Sender};

use mcsan::audio::mfcc::MfccSettings;
use mcsan::backend::MfccTables;
use mcsan::prepare::extract;
use mcsan::{Device, on_device};
use numpy::{PyArray2, PyArrayMethods, PyReadonlyArray1, ToPyArray};
use pyo3::prelude::*;

use super::thread::{Answering, Question};
use super::{Fault, arrays};

type Frames = (Vec<f32>, usize);

/// MFCC, or the power spectrum, of recordings: `FrontEnd(settings_json, device)`.
#[pyclass(frozen)]
pub(crate) struct FrontEnd {
    thread: Answering<Vec<f32>, Frames>,
    /// Its settings.
    settings: MfccSettings,
    /// The device's name.
    #[pyo3(get)]
    device: String,
}

#[pymethods]
impl FrontEnd {
    #[new]
    fn new(py: Python<'_>, settings: &str, device: String) -> PyResult<Self> {
        let settings: MfccSettings = serde_json::from_str(settings).map_err(|error| Fault::new(format!("front-end: {error}")))?;
        settings.validate().map_err(Fault::from)?;
        let own = settings.clone();
        let (thread, device) = Answering::begin(py, move |ready, asked| serve(&own, &device, ready, asked))?;
        Ok(Self { thread, settings, device })
    }

    /// Features `[frames, columns]` of mono samples at `rate` hertz.
    fn __call__<'py>(&self, py: Python<'py>, samples: PyReadonlyArray1<'py, f32>, rate: u32) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let samples = arrays::samples(py, &samples, rate)?;
        let (values, frames) = self.thread.ask(py, samples)?;
        values.to_pyarray(py).reshape([frames, self.settings.columns()])
    }

    /// Every setting and what it is, as JSON.
    #[getter]
    fn settings(&self) -> String {
        self.settings.recorded().to_string()
    }
}

fn serve(
    settings: &MfccSettings,
    device: &str,
    ready: &Sender<Result<String, Fault>>,
    asked: Receiver<Question<Vec<f32>, Frames>>,
) -> Result<(), Fault> {
    let device = pollster::block_on(Device::open(device))?;
    on_device!(device, |backend| {
        let tables = MfccTables::new(backend, settings)?;
        let _nobody_waits = ready.send(Ok(device.name()));
        for (samples, answer) in asked {
            let found = pollster::block_on(extract(backend, &tables, &[samples])).map(|(values, frames)| (values, frames[0]));
            let _nobody_waits = answer.send(found.map_err(Fault::from));
        }
    });
    Ok(())
}
