//! `mcsan evaluate`

use std::process::ExitCode;

use serde_json::json;

use super::arguments::{Common, Evaluate};
use super::device::{self, on_device};
use super::notes::Note;
use super::{Done, Failure, in_data, tables};
use crate::base::streams::TEXT;
use crate::corpus::label_map::Labels;
use crate::dataset::Dataset;
use crate::train::mapped::map_classes;
use crate::train::{Checkpoint, TrainError, run, vocabulary, words};

pub(crate) fn run(common: &Common, arguments: &Evaluate) -> Done {
    let checkpoint = Checkpoint::load(&arguments.run.join(run::files::BEST))?;
    let labels = arguments.map.as_ref().map(Labels::read).transpose()?;
    let mut data = Dataset::load(&arguments.data)?;
    let named = in_data(&arguments.data);
    let of_run = arguments.run.join(vocabulary::FILE);
    vocabulary::check_features(&of_run, &data, &checkpoint.readings()).map_err(&named)?;
    if checkpoint.readings().has(TEXT)
        && let Some(reread) = words::adopt(&of_run, &mut data, checkpoint.settings.model.tune_words).map_err(&named)?
    {
        common.note(Note::WordsOfRun { unknown: reread.unknown, tokens: reread.tokens, other_vectors: reread.other_vectors });
    }
    let mut utterances = data.split(arguments.split);
    if utterances.is_empty() {
        return Err(named(TrainError::EmptySplit { split: arguments.split }));
    }
    let mut mapped = None;
    if let Some(labels) = labels {
        labels.check(&[&data.classes, &checkpoint.classes])?;
        let of_data = map_classes(&mut data, &labels, &checkpoint.classes, &mut utterances);
        let of_data = of_data.map_err(|error| Failure::of(arguments.data.display(), error))?;
        common.note(Note::ClassesMapped(of_data.clone()));
        mapped = Some(of_data);
    }
    common.note_cut(&data, &utterances, &checkpoint.settings);
    common.note_own_vectors_read(&data, &checkpoint.settings);
    let device = device::open(common, &checkpoint.device)?;
    let evaluation = on_device!(device, |backend| pollster::block_on(checkpoint.evaluate(backend, &data, &utterances))).map_err(&named)?;
    if common.json {
        let mut document = json!(evaluation.metrics);
        document["split"] = json!(arguments.split);
        document["macro_f1"] = json!(evaluation.metrics.macro_f1());
        if let Some(mapped) = mapped {
            (document["map"], document["left_out"], document["absent"]) = (json!(mapped.map), json!(mapped.left_out), json!(mapped.absent));
        }
        common.print_json(document);
    } else {
        println!("{} split\n{}\n\n{}", arguments.split, tables::headline(&evaluation.metrics), tables::details(&evaluation.metrics));
    }
    Ok(ExitCode::SUCCESS)
}
