//! Two runs compared by what they predict of the same test utterances: McNemar's test, and intervals of the differences by the
//! bootstrap. A run may be one by itself, or a folder of folds or seeds, whose predictions of an utterance are counted together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::ExperimentError;
use super::discordant::Discordant;
use super::figure::{FIGURES, Figure};
use super::page;
use super::sweep::counted;
use super::table::{Cell, Column, ResultTable, Results};
use crate::base::remedy::Remedy;
use crate::base::shown::percent;
use crate::dataset::Dataset;
use crate::report::{self, Confusion, Interval, Intervals, ReportError, Unit};
use crate::train::bootstrap::{Bootstrap, Clusters};
use crate::train::metrics::Tally;
use crate::train::run::files;

/// The true class of an utterance, and the predicted one of each run that tests it.
type Answers = (usize, Vec<usize>);
/// By id, and by its place among those of that id in a run.
type Utterances = BTreeMap<(String, usize), Answers>;

/// What a run, or runs over folds and seeds, predicted of the test utterances.
struct Predicted {
    folder: PathBuf,
    runs: usize,
    classes: Vec<String>,
    utterances: Utterances,
}

/// The runs with a result in a folder: itself, or its folds, its seeds, and their folds.
pub(crate) fn runs_in(folder: &Path) -> Vec<PathBuf> {
    if folder.join(files::TEST).exists() {
        return vec![folder.into()];
    }
    let names = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let number = |name: &str| ["fold-", "seed-"].iter().find_map(|kind| name.strip_prefix(kind)?.parse::<usize>().ok());
    let mut parts: Vec<(Option<usize>, String)> =
        names.filter(|name| name == "run" || number(name).is_some()).map(|name| (number(&name), name)).collect();
    parts.sort();
    parts.into_iter().flat_map(|(_, name)| runs_in(&folder.join(name))).collect()
}

impl Predicted {
    fn read(folder: &Path) -> Result<Self, ExperimentError> {
        let broken = |path: &Path, problem: String| ExperimentError::Predictions { path: path.into(), problem, remedy: Remedy::TestedRun };
        let (mut classes, mut utterances): (Option<Vec<String>>, Utterances) = (None, Utterances::new());
        let runs = runs_in(folder);
        for run in &runs {
            let path = run.join(files::TEST);
            let Some(test) = report::tested(run)? else { continue };
            let own: Vec<String> = test.classes.iter().map(|class| class.name.clone()).collect();
            let classes = classes.get_or_insert_with(|| own.clone());
            if *classes != own {
                return Err(broken(&path, "is of other classes than the first of these runs".into()));
            }
            let class = |name: &str| own.iter().position(|class| class == name).unwrap_or_default();
            let mut times: BTreeMap<&str, usize> = BTreeMap::new();
            for prediction in &test.predictions {
                let times = times.entry(&prediction.id).or_default();
                let (label, predicted) = (class(&prediction.label), class(&prediction.predicted));
                let entry = utterances.entry((prediction.id.clone(), *times)).or_insert((label, Vec::new()));
                if entry.0 != label {
                    return Err(broken(
                        &path,
                        format!("says that '{}' is {}, and an earlier run says otherwise", prediction.id, prediction.label),
                    ));
                }
                entry.1.push(predicted);
                *times += 1;
            }
        }
        match classes {
            Some(classes) if !utterances.is_empty() => Ok(Self { folder: folder.into(), runs: runs.len(), classes, utterances }),
            _ => Err(broken(folder, "holds no run that was tested".into())),
        }
    }

    /// What forbids a comparison with another.
    fn difference(&self, other: &Self) -> Option<String> {
        if self.classes != other.classes {
            return Some(format!("its classes are {}, there {}", other.classes.join(", "), self.classes.join(", ")));
        }
        let keys = |of: &Self| of.utterances.keys().cloned().collect::<Vec<_>>();
        let (ours, theirs) = (keys(self), keys(other));
        let missing =
            |of: &[(String, usize)], from: &Self| of.iter().find(|key| !from.utterances.contains_key(*key)).map(|key| key.0.clone());
        if let Some(id) = missing(&ours, other) {
            return Some(format!("does not test '{id}', which is tested there"));
        }
        if let Some(id) = missing(&theirs, self) {
            return Some(format!("tests '{id}', which is not tested there"));
        }
        let times = |count: usize| counted(count as u64, "time");
        for (key, (label, predicted)) in &self.utterances {
            let (other_label, other_predicted) = other.utterances.get(key)?;
            if label != other_label {
                return Some(format!("'{}' is {}, there {}", key.0, other.classes[*other_label], self.classes[*label]));
            }
            if predicted.len() != other_predicted.len() {
                return Some(format!("tests '{}' {}, there {}", key.0, times(other_predicted.len()), times(predicted.len())));
            }
        }
        None
    }

