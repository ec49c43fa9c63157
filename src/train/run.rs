//! A whole training: epochs of steps, validation, the best epoch kept, everything written to a run folder;
//! and taken up again where it was stopped.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::checkpoint::Checkpoint;
use super::claim::{Claim, Taken};
use super::epoch::Run;
use super::evaluate::Evaluation;
use super::group::{self, Group, GroupError, Together};
use super::observe::{Event, Listener};
use super::run_folder::{self, RunFolder, SavedRun};
use super::{RunFault, TrainError};
use crate::backend::{Backend, Device};
use crate::base::files::exists;
use crate::base::remedy;
use crate::config::{Config, Execution, Settings, Tiles};
use crate::dataset::Dataset;
use crate::on_device;

/// What a finished run says.
pub struct Finished {
    /// The best epoch's model.
    pub best: Checkpoint,
    /// Its result on the test split, where there is one.
    pub test: Option<Evaluation>,
    /// Loss of every step.
    pub losses: Vec<f32>,
}

/// A run's files.
pub mod files {
    pub(crate) const CONFIG: &str = "config.toml";
    pub(crate) const METRICS: &str = "metrics.jsonl";
    pub(crate) const BEST: &str = "best.safetensors";
    /// The checkpoint of where the run stands, from which it goes on.
    pub const LAST: &str = "last.safetensors";
    pub(crate) const TEST: &str = "test.json";
    pub(crate) const TENSORBOARD: &str = "tensorboard";
    /// All files of a run that it writes by itself.
    pub(crate) const ALL: [&str; 6] = [CONFIG, METRICS, BEST, LAST, TEST, crate::train::vocabulary::FILE];
}

/// What a run does about one that is in its folder already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// Nothing is written over: it is an error.
    #[default]
    New,
    /// It goes on from its last checkpoint; where there is none, the run begins.
    Resume,
}

/// A training: what it learns from, by which settings, and where its files go.
///
/// `Training { settings, out: Some(folder), ..Training::of(&data) }.run(&device)` is a whole one.
#[derive(Debug, Clone)]
pub struct Training<'t> {
    /// What it learns from.
    pub data: &'t Dataset,
    /// By default the paper's.
    pub settings: Settings,
    /// The run folder; without one everything stays in memory.
    pub out: Option<PathBuf>,
    /// What becomes of a run that is in the folder already.
    pub start: Start,
    /// What the run folder says of where and how fast the run computes; the backend is what does.
    pub execution: Execution,
    /// Looked at between steps: once it is true, the run ends with [`TrainError::Stopped`], and goes on from there when it is resumed.
    pub stop: Option<&'t AtomicBool>,
    /// Epochs after which the run ends with [`TrainError::Stopped`] though it has more, and goes on from there when it is resumed: its
    /// schedule is laid out for all of them, so that nothing tells it from a run that was never stopped.
    pub until: Option<u64>,
    /// The ranks that train together, of which this is one: each makes the same call, on a device and data of its own. The first alone
    /// writes the folder, which all read. WebAssembly has none.
    #[cfg(not(target_arch = "wasm32"))]
    pub group: Option<&'t dyn Group>,
}

impl<'t> Training<'t> {
    /// A training on `data` by the default settings, in memory.
    pub fn of(data: &'t Dataset) -> Self {
        let (settings, execution) = Default::default();
        Self {
            data,
            settings,
            out: None,
            start: Start::New,
            execution,
            stop: None,
            until: None,
            #[cfg(not(target_arch = "wasm32"))]
            group: None,
        }
    }

    /// Trains on a device.
    ///
    /// # Errors
    /// Those of [`Training::run_on`].
    pub async fn run(&self, device: &Device) -> Result<Finished, TrainError> {
        on_device!(*device, |backend| self.run_on(backend, &mut |_| ()).await)
    }

