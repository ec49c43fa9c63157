//! Summing up the runs that are done: WA, UA, weighted F1 and macro-F1 as mean ± standard deviation over the folds (and seeds), in the form
//! of the paper's Table 1, and the confusion matrix of all their test predictions together.

use std::path::PathBuf;

use serde_json::json;

use super::crossval::CrossValidation;
use super::figure::{FIGURES, Figure};
use super::folds::By;
use super::page;
use super::statistics::MeanDeviation;
use super::systems;
use super::table::{Cell, Column, ResultTable, Results};
use super::{ExperimentError, certainty};
use crate::base::columns::{shorten, told_apart};
use crate::report::{self, Confusion};
use crate::train::claim::Claim;
use crate::train::evaluate::Prediction;
use crate::train::metrics::{ClassMetrics, SHOWN_CLASSES, Tally, shown_classes, taken_for};
use crate::train::{Evaluation, Metrics};

/// Name of the files, without their endings.
pub(crate) const STEM: &str = "crossval";
/// Name of the table that holds the confusion matrix.
pub(crate) const CONFUSION: &str = "confusion";

/// The result of a run that is done.
pub struct RunResult {
    /// Which seed it was trained with, from 1.
    pub seed: usize,
    /// Which fold it tests, from 1.
    pub fold: usize,
    /// The run's folder.
    pub folder: PathBuf,
    /// On the test utterances.
    pub test: Evaluation,
}

/// The runs that are done, of one network over the folds of one division.
pub struct Gathered {
    /// The network's name, where shown.
    pub model: &'static str,
    /// Name of the corpus.
    pub corpus: String,
    /// Names of the classes, in the order of the labels.
    pub classes: Vec<String>,
    /// How many there are to be.
    pub folds: usize,
    /// What stays together in a fold.
    pub by: By,
    /// Of the folds' shuffle.
    pub seed: u64,
    /// The seeds that runs were begun with, from 1, rising.
    pub seeds: Vec<usize>,
    /// See [`Folds::test_to_train`](super::folds::Folds::test_to_train).
    pub(super) test_to_train: Option<f64>,
    /// By seed and fold, rising.
    pub results: Vec<RunResult>,
}

impl Gathered {
    /// Reads the folds that are there.
    ///
    /// # Errors
    /// Those of [`CrossValidation::result`].
    pub fn read(of: &CrossValidation<'_>) -> Result<Self, ExperimentError> {
        Self::read_seed(1, of)
    }

    fn read_seed(seed: usize, of: &CrossValidation<'_>) -> Result<Self, ExperimentError> {
        let mut results = Vec::new();
        for fold in 1..=of.folds.count() {
            let folder = of.folds.by.folder(&of.folder, fold);
            results.extend(of.result(fold)?.map(|test| RunResult { seed, fold, folder, test }));
        }
        Ok(Self {
            model: systems::title(&of.config.settings),
            corpus: of.data.corpus.clone(),
            classes: of.data.classes.clone(),
            folds: of.folds.count(),
            by: of.folds.by,
            seed: of.folds.seed,
            seeds: vec![seed],
            test_to_train: of.folds.test_to_train(),
            results,
        })
    }

