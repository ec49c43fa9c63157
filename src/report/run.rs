//! The report of one run, section by section.

use std::collections::{BTreeSet, HashMap};

use super::ReportError;
use super::curves::{Axis, Plot, Series, Weight};
use super::length::wilson;
use super::page::{Page, Table, grouped, plain};
use super::read::{Epoch, Run, Scores};
use super::scale::Unit;
use super::tested::Tested;
use crate::base::shown::percent;
use crate::base::streams::TEXT;
use crate::config::{Config, keys};
use crate::corpus::Split;
use crate::dataset::{DataStream, Dataset};
use crate::train::metrics::shown_classes;
use crate::train::run::files;

/// The page of a run.
///
/// # Errors
/// [`ReportError::Misfit`] for data that the run was not tested on.
pub(crate) fn html(run: &Run, data: Option<&Dataset>) -> Result<String, ReportError> {
    let corpus = if run.corpus.is_empty() { "unnamed corpus" } else { &run.corpus };
    let word = |key: &str| setting(run, key).map(|value| value.trim_matches('"').to_owned()).unwrap_or_else(|| "?".into());
    let layers = match word("model.layers").as_str() {
        "1" => "1 layer a module".to_owned(),
        layers => format!("{layers} layers a module"),
    };
    let parameters = run.parameters.map(|count| format!(", {} parameters", grouped(count))).unwrap_or_default();
    let (name, model) = match word("model.system").as_str() {
        "mcsan" | "?" => ("MCSAN".to_owned(), format!("Model {} of {layers}", word("model.variant"))),
        system => (system.to_uppercase(), format!("Model {system}")),
    };
    let model = format!("{model}{parameters}; seed {}.", word("train.seed"));
    let mut page = Page::new(&format!("{name} on {corpus}"), &model);

    let tested = run.test.as_ref().map(|test| Tested::new(test, data)).transpose()?;
    headline(&mut page, run, data);
    training(&mut page, run);
    if let Some(tested) = &tested {
        let max_frames = setting(run, "data.max_frames").and_then(|value| value.parse().ok()).unwrap_or(usize::MAX);
        tested.corpora(&mut page);
        tested.classes(&mut page);
        tested.confusions(&mut page);
        tested.calibration(&mut page);
        tested.groups(&mut page);
        tested.lengths(&mut page, max_frames);
        tested.mistakes(&mut page);
    }
    settings(&mut page, run);
    provenance(&mut page, run, data);
    Ok(page.finish())
}

/// A setting as TOML writes it.
pub(super) fn setting(run: &Run, key: &str) -> Option<String> {
    let (section, name) = key.split_once('.')?;
    match run.settings.get(section)?.get(name)? {
        toml::Value::Array(choices) if key == "run.tiles" => Some(format!("{} choices, listed in {}", choices.len(), files::CONFIG)),
        value => Some(value.to_string()),
    }
}

fn headline(page: &mut Page, run: &Run, data: Option<&Dataset>) {
    let interval = |share: f64, count: usize| {
        let (low, high) = wilson((share * count as f64).round() as usize, count);
        format!("95 %: {:.1} to {:.1} %", 100.0 * low, 100.0 * high)
    };
    if let Some(test) = &run.test {
        page.section("Test split");
        page.cards(&[
            ("WA, weighted accuracy", percent(test.wa), interval(test.wa, test.utterances)),
            ("UA, unweighted accuracy", percent(test.ua), "mean recall of the classes".into()),
            ("Weighted F1", percent(test.weighted_f1), String::new()),
            ("Macro F1", percent(test.macro_f1), "mean F1 of the classes".into()),
            ("Loss", plain(test.loss), "cross-entropy".into()),
            ("Utterances", grouped(test.utterances), run.best_epoch.map(|epoch| format!("model of epoch {epoch}")).unwrap_or_default()),
        ]);
        return;
    }
    let has_none = data.is_some_and(|data| data.split(Split::Test).is_empty());
    let why = if has_none {
        "The data have no test split."
    } else {
        "There is no test result: the data have no test split, or the run has not finished."
    };
    let best = run.best_epoch.and_then(|epoch| run.epochs.get(&epoch.checked_sub(1)?));
    match best.or_else(|| run.epochs.values().next_back()) {
        Some(Epoch { validation: Some(scores), .. }) => figures(page, "Validation split", scores),
        Some(Epoch { train: scores, .. }) => figures(page, "Training split", scores),
        None => page.section("Results"),
    }
    page.paragraph(why);
}