    /// Trains on a backend; `observe` is told how it goes on.
    ///
    /// # Errors
    /// [`TrainError`]; what the run folder held before stays whole. A folder that holds anything but a run, or in which another
    /// process trains. On [`Start::Resume`] also settings or data that would change the run.
    pub async fn run_on<B: Backend>(&self, backend: &B, observe: &mut dyn FnMut(Event<'_>)) -> Result<Finished, TrainError> {
        let done = self.run_alone(backend, observe).await;
        let Some(group) = self.group() else { return done };
        match done {
            Ok(finished) => group::wait(group).map(|()| finished).map_err(TrainError::from),
            Err(error) if error.is_told() => Err(error),
            // On every rank the same has failed, or the first that did is told; who failed itself says it in its own words.
            Err(error) => match group.exchange(Err(remedy::line(&error))) {
                Err(first @ GroupError::Failed { rank, .. }) if rank != group.rank() && group.rank() == 0 => Err(first.into()),
                _ => Err(error),
            },
        }
    }

    /// The ranks that train together, if any.
    fn group(&self) -> Option<&'t dyn Group> {
        #[cfg(not(target_arch = "wasm32"))]
        return self.group;
        #[cfg(target_arch = "wasm32")]
        None
    }

    /// As [`Training::run_on`], without telling the other ranks of a group how it ended.
    async fn run_alone<B: Backend>(&self, backend: &B, observe: &mut dyn FnMut(Event<'_>)) -> Result<Finished, TrainError> {
        let is_first = self.group().is_none_or(|group| group.rank() == 0);
        let Some(folder) = self.out.as_ref().filter(|_| is_first) else { return self.run_in(backend, None, observe).await };
        run_folder::admit(folder, self.start).map_err(|error| match (&error, Claim::take(folder)) {
            // Of a run that goes on nobody is told to remove it.
            (TrainError::Run { fault: RunFault::Exists, .. }, Ok(Taken::Elsewhere(holder))) => {
                TrainError::Run { path: folder.clone(), fault: RunFault::Busy { holder } }
            }
            _ => error,
        })?;
        // A folder that is to be made is not made before it is known that there is something to train.
        let claim = if exists(folder) { Some(claim(folder)?) } else { None };
        self.run_in(backend, claim.as_ref(), observe).await
    }

    /// As [`Training::run_on`], in a folder that is claimed.
    ///
    /// # Errors
    /// Those of [`Training::run_on`].
    pub(crate) async fn run_in<B: Backend>(
        &self,
        backend: &B,
        claimed: Option<&Claim>,
        observe: &mut dyn FnMut(Event<'_>),
    ) -> Result<Finished, TrainError> {
        let Self { data, settings, .. } = self;
        let mut config = Config { settings: settings.clone(), execution: self.execution.clone() };
        let tiles = backend.tiles();
        if !tiles.is_empty() {
            config.execution.tiles = Tiles::Chosen(tiles);
        }
        let saved = match (self.start, &self.out) {
            (Start::Resume, Some(folder)) => SavedRun::load(folder, settings, data)?,
            _ => None,
        };
        let own;
        let mut run = Run::start(backend, &config, data, saved.as_ref()).await?;
        run.stop = self.stop;
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(group) = self.group {
            run.join(Together::new(group, config.execution.sum, self.stop)).await?;
            // After this nobody reads the folder any more.
            run.agree().await?;
        }
        run.until = self.until;
        run.observers.add(Listener(observe));
        if let Some(folder) = self.out.as_ref().filter(|_| run.is_first()) {
            let claim = match claimed {
                Some(claim) => claim,
                None => {
                    own = claim(folder)?;
                    &own
                }
            };
            let device = backend.device_name();
            let before = saved.as_ref().and_then(|_| run_folder::device_of(folder));
            let folder = match &saved {
                None => RunFolder::create(folder, claim, &config, &device, data)?,
                Some(saved) => {
                    let (folder, losses) = RunFolder::resume(folder, claim, &config, &device, data, saved, run.closed_epochs(saved))?;
                    run.losses = losses;
                    folder
                }
            };
            run.observers.add(folder);
            if let Some(before) = before.filter(|before| *before != device) {
                run.observers.tell(Event::OtherDevice { before: &before, now: &device })?;
            }
        }
        run.begin()?;
        while !run.is_over()? {
            run.check_wait()?;
            let outcome = run.epoch().await;
            outcome.map_err(|error| error.with_kept(run.observers.kept()))?;
        }
        let kept = run.observers.kept();
        run.finish().await.map_err(|error| error.with_kept(kept))
    }
}

/// Makes a run folder this process' own.
fn claim(folder: &Path) -> Result<Claim, TrainError> {
    let failed = |fault| TrainError::Run { path: folder.into(), fault };
    match Claim::take(folder).map_err(|error| failed(RunFault::Denied { reason: error.to_string() }))? {
        Taken::By(claim) => Ok(claim),
        Taken::Elsewhere(holder) => Err(failed(RunFault::Busy { holder })),
    }
}
