//! Summing up the folds that are done: WA, UA and weighted F1 as mean ± standard deviation over the folds, in the form of
//! the paper's Table 1, and the confusion matrix of all their test predictions together.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::ExperimentError;
use super::crossval::CrossValidation;
use super::page;
use super::spec::fold_folder;
use super::statistics::MeanDeviation;
use super::table::{Cell, Column, ResultTable, Results};
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

/// The folds that are done.
pub struct Gathered {
    /// Name of the corpus.
    pub corpus: String,
    /// Names of the classes, in the order of the labels.
    pub classes: Vec<String>,
    /// How many there are to be.
    pub folds: usize,
    /// What stays together in a fold.
    pub by: super::folds::By,
    /// Of the folds' shuffle.
    pub seed: u64,
    /// By fold, rising.
    pub results: Vec<(usize, Evaluation)>,
}

impl Gathered {
    /// Reads the folds that are there.
    ///
    /// # Errors
    /// Those of [`CrossValidation::result`].
    pub fn read(of: &CrossValidation<'_>) -> Result<Self, ExperimentError> {
        let mut results = Vec::new();
        for fold in 1..=of.folds.count() {
            results.extend(of.result(fold)?.map(|result| (fold, result)));
        }
        Ok(Self {
            corpus: of.data.corpus.clone(),
            classes: of.data.classes.clone(),
            folds: of.folds.count(),
            by: of.folds.by,
            seed: of.folds.seed,
            results,
        })
    }

    /// Reads the folds that are there and writes the summary; one process after the other, so that the last one, which
    /// knows most, is the one whose files stay. `None` where no fold is done.
    ///
    /// # Errors
    /// Those of [`CrossValidation::result`], or a file that cannot be written.
    pub(crate) fn write(of: &CrossValidation<'_>) -> Result<Option<Self>, ExperimentError> {
        let _turn = Claim::wait(&of.folder).map_err(|source| ExperimentError::Write { path: of.folder.clone(), source })?;
        let gathered = Self::read(of)?;
        if gathered.results.is_empty() {
            return Ok(None);
        }
        let results = gathered.tables();
        results.write(&of.folder, STEM)?;
        let plot = page::plot("Folds", page::FIGURES.map(|(name, figure)| (name.to_owned(), gathered.figures(figure), None)).to_vec());
        let confusion = gathered.confusion("All test predictions");
        let test = report::Test::from(Evaluation { metrics: gathered.pooled(), predictions: gathered.predictions() });
        let runs = [("mean of the folds".to_owned(), gathered.folders(&of.folder))];
        page::write(&of.folder, &results, &[plot], &runs, &[confusion], Some((&test, of.data)), &of.config)?;
        Ok(Some(gathered))
    }

    /// A figure of every fold.
    pub fn figures(&self, figure: impl Fn(&Metrics) -> f64) -> Vec<f64> {
        self.results.iter().map(|(_, result)| figure(&result.metrics)).collect()
    }

    /// WA, UA and weighted F1.
    pub fn spreads(&self) -> [MeanDeviation; 3] {
        [|metrics: &Metrics| metrics.wa, |metrics: &Metrics| metrics.ua, |metrics: &Metrics| metrics.weighted_f1]
            .map(|figure| MeanDeviation::of(&self.figures(figure)))
    }

    /// The results of all test predictions together.
    pub fn pooled(&self) -> Metrics {
        let mut tally = Tally::new(self.classes.len());
        for (_, Evaluation { metrics, .. }) in &self.results {
            for (sums, counts) in tally.confusion.iter_mut().zip(&metrics.confusion) {
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            tally.loss += metrics.loss * metrics.utterances as f64;
        }
        tally.metrics(&self.classes)
    }

    /// The run folders of the folds that are done, below the experiment's.
    pub(crate) fn folders(&self, folder: &Path) -> Vec<PathBuf> {
        self.results.iter().map(|(fold, _)| fold_folder(folder, *fold)).collect()
    }

    /// All test predictions, fold by fold.
    fn predictions(&self) -> Vec<Prediction> {
        self.results.iter().flat_map(|(_, result)| &result.predictions).cloned().collect()
    }

    /// Folds that are not done, in words.
    fn missing(&self) -> Option<String> {
        let done = |fold: &usize| self.results.iter().any(|(done, _)| done == fold);
        let missing: Vec<String> = (1..=self.folds).filter(|fold| !done(fold)).map(|fold| fold.to_string()).collect();
        (!missing.is_empty()).then(|| format!("Not done yet: folds {}.", missing.join(", ")))
    }

    /// How the folds were made, in words.
    pub(crate) fn method(&self) -> String {
        let Self { folds, by, seed, .. } = self;
        format!("{folds} folds by {by}, seed {seed}")
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
        let columns = [("wa", "WA"), ("ua", "UA"), ("weighted_f1", "weighted F1")].map(|(key, title)| Column::shown(key, title));
        let with = |first: &[(&str, &str)], last: &[(&str, &str)]| {
            let shown = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, title)| Column::shown(key, title)).collect::<Vec<_>>();
            [shown(first), columns.to_vec(), shown(last)].concat()
        };

        let mut summary =
            ResultTable::new(self.title(), with(&[("model", "model"), ("folds", "folds"), ("utterances", "utterances")], &[]));
        let first = [Cell::Text("MCSAN".into()), Cell::Count(self.results.len()), Cell::Count(pooled.utterances)];
        summary.rows.push(first.into_iter().chain(self.spreads().map(Cell::Spread)).collect());
        summary.notes.extend(self.missing());
        summary.notes.push("Mean ± standard deviation over the folds.".into());

        let mut folds = ResultTable::new("Each fold", with(&[("fold", "fold"), ("utterances", "utterances")], &[("loss", "loss")]));
        for (fold, Evaluation { metrics, .. }) in &self.results {
            let shares = [metrics.wa, metrics.ua, metrics.weighted_f1].map(Cell::Share);
            let counts = [Cell::Count(*fold), Cell::Count(metrics.utterances)];
            folds.rows.push(counts.into_iter().chain(shares).chain([Cell::Number(metrics.loss)]).collect());
        }

        let [wa, ua, weighted_f1] = self.spreads();
        let document = json!({
            "corpus": self.corpus, "by": self.by, "seed": self.seed, "folds": self.folds, "done": self.results.len(),
            "wa": wa, "ua": ua, "weighted_f1": weighted_f1, "results": folds.json(), "pooled": pooled,
        });
        Results { document, tables: [("", summary), ("folds", folds)].into_iter().chain(confusions(&pooled)).collect() }
    }
}

/// Widest name of a class in a table.
const NAME: usize = 24;

/// The confusion matrix. Of many classes it is in CSV alone, and those of the most utterances are shown with their recall.
fn confusions(pooled: &Metrics) -> Vec<(&'static str, ResultTable)> {
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
