//! The committed table, and what a new one is held against it by.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::budget::{self, Budget};
use super::listing::Loop;

/// How much worse a figure may become.
const TOLERANCE: f64 = 1.05;

/// First words of the line that names the drivers.
const DRIVER: &str = "# Compiled by ";

/// Says what the file is.
const HEADING: &str = "\
# What compilers of real chips make of the shaders. All but the notes is written by .ci/offline --write.
# Of a choice in a product's loop each side counts half. What needs more registers than a chip has, or fewer, is not `taken` there.
# A note says why a variant that the paper's model runs spills, or that its loop's budget is known and not yet met.
";

/// An entry point on a chip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Shader and function, as in `linear.forward`.
    pub entry: String,
    pub variant: String,
    pub chip: String,
    pub registers: u64,
    pub spills: u64,
    /// In bytes.
    pub scratch: u64,
    pub instructions: u64,
    /// Whether the variant is for a chip of so many registers; what is not may be tried where tiles are timed.
    pub taken: bool,
    /// Of a turn of the loop that does most of the work, where the listing can be read.
    pub loop_instructions: Option<u64>,
    pub loop_multiply_adds: Option<u64>,
    pub note: String,
}

/// What tells rows apart, and how they are ordered.
type Key<'a> = (&'a str, &'a str, &'a str);

impl Row {
    fn key(&self) -> Key<'_> {
        (&self.entry, &self.variant, &self.chip)
    }

    fn name(&self) -> String {
        format!("{} {} on {}", self.entry, self.variant, self.chip)
    }

    fn busiest_loop(&self) -> Option<Loop> {
        Some(Loop { instructions: self.loop_instructions?, multiply_adds: self.loop_multiply_adds? })
    }

    /// Whether the paper's model runs it on the chip: all its widths are multiples of four, its heads of 16, its hidden size 128.
    fn is_of_the_paper(&self) -> bool {
        let parts: Vec<&str> = self.variant.split('+').collect();
        let has = |part| parts.contains(&part);
        self.taken
            && (has("hidden128") || !self.entry.starts_with("bilstm."))
            && ["default", "graphics", "head16", "vec4"].contains(&parts[0])
    }

    /// Figures of which less is better, by what they count.
    fn figures(&self) -> [(&'static str, Option<f64>); 5] {
        let whole = |figure: u64| Some(figure as f64);
        let of_loop = self.busiest_loop().filter(|of| of.multiply_adds > 0);
        [
            ("registers", whole(self.registers)),
            ("spills", whole(self.spills)),
            ("bytes of scratch", whole(self.scratch)),
            ("instructions", whole(self.instructions)),
            ("instructions a multiply-add of its loop", of_loop.map(|of| of.instructions as f64 / of.multiply_adds as f64)),
        ]
    }

    /// What its loop is held against, and how it stands.
    pub fn budget(&self) -> Option<(Budget, Loop)> {
        Some((budget::of(&self.entry).filter(|_| self.is_of_the_paper())?, self.busiest_loop()?))
    }

    /// What a note has to give a reason for.
    fn shortcoming(&self) -> Option<String> {
        let spills = self.is_of_the_paper() && self.spills + self.scratch > 0;
        let spills = spills.then(|| format!("{} spills and {} bytes of scratch", self.spills, self.scratch));
        let missed = self.budget().filter(|(budget, of)| !budget.is_met_by(*of)).map(|(budget, of)| budget.beside(of));
        let both: Vec<String> = spills.into_iter().chain(missed).collect();
        (!both.is_empty()).then(|| both.join(", "))
    }
}

/// All rows, and the drivers that they were compiled by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    pub driver: String,
    pub rows: Vec<Row>,
}

/// What comes of a comparison, a line each.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Each is a failure.
    pub worse: Vec<String>,
    /// What is no failure and worth knowing.
    pub told: Vec<String>,
}

impl Table {
    /// Reads what [`Self::text`] wrote.
    pub fn read(text: &str) -> Result<Self, csv::Error> {
        let driver = text.lines().find_map(|line| line.strip_prefix(DRIVER)).unwrap_or_default();
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        Ok(Self { driver: driver.into(), rows: reader.deserialize().collect::<Result<_, _>>()? })
    }

    /// As CSV, under lines that begin with `#`.
    pub fn text(&self) -> Result<String, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &self.rows {
            writer.serialize(row)?;
        }
        let rows = writer.into_inner().map_err(|failure| failure.into_error())?;
        Ok(format!("{HEADING}{DRIVER}{}\n{}", self.driver, String::from_utf8_lossy(&rows)))
    }

    fn by_key(&self) -> BTreeMap<Key<'_>, &Row> {
        self.rows.iter().map(|row| (row.key(), row)).collect()
    }

    fn chips(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.chip.as_str()).collect()
    }

    /// These rows with the notes of `committed` that are still needed, and its rows of chips that are not here.
    pub fn following(&self, committed: &Self) -> Self {
        let (before, chips) = (committed.by_key(), self.chips());
        let noted = self.rows.iter().map(|row| {
            let note = before.get(&row.key()).filter(|_| row.shortcoming().is_some()).map(|before| before.note.clone());
            Row { note: note.unwrap_or_default(), ..row.clone() }
        });
        let others = committed.rows.iter().filter(|row| !chips.contains(row.chip.as_str())).cloned();
        let mut rows: Vec<Row> = noted.chain(others).collect();
        rows.sort_by(|one, other| one.key().cmp(&other.key()));
        Self { driver: self.driver.clone(), rows }
    }

    /// Holds these rows against the committed ones of the same chips. Figures are judged where the same drivers made both: what
    /// another compiler makes of unchanged shaders is nobody's fault.
    pub fn against(&self, committed: &Self) -> Verdict {
        let mut verdict = Verdict::default();
        let (now, before, chips) = (self.by_key(), committed.by_key(), self.chips());
        for row in committed.rows.iter().filter(|row| chips.contains(row.chip.as_str()) && !now.contains_key(&row.key())) {
            verdict.worse.push(format!("{} is in the table and was not compiled", row.name()));
        }
        let same_driver = self.driver == committed.driver;
        if !same_driver {
            verdict.told.push(format!("the table is of {}, these drivers are of {}: differences are told", committed.driver, self.driver));
        }
        for (key, row) in now {
            let Some(before) = before.get(&key) else {
                verdict.worse.push(format!("{} is not in the table", row.name()));
                continue;
            };
            for ((what, now), (_, before)) in row.figures().into_iter().zip(before.figures()) {
                let (now, before) = match (now, before) {
                    (Some(now), Some(before)) => (now, before),
                    (None, Some(_)) => {
                        verdict.worse.push(format!("{}: its listing shows no loop, the table has one", row.name()));
                        continue;
                    }
                    _ => continue,
                };
                let line = || format!("{}: {} {what}, {} in the table", row.name(), short(now), short(before));
                if now > before * TOLERANCE {
                    if same_driver { &mut verdict.worse } else { &mut verdict.told }.push(line());
                } else if now * TOLERANCE < before {
                    verdict.told.push(line());
                }
            }
            if let Some(shortcoming) = row.shortcoming().filter(|_| before.note.is_empty()) {
                verdict.worse.push(format!("{}: {shortcoming}: the table has no note that says why", row.name()));
            }
        }
        verdict
    }
}

/// Whole numbers as they are, others with two places.
fn short(figure: f64) -> String {
    if figure.fract() == 0.0 { format!("{figure}") } else { format!("{figure:.2}") }
}
