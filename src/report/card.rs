//! A model card (Mitchell et al., "Model cards for model reporting", FAT* 2019) of a run, in Markdown: what its folder and its data
//! say. What they do not say is left open by name: nobody but the author knows what a model is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use super::ReportError;
use super::page::grouped;
use super::read::{Prediction, Run};
use super::run::setting;
use super::tested::find;
use crate::base::hash::fnv1a;
use crate::base::shown::{in_line, percent};
use crate::config::{Config, keys};
use crate::corpus::Split;
use crate::dataset::Dataset;
use crate::train::bootstrap::{Bootstrap, Clusters, Interval};
use crate::train::calibration::{Calibration, Fitted};
use crate::train::groups::{Grouping, Tested, groups};
use crate::train::metrics::{confusions, shown_classes};

/// The file's name in a run's folder.
pub(crate) const FILE: &str = "card.md";

/// How a card begins.
pub(crate) const OPENING: &str = "<!-- A model card by mcsan";

/// How its first line ends.
const CLOSING: &str = " -->";

/// What nobody but the author knows.
const OPEN: &str = "*To be written by the author: the run does not say it.*";

/// Confusions that are named.
const CONFUSIONS: usize = 5;

/// The card of a run folder; with the data set also its utterances, speakers and genders, and with the temperature that was fitted.
///
/// # Errors
/// [`ReportError`], naming the file that is missing or broken, or [`ReportError::Misfit`] for data of another run.
pub fn markdown(folder: &Path, data: Option<&Dataset>, fitted: Option<&Fitted>) -> Result<String, ReportError> {
    let run = Run::read(folder)?;
    let mut card = Card(String::new());
    let word = |key: &str| setting(&run, key).map_or_else(|| "unknown".to_owned(), |value| value.trim_matches('"').to_owned());
    let known = |text: &str| if text.is_empty() { "unknown".to_owned() } else { in_line(text).into_owned() };
    card.line(&format!("# {} on {}", word("model.system"), known(&run.corpus)));

    card.section("Model details");
    let parameters = run.parameters.map_or_else(|| "unknown".to_owned(), grouped);
    card.table(&[
        ("system", word("model.system")),
        ("variant", word("model.variant")),
        ("parameters", parameters),
        ("seed", word("train.seed")),
        ("best epoch", run.best_epoch.map_or_else(|| "unknown".to_owned(), |epoch| format!("{epoch} of {}", run.epochs.len()))),
        ("trained by", if run.version.is_empty() { "unknown".into() } else { format!("mcsan {}", run.version) }),
        ("device", known(&run.device)),
    ]);
    card.line("Settings that are not the default:");
    card.changed(&run);
    card.line("Author, licence, date, citation:");
    card.line(OPEN);

    card.section("Intended use");
    card.line(OPEN);

    card.section("Factors");
    match data {
        Some(data) => card.factors(data),
        None => card.line("Speakers and genders are in the data set: 'mcsan card --run RUN --data DATA' counts them."),
    }

    card.section("Metrics");
    card.line(
        "WA: the share of right predictions. UA: the mean recall of the classes that occur. Weighted and macro F1: the mean F1 of the \
         classes, by their utterances and plain. ECE: expected calibration error over 15 bins (Guo et al. 2017). Brier: squared error \
         of the probabilities, from 0 to 2.",
    );

    card.section("Training data");
    card.line(&format!("Corpus: {}.", known(&run.corpus)));
    match data {
        Some(data) => card.counts(data),
        None => card.line("How many utterances there are is in the data set: 'mcsan card --run RUN --data DATA' counts them."),
    }
    if let Some(front_end) = run.front_end.as_object() {
        card.line("Acoustic front-end:");
        let value = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let rows: Vec<(&str, String)> = front_end.iter().map(|(name, setting)| (name.as_str(), value(setting))).collect();
        card.table(&rows);
    }

    card.section("Evaluation data and quantitative analyses");
    match &run.test {
        None => card.line("The run has no test result."),
        Some(test) => {
            let places = data.map(|data| find(test, data).map(|places| (data, places))).transpose()?;
            card.results(test, places.as_ref().map(|(data, places)| (*data, places.as_slice())));
        }
    }
    fitted.iter().for_each(|fitted| card.temperature(fitted));

    card.section("Ethical considerations");
    card.line(OPEN);

    card.section("Caveats and recommendations");
    card.limits(&run, data);
    Ok(format!("{OPENING} {}, {}{CLOSING}\n\n{}", env!("CARGO_PKG_VERSION"), digest(&card.0), card.0))
}

/// Tells one text of a card from another.
fn digest(text: &str) -> String {
    // An editor may have ended the lines otherwise.
    format!("{:016x}", fnv1a(text.replace("\r\n", "\n").trim().as_bytes()))
}

