//! A network that is trained with one seed or several over the same folds: its runs lie in `DIR`, or with several seeds in
//! `DIR/seed-K`; and what the several say together, `crossval.*` of folds, `seeds.*` of the data's own splits.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::certainty::means;
use super::crossval::CrossValidation;
use super::figure::{FIGURES, Figure};
use super::folds::{By, Folds};
use super::gather::{self, Gathered, RunResult, confusions};
use super::spec::{self, Identity};
use super::statistics::MeanDeviation;
use super::table::{Cell, Column, ResultTable, Results};
use super::{ExperimentError, certainty, page};
use crate::base::contents::first_foreign;
use crate::base::remedy::Remedy;
use crate::config::{Config, ConfigError};
use crate::dataset::Dataset;
use crate::report;
use crate::train::claim::Claim;

/// Refuses a first seed that so many cannot begin with, since a run's settings could not say the last.
///
/// # Errors
/// [`ConfigError::Value`]
pub(crate) fn check_seeds(config: &Config, seeds: usize) -> Result<(), ConfigError> {
    let (seed, most) = (config.settings.train.seed, i64::MAX as u64 - (seeds.max(1) as u64 - 1));
    if seed <= most {
        return Ok(());
    }
    let allowed = format!("at most {most}, as {seeds} seeds begin with it");
    Err(ConfigError::Value { key: "train.seed".into(), value: seed.to_string(), allowed })
}

/// A network, its folds and its seeds.
pub(crate) struct Seeded<'c> {
    pub data: &'c Dataset,
    pub identity: &'c Identity,
    pub folds: &'c Folds,
    /// What every run is trained with; its `train.seed` is the first seed.
    pub config: Config,
    /// Of its runs.
    pub folder: PathBuf,
    /// How many: `train.seed` and those that follow it.
    pub seeds: usize,
}

impl<'c> Seeded<'c> {
    /// Its cross-validations, one a seed, which counts from 1.
    ///
    /// # Errors
    /// Those of [`CrossValidation::open`]; a folder that was begun with one seed where there are several, or the other way round.
    pub(crate) fn open(&self) -> Result<Vec<(usize, CrossValidation<'c>)>, ExperimentError> {
        check_seeds(&self.config, self.seeds)?;
        (1..=self.seeds).map(|seed| Ok((seed, self.open_seed(seed)?))).collect()
    }

    /// The folder of a run, by seed and fold from 1.
    pub(crate) fn run(&self, seed: usize, fold: usize) -> PathBuf {
        self.folds.by.folder(&self.of_seed(seed), fold)
    }

    /// What lies there of a seed.
    pub(super) fn of_seed(&self, seed: usize) -> PathBuf {
        if self.seeds > 1 { seed_folder(&self.folder, seed) } else { self.folder.clone() }
    }

