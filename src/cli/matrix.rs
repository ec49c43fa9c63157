//! `mcsan matrix`

use std::path::{Path, PathBuf};

use clap::{Args, value_parser};

use super::arguments::Common;
use super::crossval::{Part, check_data, report, train};
use super::device::{self, on_device};
use super::effect::no_effect;
use super::settings::Training;
use super::{Done, Failure, remedy, spread};
use crate::config::Config;
use crate::config::effect::Purpose;
use crate::corpus::Split;
use crate::corpus::label_map::{Labels, MapSource};
use crate::experiment::matrix::{Matrix, Set};
use crate::train::corpora;

#[derive(Args)]
#[command(
    after_help = "Example: mcsan matrix --data ravdess.safetensors,cremad.safetensors,emodb.safetensors --out runs/matrix --epochs 15"
)]
pub(crate) struct MatrixArguments {
    /// Prepared files with splits of their own, two or more; tables call each as its file
    #[arg(long, value_name = "DATA,…", value_delimiter = ',', required = true)]
    pub data: Vec<PathBuf>,
    /// The matrix' folder; one that was begun with the same goes on, with other data besides too
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Which classes are which, as for 'mcsan evaluate'; a file names classes of all data sets
    #[arg(long, value_name = "auto|merged|FILE.toml", default_value = "auto")]
    pub map: MapSource,
    /// Train on these devices at once, a process on each, which take rows from each other: all (adapters of hardware), or several like 0,1
    #[arg(long, value_name = "DEVICES", conflicts_with = "device")]
    pub devices: Option<String>,
    /// Train on each with so many seeds, train.seed and those that follow it, for means and deviations
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=1000))]
    pub seeds: u16,
    #[command(flatten)]
    pub settings: Training,
}

impl MatrixArguments {
    /// # Errors
    /// Wrong usage: one data set alone, or two of one name.
    pub(crate) fn check_usage(&self) -> Result<(), clap::Error> {
        let names: Vec<_> = self.data.iter().map(|path| path.file_stem().unwrap_or(path.as_os_str())).collect();
        if names.len() < 2 {
            return Err(no_effect("--data names one data set; a matrix is of two or more, between commas"));
        }
        match names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
            None => Ok(()),
            Some((_, name)) => {
                let name = Path::new(name).display();
                Err(no_effect(format!("--data names two files '{name}', by which the tables call them; rename one of them")))
            }
        }
    }
}

pub(crate) fn run(common: &Common, arguments: &MatrixArguments) -> Done {
    let config = arguments.settings.load(common, Config::default())?;
    let labels = Labels::read(&arguments.map)?;
    let seed = config.settings.train.seed;
    corpora::refuse_twice(&arguments.data)?;
    let sets = arguments.data.iter().map(|path| Set::load(path, seed)).collect::<Result<Vec<_>, _>>()?;
    let classes: Vec<&[String]> = sets.iter().map(|set| set.data.classes.as_slice()).collect();
    labels.check(&classes)?;
    for set in &sets {
        let validation = !set.data.split(Split::Validation).is_empty();
        let purpose = Purpose::Training { steps_an_epoch: None, folds: false, validation };
        check_data(common, &set.data, &[&config.settings], &arguments.settings, purpose)
            .map_err(|error| Failure::of(set.path.display(), error))?;
    }
    let matrix = Matrix { sets: &sets, labels: &labels, config: &config, folder: &arguments.out, seeds: arguments.seeds.into() };
    matrix.check_folder()?;
    matrix.check_pairs()?;
    let chosen = spread::train(common, arguments.devices.as_deref())?;
    let device = device::open(common, chosen.as_deref().unwrap_or(&config.execution.device))?;
    let opened = matrix.open()?;
    let names: Vec<String> = opened.iter().map(|(name, _)| name.clone()).collect();
    let part = |row: &String, seed| Part { row: row.clone(), seed: Some(seed).filter(|_| matrix.seeds > 1) };
    let parts = opened.into_iter().flat_map(|(row, seeds)| seeds.into_iter().map(move |(seed, of)| (part(&row, seed), of)));
    let mut parts: Vec<_> = parts.collect();
    let trained = train(common, &config.execution.tiles, &device, None, &mut parts);
    let mut validations = parts.into_iter().map(|(_, validation)| validation);
    let of = |name| (name, (1..=matrix.seeds).zip(validations.by_ref()).collect());
    let opened: Vec<_> = names.into_iter().map(of).collect();
    let mut observe = |train: &str, seed: usize, test: &str| match matrix.seeds {
        1 => eprintln!("testing {train} on {test}"),
        _ => eprintln!("testing {train}, seed {seed}, on {test}"),
    };
    let tested = match &trained {
        Ok(_) => on_device!(device, |backend| pollster::block_on(matrix.test(backend, &mut observe))),
        // Where a training fails or is stopped, what the others say is written all the same.
        Err(_) => Ok(()),
    };
    let results = matrix.gather(&opened);
    trained?;
    tested.map_err(|error| Failure(remedy::line(&error)))?;
    report(common, results?.as_ref())
}
