//! Runs that are asked to stop, have nobody to tell, share a folder, or lose theirs.
#![cfg(unix)]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mcsan::backend::cpu::Cpu;
use mcsan::config::Config;
use mcsan::dataset::Dataset;
use mcsan::train::run::Start;
use mcsan::train::{Event, TrainError, Training};

use super::corpus::{MONO_16_KHZ, TINY, prepared, tone};
use super::failures::everything;
use super::resuming::assert_same_run;
use crate::program::mcsan;

const TRAIN: &str = "train --data data.safetensors --device cpu --epochs 150 --set model.dropout=0.2 --set train.warmup_steps=7";

fn start(folder: &Path, arguments: &str) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mcsan"));
    program.current_dir(folder).args(arguments.split_whitespace());
    program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until `now`, for a minute at most.
fn wait_until(what: &str, now: impl Fn() -> bool) {
    let begun = Instant::now();
    while !now() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(2));
    }
}

fn signal(program: &Child, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &program.id().to_string()]).status().unwrap().success());
}

/// The exit code, and the one line that is no progress.
fn end(program: Child) -> (Option<i32>, String) {
    let output = program.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let failures: Vec<&str> = stderr.lines().filter(|line| line.starts_with("mcsan: ")).collect();
    assert_eq!((failures.len(), output.stdout.len()), (1, 0), "{stderr}");
    println!("{}", failures[0]);
    (output.status.code(), failures[0].to_owned())
}

#[test]
fn ctrl_c_and_sigterm_end_a_run_after_its_step_and_it_goes_on_as_if_nobody_had() {
    let folder = prepared();
    let here = folder.path();
    mcsan(here, &format!("{TRAIN} --out alone {TINY}")).succeeds();
    let log = here.join("run/metrics.jsonl");
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let size = || fs::metadata(&log).map_or(0, |about| about.len());
        let before = size();
        let program = start(here, &format!("{TRAIN} --out run --resume {TINY}"));
        wait_until("the run makes a step", || size() > before + 2000);
        signal(&program, name);
        let (found, line) = end(program);
        assert_eq!(found, Some(code), "{line}");
        assert!(
            line.starts_with("mcsan: run: stopped after ") && line.contains("steps; go on with --resume (run/last.safetensors"),
            "{line}"
        );
        assert!(!here.join("run/test.json").exists());
    }
    mcsan(here, "train --data data.safetensors --device cpu --out run --resume").succeeds();
    assert_same_run(here, "run", "alone");
    assert!(everything(&here.join("run")).iter().all(|name| !name.ends_with(".lock") && !name.contains(".partial")));
}

#[test]
fn a_run_that_is_asked_to_stop_at_every_step_ends_as_one_that_was_left_alone() {
    let folder = prepared();
    let here = folder.path();
    let data = Dataset::load(&here.join("data.safetensors")).unwrap();
    let settings = ["model.hidden=8", "model.heads=2", "model.feed_forward=8", "train.epochs=3", "train.batch_size=4", "model.dropout=0.2"];
    let settings = Config::default().assign(&settings.map(String::from)).unwrap().settings;
    let train = |out: &str, start, stop: Option<&AtomicBool>, observe: &mut dyn FnMut(Event<'_>)| {
        let training = Training { settings: settings.clone(), out: Some(here.join(out)), start, stop, ..Training::of(&data) };
        pollster::block_on(training.run_on(&Cpu::<f32>::default(), observe))
    };
    train("alone", Start::New, None, &mut |_| ()).unwrap();
    // Before the first step too.
    let stopped = train("run", Start::New, Some(&AtomicBool::new(true)), &mut |_| ()).err();
    assert!(matches!(stopped, Some(TrainError::Stopped { step: 0, kept: Some(_) })), "{stopped:?}");
    let mut ended = 0;
    loop {
        let stop = AtomicBool::new(false);
        let mut ask = |event: Event<'_>| {
            if let Event::Step { .. } = event {
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        };
        match train("run", Start::Resume, Some(&stop), &mut ask) {
            Err(TrainError::Stopped { step, .. }) => {
                assert!(step > ended, "{step}");
                ended = step;
            }
            finished => {
                finished.unwrap();
                break;
            }
        }
    }
    assert!(ended >= 6, "it was stopped often: {ended}");
    assert_same_run(here, "run", "alone");
}

#[test]
fn a_cross_validation_that_is_asked_to_stop_goes_on_at_the_next_call() {
    let folder = prepared();
    let here = folder.path();
    let crossval = format!("crossval --data data.safetensors --device cpu --folds 3 --epochs 60 {TINY}");
    mcsan(here, &format!("{crossval} --out alone")).succeeds();
    let program = start(here, &format!("{crossval} --out folds"));
    wait_until("the second fold begins", || here.join("folds/fold-2/metrics.jsonl").exists());
    signal(&program, "INT");
    let (code, line) = end(program);
    assert!(code == Some(130) && line.contains("stopped after ") && line.contains("call the same again ("), "{line}");
    mcsan(here, &format!("{crossval} --out folds")).succeeds();
    for fold in 1..=3 {
        assert_same_run(here, &format!("folds/fold-{fold}"), &format!("alone/fold-{fold}"));
    }
}