fn figures(page: &mut Page, heading: &str, scores: &Scores) {
    page.section(heading);
    page.cards(&[
        ("WA, weighted accuracy", percent(scores.wa), String::new()),
        ("UA, unweighted accuracy", percent(scores.ua), String::new()),
        ("Weighted F1", percent(scores.weighted_f1), String::new()),
        ("Macro F1", percent(scores.macro_f1), String::new()),
        ("Loss", plain(scores.loss), String::new()),
    ]);
}

/// Most epochs in figures.
const EPOCHS: usize = 500;

/// Curves over epochs, and the same figures as a table.
fn training(page: &mut Page, run: &Run) {
    page.section("Training");
    if run.steps.is_empty() && run.epochs.is_empty() {
        page.paragraph("Nothing was logged: the run ended before its first step.");
        return;
    }
    if run.epochs.values().all(|epoch| epoch.validation.is_none()) {
        page.paragraph("The data have no validation split: the model of the last epoch is kept.");
    }
    let time = Time::of(run);
    let mut drawings =
        vec![(time.losses(run).draw(), "Pale: single steps; strong: whole epochs.".to_owned()), (time.scores(run).draw(), String::new())];
    let rates: BTreeSet<u64> = run.steps.values().map(|step| step.rate.to_bits()).collect();
    if rates.len() > 1 {
        drawings.push((time.rates(run).draw(), String::new()));
    }
    page.figures(&drawings);

    let row = |(number, epoch): (&u64, &Epoch)| {
        let validation = |figure: fn(&Scores) -> f64, shown: fn(f64) -> String| {
            epoch.validation.as_ref().map(|scores| shown(figure(scores))).unwrap_or_default()
        };
        let best = if run.best_epoch == Some(number + 1) { " (best)" } else { "" };
        vec![
            format!("{}{best}", number + 1),
            plain(epoch.train.loss),
            percent(epoch.train.wa),
            percent(epoch.train.ua),
            validation(|scores| scores.loss, plain),
            validation(|scores| scores.wa, percent),
            validation(|scores| scores.ua, percent),
            validation(|scores| scores.weighted_f1, percent),
        ]
    };
    let header = ["epoch", "train loss", "train WA", "train UA", "validation loss", "validation WA", "validation UA", "validation F1"];
    // Of a very long run as many as a table may have; the first, the best and the last are among them.
    let every = run.epochs.len().div_ceil(EPOCHS).max(1) as u64;
    let last = run.epochs.keys().next_back();
    let is_shown = |number: &u64| number.is_multiple_of(every) || run.best_epoch == Some(number + 1) || Some(number) == last;
    let rows = run.epochs.iter().filter(|(number, _)| is_shown(number)).map(row).collect();
    let summary = if every == 1 { "Every epoch in figures".into() } else { format!("One epoch in {every} in figures") };
    page.folded_table(&summary, &Table::new("", &header, rows));
}

/// When steps and epochs were, in epochs.
struct Time {
    /// `[steps]`: a step's place among those of its epoch.
    steps: Vec<f64>,
    /// `[epochs]`: where an epoch ends, before its number where `train.steps` cut it short.
    epochs: Vec<f64>,
    mark: Option<(f64, String)>,
    end: f64,
}

