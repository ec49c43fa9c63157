//! `mcsan train` by several ranks: a thread for each of several devices, or processes that an MPI launcher has started.

use std::path::Path;
use std::process::ExitCode;
use std::thread;

use super::arguments::{Common, Interface, Train};
use super::device::{self, Device, on_device};
use super::notes::Note;
use super::train::{self, Ready};
use super::{Done, Failure, interrupt, remedy};
use crate::backend::gpu::Feature;
use crate::backend::gpu::shader::SHADERS;
use crate::base::hash::fnv1a;
use crate::base::tiles::TileChoice;
#[cfg(feature = "mpi")]
use crate::config::Devices;
use crate::config::{Config, Execution};
use crate::dataset::Dataset;
use crate::train::TrainError;
use crate::train::group::threads::Meeting;
use crate::train::group::{self, Group, GroupError, Preconditions};
use crate::train::run::{Start, Training};

/// The processes that an MPI launcher has started with this one; none where it was started by itself.
///
/// # Errors
/// The launcher has started several, of which the MPI of this program knows nothing.
#[cfg(feature = "mpi")]
pub(super) fn launched(common: &Common) -> Result<Option<group::mpi::Processes>, Failure> {
    note_tasks(common);
    let processes = if LAUNCHERS.iter().any(|[_, rank]| number(rank).is_some()) { group::mpi::Processes::begin() } else { None };
    let processes = processes.filter(|processes| processes.size() > 1);
    match (size(), &processes) {
        (Some(size @ 2..), None) => Err(Failure(format!(
            "started by an MPI launcher as one of {size}, and this program's {} sees itself alone; start it by that library's launcher (with \
             srun, by another --mpi), or build it for the launcher's: MPICC=its mpicc, --features mpi",
            group::mpi::Processes::library()
        ))),
        _ => Ok(processes),
    }
}

/// Refuses to be one of several processes that know nothing of each other.
#[cfg(not(feature = "mpi"))]
pub(super) fn launched(common: &Common) -> Result<Option<&'static dyn Group>, Failure> {
    note_tasks(common);
    match size() {
        Some(size @ 2..) => Err(Failure(format!(
            "started by an MPI launcher as one of {size}, and this program is built without MPI; build it with --features mpi, or start it \
             by itself"
        ))),
        _ => Ok(None),
    }
}

/// How many processes there are and which is this one, as launchers say it: Open MPI, MPICH and those that start its processes, and PMIx,
/// by which Slurm starts them and tells their number itself.
const LAUNCHERS: [[&str; 2]; 3] = [["OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"], ["PMI_SIZE", "PMI_RANK"], [TASKS[0], "PMIX_RANK"]];

/// The same of the tasks of one `srun`, which need know nothing of each other.
const TASKS: [&str; 2] = ["SLURM_STEP_NUM_TASKS", "SLURM_PROCID"];

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

/// How many processes an MPI launcher has started.
fn size() -> Option<usize> {
    LAUNCHERS.iter().filter(|[_, rank]| number(rank).is_some()).filter_map(|[size, _]| number(size)).max()
}

/// Says that tasks which Slurm has started without MPI are no ranks.
fn note_tasks(common: &Common) {
    if size().is_none()
        && let Some(tasks @ 2..) = number(TASKS[0])
    {
        common.note(Note::Tasks { tasks });
    }
}

/// Whether a launcher has started this process as one of several, and not as the first: it says no result.
pub(super) fn follows() -> bool {
    LAUNCHERS.iter().chain(&[TASKS]).find_map(|[_, rank]| number(rank)).is_some_and(|rank| rank > 0)
}

/// The ranks of a run with these settings: with one part a batch is divided among all of them.
///
/// # Errors
/// A loss that compares the utterances of a batch.
pub(super) fn divide(common: &Common, config: &mut Config, ranks: usize) -> Result<(), Failure> {
    let parts = &mut config.settings.train.accumulate;
    if *parts == 1 && ranks > 1 {
        *parts = ranks;
        config.settings.validate()?;
        common.note(Note::Divided { ranks });
    }
    Ok(())
}

/// Which of a machine's devices a process takes that is number `place` of it, of so many.
#[cfg(feature = "mpi")]
pub(super) fn device_of_rank(common: &Common, setting: &str, [place, of]: [usize; 2]) -> Result<String, Failure> {
    let wanted = device::wanted(common, setting);
    let names = match Devices::of(wanted) {
        Devices::One(name) if name == device::AUTO => device::hardware(common),
        Devices::One(name) => return Ok(name),
        Devices::All => all(common)?,
        Devices::Several(names) => names,
    };
    match names.get(place) {
        _ if names.is_empty() => Ok(wanted.to_owned()),
        Some(name) => Ok(name.clone()),
        None => Err(Failure(format!(
            "no device is left for process {} of {of} on its machine, --device {wanted} has {}; start fewer there, or name one twice, as \
             --device 0,0",
            place + 1,
            names.len()
        ))),
    }
}

/// The adapters of hardware, as `--device` names them.
pub(super) fn all(common: &Common) -> Result<Vec<String>, Failure> {
    match device::hardware(common) {
        names if names.is_empty() => {
            Err(Failure("--device all: no adapter of hardware is here; see 'mcsan devices', and name some as --device 0,1".into()))
        }
        names => Ok(names),
    }
}