#[test]
fn an_ablation_that_is_asked_to_stop_goes_on_at_the_next_call() {
    let folder = prepared();
    let here = folder.path();
    let ablate = format!("ablate --data data.safetensors --device cpu --rows no_audio,no_text --folds 3 --epochs 40 {TINY}");
    mcsan(here, &format!("{ablate} --out alone")).succeeds();
    let program = start(here, &format!("{ablate} --out rows"));
    wait_until("the second row begins", || here.join("rows/no_text/fold-1/metrics.jsonl").exists());
    signal(&program, "TERM");
    let (code, line) = end(program);
    assert!(code == Some(143) && line.contains("no_text: ") && line.contains("stopped after "), "{line}");
    assert!(line.contains("call the same again ("), "{line}");
    mcsan(here, &format!("{ablate} --out rows")).succeeds();
    for fold in ["no_audio/fold-3", "no_text/fold-1", "no_text/fold-3"] {
        assert_same_run(here, &format!("rows/{fold}"), &format!("alone/{fold}"));
    }
}

/// Asks again and again, until the program ends; what it then said is no line of its own.
fn insist(mut program: Child, name: &str, code: i32) {
    while program.try_wait().unwrap().is_none() {
        signal(&program, name);
        sleep(Duration::from_millis(10));
    }
    let output = program.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("mcsan: "), "it leaves at once, with nothing more to say: {stderr}");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
}

#[test]
fn who_is_asked_twice_leaves_at_once_and_what_was_kept_is_whole() {
    let folder = prepared();
    let here = folder.path();
    // A step of it takes far longer than it takes to ask again.
    let train = format!("train --data data.safetensors --device cpu {TINY} --set model.layers=40 --out run");
    let size = || fs::metadata(here.join("run/metrics.jsonl")).map_or(0, |about| about.len());
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let before = size();
        let program = start(here, &format!("{train} --epochs 50 --checkpoint-every 1 --resume"));
        wait_until("the run makes a step", || size() > before);
        insist(program, name, code);
    }
    mcsan(here, &format!("{train} --epochs 2 --checkpoint-every 1 --resume")).succeeds();
    assert!(everything(&here.join("run")).iter().all(|name| !name.contains(".partial")));
}

#[test]
fn preparing_that_is_asked_to_stop_writes_nothing_and_is_begun_again() {
    let folder = prepared();
    let here = folder.path();
    tone(&here.join("long.wav"), MONO_16_KHZ, 300.0, 200.0);
    let lines: String = (0..60).map(|line| format!("{line},long.wav,go,calm\n")).collect();
    fs::write(here.join("long.csv"), format!("id,audio,text,label\n{lines}")).unwrap();
    let before = everything(here);
    let begin = || {
        let mut program = start(here, "prepare manifest long.csv --out made.safetensors --device cpu");
        let mut said = Vec::new();
        let stderr = program.stderr.as_mut().unwrap();
        while !String::from_utf8_lossy(&said).contains("preparing 60 utterances") {
            let mut byte = [0];
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&said));
            said.extend(byte);
        }
        program
    };
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let program = begin();
        signal(&program, name);
        let (found, line) = end(program);
        assert_eq!((found, line.as_str()), (Some(code), "mcsan: made.safetensors: stopped; nothing was written, call the same again"));
        assert_eq!(everything(here), before);
    }
    insist(begin(), "INT", 130);
    assert_eq!(everything(here), before);
    mcsan(here, "prepare manifest manifest.csv --out made.safetensors --device cpu").succeeds();
}

#[test]
fn one_folder_has_one_run_at_a_time() {
    let folder = prepared();
    let here = folder.path();
    let endless = format!("{TRAIN} --out run {TINY} --set train.epochs=100000").replace("--epochs 150 ", "");
    let program = start(here, &endless);
    wait_until("the run keeps a checkpoint", || here.join("run/last.safetensors").exists());
    let line = mcsan(here, &format!("{TRAIN} --out run --resume {TINY}")).fails();
    let holder = format!("run: is being trained by another process (process {} on ", program.id());
    assert!(line.contains(&holder) && line.contains("); wait for it, or choose another --out"), "{line}");
    // Nobody is told to remove a run that goes on.
    let line = mcsan(here, &format!("{TRAIN} --out run {TINY}")).fails();
    assert!(line.contains(&holder) && !line.contains("remove"), "{line}");
    // Who only reads is not turned away.
    mcsan(here, "report --run run").succeeds();
    mcsan(here, "predict --run run --device cpu --audio audio/calm1.wav --text go").succeeds();
    // A lock that is left by a killed process is none.
    signal(&program, "KILL");
    program.wait_with_output().unwrap();
    assert!(here.join("run/.lock").exists());
    let size = || fs::metadata(here.join("run/metrics.jsonl")).unwrap().len();
    let before = size();
    let program = start(here, &format!("{endless} --resume"));
    wait_until("the run goes on", || size() > before + 2000);
    signal(&program, "INT");
    assert_eq!(end(program).0, Some(130));
}