    fn open_seed(&self, seed: usize) -> Result<CrossValidation<'c>, ExperimentError> {
        let has_one = self.folder.join(spec::FILE).exists();
        let has_several = !seeds_in(&self.folder).is_empty();
        if has_one && self.seeds > 1 || has_several && self.seeds == 1 {
            let (there, now) = if has_one { ("one seed", "several") } else { ("several seeds", "one") };
            let problem = format!("was begun with {there}, and now there {} {now}", if has_one { "are" } else { "is" });
            return Err(ExperimentError::Folder { path: self.folder.clone(), problem, remedy: Remedy::SameSeeds });
        }
        let mut config = self.config.clone();
        // The folds are the same for all seeds.
        config.settings.train.seed = config.settings.train.seed.wrapping_add(seed as u64 - 1);
        CrossValidation::open(self.data, self.identity, config, self.folds, &self.of_seed(seed))
    }

    /// The runs that are done, by this call or by another, of all seeds that were begun; `None` where there is none.
    ///
    /// # Errors
    /// Those of [`Seeded::open`] and [`CrossValidation::result`].
    pub(crate) fn done(&self) -> Result<Option<Gathered>, ExperimentError> {
        let mut seeds = seeds_in(&self.folder);
        if self.folder.join(spec::FILE).exists() {
            seeds.insert(0, 1);
        }
        let opened = seeds.into_iter().map(|seed| Ok((seed, self.open_seed(seed)?))).collect::<Result<Vec<_>, ExperimentError>>()?;
        Ok(Gathered::read_seeds(&opened)?.filter(|of| !of.results.is_empty()))
    }

    /// Whether several seeds may be trained in the folder: it is not there, holds nothing, or seeds and what is made of them.
    ///
    /// # Errors
    /// [`ExperimentError::Folder`], naming what else is there.
    pub(crate) fn check_folder(&self) -> Result<(), ExperimentError> {
        let has_seeds = !seeds_in(&self.folder).is_empty();
        let stem = stem(self.folds.by);
        let is_seed = |name: &str| name.strip_prefix("seed-").is_some_and(|number| number.parse::<usize>().is_ok());
        let is_summary = |name: &str| {
            let of_stem = name.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '-']));
            has_seeds && (of_stem || name == report::FILE)
        };
        // One that was begun with a single seed is told so.
        let own = |name: &str| is_seed(name) || is_summary(name) || self.folder.join(spec::FILE).exists();
        match first_foreign(&self.folder, own) {
            None => Ok(()),
            Some(name) => {
                let problem = format!("holds '{name}', which is no seed's and nothing that is made of seeds");
                Err(ExperimentError::Folder { path: self.folder.clone(), problem, remedy: Remedy::OtherFolder })
            }
        }
    }

    /// Sums up what is done of several seeds and writes it; `None` where no run is done.
    ///
    /// # Errors
    /// Those of [`Seeded::done`]; a file that cannot be written.
    pub(crate) fn gather(&self) -> Result<Option<Results>, ExperimentError> {
        let _turn = Claim::wait(&self.folder).map_err(|source| ExperimentError::Write { path: self.folder.clone(), source })?;
        let Some(of) = self.done()? else { return Ok(None) };
        let results = tables(&of);
        results.write(&self.folder, stem(of.by))?;
        let row = |figure: Figure| (figure.title.to_owned(), of.figures(figure), None);
        let plot = page::plot(if of.folds > 1 { "Folds and seeds" } else { "Seeds" }, page::PAPER, FIGURES.map(row).to_vec());
        let runs = [("mean of the runs".to_owned(), of.folders())];
        page::write(&self.folder, &results, &[plot], &runs, &[of.confusion("All test predictions")], None, &self.config)?;
        Ok(Some(results))
    }
}

/// Name of the files, without their endings.
fn stem(by: By) -> &'static str {
    if by == By::Given { "seeds" } else { gather::STEM }
}

/// The folder of a seed.
fn seed_folder(all: &Path, seed: usize) -> PathBuf {
    all.join(format!("seed-{seed}"))
}

