//! `benches/measure.sh`: what it does in which order, and what is left of it where it is cut off. Nothing here is measured: a script
//! stands in for the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The headings of the parts, in the order of their worth; without PyTorch.
const PARTS: [&str; 12] = [
    "Adapters",
    "First step",
    "Every kernel",
    "A training step of batch=256,frames=1000,words=50,ragged, tiles fixed",
    "The same, tiles timed",
    "Without the driver's checks",
    "In mixed precision",
    "Growth",
    "MFCC",
    "One utterance",
    "A training step of batch=256,frames=1000,words=50, padded",
    "The tuned kernels alone",
];

/// A folder with a stand-in for the program, which hangs where its arguments hold `hangs`.
fn stand_in(hangs: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "#!/bin/sh\necho profiling a card >&2\necho \"ok     a case\"; echo \"a step takes 3 ms: $*\"\n\
         case \"$*\" in *{hangs}*) exec sleep 60 ;; esac\n"
    );
    fs::write(folder.path().join("mcsan"), script).unwrap();
    fs::set_permissions(folder.path().join("mcsan"), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn measure(folder: &Path, options: &[&str]) -> Child {
    let mut command = Command::new("bash");
    command.arg("benches/measure.sh").args(options).arg(folder).env("MCSAN", folder.join("mcsan")).env("CHIP", "m1").env_remove("PYTHON");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn kept(folder: &Path) -> String {
    fs::read_to_string(folder.join("measured.md")).unwrap_or_default()
}

/// The headings of the Markdown are the first parts.
fn headings(markdown: &str) -> usize {
    let headings: Vec<&str> = markdown.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(headings.iter().zip(PARTS).all(|(heading, part)| heading.starts_with(part)), "{headings:?}");
    headings.len()
}

#[test]
fn a_measurement_does_all_of_its_parts_in_the_order_of_their_worth_and_keeps_what_it_prints() {
    let folder = stand_in("nothing");
    let output = measure(folder.path(), &[]).wait_with_output().unwrap();
    let markdown = kept(folder.path());
    assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(0), markdown.clone()));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(headings(&markdown), PARTS.len());
    for said in ["--tiles timed", "--without robustness", "--predict m1", "--compare", "train.precision=mixed"] {
        assert!(markdown.contains(said), "{said}: {markdown}");
    }
    assert!(markdown.contains("1 cases were well") && !markdown.contains("Left"), "{markdown}");
}

#[test]
fn a_part_that_overruns_its_time_is_stopped_and_the_others_have_theirs() {
    let folder = stand_in("check");
    let output = measure(folder.path(), &["--minutes", "0.1"]).wait_with_output().unwrap();
    let markdown = kept(folder.path());
    assert_eq!(output.status.code(), Some(0), "{markdown}");
    assert!(markdown.contains("check --device auto` was stopped after"), "{markdown}");
    assert!(headings(&markdown) > 4, "{markdown}");
    let wrong = measure(folder.path(), &["--minutes", "ten"]).wait_with_output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn a_measurement_that_is_cut_off_leaves_what_it_had_and_names_what_is_left() {
    let folder = stand_in("timed");
    let script = measure(folder.path(), &[]);
    let patience = Instant::now() + Duration::from_secs(30);
    while !kept(folder.path()).contains("The same, tiles timed") && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").arg(script.id().to_string()).status().unwrap().success());
    let output = script.wait_with_output().unwrap();
    let markdown = kept(folder.path());
    assert_eq!(output.status.code(), Some(143), "{markdown}");
    assert_eq!(headings(&markdown), 5, "{markdown}");
    let left = "Left, as this was cut off: timed pytorch_eager pytorch_compiled pytorch_mixed robustness mixed sweep mfcc utterance padded";
    assert!(markdown.contains(left), "{markdown}");
}
