//! Calls of the system that fail: `strace` makes each call by which a command changes a file fail in turn (no room, a disk that
//! does not answer, no permission), or kills the program there.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mcsan::dataset::store::Store;
use tempfile::TempDir;

use super::corpus::{TINY, prepared, trained};
use super::failures::everything;
use super::resuming::assert_same_run;

/// Calls that make, fill, name or remove files and folders, and what the system says where they fail.
const CALLS: [(&str, &str); 16] = [
    ("open", "EACCES"),
    ("openat", "EACCES"),
    ("write", "ENOSPC"),
    ("pwrite64", "ENOSPC"),
    ("writev", "ENOSPC"),
    ("ftruncate", "ENOSPC"),
    ("fallocate", "ENOSPC"),
    ("copy_file_range", "ENOSPC"),
    ("fsync", "EIO"),
    ("fdatasync", "EIO"),
    ("linkat", "EACCES"),
    ("rename", "EACCES"),
    ("renameat2", "EACCES"),
    ("mkdir", "EACCES"),
    ("unlink", "EACCES"),
    ("unlinkat", "EACCES"),
];

/// A call that changes a file.
#[derive(Debug)]
struct Call {
    name: &'static str,
    /// What the system says where it fails.
    error: &'static str,
    /// Which of its thread's calls of that name, from 1.
    nth: usize,
}

/// Whether programs can be watched here; that they cannot is said by the test's name.
pub fn can_trace(test: &str) -> bool {
    let works = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).output().is_ok_and(|output| output.status.success());
    if !works {
        assert!(std::env::var_os("MCSAN_REQUIRE_TOOLS").is_none(), "{test}: strace does not work, but MCSAN_REQUIRE_TOOLS is set");
        println!("skipped: strace does not work: {test}");
    }
    works
}

/// Runs the program under strace, which writes the calls named to a file beside the folder.
fn traced(folder: &Path, log: &Path, expressions: &[String], arguments: &str) -> Output {
    // A filter in the kernel is faster, and lets no call be the last.
    let kills = expressions.iter().any(|expression| expression.contains("SIGKILL"));
    let fast = (!kills).then_some("--seccomp-bpf");
    let expressions = expressions.iter().flat_map(|expression| ["-e", expression]);
    Command::new("strace")
        .current_dir(folder)
        .args(fast)
        .args(["-f", "-qq", "-s", "0", "-o"])
        .arg(log)
        .args(expressions)
        .arg(env!("CARGO_BIN_EXE_mcsan"))
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
}

/// The calls by which a command changes files when nothing fails.
fn calls(folder: &Path, arguments: &str) -> Vec<Call> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let names: Vec<&str> = CALLS.iter().map(|(name, _)| *name).collect();
    let output = traced(folder, log.path(), &[format!("trace={}", names.join(","))], arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut counts: HashMap<(String, &str), usize> = HashMap::new();
    let mut found = Vec::new();
    for line in fs::read_to_string(log.path()).unwrap().lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let Some(&(name, error)) = CALLS.iter().find(|(name, _)| call.trim_start().starts_with(&format!("{name}("))) else { continue };
        let count = counts.entry((thread.into(), name)).or_default();
        *count += 1;
        let shown = call.trim_start();
        let makes = !name.starts_with("open") || shown.contains("O_CREAT") || shown.contains("O_TMPFILE");
        let is_output = ["write(1,", "write(2,"].iter().any(|output| shown.starts_with(output));
        if makes && !is_output {
            found.push(Call { name, error, nth: *count });
        }
    }
    found
}

/// Runs a command of which one call fails or is the program's last; its exit code, none where it was killed, and what it said.
fn struck(folder: &Path, arguments: &str, call: &Call, how: &str) -> (Option<i32>, String) {
    let expression = format!("inject={}:{how}:when={}", call.name, call.nth);
    let output = traced(folder, Path::new("/dev/null"), &[format!("trace={}", call.name), expression], arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked"), "{call:?}: {said}");
    (output.status.code(), said)
}

/// The one line of a command that failed.
fn line(call: &Call, said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("mcsan: ")).collect();
    assert_eq!(lines.len(), 1, "{call:?}: {said}");
    lines[0].into()
}

