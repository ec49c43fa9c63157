//! What a report says of tested utterances: classes, confusions, lengths, mistakes.

use std::collections::{HashMap, VecDeque};

use super::ReportError;
use super::curves::{Axis, Plot, Series, Weight};
use super::drawing::Drawing;
use super::intervals::{Interval, Intervals};
use super::length::{Bin, bins, wilson};
use super::page::{Page, Table, grouped, plain};
use super::read::{Prediction, Test};
use super::scale::Unit;
use crate::audio::mfcc::SAMPLE_RATE;
use crate::base::shown::percent;
use crate::base::streams::AUDIO;
use crate::dataset::{DataStream, Dataset};
use crate::train::CorpusEvaluation;
use crate::train::bootstrap::{self, Bootstrap, Clusters};
use crate::train::calibration::{self, Calibration};
use crate::train::groups::{self, Grouping};
use crate::train::metrics::{ClassMetrics, shown_classes};

/// Speakers that are shown.
const SPEAKERS: usize = 40;
/// Mistakes that are shown.
const MISTAKES: usize = 20;

/// Results on utterances, and where these lie in a data set that is known.
pub(super) struct Tested<'t> {
    test: &'t Test,
    known: Option<(&'t Dataset, Vec<usize>)>,
}

impl<'t> Tested<'t> {
    /// # Errors
    /// [`ReportError::Misfit`] for data without one of the utterances.
    pub(crate) fn new(test: &'t Test, data: Option<&'t Dataset>) -> Result<Self, ReportError> {
        let known = data.map(|data| Ok::<_, ReportError>((data, find(test, data)?))).transpose()?;
        Ok(Self { test, known })
    }

    /// The figures of each corpus, where there are several.
    pub(crate) fn corpora(&self, page: &mut Page) {
        if self.test.corpora.is_empty() {
            return;
        }
        page.section("Corpora");
        let row = |CorpusEvaluation { corpus, metrics, .. }: &CorpusEvaluation| {
            let shares = [metrics.wa, metrics.ua, metrics.weighted_f1, metrics.macro_f1].map(percent);
            std::iter::once(corpus.clone()).chain(shares).chain([plain(metrics.loss), grouped(metrics.utterances)]).collect()
        };
        page.table(&Table::new(
            "The test utterances of each corpus by themselves.",
            &["corpus", "WA", "UA", "weighted F1", "macro F1", "loss", "utterances"],
            self.test.corpora.iter().map(row).collect(),
        ));
    }

    /// Precision, recall and F1 of each class.
    pub(crate) fn classes(&self, page: &mut Page) {
        let test = self.test;
        page.section("Classes");
        let row = |class: usize| {
            let ClassMetrics { name, precision, recall, f1, support } = &test.classes[class];
            vec![name.clone(), percent(*precision), percent(*recall), percent(*f1), grouped(*support)]
        };
        let shown = shown_classes(&test.classes.iter().map(|class| class.support).collect::<Vec<_>>());
        let which = match test.classes.len() {
            count if count > shown.len() => format!(" The {} of {} classes with the most utterances.", shown.len(), grouped(count)),
            _ => String::new(),
        };
        page.table(&Table::new(
            &format!("Precision: right among those predicted so; recall: found among those that are so.{which}"),
            &["class", "precision", "recall", "F1", "utterances"],
            shown.into_iter().map(row).collect(),
        ));
    }

    /// The confusion matrix, or of many classes the commonest confusions.
    pub(crate) fn confusions(&self, page: &mut Page) {
        let test = self.test;
        let names: Vec<String> = test.classes.iter().map(|class| class.name.clone()).collect();
        page.section("Confusions");
        page.confusions(&[("Confusion matrix".into(), names, test.confusion.clone())], "Counts; the colour is the share of the row.");
    }

    /// Of each prediction its true class and the predicted one.
    fn pairs(&self) -> Vec<[usize; 2]> {
        let class = |name: &str| self.test.classes.iter().position(|class| class.name == name).unwrap_or_default();
        self.test.predictions.iter().map(|prediction| [class(&prediction.label), class(&prediction.predicted)]).collect()
    }

