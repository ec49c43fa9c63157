//! Rows of a table, each with settings of its own, trained over the same folds in `DIR/ROW`, or with several seeds in
//! `DIR/ROW/seed-K`; what the ablations and the comparison of systems have in common.

use std::path::Path;

use super::ExperimentError;
use super::crossval::CrossValidation;
use super::figure::FIGURES;
use super::folds::Folds;
use super::gather::Gathered;
use super::page;
use super::seeds::Seeded;
use super::spec::Identity;
use super::statistics::MeanDeviation;
use super::table::{Cell, Column, Results};
use crate::base::contents::first_foreign;
use crate::base::remedy::Remedy;
use crate::config::{Config, Settings};
use crate::dataset::Dataset;
use crate::report::{self, Confusion};
use crate::train::claim::Claim;

/// A row.
pub(crate) struct Row {
    /// On the command line and as the row's folder.
    pub name: &'static str,
    /// In the table.
    pub title: &'static str,
    /// What it is trained with.
    pub config: Config,
    /// Its [`FIGURES`] as they were published.
    pub published: [Option<MeanDeviation>; FIGURES.len()],
}

impl Row {
    /// A published figure, by its place in [`FIGURES`].
    pub(super) fn published(&self, place: usize) -> Cell {
        match self.published[place] {
            None => Cell::Empty,
            Some(MeanDeviation { mean, deviation: None }) => Cell::Share(mean),
            Some(spread) => Cell::Spread(spread),
        }
    }
}

/// Refuses settings that say something of one network alone: which run it starts from, what of it is trained how fast.
///
/// # Errors
/// [`ExperimentError::OneNetwork`]
pub(crate) fn check_settings(settings: &Settings) -> Result<(), ExperimentError> {
    let differing = settings.differences(&Settings::default());
    let of_one = ["run.from", "train.freeze", "train.rates"].into_iter().find(|name| differing.iter().any(|(key, ..)| key.name == *name));
    of_one.map_or(Ok(()), |key| Err(ExperimentError::OneNetwork { key }))
}

/// A row of which something is there.
pub(crate) struct Begun<'r> {
    pub row: &'r Row,
    pub of: Gathered,
}

/// What rows are compared for.
pub(crate) struct Kind {
    /// Name of the files, without their endings.
    pub stem: &'static str,
    /// What errors call it.
    pub called: &'static str,
    /// Names of all rows that there can be.
    pub names: fn() -> Vec<&'static str>,
    /// What the plots call the published figures.
    pub published: &'static str,
    /// What is said of the rows, in their order.
    pub tables: fn(&Rows<'_>, &[Begun<'_>]) -> Results,
}

/// The rows of an experiment and their folder.
pub(crate) struct Rows<'c> {
    pub kind: &'c Kind,
    pub data: &'c Dataset,
    pub identity: &'c Identity,
    pub folds: &'c Folds,
    pub folder: &'c Path,
    /// How many seeds each row is trained with: `train.seed` and those that follow it.
    pub seeds: usize,
    /// In the order of the table.
    pub rows: Vec<Row>,
    /// What all rows have in common.
    pub base: Config,
}

