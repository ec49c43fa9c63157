//! What a matrix of corpora says: a table for each figure, rows by what was trained on, columns by what was tested.

use serde_json::json;

use super::ExperimentError;
use super::figure::{Figure, MACRO_F1, UA, WA, WEIGHTED_F1};
use super::matrix::{self, Matrix, STEM, Trainings};
use super::page;
use super::statistics::MeanDeviation;
use super::table::{Cell, Column, ResultTable, Results};
use crate::corpus::Split;
use crate::report::Confusion;
use crate::train::claim::Claim;
use crate::train::run::files;

/// The figures of a cell, each of which has a table of its own.
const FIGURES: [Figure; 3] = [UA, WA, MACRO_F1];

/// What the models on a data set, one a seed, make of another, by the places of both; those that are done.
type Tested = Vec<Vec<Vec<matrix::Cell>>>;

/// A figure of some cells.
fn values(cells: &[matrix::Cell], figure: &Figure) -> Vec<f64> {
    cells.iter().map(|cell| (figure.of)(&cell.metrics)).collect()
}

/// Their confusion matrices together.
fn confusion(cells: &[matrix::Cell]) -> Vec<Vec<usize>> {
    let mut sum = cells.first().map_or_else(Vec::new, |cell| cell.metrics.confusion.clone());
    for cell in cells.iter().skip(1) {
        let rows = sum.iter_mut().zip(&cell.metrics.confusion);
        rows.flat_map(|(sums, counts)| sums.iter_mut().zip(counts)).for_each(|(sum, count)| *sum += count);
    }
    sum
}

