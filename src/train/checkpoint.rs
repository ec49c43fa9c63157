//! A model on disk: weights under PyTorch's names and all that is needed to use it or to train on.
//!
//! Tensors: every parameter by its name; `moment1.NAME` and `moment2.NAME` where the optimiser's state is kept, and `average.NAME` where
//! the weights are averaged; `machine.…` of
//! a machine that stands on the network. Settings,
//! sizes, classes, normalisation and where the training stands are metadata, as JSON or TOML. What only `last.safetensors`
//! holds are the moments, the average and `progress`, so that `best.safetensors` is the same however often a run was interrupted.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::metrics::Tally;
use super::{RunFault, TrainError, machine_file};
use crate::base::format::Format;
use crate::base::hash::fnv1a;
use crate::base::streams::{FUNCTIONALS, Readings};
use crate::config::{Config, Execution, Fault, Settings};
use crate::dataset::store::{self, Store, StoreError, Tensor};
use crate::dataset::{Dataset, DatasetError, Normalisation};
use crate::model::parameters::{Parameter, Parameters};
use crate::model::{self, Dimensions};
use crate::svm::Machine;

/// The format's name, in the metadata.
pub(crate) const FORMAT: Format = Format::new("mcsan-checkpoint", 1);

/// The name of the format of weights alone.
pub(crate) const WEIGHTS_FORMAT: Format = Format::new("mcsan-weights", 1);

/// A model and where its training stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What it was trained with, the device and the tiles apart.
    pub settings: Settings,
    /// The setting `run.device` that it was trained with.
    pub device: String,
    /// What the data decided of the model.
    pub dimensions: Dimensions,
    /// Their names, in the order of the logits.
    pub classes: Vec<String>,
    /// How the model wants its streams.
    pub normalisation: Normalisation,
    /// In the order of the model's parameters.
    pub parameters: Vec<f32>,
    /// What says the class in place of the logits, where the system has such; none while the network is trained.
    pub machine: Option<Arc<Machine>>,
    /// Adam's moments in the same layout; only where training may go on.
    pub moments: Option<[Vec<f32>; 2]>,
    /// The running average of the weights in the same layout; only where training may go on, `parameters` of the best model being it.
    pub average: Option<Vec<f32>>,
    /// Optimiser steps taken; with the seed it is the whole random state, since all random numbers are counted.
    pub step: u64,
    /// Epochs finished.
    pub epoch: u64,
    /// Best validation figure so far, larger is better.
    pub best: Option<f64>,
    /// Where the run stands besides; only where training may go on.
    pub progress: Option<Progress>,
}

/// What a run must remember to go on as if it had never stopped, besides the optimiser's state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs that were finished when the best model was; 0 before there is one.
    pub best_epoch: u64,
    /// By now.
    #[serde(default, skip_serializing_if = "Plateaus::is_none")]
    pub plateaus: Plateaus,
    /// Parts that batches are computed in.
    pub parts: usize,
    /// The training predictions of the epoch that is under way.
    pub tally: Tally,
    /// The loss scale's state, see [`crate::backend::ops::LossScale`]; only in mixed precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<[f32; 3]>,
    /// Which data the run learns from, see `Dataset::fingerprint_with_splits`.
    pub data: String,
}

/// Plateaus of the validation figure, each of which made the learning rate less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plateaus {
    /// How many there were.
    pub count: u64,
    /// Epochs that were finished when the last one was found, or when the warm-up was over.
    pub epoch: u64,
}

impl Plateaus {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a run that wrote `recorded` learned from `data`.
///
/// # Errors
/// Features that cannot be read.
pub(crate) fn is_of(recorded: &str, data: &Dataset) -> Result<bool, DatasetError> {
    // A hyphen tells the form of today from that of earlier versions.
    let found = if recorded.contains('-') { data.fingerprint_with_splits()? } else { first_fingerprint(data)? };
    Ok(recorded == found)
}

/// What earlier versions wrote: a hash of classes, utterances, splits, labels, lengths, tokens and each
/// utterance's first frame.
fn first_fingerprint(data: &Dataset) -> Result<String, DatasetError> {
    let (Some(audio), Some(text)) = (data.audio(), data.text()) else { return Ok(String::new()) };
    let mut bytes = json!([data.classes, audio.columns, data.utterances, audio.offsets, text.offsets]).to_string().into_bytes();
    bytes.extend_from_slice(bytemuck::cast_slice(&data.labels));
    bytes.extend_from_slice(bytemuck::cast_slice(&text.tokens));
    for utterance in 0..data.len() {
        bytes.extend_from_slice(bytemuck::cast_slice(&audio.rows(audio.of(utterance, 1))?));
    }
    if let Some(table) = &text.vectors {
        bytes.extend_from_slice(bytemuck::cast_slice(&table.values));
    }
    Ok(format!("{:016x}", fnv1a(&bytes)))
}

/// Both moments' names before the parameter's.
pub(super) const MOMENTS: [&str; 2] = ["moment1.", "moment2."];
/// The average's.
const AVERAGE: &str = "average.";

impl Checkpoint {
    /// Writes the checkpoint; the old one stays whole until the new one is.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), StoreError> {
        self.save_if(path, || Ok(()))
    }

