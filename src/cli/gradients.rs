//! `mcsan gradients`

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Gradients};
use super::device::{self, on_device};
use super::output::{self, Kind};
use super::{Done, Failure, in_data};
use crate::config::effect::Purpose;
use crate::config::{Config, Normalise};
use crate::dataset::Dataset;
use crate::dataset::store::{self, Tensor};
use crate::model::parameters::Parameter;
use crate::train::checkpoint::named;
use crate::train::evaluate::not_finite;
use crate::train::{Session, TrainError, Weights};

pub(crate) fn run(common: &Common, arguments: &Gradients) -> Done {
    let mut defaults = Config::default();
    defaults.settings.data.normalise = Normalise::None;
    let Config { settings, execution } = arguments.configuration.load(defaults.clone())?;
    output::check(&arguments.out, Kind::Gradients)?;
    let data = Dataset::load(&arguments.data)?;
    let range = arguments.utterances.clone().unwrap_or(0..data.len());
    if range.is_empty() || range.end > data.len() {
        let (from, to, count) = (range.start, range.end, data.len());
        return Err(Failure(format!("--utterances {from}..{to}: the data hold 0..{count}; choose a range within")));
    }
    let utterances: Vec<usize> = range.collect();
    common.note_settings(&settings, &defaults.settings, Purpose::Gradients, Some(&data));
    common.note_cut(&data, &utterances, &settings);
    let device = device::open(common, &execution.device)?;
    let (report, parameters) = on_device!(device, |backend| pollster::block_on(async {
        let session = Session::new(backend, &settings, &data, &utterances, Weights::File(&arguments.weights))?;
        session.check_batch(&utterances, utterances.len())?;
        let mut trainer = session.trainer();
        let report = trainer.gradients(&session.batches, &utterances).await?;
        let ids = || utterances.iter().map(|&utterance| data.utterances[utterance].id.clone()).collect();
        let is_finite =
            |parameter: &&Parameter| report.gradients[parameter.offset..][..parameter.len()].iter().all(|value| value.is_finite());
        let places = not_finite(&report.logits, utterances.len());
        if !places.is_empty() {
            let ids = places.iter().map(|&place| data.utterances[utterances[place]].id.clone()).collect();
            return Err(TrainError::ResultNotFinite { places, ids, kept: None });
        }
        let loss = (!report.loss.is_finite()).then(|| "the loss".to_owned());
        let gradient = || trainer.network().model().parameters().iter().find(|parameter| !is_finite(parameter));
        if let Some(what) = loss.or_else(|| Some(format!("the gradient of {}", gradient()?.name))) {
            return Err(TrainError::DerivativeNotFinite { what, utterances: ids() });
        }
        Ok::<_, TrainError>((report, trainer.network().model().parameters().clone()))
    }))
    .map_err(|error| match error {
        TrainError::BatchTooLarge { .. } => Failure(format!("{}: {error}; choose fewer with --utterances", arguments.data.display())),
        error => in_data(&arguments.data)(error),
    })?;
    let loss = [report.loss];
    let mut entries = named(&parameters, "grad.", &report.gradients);
    entries.push(Tensor::f32("logits", &[utterances.len(), data.classes.len()], &report.logits));
    entries.push(Tensor::f32("loss", &[1], &loss));
    store::write(&arguments.out, &BTreeMap::new(), &entries)?;
    if common.json {
        common.print_json(
            json!({ "loss": report.loss, "utterances": utterances.len(), "parameters": parameters.count(), "out": arguments.out }),
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