impl Time {
    fn of(run: &Run) -> Self {
        let mut counts: HashMap<u64, usize> = HashMap::new();
        let within: Vec<(u64, usize)> = run
            .steps
            .values()
            .map(|step| {
                let count = counts.entry(step.epoch).or_default();
                *count += 1;
                (step.epoch, *count)
            })
            .collect();
        let longest = counts.values().copied().max().unwrap_or(1) as f64;
        let steps: Vec<f64> = within.into_iter().map(|(epoch, place)| epoch as f64 + place as f64 / longest).collect();
        let ends = |epoch: u64| epoch as f64 + counts.get(&epoch).map_or(1.0, |&count| count as f64 / longest);
        let epochs: Vec<f64> = run.epochs.keys().map(|&epoch| ends(epoch)).collect();
        let mark = run.best_epoch.filter(|&epoch| epoch > 0).map(|epoch| (ends(epoch - 1), format!("best: epoch {epoch}")));
        let end = steps.iter().chain(&epochs).copied().fold(1.0, f64::max);
        Self { steps, epochs, mark, end }
    }

    fn axis(&self) -> Axis {
        Axis { label: "epochs".into(), unit: Unit::Whole, ends: Some((0.0, self.end)) }
    }

    /// A figure of every epoch as a series.
    fn series(&self, run: &Run, name: &str, colour: usize, weight: Weight, figure: impl Fn(&Epoch) -> f64) -> Series {
        let points = self.epochs.iter().zip(run.epochs.values()).map(|(&at, epoch)| (at, figure(epoch))).collect();
        Series { name: name.into(), colour, weight, points }
    }

    fn plot(&self, title: &str, y: Axis, series: Vec<Series>) -> Plot {
        let has_values = |series: &Series| series.points.iter().any(|point| point.1.is_finite());
        Plot { title: title.into(), x: self.axis(), y, series: series.into_iter().filter(has_values).collect(), mark: self.mark.clone() }
    }

    fn losses(&self, run: &Run) -> Plot {
        let steps = self.steps.iter().zip(run.steps.values()).map(|(&at, step)| (at, step.loss)).collect();
        let validation = |epoch: &Epoch| epoch.validation.map_or(f64::NAN, |scores| scores.loss);
        let series = vec![
            Series { name: "training, steps".into(), colour: 0, weight: Weight::Light, points: steps },
            self.series(run, "training", 0, Weight::Dashed, |epoch| epoch.train.loss),
            self.series(run, "validation", 1, Weight::Bold, validation),
        ];
        self.plot("Loss", Axis { label: "cross-entropy".into(), ..Axis::default() }, series)
    }

    fn scores(&self, run: &Run) -> Plot {
        let of = |figure: fn(&Scores) -> f64| move |epoch: &Epoch| epoch.validation.as_ref().map_or(f64::NAN, figure);
        let series = vec![
            self.series(run, "validation UA", 1, Weight::Bold, of(|scores| scores.ua)),
            self.series(run, "validation WA", 2, Weight::Dashed, of(|scores| scores.wa)),
            self.series(run, "training UA", 0, Weight::Light, |epoch| epoch.train.ua),
        ];
        self.plot("Accuracy", Axis { label: "accuracy".into(), unit: Unit::Percent, ends: Some((0.0, 1.0)) }, series)
    }

    fn rates(&self, run: &Run) -> Plot {
        let points = self.steps.iter().zip(run.steps.values()).map(|(&at, step)| (at, step.rate)).collect();
        let series = Series { name: "learning rate".into(), colour: 0, weight: Weight::Bold, points };
        Plot { mark: None, ..self.plot("Learning rate", Axis { label: "of each step".into(), ..Axis::default() }, vec![series]) }
    }
}

