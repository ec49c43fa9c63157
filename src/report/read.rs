//! What a run folder says: `config.toml`, `metrics.jsonl`, `test.json`, and the metadata of `best.safetensors` and
//! `vocabulary.safetensors`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::ReportError;
use crate::base::input;
use crate::config;
use crate::dataset::store::Store;
use crate::train::metrics::{ClassMetrics, is_confusion, macro_f1};
use crate::train::run::files;
use crate::train::run_folder::{TEST_FORMAT, computed_by};
use crate::train::{CorpusEvaluation, Evaluation, Metrics, vocabulary};

/// A step of the training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub epoch: u64,
    /// NaN where the log has no number, as in the other figures.
    pub loss: f64,
    pub rate: f64,
    /// Utterances a second, which no report shows.
    pub speed: f64,
}

/// Results of an epoch on one split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scores {
    pub wa: f64,
    pub ua: f64,
    pub macro_f1: f64,
    pub weighted_f1: f64,
    pub loss: f64,
}

/// A finished epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Epoch {
    pub train: Scores,
    pub validation: Option<Scores>,
}

/// Results on the test split.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Test {
    /// How many were tested.
    pub utterances: usize,
    /// Weighted accuracy, a share of one.
    #[serde(deserialize_with = "number")]
    pub wa: f64,
    /// Unweighted accuracy, a share of one.
    #[serde(deserialize_with = "number")]
    pub ua: f64,
    /// Mean F1 of the classes; of results that have none from before there was one, that of their confusion matrix.
    #[serde(default = "no_number", deserialize_with = "number")]
    pub macro_f1: f64,
    /// Mean F1 of the classes, weighted by their support.
    #[serde(deserialize_with = "number")]
    pub weighted_f1: f64,
    /// Mean cross-entropy.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// In the order of the labels.
    pub classes: Vec<ClassMetrics>,
    /// `[true class][predicted class]`
    pub confusion: Vec<Vec<usize>>,
    /// The same over those of each corpus, where they are of several.
    #[serde(default)]
    pub corpora: Vec<CorpusEvaluation>,
    /// One an utterance.
    pub predictions: Vec<Prediction>,
}

/// What was predicted of an utterance.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Prediction {
    /// The utterance's.
    pub id: String,
    /// Its true class.
    pub label: String,
    /// The class that the model gives it.
    pub predicted: String,
    /// In the order of the classes.
    #[serde(deserialize_with = "numbers")]
    pub probabilities: Vec<f64>,
}

impl From<Evaluation> for Test {
    fn from(evaluation: Evaluation) -> Self {
        let Evaluation { metrics, predictions, corpora } = evaluation;
        let Metrics { utterances, wa, ua, macro_f1, weighted_f1, loss, classes, confusion } = metrics;
        let predictions = predictions.into_iter().map(|prediction| Prediction {
            id: prediction.id,
            label: prediction.label,
            predicted: prediction.predicted,
            probabilities: prediction.probabilities,
        });
        Self { utterances, wa, ua, macro_f1, weighted_f1, loss, classes, confusion, corpora, predictions: predictions.collect() }
    }
}

/// All that a run folder says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    /// Version of the program that trained, and the device; empty where the file does not say.
    pub version: String,
    pub device: String,
    pub corpus: String,
    pub settings: toml::Table,
    /// By number.
    pub steps: BTreeMap<u64, Step>,
    /// By number, from 0.
    pub epochs: BTreeMap<u64, Epoch>,
    pub test: Option<Test>,
    /// The best epoch, from 1.
    pub best_epoch: Option<u64>,
    /// Numbers that the model learned.
    pub parameters: Option<usize>,
    /// Settings of the acoustic front-end; null where unknown.
    pub front_end: Value,
}

impl Run {
    /// Reads a run folder; a test result, a checkpoint and a vocabulary may be absent.
    ///
    /// # Errors
    /// [`ReportError`], naming the file.
    pub(crate) fn read(folder: &Path) -> Result<Self, ReportError> {
        let path = folder.join(files::CONFIG);
        let config = text(&path)?;
        let settings: toml::Table = config.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| config.bytes().take(span.start).filter(|&byte| byte == b'\n').count());
            broken(&path, &format!("line {}: {}", line + 1, error.message()))
        })?;
        let format = config::FORMAT.version_or_first(settings.get("format").and_then(toml::Value::as_str));
        format.map_err(|newer| ReportError::Newer { path: path.clone(), newer })?;
        let (version, device) = computed_by(&config).unwrap_or_default();
        let mut comments = config.lines().map_while(|line| line.strip_prefix("# "));
        let corpus = comments.find_map(|line| line.strip_prefix("corpus: ")).unwrap_or_default();
        let (steps, epochs) = log(&folder.join(files::METRICS))?;
        let best = store(&folder.join(files::BEST))?;
        let words = store(&folder.join(vocabulary::FILE))?;
        Ok(Self {
            version: version.into(),
            device: device.into(),
            corpus: corpus.into(),
            settings,
            steps,
            epochs,
            test: test(&folder.join(files::TEST))?,
            best_epoch: best.as_ref().and_then(|best| best.metadata("epoch")?.parse().ok()),
            parameters: best.as_ref().map(parameters).transpose()?,
            front_end: words.and_then(|words| serde_json::from_str(words.metadata("features")?).ok()).unwrap_or_default(),
        })
    }
}

/// Utterances a second that the steps of a run were trained at.
///
/// # Errors
/// [`ReportError`], naming the log.
pub(crate) fn speeds(folder: &Path) -> Result<Vec<f64>, ReportError> {
    Ok(log(&folder.join(files::METRICS))?.0.values().map(|step| step.speed).collect())
}