/// Whether a card is as it was written. Of one whose first line does not tell (an older program's), whether all is open that was left so.
pub(crate) fn is_as_written(card: &str) -> bool {
    let (first, text) = card.split_once('\n').unwrap_or((card, ""));
    let said = first.trim_end().strip_suffix(CLOSING).and_then(|first| first.rsplit_once(", "));
    match said {
        Some((_, said)) => said == digest(text),
        None => text.matches(OPEN).count() >= 3,
    }
}

/// A card under construction.
struct Card(String);

impl Card {
    /// A paragraph.
    fn line(&mut self, text: &str) {
        self.0 += text;
        self.0 += "\n\n";
    }

    fn section(&mut self, title: &str) {
        self.line(&format!("## {title}"));
    }

    /// Names and values.
    fn table(&mut self, rows: &[(&str, String)]) {
        self.wide(&["", "value"], &rows.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect::<Vec<_>>());
    }

    fn wide(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let escape = |text: &str| in_line(text).replace('|', "\\|").replace('<', "&lt;");
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "| {} |\n|{}", header.join(" | "), " --- |".repeat(header.len()));
        for row in rows {
            let _ = writeln!(self.0, "| {} |", row.iter().map(|cell| escape(cell)).collect::<Vec<_>>().join(" | "));
        }
        self.0.push('\n');
    }

    fn changed(&mut self, run: &Run) {
        let defaults = Config::default();
        let rows: Vec<Vec<String>> = keys()
            .filter_map(|key| {
                let (value, default) = (setting(run, key.name)?, defaults.value(key));
                (value != default).then(|| vec![key.name.to_owned(), value, default])
            })
            .collect();
        if rows.is_empty() {
            self.line("None.");
        } else {
            self.wide(&["setting", "value", "default"], &rows);
        }
    }

    fn factors(&mut self, data: &Dataset) {
        let speakers: BTreeSet<&str> = data.utterances.iter().filter_map(|info| info.speaker.as_deref()).collect();
        let mut genders: BTreeMap<&str, usize> = BTreeMap::new();
        for info in &data.utterances {
            *genders.entry(info.gender.as_deref().unwrap_or("not known")).or_default() += 1;
        }
        let speakers = if speakers.is_empty() { "not known".into() } else { grouped(speakers.len()) };
        let genders: Vec<String> = genders.iter().map(|(name, count)| format!("{name} {}", grouped(*count))).collect();
        self.table(&[("speakers", speakers), ("utterances by gender of the speaker", genders.join(", "))]);
        self.line("Age, language, accent, recording conditions:");
        self.line(OPEN);
    }

    fn counts(&mut self, data: &Dataset) {
        let splits: Vec<(Split, Vec<usize>)> = Split::ALL.into_iter().map(|split| (split, data.class_counts(&data.split(split)))).collect();
        let all: Vec<usize> = (0..data.classes.len()).map(|class| splits.iter().map(|(_, counts)| counts[class]).sum()).collect();
        let header: Vec<&str> = ["class"].into_iter().chain(splits.iter().map(|(split, _)| split.name())).collect();
        let row = |name: &str, of: &dyn Fn(&[usize]) -> usize| {
            [name.to_owned()].into_iter().chain(splits.iter().map(|(_, counts)| grouped(of(counts)))).collect::<Vec<_>>()
        };
        let shown = shown_classes(&all);
        let mut rows: Vec<Vec<String>> = shown.iter().map(|&class| row(&data.classes[class], &|counts| counts[class])).collect();
        rows.push(row("all", &|counts| counts.iter().sum()));
        self.wide(&header, &rows);
        if shown.len() < all.len() {
            self.line(&format!("The {} classes with the most utterances of {}.", shown.len(), grouped(all.len())));
        }
        let left_out = data.left_out.len();
        if left_out > 0 {
            self.line(&format!("{} utterances that the corpus lists could not be used and are left out.", grouped(left_out)));
        }
    }

    fn results(&mut self, test: &super::Test, places: Option<(&Dataset, &[usize])>) {
        let names: Vec<&str> = test.classes.iter().map(|class| class.name.as_str()).collect();
        let class = |name: &str| names.iter().position(|class| *class == name).unwrap_or_default();
        let pairs: Vec<[usize; 2]> = test.predictions.iter().map(|it| [class(&it.label), class(&it.predicted)]).collect();
        let speakers = |place: usize| places.and_then(|(data, places)| data.utterances[places[place]].speaker.as_deref());
        let clusters = Clusters::by_speaker((0..pairs.len()).map(speakers));
        let bootstrap = Bootstrap::default();
        let intervals = bootstrap.of_accuracies(&clusters, &pairs, names.len());
        let interval = |figure: usize| {
            intervals.map_or_else(String::new, |of| {
                let Interval { low, high } = of[figure];
                format!("{:.1} to {}", 100.0 * low, percent(high))
            })
        };
        let figures = [("WA", test.wa), ("UA", test.ua), ("weighted F1", test.weighted_f1), ("macro F1", test.macro_f1)];
        let mut rows: Vec<Vec<String>> =
            figures.iter().enumerate().map(|(place, (name, value))| vec![(*name).to_owned(), percent(*value), interval(place)]).collect();
        let judged: Vec<(&[f64], usize)> = test.predictions.iter().map(probabilities).zip(pairs.iter().map(|pair| pair[0])).collect();
        let Calibration { ece, brier, .. } = Calibration::of(&judged);
        rows.push(vec!["ECE".into(), percent(ece), String::new()]);
        rows.push(vec!["Brier".into(), format!("{brier:.3}"), String::new()]);
        self.line(&format!("{} test utterances.", grouped(test.utterances)));
        self.wide(&["figure", "value", "95 % interval"], &rows);
        if intervals.is_some() {
            let count = clusters.count();
            let unit = clusters.unit.words(count);
            self.line(&format!("Intervals: {} draws of {} {unit} (bootstrap, seed {}).", bootstrap.draws, grouped(count), bootstrap.seed));
        }
        let shown = shown_classes(&test.classes.iter().map(|class| class.support).collect::<Vec<_>>());
        let row = |&class: &usize| {
            let own = &test.classes[class];
            vec![own.name.clone(), percent(own.precision), percent(own.recall), percent(own.f1), grouped(own.support)]
        };
        self.wide(&["class", "precision", "recall", "F1", "utterances"], &shown.iter().map(row).collect::<Vec<_>>());
        if let Some((data, places)) = places {
            let tested: Vec<Tested> = places.iter().copied().zip(pairs.iter().copied()).collect();
            self.groups(Grouping::Gender, "gender", data, &tested);
            self.groups(Grouping::Length, "length", data, &tested);
        }
        let confused = confusions(&test.confusion, CONFUSIONS);
        if !confused.is_empty() {
            let row =
                |[truth, predicted, count]: &[usize; 3]| vec![names[*truth].to_owned(), names[*predicted].to_owned(), grouped(*count)];
            self.wide(&["true", "most often taken for", "utterances"], &confused.iter().map(row).collect::<Vec<_>>());
        }
    }

    /// Figures of groups, where there are several.
    fn groups(&mut self, by: Grouping, title: &str, data: &Dataset, tested: &[Tested]) {
        let found = groups(by, data, tested);
        if found.len() < 2 {
            return;
        }
        let row = |group: &crate::train::groups::Group| {
            let name = group.name.clone().unwrap_or_else(|| "not known".into());
            vec![name, grouped(group.utterances), percent(group.accuracies.wa), percent(group.accuracies.ua)]
        };
        self.wide(&[title, "utterances", "WA", "UA"], &found.iter().map(row).collect::<Vec<_>>());
    }

    /// The temperature that was fitted.
    fn temperature(&mut self, fitted: &Fitted) {
        self.line(&format!(
            "A temperature of {:.3} was fitted on {} validation utterances (their ECE {}, {} at it); probabilities are taken at it where \
             that is asked for.",
            fitted.temperature,
            grouped(fitted.utterances),
            percent(fitted.before.ece),
            percent(fitted.after.ece)
        ));
    }

    fn limits(&mut self, run: &Run, data: Option<&Dataset>) {
        let mut limits = Vec::new();
        if let Some(test) = &run.test {
            limits.push(format!("One of {} classes is always predicted, whatever is heard.", test.classes.len()));
            let present = test.classes.iter().filter(|class| class.support > 0);
            if let Some(weakest) = present.min_by(|a, b| a.recall.total_cmp(&b.recall)) {
                limits.push(format!(
                    "The class that is found least is {}: {} of its test utterances.",
                    weakest.name,
                    percent(weakest.recall)
                ));
            }
            let unseen: Vec<&str> = test.classes.iter().filter(|class| class.support == 0).map(|class| class.name.as_str()).collect();
            if !unseen.is_empty() {
                limits.push(format!("No test utterance is of: {}.", unseen.join(", ")));
            }
        }
        if let Some(frames) = setting(run, "data.max_frames") {
            limits.push(format!("Of longer utterances the first {frames} frames are heard (data.max_frames)."));
        }
        if let Some(data) = data {
            let of = |split: Split| -> BTreeSet<&str> {
                data.split(split).into_iter().filter_map(|place| data.utterances[place].speaker.as_deref()).collect()
            };
            let (train, test) = (of(Split::Train), of(Split::Test));
            let both = train.intersection(&test).count();
            if both > 0 {
                limits.push(format!("Of {} test speakers {both} are trained on, too.", test.len()));
            }
        }
        limits.push("Figures are of this corpus alone; of other speakers, languages and recordings nothing was measured.".into());
        for limit in limits {
            let _ = writeln!(self.0, "- {}", in_line(&limit).replace('<', "&lt;"));
        }
    }
}

fn probabilities(prediction: &Prediction) -> &[f64] {
    &prediction.probabilities
}