#[test]
fn a_run_folder_that_is_removed_or_moved_is_said_to_be_gone() {
    let folder = prepared();
    let here = folder.path();
    for removed in [true, false] {
        let program = start(here, &format!("{TRAIN} --out run {TINY}"));
        wait_until("the run keeps a checkpoint", || here.join("run/last.safetensors").exists());
        fs::rename(here.join("run"), here.join("moved")).unwrap();
        if removed {
            fs::remove_dir_all(here.join("moved")).unwrap();
            // Another folder of that name is not the run's.
            fs::create_dir(here.join("run")).unwrap();
        }
        let (code, line) = end(program);
        assert_eq!(code, Some(1));
        assert!(line.contains("run: no longer exists; move it back and go on with --resume"), "{line}");
        assert!(!here.join("run/last.safetensors").exists());
    }
    fs::rename(here.join("moved"), here.join("run")).unwrap();
    mcsan(here, "train --data data.safetensors --device cpu --out run --resume").succeeds();
}

/// Runs a script of bash in which `mcsan` is the program.
fn bash(folder: &Path, script: &str) -> std::process::Output {
    let script = script.replace("mcsan", &format!("'{}'", env!("CARGO_BIN_EXE_mcsan")));
    Command::new("bash").current_dir(folder).args(["-c", &script]).output().unwrap()
}

#[test]
fn a_run_goes_on_where_nobody_hears_it() {
    let folder = prepared();
    let here = folder.path();
    let train = |out: &str| format!("mcsan train --data data.safetensors --device cpu --epochs 40 {TINY} --out {out}");
    mcsan(here, &train("alone").replace("mcsan ", "")).succeeds();
    for (place, script) in [
        "RUN 2>&1 | head -1; exit ${PIPESTATUS[0]}",
        "RUN 2>/dev/full",
        "RUN 2>&-",
        "RUN >&- 2>&-",
        "RUN 2>&1 | true; exit ${PIPESTATUS[0]}",
    ]
    .into_iter()
    .enumerate()
    {
        let run = format!("run{place}");
        let output = bash(here, &script.replace("RUN", &train(&run)));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{script}\n{stderr}");
        assert_eq!(output.status.code(), Some(0), "{script}\n{stderr}");
        assert_same_run(here, &run, "alone");
    }
    let program = start(here, &train("closed").replace("mcsan ", ""));
    wait_until("the run makes a step", || fs::metadata(here.join("closed/metrics.jsonl")).is_ok_and(|about| about.len() > 0));
    signal(&program, "HUP");
    assert!(program.wait_with_output().unwrap().status.success());
    assert_same_run(here, "closed", "alone");
    // The result cannot be told, and all that is to be written is there.
    let output = bash(here, &format!("{} >/dev/full", train("untold")));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let failures: Vec<&str> = stderr.lines().filter(|line| line.starts_with("mcsan: ")).collect();
    assert!(failures.len() == 1 && failures[0].contains("standard output: cannot be written"), "{stderr}");
    assert_eq!(output.status.code(), Some(1));
    assert_same_run(here, "untold", "alone");
    assert!(here.join("untold/report.html").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_told_is_a_failure_of_every_command_and_one_that_nobody_reads_is_none() {
    let folder = super::corpus::trained();
    let here = folder.path();
    for command in [
        "mcsan predict --run run --device cpu --audio audio/calm1.wav --text go --json",
        "mcsan predict --run run --device cpu --audio audio/calm1.wav --text go",
        "mcsan inspect data.safetensors --json",
        "mcsan evaluate --run run --data data.safetensors --device cpu",
        "mcsan prepare manifest manifest.csv --out again.safetensors --device cpu",
        "mcsan tokens --text go",
        "mcsan --help",
        "mcsan --version",
    ] {
        let output = bash(here, &format!("{command} >/dev/full"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && stderr.contains("mcsan: standard output: cannot be written"), "{command}\n{stderr}");
        let output = bash(here, &format!("{command} | true; exit ${{PIPESTATUS[0]}}"));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(0) && !stderr.contains("mcsan: "), "{command}\n{stderr}");
        assert_eq!(bash(here, &format!("{command} >&- 2>&-")).status.code(), Some(0), "{command}");
    }
    // An error keeps its code where it cannot be told either.
    assert_eq!(bash(here, "mcsan inspect absent.safetensors 2>/dev/full").status.code(), Some(1));
    assert_eq!(bash(here, "mcsan dance 2>/dev/full").status.code(), Some(2));
}