/// Every setting beside its default.
fn settings(page: &mut Page, run: &Run) {
    page.section("Settings");
    let mut rows = Vec::new();
    let mut changed = Vec::new();
    let defaults = Config::default();
    for key in keys() {
        let Some(value) = setting(run, key.name) else { continue };
        let default = defaults.value(key);
        if value != default {
            changed.push(rows.len());
        }
        rows.push(vec![key.name.into(), value, default, key.meaning.into()]);
    }
    let known: BTreeSet<&str> = keys().map(|key| key.name).collect();
    for (section, values) in run.settings.iter().filter_map(|(section, value)| Some((section, value.as_table()?))) {
        for (name, value) in values {
            let key = format!("{section}.{name}");
            if !known.contains(key.as_str()) {
                changed.push(rows.len());
                rows.push(vec![key, value.to_string(), String::new(), "unknown to this version".into()]);
            }
        }
    }
    let caption = format!("{} of {} are not the default; they are set in bold.", changed.len(), rows.len());
    page.marked_table(&Table::new(&caption, &["setting", "value", "default", "meaning"], rows), &changed);
}

/// Where it was computed, and on what.
fn provenance(page: &mut Page, run: &Run, data: Option<&Dataset>) {
    page.section("Device, version, data");
    let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
    let mut rows = vec![
        vec!["device".into(), known(&run.device)],
        vec!["trained by".into(), if run.version.is_empty() { "unknown".into() } else { format!("mcsan {}", run.version) }],
        vec!["corpus".into(), known(&run.corpus)],
        vec!["steps".into(), grouped(run.steps.len())],
        vec!["epochs".into(), grouped(run.epochs.len())],
    ];
    if let Some(count) = run.parameters {
        rows.push(vec!["parameters".into(), grouped(count)]);
    }
    if let Some(data) = data {
        for (name, stream) in data.streams.iter() {
            rows.push(vec![stream.unit(name), grouped(stream.rows_of_all())]);
            if let DataStream::Tokens(tokens) = stream {
                let words = if name == TEXT { "words".into() } else { format!("{name} words") };
                rows.push(vec![words, grouped(tokens.words())]);
            }
        }
        rows.push(vec!["left out".into(), grouped(data.left_out.len())]);
    }
    let mut tables = vec![Table::new("The run", &["", "value"], rows)];
    if let Some(data) = data {
        tables.push(counts(data));
    }
    if let Some(front_end) = run.front_end.as_object() {
        let value = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let rows = front_end.iter().map(|(name, setting)| vec![name.clone(), value(setting)]).collect();
        tables.push(Table::new("Acoustic front-end", &["setting", "value"], rows));
    }
    page.tables(&tables);
}

/// Utterances of each class in each split that has any.
fn counts(data: &Dataset) -> Table {
    let unassigned = (0..data.len()).filter(|&utterance| data.utterances[utterance].split.is_none()).collect();
    let splits = Split::ALL.map(|split| (split.name(), data.split(split)));
    let augmented = (Split::Augmented.name(), data.split(Split::Augmented));
    let splits = splits.into_iter().chain([augmented, ("no split", unassigned)]);
    let columns: Vec<(&str, Vec<usize>)> =
        splits.filter(|(_, utterances)| !utterances.is_empty()).map(|(name, utterances)| (name, data.class_counts(&utterances))).collect();
    let header: Vec<&str> = ["class"].into_iter().chain(columns.iter().map(|(name, _)| *name)).collect();
    let line = |name: &str, count: &dyn Fn(&[usize]) -> usize| {
        [name.to_owned()].into_iter().chain(columns.iter().map(|(_, counts)| grouped(count(counts)))).collect::<Vec<_>>()
    };
    let all: Vec<usize> = (0..data.classes.len()).map(|class| columns.iter().map(|(_, counts)| counts[class]).sum()).collect();
    let shown = shown_classes(&all);
    let mut rows: Vec<Vec<String>> = shown.iter().map(|&class| line(&data.classes[class], &|counts| counts[class])).collect();
    if shown.len() < all.len() {
        let others = |counts: &[usize]| counts.iter().sum::<usize>() - shown.iter().map(|&class| counts[class]).sum::<usize>();
        rows.push(line(&format!("{} other classes", grouped(all.len() - shown.len())), &others));
    }
    rows.push(line("all", &|counts| counts.iter().sum()));
    Table::new("Utterances", &header, rows)
}
