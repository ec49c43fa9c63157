//! The offline bench: what compilers of real chips make of every entry point that graphics hardware runs by default, held against the
//! committed table. `--write` makes the table anew. No chip is needed, but Mesa's drivers and its stand-ins for their kernel modules:
//! `.ci/offline` runs this where they are. A chip that cannot be had is skipped by name.

mod budget;
mod chips;
mod compile;
mod listing;
mod request;
mod spirv;
mod table;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use chips::{CHIPS, Chip};
use compile::{Compiled, Compiler};
use mcsan::backend::gpu::MANY_REGISTERS;
use mcsan::base::tiles::Tile;
use request::Request;
use table::{Row, Table};

/// What ends the bench with a line.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The committed table.
const TABLE: &str = "benches/offline.csv";

fn main() -> ExitCode {
    let done = match Request::read(std::env::args().skip(1)) {
        Ok(Request::Compare) => compare(),
        Ok(Request::Write) => write(),
        Ok(Request::Print { chip, folder }) => match CHIPS.iter().find(|known| known.name == chip) {
            Some(chip) => print(chip, Path::new(&folder)),
            None => Err("no such chip".into()),
        },
        Ok(Request::OfOthers(name)) => {
            println!("the offline bench has no case '{name}' to choose, and compiles nothing");
            Ok(ExitCode::SUCCESS)
        }
        Err(usage) => Err(usage.into()),
    };
    done.unwrap_or_else(|error| {
        println!("error: {error}");
        ExitCode::FAILURE
    })
}

/// Prints the table of the chip whose driver the environment names, from a folder of SPIR-V.
fn print(chip: &Chip, folder: &Path) -> Result<ExitCode, Failure> {
    let compiler = Compiler::open(chip.is_robust)?;
    let mut rows = Vec::new();
    for (variant, entries) in spirv::variants() {
        if !variant.requirements.iter().all(|&requirement| compiler.meets(requirement)) {
            continue;
        }
        for entry in entries {
            let name = format!("{}.{}", entry.shader, entry.name);
            let words = std::fs::read(folder.join(spirv::file_name(variant, entry)))?;
            let words: Vec<u32> = bytemuck::pod_collect_to_vec(&words);
            let compiled =
                compiler.compile(&words, entry, chip.has_listing).map_err(|error| format!("{name} {}: {error}", variant.name))?;
            rows.push(row(chip, name, variant.name, compiler.registers, &compiled)?);
        }
    }
    print!("{}", Table { driver: compiler.driver, rows }.text()?);
    Ok(ExitCode::SUCCESS)
}

/// Whether a chip of so many registers is given a variant.
fn is_for(chip: &Chip, entry: &str, variant: &str, registers: u32) -> bool {
    let has = |part| variant.split('+').any(|own| own == part);
    match Tile::of_variant(variant) {
        Some(tile) => tile.registers() <= registers,
        // Its registers hold the weights.
        None if has("matrices") && entry.starts_with("bilstm.") => !chip.copies_factors,
        None => !has("hidden128") || has("held") == (registers >= MANY_REGISTERS),
    }
}

/// The figures of one entry point, on a chip with so many registers for a tile.
fn row(chip: &Chip, entry: String, variant: &str, registers: u32, compiled: &Compiled) -> Result<Row, String> {
    let figure = |name: &&str| compiled.statistics.get(*name).ok_or(format!("the driver tells no '{name}' of {}", compiled.names()));
    let sum = |names: &[&str]| names.iter().map(figure).sum::<Result<u64, _>>();
    let busiest = listing::busiest_loop(&compiled.listings, budget::a_step(&entry, variant)).filter(|of| of.multiply_adds > 0);
    let taken = is_for(chip, &entry, variant, registers);
    Ok(Row {
        entry,
        variant: variant.into(),
        chip: chip.name.into(),
        registers: sum(chip.registers)?,
        spills: sum(chip.spills)?,
        scratch: sum(chip.scratch)?,
        instructions: sum(&[chip.instructions])?,
        taken,
        loop_instructions: busiest.map(|of| of.instructions),
        loop_multiply_adds: busiest.map(|of| of.multiply_adds),
        note: String::new(),
    })
}

/// The table of a chip, by this program in an environment where the chip is; nothing where it cannot be had.
fn table_of(chip: &Chip, folder: &Path) -> Result<Option<Table>, Failure> {
    let what = format!("{} ({})", chip.name, chip.description);
    let Some(environment) = chip.environment() else {
        println!("== {what}: its driver or the stand-in for its kernel module is not installed, skipped");
        return Ok(None);
    };
    let start = Instant::now();
    let output = Command::new(std::env::current_exe()?).args(["--chip", chip.name]).arg(folder).envs(environment).output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        return Err(format!("{what}: {}, {}", text.trim(), output.status).into());
    }
    let table = Table::read(&text)?;
    println!("== {what}: {} entry points, {} s", table.rows.len(), start.elapsed().as_secs());
    Ok(Some(table))
}

/// The table of all chips that can be had.
fn measure() -> Result<Table, Failure> {
    let folder = tempfile::tempdir()?;
    spirv::write_all(folder.path())?;
    let tables = std::thread::scope(|scope| {
        let started: Vec<_> = CHIPS.iter().map(|chip| scope.spawn(|| table_of(chip, folder.path()))).collect();
        started.into_iter().map(|one| one.join().unwrap_or_else(|_| Err("a thread panicked".into()))).collect::<Result<Vec<_>, _>>()
    })?;
    let mut all = Table::default();
    for table in tables.into_iter().flatten() {
        all.driver = table.driver;
        all.rows.extend(table.rows);
    }
    Ok(all)
}

/// The table as it is committed, empty where there is none yet.
fn committed() -> Result<Table, Failure> {
    if !Path::new(TABLE).exists() {
        return Ok(Table::default());
    }
    Table::read(&std::fs::read_to_string(TABLE)?).map_err(|error| format!("{TABLE}: {error}").into())
}

/// Makes the table anew.
fn write() -> Result<ExitCode, Failure> {
    let table = measure()?.following(&committed()?);
    std::fs::write(TABLE, table.text()?)?;
    println!("{TABLE}: {} rows", table.rows.len());
    Ok(ExitCode::SUCCESS)
}

/// Says how the budgets stand, and what is worse than in the table.
fn compare() -> Result<ExitCode, Failure> {
    let (table, committed) = (measure()?, committed()?);
    for row in &table.rows {
        if let Some((budget, of)) = row.budget() {
            let stands = if budget.is_met_by(of) { "met" } else { "known, not yet met" };
            println!("{} {} on {}: {}: {stands}", row.entry, row.variant, row.chip, budget.beside(of));
        }
    }
    let verdict = table.against(&committed);
    for line in &verdict.told {
        println!("{line}");
    }
    for line in &verdict.worse {
        println!("error: {line}");
    }
    if verdict.worse.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} lines of {TABLE} do not hold; .ci/offline --write makes it anew, and asks for notes", verdict.worse.len());
    Ok(ExitCode::FAILURE)
}
