//! `mcsan evaluate`

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::arguments::{Common, Evaluate};
use super::device::{self, on_device};
use super::notes::Note;
use super::output::{self, Kind};
use super::{Done, Failure, cannot_write, in_data, tables};
use crate::base::streams::TEXT;
use crate::corpus::Split;
use crate::corpus::label_map::Labels;
use crate::dataset::{Dataset, replace_file};
use crate::experiment::against;
use crate::experiment::own_split::{self, OwnSplit};
use crate::picture::{self, PictureError, matrix};
use crate::train::bootstrap::{Bootstrap, Clusters, Interval};
use crate::train::calibration::{Calibration, Fitted, at_temperature, judged};
use crate::train::corpora::Classes;
use crate::train::groups::{Group, Grouping, Tested, groups};
use crate::train::mapped::map_classes;
use crate::train::metrics::SHOWN_CLASSES;
use crate::train::{Checkpoint, Evaluation, TrainError, run, vocabulary, words};

/// The columns of a table of predictions before the classes' probabilities.
pub(super) const PREDICTIONS: [&str; 4] = ["id", "speaker", "label", "predicted"];

/// Refuses a folder of folds or seeds in place of a run.
pub(super) fn check_run(run: &Path) -> Result<(), Failure> {
    if run.join(run::files::BEST).exists() {
        return Ok(());
    }
    match against::runs_in(run).first() {
        None => Ok(()),
        Some(first) => Err(Failure(format!(
            "{}: holds the runs of several folds or seeds; give --run one of them, as {}, or see the summary that is there",
            run.display(),
            first.display()
        ))),
    }
}