impl Matrix<'_> {
    /// Sums up what is done and writes it; `None` where nothing is.
    ///
    /// # Errors
    /// A run that was begun with other data or settings; a file that cannot be written.
    pub(crate) fn gather(&self, opened: &[(String, Trainings<'_>)]) -> Result<Option<Results>, ExperimentError> {
        let _turn = Claim::wait(self.folder).map_err(|source| ExperimentError::Write { path: self.folder.into(), source })?;
        let mut tested: Tested = Vec::new();
        for (train, (_, seeds)) in self.sets.iter().zip(opened) {
            let of = |test| seeds.iter().filter_map(|of| self.cell(of, train, test).transpose()).collect::<Result<Vec<_>, _>>();
            tested.push(self.sets.iter().map(of).collect::<Result<_, _>>()?);
        }
        if tested.iter().flatten().all(Vec::is_empty) {
            return Ok(None);
        }
        let results = self.tables(&tested);
        results.write(self.folder, STEM)?;
        let pairs = || {
            self.sets
                .iter()
                .zip(&tested)
                .flat_map(|(train, row)| self.sets.iter().zip(row).map(move |(test, cells)| (train, test, cells.as_slice())))
        };
        let done = || pairs().filter(|(.., cells)| !cells.is_empty());
        let confusions: Vec<Confusion> = done()
            .map(|(train, test, cells)| {
                (format!("Trained on {}, tested on {}", train.name, test.name), train.data.classes.clone(), confusion(cells))
            })
            .collect();
        let plot = |figure: &Figure| {
            let row = |train: &matrix::Set, test: &matrix::Set, cells: &[matrix::Cell]| {
                (format!("{} on {}", train.name, test.name), values(cells, figure), None)
            };
            page::plot(figure.title, "", done().map(|(train, test, cells)| row(train, test, cells)).collect())
        };
        let plots: Vec<_> = FIGURES.iter().map(plot).collect();
        let folders = |set| (1..=self.seeds).map(move |seed| self.run(set, seed)).filter(|run| run.join(files::TEST).exists()).collect();
        let runs: Vec<(String, Vec<_>)> = self.sets.iter().map(|set| (set.name.clone(), folders(set))).collect();
        let runs: Vec<_> = runs.into_iter().filter(|(_, folders)| !folders.is_empty()).collect();
        page::write(self.folder, &results, &plots, &runs, &confusions, None, self.config)?;
        Ok(Some(results))
    }

    fn tables(&self, tested: &Tested) -> Results {
        let system = super::systems::title(&self.config.settings);
        let mut tables = vec![("", self.listed(system, tested))];
        for figure in FIGURES {
            let heads = self.sets.iter().map(|set| Column::shown(&set.name, &set.name));
            let title = format!("{} of {system}: rows trained on, columns tested on", figure.title);
            let mut table = ResultTable::new(title, [Column::shown("train", "trained on")].into_iter().chain(heads).collect());
            for (set, row) in self.sets.iter().zip(tested) {
                let cells = row.iter().map(|cells| self.mean(cells, &figure));
                table.rows.push([Cell::Text(set.name.clone())].into_iter().chain(cells).collect());
            }
            tables.push((figure.key, table));
        }
        if let Some((_, last)) = tables.last_mut() {
            last.notes.extend(self.notes(tested));
        }
        let sets = self.sets.iter().map(|set| {
            let [train, validation, test] = Split::ALL.map(|split| set.data.split(split).len());
            json!({ "name": set.name, "corpus": set.data.corpus, "classes": set.data.classes, "train": train, "validation": validation, "test": test })
        });
        let cells = self.sets.iter().zip(tested).flat_map(|(train, row)| {
            self.sets.iter().zip(row).filter_map(move |(test, cells)| {
                let mut document = json!(cells.first()?.mapped);
                (document["train"], document["test"]) = (json!(train.name), json!(test.name));
                for figure in FIGURES.iter().chain([&WEIGHTED_F1]) {
                    document[figure.key] = match (self.seeds, values(cells, figure)) {
                        (1, values) => json!(values[0]),
                        (_, values) => json!(MeanDeviation::of(&values)),
                    };
                }
                (document["utterances"], document["confusion"]) = (json!(cells[0].metrics.utterances), json!(confusion(cells)));
                if self.seeds > 1 {
                    document["done"] = json!(cells.len());
                }
                Some(document)
            })
        });
        let mut document = json!({ "system": system, "sets": sets.collect::<Vec<_>>(), "cells": cells.collect::<Vec<_>>() });
        if self.seeds > 1 {
            document["seeds"] = json!(self.seeds);
        }
        Results { document, tables }
    }

    /// A figure of the runs that are done, with its deviation where there are to be several.
    fn mean(&self, cells: &[matrix::Cell], figure: &Figure) -> Cell {
        match (self.seeds, values(cells, figure).as_slice()) {
            (_, []) => Cell::Empty,
            (1, [value, ..]) => Cell::Share(*value),
            (_, values) => Cell::Spread(MeanDeviation::of(values)),
        }
    }

    /// A line a cell, with all that is known of it; of CSV alone, since the others are shown.
    fn listed(&self, system: &str, tested: &Tested) -> ResultTable {
        let columns =
            ["train", "test", "utterances", "left_out", "classes", "ua", "wa", "macro_f1", "weighted_f1"].map(Column::kept).into();
        let mut table = ResultTable::new(format!("{system} across corpora"), columns);
        for (train, row) in self.sets.iter().zip(tested) {
            for (test, cells) in self.sets.iter().zip(row) {
                let Some(cell) = cells.first() else { continue };
                let shares = FIGURES.iter().chain([&WEIGHTED_F1]).map(|figure| self.mean(cells, figure));
                let counts =
                    [cell.metrics.utterances, cell.mapped.left_out.values().sum(), train.data.classes.len() - cell.mapped.absent.len()];
                let names = [&train.name, &test.name].map(|name| Cell::Text(name.clone()));
                table.rows.push(names.into_iter().chain(counts.map(Cell::Count)).chain(shares).collect());
            }
        }
        table
    }

    /// What is to be known of the tables.
    fn notes(&self, tested: &Tested) -> Vec<String> {
        let mut notes = Vec::new();
        let all = tested.len() * tested.len() * self.seeds;
        let missing = all - tested.iter().flatten().map(Vec::len).sum::<usize>();
        if missing > 0 {
            notes.push(format!("{missing} of {all} are not done yet."));
        }
        if self.seeds > 1 {
            notes.push(format!(
                "Mean ± standard deviation over {} seeds: what the seed moves, not what other test utterances would.",
                self.seeds
            ));
        }
        notes.push(
            "Each run is trained on the training split of its row, and tested on the test split of its column, by the classes that both have. \
             UA is the mean recall of the classes that occur there, macro F1 the mean F1 of those that occur or are predicted."
                .into(),
        );
        for (train, row) in self.sets.iter().zip(tested) {
            for (test, cell) in self.sets.iter().zip(row).filter_map(|(test, cells)| Some((test, cells.first()?))) {
                if !cell.mapped.left_out.is_empty() {
                    let counted: Vec<String> = cell.mapped.left_out.iter().map(|(class, count)| format!("{count} {class}")).collect();
                    let tested = cell.metrics.utterances;
                    notes.push(format!(
                        "{} on {}: {tested} utterances are tested, left out: {}.",
                        train.name,
                        test.name,
                        counted.join(", ")
                    ));
                }
            }
        }
        notes
    }
}