    /// What is predicted of some utterances, counted together.
    fn tally<'u>(&self, answers: impl IntoIterator<Item = &'u Answers>) -> Tally {
        let mut tally = Tally::new(self.classes.len());
        for (label, predicted) in answers {
            predicted.iter().for_each(|&class| tally.confusion[*label][class] += 1);
        }
        tally
    }

    /// Figures of the utterances at some places, in their order.
    fn figures(&self, all: &[&Answers], places: &[usize]) -> [f64; FIGURES.len()] {
        let metrics = self.tally(places.iter().map(|&place| all[place])).metrics(&self.classes);
        FIGURES.map(|figure| (figure.of)(&metrics))
    }

    fn confusion(&self, name: &str) -> Confusion {
        (name.into(), self.classes.clone(), self.tally(self.utterances.values()).confusion)
    }
}

/// A comparison, and the page of it.
pub struct Comparison {
    pub(crate) results: Results,
    /// As HTML.
    pub page: String,
    /// Whether whole speakers were drawn.
    pub by_speaker: bool,
}

/// Compares the second run with the first; `data` say who speaks.
///
/// # Errors
/// [`ExperimentError::Predictions`] for a folder without a tested run, or runs that test different utterances; [`ReportError::Misfit`] for
/// other data.
pub fn compare(first: &Path, second: &Path, data: Option<&Dataset>) -> Result<Comparison, ExperimentError> {
    let (a, b) = (Predicted::read(first)?, Predicted::read(second)?);
    if let Some(difference) = a.difference(&b) {
        let problem = format!("cannot be compared with {}: {difference}", first.display());
        return Err(ExperimentError::Predictions { path: second.into(), problem, remedy: Remedy::SameTest });
    }
    let clusters = Clusters::by_speaker(speakers(&a, data)?.iter().map(Option::as_deref));
    let of = |predicted: &'_ Predicted| predicted.utterances.values().cloned().collect::<Vec<_>>();
    let (in_a, in_b) = (of(&a), of(&b));
    let (in_a, in_b): (Vec<_>, Vec<_>) = (in_a.iter().collect(), in_b.iter().collect());
    let all: Vec<usize> = (0..in_a.len()).collect();
    let bootstrap = Bootstrap::default();
    let differences = |places: &[usize]| {
        let (a, b) = (a.figures(&in_a, places), b.figures(&in_b, places));
        std::array::from_fn::<f64, { FIGURES.len() }, _>(|figure| b[figure] - a[figure])
    };
    let intervals = bootstrap.intervals(&clusters, differences);
    let (of_a, of_b, between) = (a.figures(&in_a, &all), b.figures(&in_b, &all), differences(&all));

    let right = in_a.iter().zip(&in_b).enumerate().flat_map(|(utterance, ((label, in_a), (_, in_b)))| {
        in_a.iter().zip(in_b).map(move |(in_a, in_b)| (utterance, [in_a == label, in_b == label]))
    });
    let discordant = Discordant::of(right);
    let is_single = in_a.iter().all(|(_, predicted)| predicted.len() == 1);
    let (only_a, only_b, p) = (discordant.only_first, discordant.only_second, discordant.p());

    let columns = [("figure", "figure"), ("a", "A"), ("b", "B"), ("difference", "B - A"), ("low", "95 % from"), ("high", "to")];
    let mut table = ResultTable::new(
        format!("B against A, on {} test utterances", in_a.len()),
        columns.map(|(key, title)| Column::shown(key, title)).to_vec(),
    );
    for (place, Figure { title, .. }) in FIGURES.iter().enumerate() {
        let ends = intervals.as_ref().map_or([Cell::Empty, Cell::Empty], |all| [all[place].low, all[place].high].map(Cell::Share));
        let shares = [of_a[place], of_b[place], between[place]].map(Cell::Share);
        table.rows.push([Cell::Text((*title).into())].into_iter().chain(shares).chain(ends).collect());
    }
    let named = |letter: &str, of: &Predicted| {
        let runs = if of.runs == 1 { String::new() } else { format!(", {} runs together", of.runs) };
        format!("{letter}: {}{runs}.", of.folder.display())
    };
    let (drawn, unit) = (bootstrap.draws, clusters.unit.words(clusters.count()));
    table.notes.extend([named("A", &a), named("B", &b)]);
    table.notes.push(format!(
        "95 %: of the difference in points, between quantiles of {drawn} draws of {} {unit} with replacement (bootstrap; Field and Welsh 2007).",
        clusters.count()
    ));

    let mut test = ResultTable::new(
        "Which utterances are right",
        [("only_a_right", "only A right"), ("only_b_right", "only B right"), ("p_mcnemar", "p")]
            .map(|(key, title)| Column::shown(key, title))
            .to_vec(),
    );
    test.rows.push(vec![Cell::Count(only_a), Cell::Count(only_b), Cell::Probability(p)]);
    test.notes.push(match is_single {
        true => "p: McNemar's exact test, two-sided, on the same utterances.".into(),
        false => "p: exact, two-sided, over the utterances, each by how many of its runs are right (one run makes it McNemar's test; the \
                  unit is that of Durkalski et al. 2003)."
            .to_owned(),
    });

    let of_run = |of: &Predicted, values: [f64; FIGURES.len()]| {
        let mut run = json!({ "run": of.folder, "runs": of.runs });
        FIGURES.iter().zip(values).for_each(|(figure, value)| run[figure.key] = json!(value));
        run
    };
    let mut document = json!({
        "a": of_run(&a, of_a), "b": of_run(&b, of_b), "utterances": in_a.len(), "differences": {}, "drawn": clusters.unit,
        "clusters": clusters.count(), "bootstrap": bootstrap, "only_a_right": only_a, "only_b_right": only_b, "p_mcnemar": p,
    });
    for (place, figure) in FIGURES.iter().enumerate() {
        let interval = intervals.as_ref().map(|all| all[place]);
        document["differences"][figure.key] = json!({ "difference": between[place], "interval": interval });
    }
    let results = Results { document, tables: vec![("", table), ("right", test)] };
    let row = |(place, figure): (usize, &Figure)| {
        let ends = intervals.as_ref().map_or([f64::NAN; 2], |all| [all[place].low, all[place].high]);
        let note = percent(between[place]);
        Interval {
            label: figure.title.into(),
            value: between[place],
            low: ends[0],
            high: ends[1],
            points: Vec::new(),
            reference: None,
            note,
        }
    };
    let plot = Intervals {
        title: "B - A".into(),
        axis: "difference on the test utterances".into(),
        unit: Unit::Percent,
        rows: FIGURES.iter().enumerate().map(row).collect(),
        value: "difference with its 95 % interval".into(),
        ..Intervals::default()
    };
    let page = page::of_comparison(&results, &[plot], &[a.confusion("A"), b.confusion("B")])?;
    Ok(Comparison { results, page, by_speaker: clusters.unit == crate::train::bootstrap::Unit::Speaker })
}

/// Who speaks each utterance, as far as the data say it.
fn speakers(of: &Predicted, data: Option<&Dataset>) -> Result<Vec<Option<String>>, ReportError> {
    let Some(data) = data else { return Ok(vec![None; of.utterances.len()]) };
    let places = data.utterances.iter().enumerate().map(|(place, utterance)| (utterance.id.as_str(), place));
    let places: BTreeMap<&str, usize> = places.collect();
    let speaker = |((id, _), (label, _)): (&(String, usize), &Answers)| match places.get(id.as_str()) {
        Some(&place) if data.class_of(place) == Some(of.classes[*label].as_str()) => Ok(data.utterances[place].speaker.clone()),
        _ => Err(ReportError::Misfit { id: id.clone(), label: of.classes[*label].clone() }),
    };
    of.utterances.iter().map(speaker).collect()
}