    /// The same, where `confirm` is asked at the end, and as it refuses nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub(super) fn save_if(&self, path: &Path, confirm: impl FnOnce() -> io::Result<()>) -> Result<(), StoreError> {
        let parameters = self.layout();
        let mut entries = named(&parameters, "", &self.parameters);
        for (prefix, values) in MOMENTS.iter().zip(self.moments.iter().flatten()) {
            entries.extend(named(&parameters, prefix, values));
        }
        entries.extend(self.average.iter().flat_map(|values| named(&parameters, AVERAGE, values)));
        let machine = self.machine.as_deref();
        let places = machine.map(machine_file::places).unwrap_or_default();
        entries.extend(machine.iter().flat_map(|machine| machine_file::tensors(machine, &places)));
        let metadata = BTreeMap::from([
            ("format".to_owned(), FORMAT.to_string()),
            ("settings".to_owned(), self.config().to_toml()),
            ("dimensions".to_owned(), json!(self.dimensions).to_string()),
            ("classes".to_owned(), json!(self.classes).to_string()),
            ("normalisation".to_owned(), json!(self.normalisation).to_string()),
            ("step".to_owned(), self.step.to_string()),
            ("epoch".to_owned(), self.epoch.to_string()),
            ("best".to_owned(), json!(self.best).to_string()),
        ]);
        let progress = self.progress.iter().map(|progress| ("progress".to_owned(), json!(progress).to_string()));
        let machine = machine.map(|machine| (machine_file::KEY.to_owned(), machine_file::numbers(machine)));
        let metadata = metadata.into_iter().chain(progress).chain(machine).collect();
        store::write_if(path, &metadata, &entries, confirm)
    }

    /// Writes the weights alone, under PyTorch's names and in its layout, for other programs and for `--weights`; as
    /// metadata what one needs to use them: settings, sizes, classes, normalisation.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn export(&self, path: &Path) -> Result<(), StoreError> {
        let metadata = BTreeMap::from([
            ("format".to_owned(), WEIGHTS_FORMAT.to_string()),
            ("settings".to_owned(), self.config().to_toml()),
            ("dimensions".to_owned(), json!(self.dimensions).to_string()),
            ("classes".to_owned(), json!(self.classes).to_string()),
            ("normalisation".to_owned(), json!(self.normalisation).to_string()),
        ]);
        store::write(path, &metadata, &named(&self.layout(), "", &self.parameters))
    }

    /// The settings as they are stored. Tiles change no result, so that no checkpoint says which there were.
    pub fn config(&self) -> Config {
        Config { settings: self.settings.clone(), execution: Execution { device: self.device.clone(), ..Default::default() } }
    }

    /// Number of parameters.
    pub fn count(&self) -> usize {
        self.layout().count()
    }

    /// What the model reads of a data set.
    pub fn readings(&self) -> Readings {
        model::readings(&self.settings, &self.dimensions)
    }

    /// Where each parameter lies in the buffers.
    pub fn layout(&self) -> Parameters {
        model::parameters(&self.settings, &self.dimensions)
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`TrainError`], naming the file and what is wrong with it; also a best model whose machine is still to be fitted.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        Self::read(&Store::open(path)?)
    }

    /// The same of a file that is open.
    ///
    /// # Errors
    /// Those of [`Checkpoint::load`].
    pub(super) fn read(store: &Store) -> Result<Self, TrainError> {
        let (checkpoint, path) = (Self::read_unfitted(store)?, store.path());
        let is_unfitted = checkpoint.settings.model.system.has_machine() && checkpoint.machine.is_none();
        if is_unfitted && checkpoint.progress.is_none() {
            return Err(TrainError::Run { path: path.into(), fault: RunFault::Unfitted });
        }
        Ok(checkpoint)
    }

    /// As [`Checkpoint::load`], with or without a machine.
    ///
    /// # Errors
    /// [`TrainError`], naming the file and what is wrong with it.
    pub(super) fn load_unfitted(path: &Path) -> Result<Self, TrainError> {
        Self::read_unfitted(&Store::open(path)?)
    }

    fn read_unfitted(store: &Store) -> Result<Self, TrainError> {
        let path = store.path();
        let refused = |fault| TrainError::Run { path: path.into(), fault };
        let broken = |reason: String| refused(RunFault::Unreadable { reason });
        let lacks = |key: &str| refused(RunFault::NoCheckpoint { missing: key.to_owned() });
        let text = |key: &str| store.metadata(key).map(str::to_owned).ok_or_else(|| lacks(key));
        let format = text("format")?;
        if FORMAT.version_of(&format).map_err(|newer| refused(newer.into()))?.is_none() {
            return Err(refused(RunFault::OtherKind { found: format, expected: FORMAT.to_string() }));
        }
        fn parse<T: serde::de::DeserializeOwned>(key: &str, text: &str) -> Result<T, String> {
            serde_json::from_str(text).map_err(|error| format!("metadata '{key}' is not the JSON that it should be ({error})"))
        }
        let unset = |fault: Fault| broken(format!("metadata 'settings', {fault}"));
        let Config { settings, execution } = Config::from_toml(&text("settings")?).map_err(unset)?;
        let dimensions: Dimensions = parse("dimensions", &text("dimensions")?).map_err(broken)?;
        let layout = model::parameters(&settings, &dimensions);
        let has = |prefix: &str| layout.iter().next().is_some_and(|first| store.contains(&format!("{prefix}{}", first.name)));
        let moments = if has(MOMENTS[0]) {
            let [first, second] = MOMENTS.map(|prefix| read_named(store, &layout, prefix));
            Some([first?, second?])
        } else {
            None
        };
        let average = if has(AVERAGE) { Some(read_named(store, &layout, AVERAGE)?) } else { None };
        let machine = match store.metadata(machine_file::KEY).filter(|_| settings.model.system.has_machine()) {
            Some(numbers) => {
                let columns = [settings.cmkl.features, dimensions.columns(FUNCTIONALS)];
                let read = machine_file::read(store, numbers, columns, dimensions.classes);
                Some(Arc::new(read.map_err(|fault| match fault {
                    machine_file::Fault::Store(error) => error.into(),
                    machine_file::Fault::Broken(reason) => broken(reason),
                })?))
            }
            None => None,
        };
        let checkpoint = Self {
            machine,
            dimensions,
            classes: parse("classes", &text("classes")?).map_err(broken)?,
            normalisation: parse("normalisation", &text("normalisation")?).map_err(broken)?,
            parameters: read_named(store, &layout, "")?,
            moments,
            average,
            step: parse("step", &text("step")?).map_err(broken)?,
            epoch: parse("epoch", &text("epoch")?).map_err(broken)?,
            best: parse("best", &text("best")?).map_err(broken)?,
            progress: store.metadata("progress").map(|text| parse("progress", text)).transpose().map_err(broken)?,
            settings,
            device: execution.device,
        };
        checkpoint.validate().map_err(broken)?;
        Ok(checkpoint)
    }
}