    /// How far probabilities can be believed.
    pub(crate) fn calibration(&self, page: &mut Page) {
        let predictions = self.test.predictions.iter().zip(self.pairs());
        let judged: Vec<_> = predictions.map(|(prediction, [truth, _])| (prediction.probabilities.as_slice(), truth)).collect();
        if judged.is_empty() || judged.iter().any(|(probabilities, _)| probabilities.iter().any(|p| !p.is_finite())) {
            return;
        }
        let Calibration { ece, brier, bins, .. } = Calibration::of(&judged);
        page.section("Calibration");
        page.figures(&[(
            reliability(&bins).draw(),
            format!(
                "Expected calibration error {} over {} bins (Guo et al. 2017), Brier score {brier:.3}. A dot is a bin that has predictions; \
                 below the line the model is surer than it is right.",
                percent(ece),
                bins.len()
            ),
        )]);
    }

    /// Confidence intervals, and figures of speakers and genders.
    pub(crate) fn groups(&self, page: &mut Page) {
        let (test, Some((data, places))) = (self.test, &self.known) else { return };
        let pairs = self.pairs();
        let clusters = Clusters::by_speaker(places.iter().map(|&place| data.utterances[place].speaker.as_deref()));
        let bootstrap = Bootstrap::default();
        let mut tables = Vec::new();
        if let Some(intervals) = bootstrap.of_accuracies(&clusters, &pairs, test.classes.len()) {
            let values = [("WA", test.wa), ("UA", test.ua), ("weighted F1", test.weighted_f1), ("macro F1", test.macro_f1)];
            let row = |((name, value), of): (&(&str, f64), &bootstrap::Interval)| {
                vec![(*name).to_owned(), percent(*value), format!("{:.1} to {}", 100.0 * of.low, percent(of.high))]
            };
            let count = clusters.count();
            let unit = clusters.unit.words(count);
            let caption = format!("95 % intervals, of {} draws of {} {unit}.", bootstrap.draws, grouped(count));
            tables.push(Table::new(&caption, &["figure", "value", "interval"], values.iter().zip(&intervals).map(row).collect()));
        }
        let tested: Vec<groups::Tested> = places.iter().copied().zip(pairs.iter().copied()).collect();
        for by in [Grouping::Gender, Grouping::Speaker] {
            let mut found = groups::groups(by, data, &tested);
            if found.len() < 2 {
                continue;
            }
            let count = found.len();
            if count > SPEAKERS {
                found.sort_by_key(|group| std::cmp::Reverse(group.utterances));
                found.truncate(SPEAKERS);
            }
            let row = |group: &groups::Group| {
                let name = group.name.clone().unwrap_or_else(|| "not known".into());
                vec![name, grouped(group.utterances), percent(group.accuracies.wa), percent(group.accuracies.ua)]
            };
            let which =
                if count > SPEAKERS { format!("The {SPEAKERS} of {} with the most utterances.", grouped(count)) } else { String::new() };
            tables.push(Table::new(&which, &[by.name(), "utterances", "WA", "UA"], found.iter().map(row).collect()));
        }
        if !tables.is_empty() {
            page.section("Intervals, genders, speakers");
            page.tables(&tables);
        }
    }

    /// Accuracy by the length of every stream of frames; the model hears `max_frames` at most.
    pub(crate) fn lengths(&self, page: &mut Page, max_frames: usize) {
        let test = self.test;
        page.section("Length against accuracy");
        let Some((data, places)) = &self.known else {
            page.paragraph("Lengths are in the data set: 'mcsan report --run RUN --data DATA' shows them.");
            return;
        };
        let hop = data.feature_settings["hop"].as_f64();
        for (name, stream) in data.streams.iter().filter(|(_, stream)| matches!(stream, DataStream::Frames(_))) {
            let frames = |place: usize| stream.length(place, usize::MAX);
            let utterances =
                test.predictions.iter().zip(places).map(|(prediction, &place)| (frames(place), prediction.label == prediction.predicted));
            let bins = bins(utterances.collect());
            let hop = hop.filter(|_| name == AUDIO);
            let each = hop.map(|hop| format!(" ({} ms each)", 1000.0 * hop / f64::from(SAMPLE_RATE))).unwrap_or_default();
            let unit = stream.unit(name);
            page.figures(&[(length_plot(&bins), format!("Test utterances by their {unit}{each}, in groups of about one size."))]);
            let cut = places.iter().filter(|&&place| frames(place) > max_frames).count();
            if cut > 0 {
                page.paragraph(&format!("Of {cut} of them the model hears the first {max_frames} {unit} only (data.max_frames)."));
            }
        }
    }