    /// Reads those of several seeds; `None` where there is no seed.
    ///
    /// # Errors
    /// Those of [`CrossValidation::result`].
    pub(crate) fn read_seeds(seeds: &[(usize, CrossValidation<'_>)]) -> Result<Option<Self>, ExperimentError> {
        let mut gathered: Option<Self> = None;
        for (seed, of) in seeds {
            let read = Self::read_seed(*seed, of)?;
            match &mut gathered {
                None => gathered = Some(read),
                Some(gathered) => {
                    gathered.seeds.extend(read.seeds);
                    gathered.results.extend(read.results);
                }
            }
        }
        Ok(gathered)
    }

    /// Reads the folds that are there and writes the summary; one process after the other, so that the last one, which
    /// knows most, is the one whose files stay. `None` where no fold is done. Of the data's own splits there is one run, whose
    /// folder says all of it.
    ///
    /// # Errors
    /// Those of [`CrossValidation::result`], or a file that cannot be written.
    pub(crate) fn write(of: &CrossValidation<'_>) -> Result<Option<Self>, ExperimentError> {
        let _turn = Claim::wait(&of.folder).map_err(|source| ExperimentError::Write { path: of.folder.clone(), source })?;
        let gathered = Self::read(of)?;
        if gathered.results.is_empty() || gathered.by == By::Given {
            return Ok(Some(gathered).filter(|gathered| !gathered.results.is_empty()));
        }
        let results = gathered.tables();
        results.write(&of.folder, STEM)?;
        let row = |figure: Figure| (figure.title.to_owned(), gathered.figures(figure), None);
        let plot = page::plot("Folds", page::PAPER, FIGURES.map(row).to_vec());
        let confusion = gathered.confusion("All test predictions");
        let test = report::Test::from(Evaluation { metrics: gathered.pooled(), corpora: Vec::new(), predictions: gathered.predictions() });
        let runs = [("mean of the folds".to_owned(), gathered.folders())];
        page::write(&of.folder, &results, &[plot], &runs, &[confusion], Some((&test, of.data)), &of.config)?;
        Ok(Some(gathered))
    }

    /// A figure of every run.
    pub(super) fn figures(&self, figure: Figure) -> Vec<f64> {
        self.results.iter().map(|run| (figure.of)(&run.test.metrics)).collect()
    }

    /// WA, UA, weighted F1 and macro-F1.
    pub fn spreads(&self) -> [MeanDeviation; FIGURES.len()] {
        FIGURES.map(|figure| MeanDeviation::of(&self.figures(figure)))
    }

    /// The results of all test predictions together.
    pub fn pooled(&self) -> Metrics {
        let mut tally = Tally::new(self.classes.len());
        for RunResult { test: Evaluation { metrics, .. }, .. } in &self.results {
            for (sums, counts) in tally.confusion.iter_mut().zip(&metrics.confusion) {
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            tally.loss += metrics.loss * metrics.utterances as f64;
        }
        tally.metrics(&self.classes)
    }

    /// The folders of the runs that are done.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        self.results.iter().map(|run| run.folder.clone()).collect()
    }

    /// All test predictions, fold by fold.
    fn predictions(&self) -> Vec<Prediction> {
        self.results.iter().flat_map(|run| &run.test.predictions).cloned().collect()
    }

    /// Folds that are not done, in words.
    fn missing(&self) -> Option<String> {
        let done = |fold: &usize| self.results.iter().any(|run| run.fold == *fold);
        let missing: Vec<String> = (1..=self.folds).filter(|fold| !done(fold)).map(|fold| fold.to_string()).collect();
        (!missing.is_empty()).then(|| format!("Not done yet: folds {}.", missing.join(", ")))
    }

    /// How the folds were made, in words.
    pub(crate) fn method(&self) -> String {
        let Self { folds, by, seed, .. } = self;
        match by {
            By::Given => "the data's own splits".into(),
            By::EmoBox => format!("{folds} folds of EmoBox, seed {seed}"),
            By::Random | By::Speaker | By::Session => format!("{folds} folds by {by}, seed {seed}"),
        }
    }

    fn title(&self) -> String {
        format!("Cross-validation on {}: {}", self.corpus, self.method())
    }

    /// The pooled confusion matrix, to be drawn.
    pub(crate) fn confusion(&self, title: &str) -> Confusion {
        (title.into(), self.classes.clone(), self.pooled().confusion)
    }

    /// The summary as `crossval.*`.
    pub(crate) fn tables(&self) -> Results {
        let pooled = self.pooled();
        let columns = FIGURES.map(|figure| Column::shown(figure.key, figure.title));
        let with = |first: &[(&str, &str)], last: &[(&str, &str)]| {
            let shown = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, title)| Column::shown(key, title)).collect::<Vec<_>>();
            [shown(first), columns.to_vec(), shown(last)].concat()
        };

        let mut summary =
            ResultTable::new(self.title(), with(&[("model", "model"), ("folds", "folds"), ("utterances", "utterances")], &[]));
        let first = [Cell::Text(self.model.into()), Cell::Count(self.results.len()), Cell::Count(pooled.utterances)];
        summary.rows.push(first.into_iter().chain(self.spreads().map(Cell::Spread)).collect());
        summary.notes.extend(self.missing());
        summary.notes.push("Mean ± standard deviation over the folds.".into());

        let mut folds = ResultTable::new("Each fold", with(&[("fold", "fold"), ("utterances", "utterances")], &[("loss", "loss")]));
        for RunResult { fold, test: Evaluation { metrics, .. }, .. } in &self.results {
            let shares = FIGURES.map(|figure| Cell::Share((figure.of)(metrics)));
            let counts = [Cell::Count(*fold), Cell::Count(metrics.utterances)];
            folds.rows.push(counts.into_iter().chain(shares).chain([Cell::Number(metrics.loss)]).collect());
        }

        let [wa, ua, weighted_f1, macro_f1] = self.spreads();
        let document = json!({
            "corpus": self.corpus, "by": self.by, "seed": self.seed, "folds": self.folds, "done": self.results.len(),
            "wa": wa, "ua": ua, "weighted_f1": weighted_f1, "macro_f1": macro_f1, "results": folds.json(), "pooled": pooled,
            "certainty": certainty::json(self),
        });
        let certainty = (certainty::NAME, certainty::table(&[(self.model, self)]));
        Results { document, tables: [("", summary), certainty, ("folds", folds)].into_iter().chain(confusions(&pooled)).collect() }
    }
}

