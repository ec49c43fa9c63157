//! One model on several devices, folds on several devices.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::corpus::{TINY, prepared};
use crate::program::{default_adapter, launched, mcsan};

/// Three steps an epoch, the last of one utterance: fewer than there are ranks.
const TRAIN: &str = "train --data data.safetensors --set model.dropout=0.2 --set train.class_weights=[1,5,0.2]";

/// Whether two runs ended in the same files.
fn assert_same_bytes(folder: &Path, a: &str, b: &str) {
    for file in ["best.safetensors", "last.safetensors", "test.json"] {
        let [one, other] = [a, b].map(|run| fs::read(folder.join(run).join(file)).unwrap());
        assert!(one == other, "{file} of {a} and {b}");
    }
}

/// The one line of a failure beside what is said before.
fn failure(folder: &Path, arguments: &str) -> String {
    let outcome = mcsan(folder, arguments);
    let failures: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("mcsan: ")).collect();
    assert_eq!((outcome.code, failures.len(), outcome.stdout.as_str()), (Some(1), 1, ""), "{arguments}\n{}", outcome.stderr);
    println!("{}", failures[0]);
    failures[0].to_owned()
}

#[test]
fn several_devices_end_in_the_bytes_of_one_that_divides_its_batches() {
    let folder = prepared();
    let here = folder.path();
    let train = |more: &str| mcsan(here, &format!("{TRAIN} {TINY} {more}")).succeeds();
    train("--device cpu --epochs 2 --set train.accumulate=2 --out alone");
    let report = train("--device cpu,cpu --epochs 2 --out two --json").json();
    assert_eq!(report["ranks"], 2);
    assert_eq!(report["notes"][0]["kind"], "divided", "{report}");
    assert_same_bytes(here, "two", "alone");
    let config = fs::read_to_string(here.join("two/config.toml")).unwrap();
    assert!(config.contains("device = \"cpu,cpu\"") && config.contains("accumulate = 2") && config.contains("sum = \"ordered\""));
    // The number of parts decides, not that of ranks; and a run goes on wherever it likes.
    train("--device cpu --set train.accumulate=3 --epochs 3 --out thirds");
    train("--device cpu,cpu --set train.accumulate=3 --epochs 3 --steps 3 --out moved");
    let outcome = mcsan(here, "train --data data.safetensors --resume --steps 6 --out moved").succeeds();
    assert!(outcome.stderr.contains("training on 2 devices, the first cpu"), "{}", outcome.stderr);
    mcsan(here, "train --data data.safetensors --resume --steps 0 --device cpu,cpu,cpu --out moved").succeeds();
    assert_same_bytes(here, "moved", "thirds");
    // What it was trained on says nothing of what it is used on.
    assert_eq!(mcsan(here, "evaluate --run two --data data.safetensors --json").json()["wa"], report["test"]["wa"]);
}

#[test]
fn one_adapter_named_twice_ends_in_its_own_bytes() {
    if default_adapter("one_adapter_named_twice_ends_in_its_own_bytes").is_none() {
        return;
    }
    let folder = prepared();
    let here = folder.path();
    let train = |more: &str| mcsan(here, &format!("{TRAIN} {TINY} --epochs 1 {more}")).succeeds();
    train("--device 0 --set train.accumulate=2 --out alone");
    train("--device 0,0 --out two");
    assert_same_bytes(here, "two", "alone");
    let line = failure(here, &format!("{TRAIN} {TINY} --device cpu,0 --out mixed"));
    assert!(line.starts_with("mcsan: rank 1: device: ") && line.ends_with("on rank 0 cpu; start all ranks with the same device"), "{line}");
    assert!(!here.join("mixed").exists());
}