impl<'c> Rows<'c> {
    /// Whether the rows may be trained in the folder: it is not there, holds nothing, or rows and what is made of them.
    ///
    /// # Errors
    /// [`ExperimentError::Folder`], naming what else is there.
    pub(crate) fn check_folder(&self) -> Result<(), ExperimentError> {
        let Kind { stem, called, names, .. } = self.kind;
        let names = names();
        let is_row = |name: &str| names.contains(&name) && self.folder.join(name).is_dir();
        let is_summary = |name: &str| name.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '-'])) || name == report::FILE;
        let has_rows = names.iter().any(|name| is_row(name));
        match first_foreign(self.folder, |name| is_row(name) || has_rows && is_summary(name)) {
            None => Ok(()),
            Some(name) => {
                let problem = format!("holds '{name}', which is none of {called}'s files");
                Err(ExperimentError::Folder { path: self.folder.into(), problem, remedy: Remedy::OtherFolder })
            }
        }
    }

    /// The cross-validations of a row, one a seed, which counts from 1.
    ///
    /// # Errors
    /// Those of [`Seeded::open`].
    pub(crate) fn open(&self, row: &Row) -> Result<Vec<(usize, CrossValidation<'c>)>, ExperimentError> {
        self.seeded(row).open()
    }

    fn seeded(&self, row: &Row) -> Seeded<'c> {
        let Self { data, identity, folds, seeds, .. } = *self;
        Seeded { data, identity, folds, config: row.config.clone(), folder: self.folder.join(row.name), seeds }
    }

    /// Sums up every row that was begun, by this call or by another, with all its seeds, and writes what is said of them; `None`
    /// where no run of any row is done.
    ///
    /// # Errors
    /// A row that was begun with other data, folds, seeds or settings; a file that cannot be written.
    pub(crate) fn gather(&self) -> Result<Option<(Results, Vec<Begun<'_>>)>, ExperimentError> {
        let _turn = Claim::wait(self.folder).map_err(|source| ExperimentError::Write { path: self.folder.into(), source })?;
        let mut begun = Vec::new();
        for row in &self.rows {
            if let Some(of) = self.seeded(row).done()? {
                begun.push(Begun { row, of });
            }
        }
        if begun.is_empty() {
            return Ok(None);
        }
        let results = (self.kind.tables)(self, &begun);
        results.write(self.folder, self.kind.stem)?;
        let confusions: Vec<Confusion> = begun.iter().map(|Begun { row, of }| of.confusion(row.title)).collect();
        let runs: Vec<_> = begun.iter().map(|Begun { row, of }| (row.title.to_owned(), of.folders())).collect();
        let plots: Vec<_> = FIGURES
            .iter()
            .enumerate()
            .map(|(place, figure)| {
                let row =
                    |Begun { row, of }: &Begun<'_>| (row.title.to_owned(), of.figures(*figure), row.published[place].map(|it| it.mean));
                page::plot(figure.title, self.kind.published, begun.iter().map(row).collect())
            })
            .collect();
        page::write(self.folder, &results, &plots, &runs, &confusions, None, &self.base)?;
        Ok(Some((results, begun)))
    }
}

/// What the runs of a row differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Folds,
    Seeds,
    Both,
}

impl Over {
    /// Of some rows.
    pub(super) fn of(begun: &[Begun<'_>]) -> Self {
        match begun.iter().map(|Begun { of, .. }| (of.folds, of.seeds.len())).max() {
            Some((1, _)) => Self::Seeds,
            Some((_, 2..)) => Self::Both,
            _ => Self::Folds,
        }
    }

    /// In the plural.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Folds => "folds",
            Self::Seeds => "seeds",
            Self::Both => "folds and seeds",
        }
    }

    /// A run, called by what it differs in.
    pub(super) fn one(self) -> &'static str {
        match self {
            Self::Folds => "fold",
            Self::Seeds => "seed",
            Self::Both => "run",
        }
    }

    /// The column that counts the runs.
    pub(super) fn column(self) -> Column {
        let name = format!("{}s", self.one());
        Column::shown(&name, &name)
    }
}

/// What a table says where runs are missing.
pub(super) fn missing(begun: &[Begun<'_>]) -> Option<String> {
    let seeds = begun.iter().map(|Begun { of, .. }| of.seeds.len()).max().unwrap_or(0);
    let partial = begun.iter().find(|Begun { of, .. }| of.results.len() < of.folds * seeds)?;
    let over = Over::of(begun);
    let all = match (partial.of.folds, over) {
        (folds, Over::Folds) => format!("{folds} folds"),
        (_, Over::Seeds) => format!("{seeds} seeds"),
        (folds, Over::Both) => format!("{folds} folds of {seeds} seeds"),
    };
    Some(format!("Not every row has all of its {all} yet; tests compare the {}s that both have.", over.one()))
}