/// The seeds that were begun in a folder, rising; none where it was begun with one alone.
pub(super) fn seeds_in(folder: &Path) -> Vec<usize> {
    let names = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let number = |name: String| name.strip_prefix("seed-")?.parse().ok();
    let begun = |seed: &usize| *seed > 0 && seed_folder(folder, *seed).join(spec::FILE).exists();
    names.filter_map(number).filter(begun).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What the deviation of a row is over, and the values that it is of.
fn spreads(of: &Gathered) -> Vec<(&'static str, [Vec<f64>; FIGURES.len()])> {
    let each = |figures: &dyn Fn(Figure) -> Vec<f64>| FIGURES.map(figures);
    if of.folds == 1 {
        return vec![("seeds", each(&|figure| of.figures(figure)))];
    }
    let rows = [
        ("folds and seeds", each(&|figure| of.figures(figure))),
        ("seeds", each(&|figure| means(of, |run| run.seed, of.folds, figure))),
        ("folds", each(&|figure| means(of, |run| run.fold, of.seeds.len(), figure))),
    ];
    rows.into_iter().filter(|(_, [values, ..])| !values.is_empty()).collect()
}

/// The summary of several seeds.
fn tables(of: &Gathered) -> Results {
    let pooled = of.pooled();
    let figures = || FIGURES.map(|figure| Column::shown(figure.key, figure.title)).to_vec();
    let shown = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, title)| Column::shown(key, title)).collect::<Vec<_>>();

    let title = format!("{} seeds on {}: {}", of.seeds.len(), of.corpus, of.method());
    let first = shown(&[("model", "model"), ("over", "deviation over"), ("values", "values")]);
    let mut summary = ResultTable::new(title, [first, figures()].concat());
    let spreads = spreads(of);
    for (over, values) in &spreads {
        let cells = [Cell::Text(of.model.into()), Cell::Text((*over).into()), Cell::Count(values[0].len())];
        summary.rows.push(cells.into_iter().chain(values.each_ref().map(|values| Cell::Spread(MeanDeviation::of(values)))).collect());
    }
    let (runs, all) = (of.results.len(), of.folds * of.seeds.len());
    if runs < all {
        summary.notes.push(format!("Not done yet: {} of {all} runs.", all - runs));
    }
    summary.notes.push(match of.folds {
        1 => "Mean ± standard deviation over the seeds, all tested on the same utterances: what the seed moves, not what other test \
              utterances would."
            .into(),
        _ => "Mean ± standard deviation: over the folds and seeds, of all runs together; over the seeds, of each seed's mean over its \
              folds, so what the seed alone moves; over the folds, of each fold's mean over its seeds, so what the data move."
            .to_owned(),
    });

    let of_run = |run: &RunResult| FIGURES.map(|figure| Cell::Share((figure.of)(&run.test.metrics)));
    let mut tables = Vec::new();
    if of.folds > 1 {
        let mut seeds = ResultTable::new("Each seed", [shown(&[("seed", "seed"), ("folds", "folds")]), figures()].concat());
        for &seed in &of.seeds {
            let values = FIGURES.map(|figure| {
                let runs = of.results.iter().filter(|run| run.seed == seed);
                runs.map(|run| (figure.of)(&run.test.metrics)).collect::<Vec<_>>()
            });
            if !values[0].is_empty() {
                let counts = [Cell::Count(seed), Cell::Count(values[0].len())];
                seeds.rows.push(counts.into_iter().chain(values.map(|values| Cell::Spread(MeanDeviation::of(&values)))).collect());
            }
        }
        tables.push(("seeds", seeds));
    }
    let columns = ["seed", "fold", "utterances"].into_iter().chain(FIGURES.map(|figure| figure.key)).chain(["loss"]);
    // Of the data's own splits a run is a seed, which is worth a line.
    let column = |key: &str| match FIGURES.iter().find(|figure| figure.key == key) {
        _ if of.folds > 1 || key == "fold" => Column::kept(key),
        Some(figure) => Column::shown(key, figure.title),
        None => Column::shown(key, key),
    };
    let mut each = ResultTable::new("Each seed", columns.map(column).collect());
    for run in &of.results {
        let metrics = &run.test.metrics;
        let counts = [run.seed, run.fold, metrics.utterances].map(Cell::Count);
        each.rows.push(counts.into_iter().chain(of_run(run)).chain([Cell::Number(metrics.loss)]).collect());
    }
    let document = document(of, &spreads, each.json(), json!(pooled));
    tables.push(("runs", each));
    let certainty = (certainty::NAME, certainty::table(&[(of.model, of)]));
    Results { document, tables: [("", summary), certainty].into_iter().chain(tables).chain(confusions(&pooled)).collect() }
}

/// As that of one seed, with the deviations over the seeds and over the folds besides.
fn document(of: &Gathered, spreads: &[(&str, [Vec<f64>; FIGURES.len()])], runs: Value, pooled: Value) -> Value {
    let mut document = json!({
        "corpus": of.corpus, "by": of.by, "seed": of.seed, "folds": of.folds, "seeds": of.seeds.len(), "done": of.results.len(),
        "results": runs, "pooled": pooled, "certainty": certainty::json(of),
    });
    for (over, values) in spreads {
        let figures = FIGURES.iter().zip(values).map(|(figure, values)| (figure.key.to_owned(), json!(MeanDeviation::of(values))));
        let figures: serde_json::Map<_, _> = figures.collect();
        match *over {
            "seeds" if of.folds > 1 => document["over_seeds"] = figures.into(),
            "folds" => document["over_folds"] = figures.into(),
            _ => figures.into_iter().for_each(|(key, value)| document[key] = value),
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_end_where_no_document_holds_the_last() {
        let largest = i64::MAX as u64;
        let check = |seed, seeds| {
            let mut config = Config::default();
            config.settings.train.seed = seed;
            check_seeds(&config, seeds).map_err(|error| error.to_string())
        };
        assert_eq!((check(largest, 1), check(largest - 2, 3)), (Ok(()), Ok(())));
        let told = "train.seed = 9223372036854775806: expected at most 9223372036854775805, as 3 seeds begin with it";
        assert_eq!(check(largest - 1, 3), Err(told.into()));
    }
}
