//! `mcsan gradients`

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Gradients};
use super::device::{self, on_device};
use super::{Done, Failure, print_json};
use crate::backend::gpu::Checking;
use crate::config::Normalise;
use crate::config::Settings;
use crate::dataset::store::{self, Store, Tensor};
use crate::dataset::{Dataset, Normalisation};
use crate::model::{Dimensions, Mcsan};
use crate::train::batches::Batches;
use crate::train::checkpoint::{named, read_named};
use crate::train::{TrainError, Trainer};

pub fn run(common: &Common, arguments: &Gradients) -> Done {
    let mut defaults = Settings::default();
    defaults.data.normalise = Normalise::None;
    let settings = arguments.configuration.load(defaults)?;
    let data = Dataset::load(&arguments.data)?;
    let range = arguments.utterances.clone().unwrap_or(0..data.len());
    if range.is_empty() || range.end > data.len() {
        let (from, to, count) = (range.start, range.end, data.len());
        return Err(Failure(format!("--utterances {from}..{to}: the data hold 0..{count}; choose a range within")));
    }
    let utterances: Vec<usize> = range.collect();
    let dimensions = Dimensions::of(&data, settings.model.word_width);
    let model = Mcsan::new(&settings.model, &dimensions);
    let parameters = read_named(&Store::open(&arguments.weights)?, model.layout(), "")?;
    settings.train.check_class_weights(data.classes.len())?;
    let class_weights = settings.train.class_weights(&data.class_counts(&utterances));
    let normalisation = Normalisation::fit(settings.data.normalise, &data, &data.training(), settings.data.max_frames)?;
    let device = device::open(common, &settings.run.device, Checking::Off)?;
    let report = on_device!(device, |backend| pollster::block_on(async {
        let mut trainer = Trainer::new(backend, &settings, &dimensions, &parameters, &class_weights);
        let batches = Batches::new(backend, &data, &normalisation, settings.data.max_frames)?;
        Ok::<_, TrainError>(trainer.gradients(&batches.batch(&utterances)).await?)
    }))?;
    let loss = [report.loss];
    let mut entries = named(model.layout(), "grad.", &report.gradients);
    entries.push(Tensor::f32("logits", &[utterances.len(), data.classes.len()], &report.logits));
    entries.push(Tensor::f32("loss", &[1], &loss));
    store::write(&arguments.out, &BTreeMap::new(), &entries)?;
    if common.json {
        print_json(
            &json!({ "loss": report.loss, "utterances": utterances.len(), "parameters": model.layout().count(), "out": arguments.out }),
        );
    } else {
        println!(
            "loss {} over {} utterances; {} gradients in {}",
            report.loss,
            utterances.len(),
            entries.len() - 2,
            arguments.out.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}
