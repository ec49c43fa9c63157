//! The prepared files of a command, one data set where they are several.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use super::arguments::Common;
use super::effect::no_effect;
use super::notes::Note;
use crate::config::Settings;
use crate::corpus::label_map::{Labels, MapSource};
use crate::dataset::shards::Place;
use crate::dataset::{Dataset, Wanted};
use crate::train::corpora::{self, Classes, Loaded};
use crate::train::session;

/// Prepared files.
#[derive(Args)]
pub(crate) struct Data {
    /// Prepared file; given several times, the files are one data set: classes and words of the same name are the same, while ids, speakers,
    /// sessions and dialogues are each corpus' own
    #[arg(id = "data", long = "data", value_name = "DATA", required = true)]
    paths: Vec<PathBuf>,
    /// Which class is which where the files, or a run and its test data, call them otherwise: 'auto' takes classes for one that are named after
    /// one emotion, 'merged' excitement for happiness and calm for neutral besides, a file says it, as happy = "happiness" (a file of that
    /// name is ./auto); of several files the classes are the run's, or the first one's
    #[arg(long, value_name = "auto|merged|FILE.toml")]
    pub map: Option<MapSource>,
}

impl Data {
    /// These files.
    pub(crate) fn of(paths: &[PathBuf], map: Option<MapSource>) -> Self {
        Self { paths: paths.to_vec(), map }
    }

    /// # Errors
    /// Wrong usage: classes of one file alone, which no run's stand against.
    pub(crate) fn check_usage(&self) -> Result<(), clap::Error> {
        match (&self.map, self.paths.as_slice()) {
            (Some(_), [_]) => Err(no_effect("--map is of several files of --data, and there is one; leave it out")),
            _ => Ok(()),
        }
    }

    /// Reads them, and joins them where they are several; finds out which data these are and which recordings are there twice besides.
    pub(crate) fn load(&self, common: &Common) -> Result<Dataset, Failure> {
        self.load_wanting(common, &|_| Wanted { identity: true, means: None })
    }

    /// The same, with the means that a training by these settings needs.
    pub(crate) fn load_to_train(&self, common: &Common, settings: &Settings) -> Result<Dataset, Failure> {
        self.load_wanting(common, &|data| session::wanted(settings, data))
    }

    fn load_wanting(&self, common: &Common, wanted: &dyn Fn(&Dataset) -> Wanted) -> Result<Dataset, Failure> {
        let labels = self.map.as_ref().map(Labels::read).transpose()?;
        let classes = labels.as_ref().map(|labels| Classes { labels, of_model: None });
        self.join(common, classes.as_ref(), wanted)
    }

    /// Reads them by these classes where they are several.
    pub(crate) fn load_for(&self, common: &Common, classes: Option<&Classes<'_>>) -> Result<Dataset, Failure> {
        self.join(common, classes, &|_| Wanted::default())
    }

    fn join(&self, common: &Common, classes: Option<&Classes<'_>>, wanted: &dyn Fn(&Dataset) -> Wanted) -> Result<Dataset, Failure> {
        let Loaded { data, lacked, mapped, shards } = corpora::load(&self.paths, classes, wanted)?;
        lacked.into_iter().for_each(|lacked| common.note(Note::LackedStream { stream: lacked.stream, path: lacked.path }));
        mapped.into_iter().for_each(|(path, mapped)| common.note(Note::ClassesJoined { path, mapped }));
        shards.into_iter().for_each(|(path, Place { number, of, .. })| common.note(Note::OneShard { path, number, of }));
        Ok(data)
    }

    /// What lines call them.
    pub(crate) fn name(&self) -> PathBuf {
        let names: Vec<String> = self.paths.iter().map(|path| path.display().to_string()).collect();
        names.join(" + ").into()
    }
}