pub(crate) fn run(common: &Common, arguments: &Evaluate) -> Done {
    check_run(&arguments.run)?;
    let confusion_kind = arguments.confusion.as_deref().map(|path| match picture::Format::of(path) {
        None => Kind::Confusion,
        Some(picture::Format::Svg) => Kind::Svg,
        Some(picture::Format::Png) => Kind::Png,
    });
    output::check_all([
        (arguments.predictions.as_ref(), Kind::Predictions),
        (arguments.confusion.as_ref(), confusion_kind.unwrap_or(Kind::Confusion)),
    ])?;
    let checkpoint = Checkpoint::load(&arguments.run.join(run::files::BEST))?;
    let labels = arguments.data.map.as_ref().map(Labels::read).transpose()?;
    let fitted = if arguments.calibrated { Some(Fitted::load(&arguments.run, &checkpoint)?) } else { None };
    let data_name = arguments.data.name();
    let classes = labels.as_ref().map(|labels| Classes { labels, of_model: Some(&checkpoint.classes) });
    let mut data = arguments.data.load_for(common, classes.as_ref())?;
    let named = in_data(&data_name);
    let of_run = arguments.run.join(vocabulary::FILE);
    vocabulary::check_features(&of_run, &data, &checkpoint.readings()).map_err(&named)?;
    // Which data they are is told by what was prepared.
    take_own_split(common, &arguments.run, &mut data)?;
    if checkpoint.readings().has(TEXT)
        && let Some(reread) = words::adopt(&of_run, &mut data, checkpoint.settings.model.tune_words).map_err(&named)?
    {
        common.note(Note::WordsOfRun { unknown: reread.unknown, tokens: reread.tokens, other_vectors: reread.other_vectors });
    }
    let of = |split: Split| match data.split(split) {
        utterances if utterances.is_empty() => Err(named(TrainError::EmptySplit { split })),
        utterances => Ok(utterances),
    };
    let mut utterances = of(arguments.split)?;
    let mut validation = if arguments.calibrate { of(Split::Validation)? } else { Vec::new() };
    let mut mapped = None;
    if let Some(labels) = labels {
        // Of several files with classes of their own that is done, and they have the run's.
        if data.parts.iter().all(|part| part.map.is_empty() && part.left_out.is_empty()) {
            labels.check(&[&data.classes, &checkpoint.classes])?;
            labels.check_names(&data.classes, &checkpoint.classes)?;
        }
        let of_data = map_classes(&mut data, &labels, &checkpoint.classes, &mut utterances);
        let of_data = of_data.map_err(|error| Failure::of(data_name.display(), error))?;
        common.note(Note::ClassesMapped(of_data.clone()));
        mapped = Some(of_data);
        validation.retain(|&utterance| data.is_labelled(utterance));
        if arguments.calibrate && validation.is_empty() {
            return Err(named(TrainError::EmptySplit { split: Split::Validation }));
        }
    }
    check_picture(arguments.confusion.as_deref(), &data)?;
    common.note_cut(&data, &utterances, &checkpoint.settings);
    common.note_own_vectors_read(&data, &checkpoint.settings);
    let device = device::open(common, &checkpoint.device)?;
    let evaluate = |utterances: &[usize]| {
        on_device!(device, |backend| pollster::block_on(checkpoint.evaluate(backend, &data, utterances))).map_err(&named)
    };
    let fitted = if arguments.calibrate { Some(calibrate(common, &checkpoint, &evaluate(&validation)?, &arguments.run)?) } else { fitted };
    let evaluation = evaluate(&utterances)?;
    let corpora = evaluation.corpora.clone();
    let results = Results::of(arguments, &data, &utterances, evaluation, fitted);
    if let Some(path) = &arguments.predictions {
        replace_file(path, |file| results.write_predictions(&data, &utterances, file)).map_err(cannot_write(path))?;
    }
    if let Some(path) = &arguments.confusion {
        results.write_confusion(path)?;
    }
    if common.json {
        let mut document = results.json();
        if !corpora.is_empty() {
            document["corpora"] = json!(corpora);
        }
        if let Some(mapped) = mapped {
            (document["map"], document["left_out"], document["absent"]) = (json!(mapped.map), json!(mapped.left_out), json!(mapped.absent));
        }
        common.print_json(document);
    } else {
        println!("{}", results.shown());
        if !corpora.is_empty() {
            println!("{}", tables::corpora(&corpora).trim_end());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes the splits of a fold where the run is one of a fold, and says whose are taken.
pub(super) fn take_own_split(common: &Common, run: &Path, data: &mut Dataset) -> Result<(), Failure> {
    match own_split::take(run, data)? {
        OwnSplit::Data => {}
        OwnSplit::Fold { fold, folds, path } => common.note(Note::OwnSplit { fold, folds, path }),
        OwnSplit::OtherData { path } => common.note(Note::OtherData { path }),
    }
    Ok(())
}

/// Fits a temperature to validation predictions and keeps it in the run's folder.
fn calibrate(common: &Common, checkpoint: &Checkpoint, validation: &Evaluation, run: &Path) -> Result<Fitted, Failure> {
    let fitted = Fitted::of(checkpoint, &judged(&validation.predictions, &checkpoint.classes));
    if fitted.is_at_an_end() {
        common.note(Note::NoBestTemperature { temperature: fitted.temperature, utterances: fitted.utterances });
    }
    fitted.save(run)?;
    Ok(fitted)
}

/// Refuses a picture of more classes than one can show.
fn check_picture(path: Option<&Path>, data: &Dataset) -> Result<(), Failure> {
    match path {
        Some(path) if picture::Format::of(path).is_some() && data.classes.len() > SHOWN_CLASSES => {
            let classes = data.classes.len();
            Err(Failure(format!("{}: {classes} classes are too many for a picture; write the matrix as .csv", path.display())))
        }
        _ => Ok(()),
    }
}

/// All that is said of a split.
struct Results {
    split: Split,
    evaluation: Evaluation,
    /// The temperature that the evaluation's probabilities are taken at, and how they were before.
    fitted: Option<(Fitted, Calibration)>,
    calibration: Calibration,
    intervals: Option<Intervals>,
    groups: Vec<(Grouping, Vec<Group>)>,
}

/// Confidence intervals, and of which draws.
struct Intervals {
    bootstrap: Bootstrap,
    clusters: Clusters,
    /// Of WA, UA, weighted F1 and macro-F1.
    of: [Interval; 4],
}

impl Results {
    fn of(arguments: &Evaluate, data: &Dataset, utterances: &[usize], mut evaluation: Evaluation, fitted: Option<Fitted>) -> Self {
        let before = Calibration::of(&judged(&evaluation.predictions, &data.classes));
        if let Some(Fitted { temperature, .. }) = fitted {
            for prediction in &mut evaluation.predictions {
                prediction.probabilities = at_temperature(&prediction.probabilities, temperature);
            }
        }
        let calibration = Calibration::of(&judged(&evaluation.predictions, &data.classes));
        if fitted.is_some() {
            evaluation.metrics.loss = calibration.loss;
        }
        let class = |name: &str| data.classes.iter().position(|class| class == name).unwrap_or_default();
        let pairs: Vec<[usize; 2]> =
            evaluation.predictions.iter().map(|prediction| [class(&prediction.label), class(&prediction.predicted)]).collect();
        let tested: Vec<Tested> = utterances.iter().copied().zip(pairs.iter().copied()).collect();
        let bootstrap =
            Bootstrap { draws: arguments.bootstrap, seed: arguments.bootstrap_seed.unwrap_or_default(), ..Bootstrap::default() };
        let clusters = Clusters::by_speaker(utterances.iter().map(|&place| data.utterances[place].speaker.as_deref()));
        let of = bootstrap.of_accuracies(&clusters, &pairs, data.classes.len());
        Self {
            split: arguments.split,
            intervals: of.map(|of| Intervals { bootstrap, clusters, of }),
            groups: arguments.by.iter().map(|&by| (by, groups(by, data, &tested))).collect(),
            fitted: fitted.map(|fitted| (fitted, before)),
            calibration,
            evaluation,
        }
    }

    fn json(&self) -> Value {
        let mut document = json!(self.evaluation.metrics);
        document["split"] = json!(self.split);
        document["calibration"] = json!({ "ece": self.calibration.ece, "brier": self.calibration.brier, "bins": self.calibration.bins });
        if let Some((Fitted { temperature, utterances, .. }, before)) = &self.fitted {
            document["temperature"] = json!({ "value": temperature, "utterances": utterances });
            document["uncalibrated"] = json!({ "loss": before.loss, "ece": before.ece, "brier": before.brier, "bins": before.bins });
        }
        if let Some(Intervals { bootstrap, clusters, of: [wa, ua, weighted_f1, macro_f1] }) = &self.intervals {
            document["intervals"] = json!({
                "level": bootstrap.level, "draws": bootstrap.draws, "seed": bootstrap.seed,
                "of": clusters.unit, "clusters": clusters.count(),
                "wa": wa, "ua": ua, "weighted_f1": weighted_f1, "macro_f1": macro_f1,
            });
        }
        if !self.groups.is_empty() {
            document["groups"] = self.groups.iter().map(|(by, groups)| (by.name().to_owned(), json!(groups))).collect();
        }
        document
    }

    fn shown(&self) -> String {
        let metrics = &self.evaluation.metrics;
        let mut text = format!("{} split\n{}\n", self.split, tables::headline(metrics));
        let before = self.fitted.as_ref().map(|(fitted, before)| (fitted.temperature, before));
        text += &tables::calibration(&self.calibration, before);
        if let Some(Intervals { bootstrap, clusters, of }) = &self.intervals {
            text += &tables::intervals(bootstrap, clusters, of);
        }
        text += &format!("\n{}", tables::details(metrics));
        for (by, groups) in &self.groups {
            text += &format!("\n{}", tables::groups(*by, groups));
        }
        text.trim_end().to_owned()
    }

    /// A line an utterance.
    fn write_predictions(&self, data: &Dataset, utterances: &[usize], file: impl std::io::Write) -> std::io::Result<()> {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(PREDICTIONS.into_iter().chain(data.classes.iter().map(String::as_str)))?;
        for (prediction, &place) in self.evaluation.predictions.iter().zip(utterances) {
            let speaker = data.utterances[place].speaker.clone().unwrap_or_default();
            let names = [prediction.id.clone(), speaker, prediction.label.clone(), prediction.predicted.clone()];
            writer.write_record(names.into_iter().chain(prediction.probabilities.iter().map(f64::to_string)))?;
        }
        writer.flush()
    }

    /// The confusion matrix, by the ending of the file's name.
    fn write_confusion(&self, path: &Path) -> Result<(), Failure> {
        let metrics = &self.evaluation.metrics;
        let names: Vec<String> = metrics.classes.iter().map(|class| class.name.clone()).collect();
        let drawn = || matrix::confusion(&format!("{} split", self.split), &names, &metrics.confusion);
        let bytes = match picture::Format::of(path) {
            Some(picture::Format::Svg) => drawn().into_bytes(),
            Some(picture::Format::Png) => picture::png(&drawn()).map_err(|error: PictureError| Failure::of(path.display(), error))?,
            None => {
                let mut writer = csv::Writer::from_writer(Vec::new());
                writer.write_record(["true"].into_iter().chain(names.iter().map(String::as_str)))?;
                for (name, row) in names.iter().zip(&metrics.confusion) {
                    writer.write_record([name.clone()].into_iter().chain(row.iter().map(usize::to_string)))?;
                }
                writer.into_inner().map_err(|error| error.into_error())?
            }
        };
        replace_file(path, |file| file.write_all(&bytes)).map_err(cannot_write(path))
    }
}
