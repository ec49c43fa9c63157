//! `mcsan evaluate`

use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Evaluate};
use super::device::{self, on_device};
use super::{Done, in_data, tables};
use crate::dataset::Dataset;
use crate::train::{Checkpoint, TrainError, run, vocabulary};

pub(crate) fn run(common: &Common, arguments: &Evaluate) -> Done {
    let checkpoint = Checkpoint::load(&arguments.run.join(run::files::BEST))?;
    let data = Dataset::load(&arguments.data)?;
    let named = in_data(&arguments.data);
    let is_tuned = checkpoint.settings.model.tune_words;
    vocabulary::check_fit(&arguments.run.join(vocabulary::FILE), &data, is_tuned).map_err(&named)?;
    vocabulary::check_features(&arguments.run.join(vocabulary::FILE), &data, &checkpoint.readings()).map_err(&named)?;
    let utterances = data.split(arguments.split);
    if utterances.is_empty() {
        return Err(named(TrainError::EmptySplit { split: arguments.split }));
    }
    common.note_cut(&data, &utterances, &checkpoint.settings);
    common.note_own_vectors_read(&data, &checkpoint.settings);
    let device = device::open(common, &checkpoint.device)?;
    let evaluation = on_device!(device, |backend| pollster::block_on(checkpoint.evaluate(backend, &data, &utterances))).map_err(&named)?;
    if common.json {
        let mut document = json!(evaluation.metrics);
        document["split"] = json!(arguments.split);
        common.print_json(document);
    } else {
        println!("{} split\n{}\n\n{}", arguments.split, tables::headline(&evaluation.metrics), tables::details(&evaluation.metrics));
    }
    Ok(ExitCode::SUCCESS)
}