#[test]
fn what_several_devices_cannot_do_is_said_in_a_line() {
    let folder = prepared();
    let here = folder.path();
    mcsan(here, &format!("{TRAIN} {TINY} --epochs 1 --device cpu --out run")).succeeds();
    let fails = |arguments: &str, parts: &[&str]| {
        let line = failure(here, arguments);
        assert!(parts.iter().all(|part| line.contains(part)) && !here.join("no").exists(), "{arguments}: {line}");
    };
    let train = format!("{TRAIN} {TINY} --out no");
    fails(&format!("{train} --device cpu,99"), &["rank 1: no adapter matches '99'", "mcsan devices"]);
    fails(&format!("{train} --device 99,cpu"), &["mcsan: no adapter matches '99'"]);
    fails(&format!("{train} --device ,"), &["mcsan: no adapter matches ','"]);
    let parts = "3 ranks, and train.accumulate divides a batch into 2 parts: a rank would have none; start fewer ranks, or raise";
    fails(&format!("{train} --device cpu,cpu,cpu --set train.accumulate=2"), &[parts]);
    fails(&format!("{train} --device cpu,cpu,cpu --set train.batch_size=2"), &["the largest batch has 2 utterances"]);
    fails(&format!("{train} --device cpu,cpu --set model.system=liang"), &["train.accumulate = 2", "liang.mmd = 0"]);
    fails(&format!("{train} --device cpu,cpu --seeds 2"), &["--seeds is for one device, and 2 ranks would train"]);
    fails("evaluate --run run --data data.safetensors --device cpu,cpu", &["--device cpu,cpu: on several devices at once 'mcsan train'"]);
    // What goes wrong in the midst is the first rank's to tell, though all see it.
    assert!(
        failure(here, &format!("{TRAIN} {TINY} --device cpu,cpu --set train.lr=1e30 --epochs 3 --out wild")).starts_with("mcsan: step ")
    );
    let fastest = mcsan(here, &format!("{TRAIN} {TINY} --epochs 1 --device cpu,cpu --sum fastest --out fast")).succeeds();
    assert!(fastest.stderr.contains("--sum has no effect: threads of one process add in order"), "{}", fastest.stderr);
    for sum in ["inspect data.safetensors", "evaluate --run run --data data.safetensors"] {
        assert!(mcsan(here, &format!("{sum} --sum fastest")).succeeds().stderr.contains("--sum has no effect: only 'train'"));
    }
}

