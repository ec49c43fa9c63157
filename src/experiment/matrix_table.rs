//! What a matrix of corpora says: a table for each figure, rows by what was trained on, columns by what was tested.

use serde_json::json;

use super::ExperimentError;
use super::crossval::CrossValidation;
use super::figure::{Figure, MACRO_F1, UA, WA, WEIGHTED_F1};
use super::matrix::{self, Matrix, STEM};
use super::page;
use super::table::{Cell, Column, ResultTable, Results};
use crate::corpus::Split;
use crate::report::Confusion;
use crate::train::claim::Claim;

/// The figures of a cell, each of which has a table of its own.
const FIGURES: [Figure; 3] = [UA, WA, MACRO_F1];

/// What a model makes of a data set, by the places of both.
type Tested = Vec<Vec<Option<matrix::Cell>>>;

impl Matrix<'_> {
    /// Sums up what is done and writes it; `None` where nothing is.
    ///
    /// # Errors
    /// A run that was begun with other data or settings; a file that cannot be written.
    pub(crate) fn gather(&self, opened: &[(String, CrossValidation<'_>)]) -> Result<Option<Results>, ExperimentError> {
        let _turn = Claim::wait(self.folder).map_err(|source| ExperimentError::Write { path: self.folder.into(), source })?;
        let mut tested: Tested = Vec::new();
        for (train, (_, of)) in self.sets.iter().zip(opened) {
            tested.push(self.sets.iter().map(|test| self.cell(of, train, test)).collect::<Result<_, _>>()?);
        }
        if tested.iter().flatten().all(Option::is_none) {
            return Ok(None);
        }
        let results = self.tables(&tested);
        results.write(self.folder, STEM)?;
        let pairs = || {
            self.sets.iter().zip(&tested).flat_map(|(train, row)| self.sets.iter().zip(row).map(move |(test, cell)| (train, test, cell)))
        };
        let done = || pairs().filter_map(|(train, test, cell)| Some((train, test, cell.as_ref()?)));
        let confusions: Vec<Confusion> = done()
            .map(|(train, test, cell)| {
                (format!("Trained on {}, tested on {}", train.name, test.name), train.data.classes.clone(), cell.metrics.confusion.clone())
            })
            .collect();
        let plot = |figure: &Figure| {
            let row = |train: &matrix::Set, test: &matrix::Set, cell: &matrix::Cell| {
                (format!("{} on {}", train.name, test.name), vec![(figure.of)(&cell.metrics)], None)
            };
            page::plot(figure.title, "", done().map(|(train, test, cell)| row(train, test, cell)).collect())
        };
        let plots: Vec<_> = FIGURES.iter().map(plot).collect();
        let done = self.sets.iter().zip(&tested).zip(0..).filter(|((_, row), place)| row[*place].is_some());
        let runs: Vec<_> = done.map(|((set, _), _)| (set.name.clone(), vec![self.run(set)])).collect();
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
                let cells = row.iter().map(|cell| cell.as_ref().map_or(Cell::Empty, |cell| Cell::Share((figure.of)(&cell.metrics))));
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
            self.sets.iter().zip(row).filter_map(move |(test, cell)| {
                let cell = cell.as_ref()?;
                let mut document = json!(cell.mapped);
                (document["train"], document["test"]) = (json!(train.name), json!(test.name));
                for figure in FIGURES.iter().chain([&WEIGHTED_F1]) {
                    document[figure.key] = json!((figure.of)(&cell.metrics));
                }
                (document["utterances"], document["confusion"]) = (json!(cell.metrics.utterances), json!(cell.metrics.confusion));
                Some(document)
            })
        });
        let document = json!({ "system": system, "sets": sets.collect::<Vec<_>>(), "cells": cells.collect::<Vec<_>>() });
        Results { document, tables }
    }

    /// A line a cell, with all that is known of it; of CSV alone, since the others are shown.
    fn listed(&self, system: &str, tested: &Tested) -> ResultTable {
        let columns =
            ["train", "test", "utterances", "left_out", "classes", "ua", "wa", "macro_f1", "weighted_f1"].map(Column::kept).into();
        let mut table = ResultTable::new(format!("{system} across corpora"), columns);
        for (train, row) in self.sets.iter().zip(tested) {
            for (test, cell) in self.sets.iter().zip(row).filter_map(|(test, cell)| Some((test, cell.as_ref()?))) {
                let shares = FIGURES.iter().chain([&WEIGHTED_F1]).map(|figure| Cell::Share((figure.of)(&cell.metrics)));
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
        let missing = tested.iter().flatten().filter(|cell| cell.is_none()).count();
        if missing > 0 {
            notes.push(format!("{missing} of {} are not done yet.", tested.len() * tested.len()));
        }
        notes.push(
            "Each run is trained on the training split of its row, and tested on the test split of its column, by the classes that both have. \
             UA is the mean recall of the classes that occur there, macro F1 the mean F1 of those that occur or are predicted."
                .into(),
        );
        for (train, row) in self.sets.iter().zip(tested) {
            for (test, cell) in self.sets.iter().zip(row).filter_map(|(test, cell)| Some((test, cell.as_ref()?))) {
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