/// Widest name of a class in a table.
const NAME: usize = 24;

/// The confusion matrix. Of many classes it is in CSV alone, and those of the most utterances are shown with their recall.
pub(super) fn confusions(pooled: &Metrics) -> Vec<(&'static str, ResultTable)> {
    let told = told_apart(&pooled.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>(), NAME);
    let name = |class: usize| Cell::Name(pooled.classes[class].name.clone(), shorten(&told[class], NAME));
    let count = told.len();
    let title = |title: String| Some(title).filter(|_| count <= SHOWN_CLASSES);
    let column = |(key, title): (String, Option<String>)| Column { key, title };
    let heads = told.iter().zip(&pooled.classes).map(|(told, class)| (class.name.clone(), title(shorten(told, NAME))));
    let [first, last] = ["true", "recall"].map(|key| (key.to_owned(), title(key.into())));
    let columns = [first].into_iter().chain(heads).chain([last]).map(column).collect();
    let mut matrix = ResultTable::new("Confusion matrix of all test predictions (rows: true, columns: predicted)", columns);
    for (class, row) in pooled.confusion.iter().enumerate() {
        let counts = row.iter().map(|&count| Cell::Count(count));
        matrix.rows.push([name(class)].into_iter().chain(counts).chain([Cell::Share(pooled.classes[class].recall)]).collect());
    }
    let mut tables = vec![(CONFUSION, matrix)];
    if count > SHOWN_CLASSES {
        let columns = [("class", "class"), ("utterances", "utterances"), ("recall", "recall"), ("taken_for", "most often taken for")];
        let title = format!("The {SHOWN_CLASSES} of {count} classes with the most test utterances");
        let mut largest = ResultTable::new(title, columns.map(|(key, title)| Column::shown(key, title)).to_vec());
        for class in shown_classes(&pooled.classes.iter().map(|class| class.support).collect::<Vec<_>>()) {
            let ClassMetrics { support, recall, .. } = &pooled.classes[class];
            let other = taken_for(&pooled.confusion[class], class).map_or(Cell::Empty, name);
            largest.rows.push(vec![name(class), Cell::Count(*support), Cell::Share(*recall), other]);
        }
        tables.push(("classes", largest));
    }
    tables
}