/// A buffer's parameters as named tensors.
pub(crate) fn named<'v>(parameters: &Parameters, prefix: &str, values: &'v [f32]) -> Vec<Tensor<'v>> {
    let entry = |parameter: &Parameter| {
        let own = &values[parameter.offset..parameter.offset + parameter.len()];
        Tensor::f32(format!("{prefix}{}", parameter.name), &parameter.shape, own)
    };
    parameters.iter().map(entry).collect()
}

/// The weights of a file under PyTorch's names, for data of such classes. Files of other programs do not say of which classes they are.
///
/// # Errors
/// [`RunFault::OtherClasses`], and those of [`read_named`].
pub(super) fn read_weights(path: &Path, parameters: &Parameters, classes: &[String]) -> Result<Vec<f32>, TrainError> {
    let store = Store::open(path)?;
    let own = store.metadata("classes").and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    match own.filter(|own| own != classes) {
        Some(found) => Err(TrainError::Run { path: path.into(), fault: RunFault::OtherClasses { found, expected: classes.to_vec() } }),
        None => Ok(read_named(&store, parameters, "")?),
    }
}

/// Parameters from named tensors in PyTorch's shapes, as a buffer.
///
/// # Errors
/// [`StoreError::MissingTensor`], [`StoreError::WrongShape`] with both shapes, or [`StoreError::NotFinite`].
pub fn read_named(store: &Store, parameters: &Parameters, prefix: &str) -> Result<Vec<f32>, StoreError> {
    let view = |parameter: &Parameter| store.tensor(&format!("{prefix}{}", parameter.name))?.shaped(&parameter.shape);
    // All of them are there before there is memory for all.
    let views = parameters.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    let mut buffer = vec![0.0; parameters.len()];
    for (parameter, view) in parameters.iter().zip(views) {
        let values = view.finite_floats()?;
        buffer[parameter.offset..parameter.offset + parameter.len()].copy_from_slice(&values);
    }
    Ok(buffer)
}