/// What must be the same on all ranks; of threads only the device can differ.
fn standing(device: &str, besides: Option<(&Config, &Dataset)>) -> Result<Preconditions, Failure> {
    let mut of = vec![("device".to_owned(), device.to_owned())];
    if let Some((config, data)) = besides {
        let execution = Execution { sum: config.execution.sum, ..Execution::default() };
        let program = std::env::current_exe().and_then(std::fs::read).map(|bytes| fnv1a(&bytes));
        let program = program.map_or_else(|error| error.to_string(), |hash| format!("{hash:016x}"));
        let kernels: String = SHADERS.iter().flat_map(|shader| shader.variants.iter().map(|variant| variant.source)).collect();
        of.extend([
            ("program".into(), format!("{} {} ({program})", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))),
            ("kernels".into(), format!("{:016x}", fnv1a(kernels.as_bytes()))),
            ("settings".into(), Config { settings: config.settings.clone(), execution }.to_toml()),
            ("data".into(), data.fingerprint_with_splits().map_err(TrainError::from)?),
        ]);
    }
    Ok(Preconditions { of })
}

/// A failure of a rank: where it is another's the first tells it, in that one's words.
fn failure(error: GroupError) -> Failure {
    Failure(remedy::line(&TrainError::from(error)))
}

/// Goes on where all ranks are ready and have been given the same; else ends all with the first one's failure.
pub(super) fn agree<R>(group: &dyn Group, own: Result<(R, Preconditions), Failure>) -> Result<R, Failure> {
    match own {
        Ok((ready, standing)) => group::compare(group, &standing).map(|()| ready).map_err(failure),
        Err(Failure(reason)) => Err(match group.exchange(Err(reason.clone())) {
            Err(first @ GroupError::Failed { rank, .. }) if rank != group.rank() => failure(first),
            _ => Failure(reason),
        }),
    }
}

/// Trains as one of the processes of a launcher; the first alone says anything.
#[cfg(feature = "mpi")]
pub(super) fn run_process(common: &Common, arguments: &Train, processes: &group::mpi::Processes) -> Done {
    if processes.rank() > 0 {
        super::streams::mute();
    }
    let prepared = train::prepare(common, arguments).and_then(|mut ready| {
        train::refuse_alone(arguments, processes.size())?;
        divide(common, &mut ready.config, processes.size())?;
        let setting = device_of_rank(common, &ready.config.execution.device, processes.on_host())?;
        let device = match &ready.before {
            _ if setting != device::AUTO => device::open_named(common, &setting)?,
            Some(before) => device::open_again(common, &setting, before)?,
            None => device::open(common, &setting)?,
        };
        device.explain(common, ready.config.settings.train.precision);
        train::tune(common, &ready, &device)?;
        let standing = standing(&device.name(), Some((&ready.config, &ready.data)))?;
        Ok(((ready, device), standing))
    });
    let (ready, device) = agree(processes, prepared)?;
    eprintln!("training on {} ranks, the first on {} ({})", processes.size(), device.name(), group::mpi::Processes::library());
    let Some(out) = arguments.out.as_deref() else { return Ok(ExitCode::SUCCESS) };
    if processes.rank() == 0 {
        return train::train(common, arguments, &ready, &device, out, Some(processes));
    }
    follow(&device, &ready, out, arguments.resume, processes)?;
    Ok(ExitCode::SUCCESS)
}

/// Trains as a rank that is not the first.
fn follow(device: &Device, ready: &Ready, out: &Path, resume: bool, group: &dyn Group) -> Result<(), TrainError> {
    let Config { settings, execution } = ready.config.clone();
    let start = if resume { Start::Resume } else { Start::New };
    let (out, stop) = (Some(out.to_owned()), Some(interrupt::wish()));
    let training = Training { settings, execution, out, start, stop, group: Some(group), ..Training::of(&ready.data) };
    on_device!(*device, |backend| pollster::block_on(training.run_on(backend, &mut |_| ()))).map(drop)
}

/// What a thread opens its device by.
#[derive(Clone)]
struct Opener {
    interface: Option<Interface>,
    without: Vec<Feature>,
    tiles: Vec<TileChoice>,
}

/// Trains on several devices, a thread on each; the first, on which the calling thread computes, is open.
pub(super) fn run_threads(common: &Common, arguments: &Train, ready: &Ready, device: &Device, names: &[String]) -> Done {
    let Some(out) = arguments.out.as_deref() else { return Ok(ExitCode::SUCCESS) };
    common.note_unused(&["sum"], "threads of one process add in order");
    train::tune(common, ready, device)?;
    let tiles = on_device!(*device, |backend| crate::backend::Storage::tiles(backend));
    let opener = Opener { interface: common.backend, without: common.without.clone(), tiles };
    let (meeting, resume) = (Meeting::new(names.len()), arguments.resume);
    thread::scope(|scope| {
        let (meeting, opener, ready) = (&meeting, &opener, ready);
        for (rank, name) in names.iter().enumerate().skip(1) {
            scope.spawn(move || {
                let member = meeting.member(rank);
                let opened = device::open_alone(name, opener.interface, opener.without.clone());
                let opened = opened.and_then(|device| {
                    device.take_tiles(&opener.tiles);
                    let standing = standing(&device.name(), None)?;
                    Ok((device, standing))
                });
                // Whatever fails here the first thread tells.
                if let Ok(device) = agree(&member, opened) {
                    let _told = follow(&device, ready, out, resume, &member);
                }
            });
        }
        let member = meeting.member(0);
        agree(&member, standing(&device.name(), None).map(|standing| ((), standing)))?;
        eprintln!("training on {} devices, the first {}", names.len(), device.name());
        train::train(common, arguments, ready, device, out, Some(&member))
    })
}
