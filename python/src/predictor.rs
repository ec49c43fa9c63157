//! A trained model for new utterances.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};

use mcsan::audio::mfcc::SAMPLE_RATE;
use mcsan::backend::Backend;
use mcsan::model::layers::Asking;
use mcsan::train::{self, Attention, SpeechInference, Spoken};
use mcsan::{Device, on_device};
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::thread::{Answering, Question};
use super::{Fault, arrays};

/// What is asked of a model.
enum Asked {
    Probabilities(Vec<Spoken>),
    Attention(Box<Spoken>),
}

/// Probabilities of each utterance; where one was asked for, what attends to what.
type Found = (Vec<Vec<f64>>, Option<Attention>);

/// What there is to know of a model.
struct Known {
    device: String,
    classes: Vec<String>,
    /// Streams that it reads from files, with their columns.
    streams: BTreeMap<&'static str, usize>,
    /// Columns of acoustic features that another program computes.
    feature_columns: Option<usize>,
    hears: bool,
    reads_text: bool,
}

/// A trained model on a device: `Predictor(run, device, calibrated)`.
#[pyclass(frozen)]
pub(crate) struct Predictor {
    thread: Answering<Asked, Found>,
    known: Known,
}

#[pymethods]
impl Predictor {
    #[new]
    fn new(py: Python<'_>, run: PathBuf, device: String, calibrated: bool) -> PyResult<Self> {
        let (thread, known) = Answering::begin(py, move |ready, asked| serve(run, &device, calibrated, ready, asked))?;
        Ok(Self { thread, known })
    }

    /// The device's name.
    #[getter]
    fn device(&self) -> &str {
        &self.known.device
    }

    /// Names of the classes, in the order of their probabilities.
    #[getter]
    fn classes(&self) -> Vec<String> {
        self.known.classes.clone()
    }

    /// The streams that the model reads beside recording and words, with their columns.
    #[getter]
    fn streams(&self) -> BTreeMap<&'static str, usize> {
        self.known.streams.clone()
    }

    /// Whether it needs the recording itself.
    #[getter]
    fn hears(&self) -> bool {
        self.known.hears
    }

    /// Whether it reads words.
    #[getter]
    fn reads_text(&self) -> bool {
        self.known.reads_text
    }

    /// Columns of the acoustic features of another program that it takes in place of a recording.
    #[getter]
    fn feature_columns(&self) -> Option<usize> {
        self.known.feature_columns
    }

    /// Probabilities `[utterances, classes]` of dictionaries of `samples`, `rate`, `text`, `features`, `streams`.
    fn predict<'py>(&self, py: Python<'py>, utterances: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let utterances = utterances.iter().map(|utterance| self.spoken(py, utterance.cast::<PyDict>()?)).collect::<PyResult<Vec<_>>>()?;
        let shape = [utterances.len(), self.known.classes.len()];
        let (probabilities, _) = self.thread.ask(py, Asked::Probabilities(utterances))?;
        probabilities.concat().to_pyarray(py).reshape(shape)
    }

    /// Probabilities `[classes]` of one utterance, and what attends to what.
    fn attend<'py>(&self, py: Python<'py>, utterance: &Bound<'py, PyDict>) -> PyResult<(Bound<'py, PyArray1<f64>>, Bound<'py, PyDict>)> {
        let utterance = self.spoken(py, utterance)?;
        let (probabilities, attention) = self.thread.ask(py, Asked::Attention(Box::new(utterance)))?;
        let Attention { words, known, hop, frames, layers } = attention.ok_or_else(|| Fault::new("the model attends to nothing"))?;
        let told = PyDict::new(py);
        told.set_item("words", words)?;
        told.set_item("known", known)?;
        told.set_item("seconds_a_row", (hop * frames) as f64 / f64::from(SAMPLE_RATE))?;
        let layers = layers.into_iter().map(|layer| {
            let told = PyDict::new(py);
            let by = match layer.by {
                Asking::Rows(stream) => stream.to_owned(),
                Asking::Query(what) => what,
            };
            let [asking, asked] = layer.rows;
            told.set_item("by", by)?;
            told.set_item("over", layer.over)?;
            told.set_item("weights", layer.weights.to_pyarray(py).reshape([layer.heads, asking, asked])?)?;
            Ok(told)
        });
        told.set_item("layers", layers.collect::<PyResult<Vec<_>>>()?)?;
        Ok((probabilities.concat().to_pyarray(py), told))
    }
}

impl Predictor {
    /// An utterance from its dictionary.
    fn spoken(&self, py: Python<'_>, utterance: &Bound<'_, PyDict>) -> PyResult<Spoken> {
        let item = |name: &str| Ok::<_, PyErr>(utterance.get_item(name)?.filter(|value| !value.is_none()));
        let mut spoken = Spoken::default();
        if let Some(samples) = item("samples")? {
            let rate = item("rate")?.map_or(Ok(SAMPLE_RATE), |rate| rate.extract())?;
            spoken.samples = Some(arrays::samples(py, &samples.extract::<PyReadonlyArray1<'_, f32>>()?, rate)?);
        }
        if let Some(text) = item("text")? {
            spoken.text = Some(text.extract()?);
        }
        if let Some(features) = item("features")? {
            spoken.features = Some(arrays::matrix("features", &features.extract::<PyReadonlyArray2<'_, f32>>()?)?);
        }
        if let Some(streams) = item("streams")? {
            for (name, array) in streams.cast::<PyDict>()?.iter() {
                let name: String = name.extract()?;
                let known = self.known.streams.get_key_value(name.as_str());
                let (&stream, &columns) = known.ok_or_else(|| {
                    let read: Vec<_> = self.known.streams.keys().copied().collect();
                    PyTypeError::new_err(format!("streams: the model reads none called '{name}', but [{}]", read.join(", ")))
                })?;
                let matrix = arrays::matrix(&name, &array.extract::<PyReadonlyArray2<'_, f32>>()?)?;
                if matrix.columns != columns {
                    return Err(Fault::new(format!("{name}: has {} columns; the model reads {columns}", matrix.columns)).into());
                }
                spoken.further.insert(stream, matrix);
            }
        }
        Ok(spoken)
    }
}

fn serve(
    run: PathBuf,
    device: &str,
    calibrated: bool,
    ready: &Sender<Result<Known, Fault>>,
    asked: Receiver<Question<Asked, Found>>,
) -> Result<(), Fault> {
    let predictor = if calibrated { train::Predictor::load_calibrated(&run) } else { train::Predictor::load(&run) }?;
    let device = pollster::block_on(Device::open(device))?;
    let known = Known {
        device: device.name(),
        classes: predictor.checkpoint.classes.clone(),
        streams: predictor.from_files().into_iter().collect(),
        feature_columns: predictor.feature_columns(),
        hears: predictor.hears(),
        reads_text: predictor.reads(mcsan::base::streams::TEXT),
    };
    on_device!(device, |backend| {
        let mut inference = predictor.on(backend)?;
        let _nobody_waits = ready.send(Ok(known));
        for (question, answer) in asked {
            let _nobody_waits = answer.send(pollster::block_on(answer_to(&mut inference, question)));
        }
    });
    Ok(())
}

async fn answer_to<B: Backend>(inference: &mut SpeechInference<'_, B>, question: Asked) -> Result<Found, Fault> {
    match question {
        Asked::Probabilities(utterances) => Ok((inference.predict(&utterances).await?, None)),
        Asked::Attention(utterance) => {
            let (probabilities, attention) = inference.attend(&utterance).await?;
            Ok((vec![probabilities], Some(attention)))
        }
    }
}