/// The result of a run on its test split, where it has one.
///
/// # Errors
/// [`ReportError`], naming the file.
pub(crate) fn tested(folder: &Path) -> Result<Option<Test>, ReportError> {
    test(&folder.join(files::TEST))
}

/// What a run reached on the validation split, epoch by epoch; of a run without one, nothing.
///
/// # Errors
/// [`ReportError`], naming the log.
pub(crate) fn validations(folder: &Path) -> Result<Vec<Scores>, ReportError> {
    Ok(log(&folder.join(files::METRICS))?.1.into_values().filter_map(|epoch| epoch.validation).collect())
}

/// Numbers in a checkpoint without moments.
fn parameters(best: &Store) -> Result<usize, ReportError> {
    let mut count = 0;
    for name in best.names().iter().filter(|name| !name.starts_with("moment")) {
        count += best.tensor(name)?.shape.iter().product::<usize>();
    }
    Ok(count)
}

/// Steps and epochs by number. Of a number that a resumed run wrote twice, the later line counts; the last line of a run
/// that was killed may be cut.
type Log = (BTreeMap<u64, Step>, BTreeMap<u64, Epoch>);

fn log(path: &Path) -> Result<Log, ReportError> {
    let text = text(path)?;
    let (mut steps, mut epochs) = (BTreeMap::new(), BTreeMap::new());
    let last = text.lines().count();
    for (place, line) in text.lines().enumerate() {
        let is_cut = place + 1 == last && !text.ends_with('\n');
        let value: Value = match serde_json::from_str(line) {
            Ok(value) => value,
            Err(_) if is_cut => break,
            Err(error) => return Err(broken(path, &format!("line {}: {error}", place + 1))),
        };
        let figure = |value: &Value, name: &str| value[name].as_f64().unwrap_or(f64::NAN);
        let scores = |value: &Value| Scores {
            wa: figure(value, "wa"),
            ua: figure(value, "ua"),
            macro_f1: figure(value, "macro_f1"),
            weighted_f1: figure(value, "weighted_f1"),
            loss: figure(value, "loss"),
        };
        match (value["step"].as_u64(), value["epoch"].as_u64()) {
            (Some(step), Some(epoch)) => {
                steps.insert(
                    step,
                    Step { epoch, loss: figure(&value, "loss"), rate: figure(&value, "lr"), speed: figure(&value, "utterances_per_s") },
                );
            }
            (None, Some(epoch)) if value["train"].is_object() => {
                let validation = Some(&value["validation"]).filter(|value| value.is_object()).map(scores);
                epochs.insert(epoch, Epoch { train: scores(&value["train"]), validation });
            }
            // Lines of another kind may be added; they draw no curve.
            _ => (),
        }
    }
    Ok((steps, epochs))
}

fn test(path: &Path) -> Result<Option<Test>, ReportError> {
    let text = match input::text(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|error| unreadable(path, error))?,
    };
    TEST_FORMAT.version_of_json(&text).map_err(|newer| ReportError::Newer { path: path.into(), newer })?;
    let mut test: Test = serde_json::from_str(&text).map_err(|error| broken(path, &error.to_string()))?;
    let count = test.classes.len();
    if !is_confusion(&test.confusion, count) {
        return Err(broken(path, &format!("its confusion matrix is not {count} by {count}, as its classes are")));
    }
    if test.macro_f1.is_nan() {
        test.macro_f1 = macro_f1(&test.confusion);
    }
    let wrong = |prediction: &&Prediction| {
        let known = |name: &String| test.classes.iter().any(|class| class.name == *name);
        !known(&prediction.label) || !known(&prediction.predicted) || prediction.probabilities.len() != count
    };
    match test.predictions.iter().find(wrong) {
        Some(prediction) => Err(broken(path, &format!("the prediction of '{}' is not of its {count} classes", prediction.id))),
        None => Ok(Some(test)),
    }
}

/// A safetensors file, where it is there.
fn store(path: &Path) -> Result<Option<Store>, ReportError> {
    if path.exists() { Ok(Some(Store::open(path)?)) } else { Ok(None) }
}

fn text(path: &Path) -> Result<String, ReportError> {
    input::text(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: std::io::Error) -> ReportError {
    ReportError::Unreadable { path: PathBuf::from(path), reason: error.to_string() }
}

fn broken(path: &Path, reason: &str) -> ReportError {
    ReportError::Broken { path: PathBuf::from(path), reason: reason.lines().next().unwrap_or_default().into() }
}

fn no_number() -> f64 {
    f64::NAN
}

/// A number; JSON has none for NaN and the infinities and writes null.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    Ok(Vec::<Option<f64>>::deserialize(deserializer)?.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(text: &str) -> Result<Log, ReportError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        log(file.path())
    }

    const STEP: &str = r#"{"step":0,"epoch":0,"loss":1.5,"lr":0.001,"utterances_per_s":9.0}"#;

    #[test]
    fn a_loss_that_is_no_number_is_a_gap_and_a_step_written_again_counts_anew() {
        let (steps, epochs) = log_of(&format!(
            "{STEP}\n{}\n{}\n{{\"note\":1}}\n",
            r#"{"step":1,"epoch":0,"loss":null,"lr":0.001}"#,
            STEP.replace("1.5", "1.25")
        ))
        .unwrap();
        assert_eq!((steps.len(), epochs.len(), steps[&0].loss), (2, 0, 1.25));
        assert!(steps[&1].loss.is_nan());
    }

    #[test]
    fn a_log_cut_in_its_last_line_is_read_and_one_broken_before_is_refused() {
        assert_eq!(log_of(&format!("{STEP}\n{{\"step\":1,\"ep")).unwrap().0.len(), 1);
        let error = log_of(&format!("{{\"step\":1,\"ep\n{STEP}\n")).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }
}