#[test]
fn a_training_of_which_any_call_of_the_system_fails_or_is_the_last_loses_nothing() {
    if !can_trace("a_training_of_which_any_call_of_the_system_fails_or_is_the_last_loses_nothing") {
        return;
    }
    let folder = prepared();
    let here = folder.path();
    let train = format!("train --data data.safetensors --device cpu {TINY} --epochs 1 --checkpoint-every 1 --set model.dropout=0.2");
    let calls = calls(here, &format!("{train} --out alone"));
    let (mut failed, mut unharmed, mut killed) = (0, 0, 0);
    for call in &calls {
        for how in [format!("error={}", call.error), "signal=SIGKILL".into()] {
            let _ = fs::remove_dir_all(here.join("run"));
            let (code, said) = struck(here, &format!("{train} --out run"), call, &how);
            match code {
                Some(0) => {
                    // What was tried otherwise, or need not be.
                    unharmed += 1;
                }
                Some(1) => {
                    failed += 1;
                    let line = line(call, &said);
                    assert!(line.contains("run") && line.contains("cannot be written"), "{call:?}: {line}");
                    let last = here.join("run/last.safetensors");
                    if last.exists() {
                        let step = Store::open(&last).unwrap().metadata("step").unwrap().to_owned();
                        let is_over = step == "3";
                        assert!(is_over || line.contains(&format!("run/last.safetensors is whole, of step {step}")), "{call:?}: {line}");
                    }
                }
                _ => killed += 1,
            }
            if code != Some(0) {
                crate::program::mcsan(here, &format!("{train} --out run --resume")).succeeds();
            }
            assert_same_run(here, "run", "alone");
        }
    }
    println!("{} calls: {failed} failures in a line, {unharmed} without harm, {killed} deaths; nothing was lost", calls.len());
    assert!(failed >= 20 && killed >= 40, "{calls:?}");
}

/// The contents of all files of a folder, without what a killed program may leave unnamed.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = everything(folder).into_iter().filter(|path| PathBuf::from(path).is_file() && !path.ends_with(".partial"));
    files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

#[test]
fn a_command_of_which_any_call_of_the_system_fails_or_is_the_last_leaves_no_part_of_its_file() {
    if !can_trace("a_command_of_which_any_call_of_the_system_fails_or_is_the_last_leaves_no_part_of_its_file") {
        return;
    }
    let folder: TempDir = trained();
    let here = folder.path();
    let mut injected = 0;
    for (arguments, made) in [
        ("prepare manifest manifest.csv --vectors vectors.txt --device cpu --out made", "made"),
        ("features --audio audio/calm1.wav --device cpu --out made", "made"),
        ("export --run run --out made", "made"),
        ("predict --run run --audio audio/calm1.wav --text go --device cpu --attention made.svg", "made.svg"),
    ] {
        let calls = calls(here, arguments);
        assert!(!calls.is_empty(), "{arguments} writes nothing");
        let made = here.join(made);
        let whole = fs::read(&made).unwrap();
        fs::remove_file(&made).unwrap();
        let before = contents(here);
        for call in &calls {
            for how in [format!("error={}", call.error), "signal=SIGKILL".into()] {
                let (code, said) = struck(here, arguments, call, &how);
                let after = contents(here);
                let is_whole = || after.get(&made.display().to_string()) == Some(&whole);
                match code {
                    Some(0) => assert!(is_whole(), "{arguments}: {call:?}"),
                    Some(1) => {
                        let line = line(call, &said);
                        assert!(line.contains("made") && line.contains("cannot be written"), "{call:?}: {line}");
                        assert_eq!(after, before, "{arguments}: {call:?}");
                    }
                    _ => assert!(after == before || is_whole(), "{arguments}: {call:?}"),
                }
                let _ = fs::remove_file(&made);
                injected += 1;
            }
        }
    }
    println!("{injected} failures and deaths; no part of a file was left");
}
