//! Folders that several processes share: who holds one and how it is taken over, with the locks of a file system and without.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::corpus::{TINY, prepared};
use super::injected::can_trace;
use super::resuming::assert_same_run;
use crate::program::mcsan;

/// Longer than a holder may give no sign.
const LONG: Duration = Duration::from_secs(200);

/// Starts the program, for whom the file system has no locks.
fn start_without_locks(folder: &Path, arguments: &str) -> Child {
    let mut program = Command::new("strace");
    program.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=ENOLCK"]);
    program.arg(env!("CARGO_BIN_EXE_mcsan")).args(arguments.split_whitespace()).current_dir(folder);
    program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// What the program said, and whether it succeeded.
fn end(program: Child) -> (bool, String) {
    let output = program.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

fn wait_until(what: &str, now: impl Fn() -> bool) {
    let begun = Instant::now();
    while !now() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(2));
    }
}

/// Makes a claim's file one that a process on another machine touched last so long ago.
fn make_anothers(path: &Path, age: Duration) {
    let mut holder: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for (field, value) in [("host", "node7"), ("place", "elsewhere/1"), ("numbers", "elsewhere/2")] {
        holder[field] = json!(value);
    }
    fs::write(path, holder.to_string()).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// Trains a fold until it has a checkpoint, kills the process, and leaves what it held as another machine's.
fn left_by_another_machine(folder: &Path, train: &str, run: &str, age: Duration) {
    let endless = format!("{train} --set train.epochs=100000");
    let mut program = Command::new(env!("CARGO_BIN_EXE_mcsan"));
    program.args(endless.split_whitespace()).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut program = program.spawn().unwrap();
    let run = folder.join(run);
    wait_until("the run keeps a checkpoint", || run.join("last.safetensors").exists());
    program.kill().unwrap();
    program.wait().unwrap();
    make_anothers(&run.join(".claim-0"), age);
}

#[test]
fn a_run_whose_machine_died_is_left_alone_until_it_gave_no_sign_for_long_and_then_goes_on() {
    let folder = prepared();
    let here = folder.path();
    let train = format!("train --data data.safetensors --device cpu --set model.dropout=0.2 {TINY}");
    left_by_another_machine(here, &format!("{train} --out run"), "run", Duration::ZERO);
    let line = mcsan(here, &format!("{train} --out run --resume --set train.epochs=100000")).fails();
    assert!(line.contains("run: is being trained by another process (process ") && line.contains(" on node7); wait for it"), "{line}");
    make_anothers(&here.join("run/.claim-0"), LONG);
    // As many epochs as were trained, and one: that of a run that nobody killed.
    let epochs = 1 + fs::read_to_string(here.join("run/metrics.jsonl")).unwrap().matches("\"train\":").count();
    mcsan(here, &format!("{train} --out run --resume --epochs {epochs}")).succeeds();
    mcsan(here, &format!("{train} --out alone --epochs {epochs}")).succeeds();
    assert_same_run(here, "run", "alone");
    let left: Vec<_> = fs::read_dir(here.join("run")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn without_locks_too_a_folder_has_one_run_and_a_killed_one_is_taken_over() {
    if !can_trace("without_locks_too_a_folder_has_one_run_and_a_killed_one_is_taken_over") {
        return;
    }
    let folder = prepared();
    let here = folder.path();
    let train = format!("train --data data.safetensors --device cpu --out run {TINY} --set train.epochs=100000");
    let tracer = start_without_locks(here, &train);
    wait_until("the run keeps a checkpoint", || here.join("run/last.safetensors").exists());
    let (succeeded, said) = end(start_without_locks(here, &format!("{train} --resume")));
    assert!(!succeeded && said.contains("run: is being trained by another process (process "), "{said}");
    let holder: Value = serde_json::from_str(&fs::read_to_string(here.join("run/.claim-0")).unwrap()).unwrap();
    assert!(Command::new("kill").args(["-KILL", &holder["process"].to_string()]).status().unwrap().success());
    end(tracer);
    let size = || fs::metadata(here.join("run/metrics.jsonl")).unwrap().len();
    let before = size();
    // The process has ended, which this machine knows, so that nobody has to wait.
    let tracer = start_without_locks(here, &format!("{train} --resume"));
    wait_until("the run goes on", || size() > before + 2000);
    let holder: Value = serde_json::from_str(&fs::read_to_string(here.join("run/.claim-1")).unwrap()).unwrap();
    assert!(Command::new("kill").args(["-INT", &holder["process"].to_string()]).status().unwrap().success());
    let (_, said) = end(tracer);
    assert!(said.contains("go on with --resume"), "{said}");
    assert!(!here.join("run/.claim-1").exists() && !here.join("run/.lock").exists());
}

#[test]
fn without_locks_two_at_once_divide_folds_and_one_takes_over_what_a_dead_machine_left() {
    if !can_trace("without_locks_two_at_once_divide_folds_and_one_takes_over_what_a_dead_machine_left") {
        return;
    }
    let folder = prepared();
    let here = folder.path();
    let crossval = format!("crossval --data data.safetensors --device cpu --folds 3 --epochs 2 {TINY}");
    mcsan(here, &format!("{crossval} --out alone")).succeeds();
    mcsan(here, &format!("{crossval} --out shared --fold 3")).succeeds();
    fs::create_dir(here.join("shared/fold-1")).unwrap();
    let left = json!({ "format": "mcsan-claim/1", "host": "node7", "process": 7, "place": null, "numbers": null, "claim": "1" });
    fs::write(here.join("shared/fold-1/.claim-4"), left.to_string()).unwrap();
    make_anothers(&here.join("shared/fold-1/.claim-4"), LONG);
    let both = [0, 1].map(|_| start_without_locks(here, &format!("{crossval} --out shared"))).map(end);
    let said = both.iter().map(|(_, said)| said.as_str()).collect::<String>();
    assert!(both.iter().all(|(succeeded, _)| *succeeded), "{said}");
    for fold in 1..=2 {
        assert_eq!(said.matches(&format!("fold {fold} of 3: trains on")).count(), 1, "{said}");
    }
    // Who was done first may have left the other's fold out of its summary, who was last not.
    let summary = |out: &str| fs::read_to_string(here.join(out).join("crossval.json")).unwrap();
    assert_eq!(summary("alone"), summary("shared"));
}

#[test]
fn who_was_suspended_for_too_long_writes_no_checkpoint_over_anothers() {
    let folder = prepared();
    let here = folder.path();
    let train = format!("train --data data.safetensors --device cpu --out run {TINY} --set train.epochs=100000");
    let mut program = Command::new(env!("CARGO_BIN_EXE_mcsan"));
    program.args(train.split_whitespace()).current_dir(here).stdout(Stdio::null()).stderr(Stdio::piped());
    let program = program.spawn().unwrap();
    wait_until("the run keeps a checkpoint", || here.join("run/last.safetensors").exists());
    // As another machine does that takes over.
    let own = fs::read_to_string(here.join("run/.claim-0")).unwrap();
    fs::write(here.join("run/.claim-1"), own.replace("\"process\":", "\"process\":1")).unwrap();
    let (succeeded, said) = end(program);
    assert!(!succeeded, "{said}");
    let line = said.lines().find(|line| line.starts_with("mcsan: ")).unwrap();
    assert!(line.contains("run: was taken over by another process, since this one gave no sign for two minutes; wait for it"), "{line}");
    assert!(here.join("run/.claim-1").exists() && here.join("run/.lock").exists(), "what is another's stays");
}
