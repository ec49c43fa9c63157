//! A trained model, and what it says of an utterance.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use js_sys::{Array, Float32Array, Object, Reflect};
use serde_json::json;
use wasm_bindgen::prelude::*;

use super::engine::{Engine, finish_timing, has_clock, start_timing};
use super::error::{Failure, refuse};
use super::values::object;
use crate::audio::mfcc::SAMPLE_RATE;
use crate::backend::{Device, Executions};
use crate::base::streams::{AUDIO, TEXT};
use crate::model::layers::Asking;
use crate::on_device;
use crate::train::{Attention, Predictor, Spoken, TrainError};

/// What errors call a model that has no name.
const UNNAMED: &str = "model.mcsan";

/// A trained model.
#[wasm_bindgen(skip_typescript)]
pub struct Model {
    predictor: Rc<Predictor>,
    bytes: Vec<u8>,
}

#[wasm_bindgen]
impl Model {
    /// Reads a model of one file; `name` is what errors name.
    ///
    /// # Errors
    /// Another kind of file or version, or one that is damaged.
    #[wasm_bindgen(skip_typescript)]
    pub fn load(bytes: Vec<u8>, name: Option<String>) -> Result<Model, Failure> {
        let predictor = Predictor::packed(Path::new(name.as_deref().unwrap_or(UNNAMED)), &bytes).map_err(|error| refuse(&error))?;
        let files: Vec<&str> = predictor.from_files().into_iter().map(|(stream, _)| stream).collect();
        if predictor.feature_columns().is_some() || predictor.text_columns().is_some() || !files.is_empty() {
            return Err(Failure::new("the model reads features from files, which a page has none of"));
        }
        Ok(Model { predictor: Rc::new(predictor), bytes })
    }

    /// The file.
    #[wasm_bindgen(skip_typescript)]
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// What the model is.
    #[wasm_bindgen(getter, skip_typescript)]
    pub fn info(&self) -> JsValue {
        let predictor = &self.predictor;
        let checkpoint = &predictor.checkpoint;
        let reads: Vec<&str> =
            [AUDIO, TEXT].into_iter().filter(|stream| *stream == AUDIO && predictor.hears() || predictor.reads(stream)).collect();
        object(&json!({
            "system": checkpoint.settings.model.system.to_string(),
            "classes": checkpoint.classes,
            "words": predictor.vocabulary(),
            "reads": reads,
            "longest": predictor.longest(),
            "parameters": checkpoint.count(),
            "epoch": checkpoint.epoch,
            "settings": checkpoint.config().to_toml(),
        }))
    }

    /// What the model says of an utterance: samples, mono at 16 kHz, and its words, as far as it reads them.
    ///
    /// # Errors
    /// What the model reads and is not there, or whatever went wrong on the device.
    #[wasm_bindgen(skip_typescript)]
    pub async fn predict(&self, engine: &Engine, samples: Option<Vec<f32>>, text: Option<String>) -> Result<JsValue, Failure> {
        if samples.as_ref().is_some_and(Vec::is_empty) {
            return Err(Failure::new("the recording has no samples"));
        }
        engine.recover().await?;
        let (device, predictor) = (engine.device(), Rc::clone(&self.predictor));
        let utterance = Spoken { samples, text, ..Spoken::default() };
        let untimed = match has_clock(&device) {
            true => None,
            false => Some(say(&device, &predictor, &utterance).await.map_err(|error| refuse(&error))?),
        };
        start_timing(&device);
        let timed = say(&device, &predictor, &utterance).await;
        let ran = finish_timing(&device).await;
        let timed = timed.map_err(|error| refuse(&error))?;
        let ran = ran.map_err(|error| refuse(&error))?;
        let (probabilities, attention) = untimed.unwrap_or(timed);
        let words = predictor.words(utterance.text.as_deref().unwrap_or_default());
        let (tokens, known): (Vec<_>, Vec<_>) = words.into_iter().unzip();
        let result = object(&json!({
            "classes": predictor.checkpoint.classes,
            "probabilities": probabilities,
            "tokens": tokens,
            "known": known,
            "cut": predictor.cuts(&utterance),
            "kernels": by_kernel(&ran),
            "hopSeconds": attention.as_ref().map(|attention| attention.hop as f64 / f64::from(SAMPLE_RATE)),
            "frameSeconds": attention.as_ref().map(|attention| attention.hop as f64 * attention.frames as f64 / f64::from(SAMPLE_RATE)),
        }));
        let matrices: Array = attention
            .iter()
            .flat_map(|attention| &attention.layers)
            .map(|layer| {
                let by = match &layer.by {
                    Asking::Rows(stream) => (*stream).to_owned(),
                    Asking::Query(words) => words.clone(),
                };
                let [rows, columns] = layer.rows;
                let matrix = object(&json!({ "by": by, "over": layer.over, "heads": layer.heads, "rows": rows, "columns": columns }));
                set(&matrix, "weights", &Float32Array::from(layer.weights.as_slice()));
                matrix
            })
            .collect();
        set(&result, "attention", &matrices);
        Ok(result)
    }
}

impl Model {
    /// The file's bytes, not copied.
    pub(super) fn file(&self) -> &[u8] {
        &self.bytes
    }
}

fn set(object: &JsValue, name: &str, value: &JsValue) {
    let _is_an_object = Reflect::set(object.unchecked_ref::<Object>(), &name.into(), value);
}

/// Probabilities, and what attends to what where the model has that to show.
async fn say(device: &Device, predictor: &Predictor, utterance: &Spoken) -> Result<(Vec<f64>, Option<Attention>), TrainError> {
    on_device!(*device, |backend| {
        let mut inference = predictor.on(backend)?;
        match inference.attend(utterance).await {
            Ok((probabilities, attention)) => Ok((probabilities, Some(attention))),
            Err(TrainError::NoCross | TrainError::NoTimes) => {
                let mut found = inference.predict(std::slice::from_ref(utterance)).await?;
                Ok((found.remove(0), None))
            }
            Err(error) => Err(error),
        }
    })
}

/// Milliseconds of each kernel and how often it ran; none where the device did not say.
fn by_kernel(ran: &Executions) -> Vec<serde_json::Value> {
    let mut kernels: BTreeMap<&str, (f64, bool, usize)> = BTreeMap::new();
    for run in &ran.runs {
        let (ms, known, launches) = kernels.entry(run.kernel).or_insert((0.0, true, 0));
        *launches += 1;
        match run.duration() {
            Some(duration) => *ms += duration / 1e6,
            None => *known = false,
        }
    }
    let lines = kernels.into_iter().map(|(name, (ms, known, launches))| {
        let ms = known.then_some(ms);
        json!({ "name": name, "ms": ms, "launches": launches })
    });
    lines.collect()
}