#[test]
#[cfg(not(feature = "mpi"))]
fn without_mpi_a_launcher_is_refused() {
    let folder = prepared();
    for variables in [
        [("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "0")],
        [("PMI_SIZE", "4"), ("PMI_RANK", "3")],
        [("SLURM_STEP_NUM_TASKS", "4"), ("PMIX_RANK", "1")],
    ] {
        let line = launched(folder.path(), &format!("{TRAIN} --out run"), &variables).fails();
        assert!(line.starts_with("mcsan: started by an MPI launcher as one of 4"), "{line}");
    }
}

#[test]
fn tasks_that_know_nothing_of_each_other_say_so_and_train_each_by_itself() {
    let folder = prepared();
    let here = folder.path();
    let tasks = |number| [("SLURM_STEP_NUM_TASKS", number), ("SLURM_PROCID", "1")];
    let said =
        |number, out| launched(here, &format!("{TRAIN} {TINY} --epochs 1 --device cpu --out {out}"), &tasks(number)).succeeds().stderr;
    assert!(said("2", "one").contains("this is one of 2 tasks of srun and trains by itself: srun --mpi=pmix"));
    assert!(!said("1", "two").contains("srun"));
}

#[test]
fn folds_on_several_devices_sum_up_as_on_one() {
    let folder = prepared();
    let here = folder.path();
    let crossval = |more: &str| format!("crossval --data data.safetensors --folds 3 --epochs 1 {TINY} {more}");
    mcsan(here, &crossval("--device cpu --out one")).succeeds();
    let outcome = mcsan(here, &crossval("--devices cpu,cpu --out two --json"));
    let said = outcome.succeeds();
    for fold in 1..=3 {
        let begun = said.stderr.lines().filter(|line| line.starts_with("device cpu: ") && line.contains(&format!("fold {fold}")));
        assert!(begun.filter(|line| line.contains("trains on")).count() == 1, "{}", said.stderr);
    }
    assert!(!said.stderr.contains("done before") && !said.stderr.contains("another process"), "{}", said.stderr);
    for file in ["crossval.json", "crossval.md", "crossval.csv", "crossval-folds.csv"] {
        let [one, two] = ["one", "two"].map(|run| fs::read(here.join(run).join(file)).unwrap());
        assert!(one == two, "{file}");
    }
    let line = failure(here, &crossval("--devices cpu,99 --out three"));
    assert!(line.starts_with("mcsan: device 99: no adapter matches '99'"), "{line}");
    // What the other one trained is kept.
    assert!((1..=3).all(|fold| here.join(format!("three/fold-{fold}/test.json")).exists()));
    fs::write(here.join("set.toml"), "[train]\nlr = 0.01\n").unwrap();
    #[cfg(unix)]
    {
        let mut command = Command::new("sh");
        let arguments = crossval("--devices cpu,cpu --config /dev/stdin --out four");
        command.current_dir(here).args(["-c", &format!("'{}' {arguments} <set.toml", env!("CARGO_BIN_EXE_mcsan"))]);
        let said = String::from_utf8(command.output().unwrap().stderr).unwrap();
        assert!(said.contains("mcsan: /dev/stdin: is a stream, which is read once, and --devices has"), "{said}");
    }
    let sweep = format!("sweep --data data.safetensors --grid train.lr=1e-3,1e-2 --epochs 1 {TINY} --devices cpu,cpu --out sweep");
    mcsan(here, &sweep).succeeds();
    assert!(here.join("sweep/best.toml").exists());
}

/// Cross-validation on two devices by processes of its own, until two folds have a checkpoint.
fn begin_two(folder: &Path, arguments: &str) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mcsan"));
    program.current_dir(folder).args(arguments.split_whitespace()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let program = program.spawn().unwrap();
    let out = folder.join(arguments.split("--out ").nth(1).unwrap());
    wait_until("two folds have checkpoints", || (1..=2).all(|fold| out.join(format!("fold-{fold}/last.safetensors")).exists()));
    program
}

fn wait_until(what: &str, now: impl Fn() -> bool) {
    let begun = Instant::now();
    while !now() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}");
        sleep(Duration::from_millis(2));
    }
}

/// Whether a process holds a run in the folder: who ends whole leaves no sign of that.
fn is_held(folder: &Path) -> bool {
    let runs = fs::read_dir(folder).unwrap().map(|run| run.unwrap().path()).filter(|run| run.is_dir());
    runs.flat_map(|run| fs::read_dir(run).unwrap()).any(|file| file.unwrap().file_name().to_string_lossy().starts_with(".claim"))
}

#[test]
fn the_processes_of_several_devices_end_with_the_one_that_started_them() {
    let folder = prepared();
    let here = folder.path();
    let crossval = |more: &str| format!("crossval --data data.safetensors --folds 3 --epochs 60 --set model.dropout=0.2 {TINY} {more}");
    mcsan(here, &crossval("--device cpu --out alone")).succeeds();
    // By `kill -9`, of which it can tell them nothing.
    let mut program = begin_two(here, &crossval("--devices cpu,cpu --out killed"));
    program.kill().unwrap();
    program.wait().unwrap();
    wait_until("its processes end", || !is_held(&here.join("killed")));
    assert!((1..=2).all(|fold| !here.join(format!("killed/fold-{fold}/test.json")).exists()), "they end after their step");
    #[cfg(unix)]
    {
        let program = begin_two(here, &crossval("--devices cpu,cpu --out asked"));
        assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap().success());
        let output = program.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(143));
        assert!(!is_held(&here.join("asked")) && !here.join("asked/fold-1/test.json").exists());
    }
    mcsan(here, &crossval("--devices cpu,cpu --out killed")).succeeds();
    for fold in 1..=3 {
        assert_same_bytes(here, &format!("killed/fold-{fold}"), &format!("alone/fold-{fold}"));
    }
}
