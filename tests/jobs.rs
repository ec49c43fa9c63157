//! Experiments on many machines: the recipes of the guide and the files for schedulers, run as they stand with a small model.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use yaml_rust2::{Yaml, YamlLoader};

use crate::cli::corpus::{TINY, prepared};

/// A folder with `corpus.safetensors`, and in `bin` the program as a user finds it, with the settings of a small model.
fn begun() -> TempDir {
    let folder = prepared();
    let here = folder.path();
    fs::rename(here.join("data.safetensors"), here.join("corpus.safetensors")).unwrap();
    fs::create_dir(here.join("bin")).unwrap();
    let script = format!("#!/bin/sh\nexec '{}' \"$@\" --epochs 1 --device cpu {TINY}\n", env!("CARGO_BIN_EXE_mcsan"));
    fs::write(here.join("bin/mcsan"), script).unwrap();
    fs::set_permissions(here.join("bin/mcsan"), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// A shell, or another program, that finds the program.
fn shell(folder: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    command.current_dir(folder).env("PATH", path);
    command
}

fn succeeds(output: Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn sources(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Lines of the block marked `bash`.
fn recipes(guide: &str) -> Vec<String> {
    let lines = guide.lines().skip_while(|line| *line != "```bash").skip(1);
    lines.take_while(|line| *line != "```").map(str::to_owned).collect()
}

#[test]
fn recipes_for_a_shell_train_every_fold_once_with_two_processes_at_a_time() {
    let folder = begun();
    let here = folder.path();
    let recipes = recipes(&sources("GUIDE.md"));
    assert_eq!(recipes.len(), 4);
    let mut summaries = Vec::new();
    for recipe in &recipes {
        let needs = recipe.split_whitespace().next().unwrap();
        if needs == "parallel" && !shell(here, "parallel").arg("--version").output().is_ok_and(|output| output.status.success()) {
            println!("skipped: GNU parallel is not installed: {recipe}");
            continue;
        }
        let said = succeeds(shell(here, "bash").args(["-c", recipe]).output().unwrap());
        for fold in 1..=3 {
            let trained = said.matches(&format!("fold {fold} of 3: trains on")).count();
            assert_eq!(trained, usize::from(!recipe.contains("nothing is trained")), "{recipe}: {said}");
        }
        let out = recipe.split("--out ").nth(1).unwrap().split_whitespace().next().unwrap();
        summaries.push(fs::read_to_string(here.join(out).join("crossval.json")).unwrap());
    }
    // Who is done first may sum up before the other ends; the last call of the recipes sums up all.
    assert!(summaries.len() >= 3 && summaries.iter().skip(1).all(|summary| summary == summaries.last().unwrap()));
}

#[test]
fn the_file_for_slurm_trains_the_fold_of_its_task() {
    let folder = begun();
    let here = folder.path();
    let text = sources("assets/jobs/folds.sbatch");
    let options: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#SBATCH --"))
        .map(|option| option.split_once('=').unwrap_or((option, "")))
        .collect();
    let known = ["job-name", "array", "cpus-per-task", "mem", "time", "requeue", "signal"];
    assert!(options.iter().map(|(name, _)| *name).eq(known), "{options:?}");
    assert!(options.contains(&("array", "1-10")), "tasks are numbered as folds");
    // Options are read up to the first command.
    let commands = text.lines().skip_while(|line| line.starts_with('#') || line.is_empty());
    assert!(!commands.clone().any(|line| line.starts_with("#SBATCH")));

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/jobs/folds.sbatch");
    let mut task = shell(here, "bash");
    task.arg(path).args(["corpus.safetensors", "runs/folds", "--by", "random"]);
    let said = succeeds(task.env("SLURM_ARRAY_TASK_COUNT", "3").env("SLURM_ARRAY_TASK_ID", "2").output().unwrap());
    assert!(said.contains("fold 2 of 3: trains on"), "{said}");
    assert!(here.join("runs/folds/fold-2/test.json").exists() && !here.join("runs/folds/fold-1").exists());
}

#[test]
fn the_file_for_kubernetes_trains_the_fold_of_its_index() {
    let folder = begun();
    let here = folder.path();
    let documents = YamlLoader::load_from_str(&sources("assets/jobs/folds.yaml")).unwrap();
    let [job] = documents.as_slice() else { panic!("{} documents", documents.len()) };
    assert_eq!((job["apiVersion"].as_str(), job["kind"].as_str()), (Some("batch/v1"), Some("Job")));
    let spec = &job["spec"];
    assert_eq!(spec["completionMode"].as_str(), Some("Indexed"));
    let pod = &spec["template"]["spec"];
    let container = &pod["containers"][0];
    assert!(container["image"].as_str().unwrap().ends_with(concat!(":", env!("CARGO_PKG_VERSION"))));
    let mounted: Vec<_> = pod["volumes"].as_vec().unwrap().iter().map(|volume| &volume["name"]).collect();
    assert!(
        mounted.contains(&&container["volumeMounts"][0]["name"]) && container["workingDir"] == container["volumeMounts"][0]["mountPath"]
    );

    let words = |key: &str| container[key].as_vec().unwrap().iter().map(Yaml::as_str).map(Option::unwrap).collect::<Vec<_>>();
    let command = words("command").into_iter().chain(words("args")).collect::<Vec<_>>();
    let folds = format!("--folds {}", spec["completions"].as_i64().unwrap());
    assert!(command.last().unwrap().contains(&folds), "as many indices as folds");
    // Of the small corpus.
    let command: Vec<String> = command.iter().map(|word| word.replace(&folds, "--folds 3")).collect();
    let said = succeeds(shell(here, &command[0]).args(&command[1..]).env("JOB_COMPLETION_INDEX", "0").output().unwrap());
    assert!(said.contains("fold 1 of 3: trains on"), "{said}");
    assert!(here.join("runs/folds/fold-1/test.json").exists());
}