    /// The wrong predictions that the model was surest of.
    pub(crate) fn mistakes(&self, page: &mut Page) {
        let (test, known) = (self.test, self.known.as_ref());
        page.section("The most confident mistakes");
        let class = |name: &str| test.classes.iter().position(|class| class.name == name);
        let probability = |prediction: &Prediction, name: &str| {
            class(name).and_then(|class| prediction.probabilities.get(class)).copied().unwrap_or(f64::NAN)
        };
        let sure = |&place: &usize| probability(&test.predictions[place], &test.predictions[place].predicted);
        let mut wrong: Vec<usize> =
            (0..test.predictions.len()).filter(|&place| test.predictions[place].label != test.predictions[place].predicted).collect();
        let count = wrong.len();
        if count == 0 {
            page.paragraph("There is none: every test utterance was recognised.");
            return;
        }
        // What is no number comes last.
        let rank = |place: &usize| Some(sure(place)).filter(|sure| sure.is_finite()).unwrap_or(-1.0);
        wrong.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        wrong.truncate(MISTAKES);
        let row = |&place: &usize| {
            let prediction = &test.predictions[place];
            let utterance = known.map(|(data, places)| &data.utterances[places[place]]);
            let share = |name: &str| percent(probability(prediction, name));
            let mut cells: Vec<String> = utterance.iter().map(|utterance| utterance.text.clone()).collect();
            cells.extend([prediction.label.clone(), prediction.predicted.clone(), share(&prediction.predicted), share(&prediction.label)]);
            cells.push(prediction.id.clone());
            cells.extend(utterance.map(|utterance| utterance.speaker.clone().unwrap_or_default()));
            cells
        };
        let rows: Vec<Vec<String>> = wrong.iter().map(row).collect();
        let with_data = ["text", "true", "predicted", "p of predicted", "p of true", "utterance", "speaker"];
        let header: Vec<&str> = with_data.into_iter().filter(|name| known.is_some() || !matches!(*name, "text" | "speaker")).collect();
        if known.is_none() {
            page.paragraph("Texts are in the data set: 'mcsan report --run RUN --data DATA' shows them.");
        }
        let caption = format!("{} of {} wrong predictions, the surest first; p is a probability.", rows.len(), grouped(count));
        page.table(&Table::new(&caption, &header, rows));
    }
}

/// Index in the data of every tested utterance, by its id; where several share one, in their order.
pub(super) fn find(test: &Test, data: &Dataset) -> Result<Vec<usize>, ReportError> {
    let mut places: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (place, utterance) in data.utterances.iter().enumerate() {
        places.entry(&utterance.id).or_default().push_back(place);
    }
    let place = |prediction: &Prediction| {
        let place = places.get_mut(prediction.id.as_str()).and_then(VecDeque::pop_front);
        place
            .filter(|&place| data.class_of(place) == Some(&prediction.label))
            .ok_or_else(|| ReportError::Misfit { id: prediction.id.clone(), label: prediction.label.clone() })
    };
    test.predictions.iter().map(place).collect()
}

/// The share of right predictions over how sure they were.
fn reliability(bins: &[calibration::Bin]) -> Plot {
    let axis = |label: &str| Axis { label: label.into(), unit: Unit::Percent, ends: Some((0.0, 1.0)) };
    let filled = bins.iter().filter(|bin| bin.utterances > 0);
    let series = |name: &str, colour, weight, points| Series { name: name.into(), colour, weight, points };
    Plot {
        title: "Reliability".into(),
        x: axis("mean probability of the predicted class"),
        y: axis("share of right predictions"),
        series: vec![
            series("as sure as right", 2, Weight::Light, vec![(0.0, 0.0), (1.0, 1.0)]),
            series("the model", 0, Weight::Bold, filled.map(|bin| (bin.confidence, bin.accuracy)).collect()),
        ],
        mark: None,
    }
}

fn length_plot(bins: &[Bin]) -> Drawing {
    let row = |bin: &Bin| {
        let (low, high) = wilson(bin.right, bin.count);
        let label = if bin.shortest == bin.longest { bin.shortest.to_string() } else { format!("{}–{}", bin.shortest, bin.longest) };
        Interval { label, value: bin.right as f64 / bin.count as f64, low, high, note: format!("n = {}", bin.count), ..Interval::default() }
    };
    let plot = Intervals {
        title: "Accuracy by length".into(),
        axis: "weighted accuracy".into(),
        unit: Unit::Percent,
        ends: Some((0.0, 1.0)),
        rows: bins.iter().map(row).collect(),
        value: "share of right ones, 95 % interval (Wilson)".into(),
        reference: String::new(),
    };
    plot.draw()
}
