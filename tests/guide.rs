//! `GUIDE.md`: every command in it is run as it stands there, but for a smaller model and fewer epochs. `MCSAN_GUIDE=WORDS` runs the tasks
//! alone whose headings have these words.

use std::fs;
use std::path::Path;

use hound::WavWriter;
use tempfile::TempDir;

use crate::cli::corpus::{CLASSES, MONO_16_KHZ, SPLITS, TINY, corpus};
use crate::program::call;

/// Commands that train, and so are given the settings of a small model.
const TRAINING: [&str; 6] = ["train", "crossval", "ablate", "compare", "matrix", "sweep"];

/// A task: its heading and its commands, as they stand in the guide.
struct Task {
    heading: String,
    commands: Vec<String>,
}

/// Tasks with their commands: lines of the blocks marked `sh`, a line that ends in `\` going on in the next.
fn tasks(guide: &str) -> Vec<Task> {
    let mut tasks: Vec<Task> = Vec::new();
    let mut in_commands = false;
    let mut begun = String::new();
    for line in guide.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            tasks.push(Task { heading: heading.to_owned(), commands: Vec::new() });
        } else if line.starts_with("```") {
            in_commands = line == "```sh";
        } else if in_commands && !line.is_empty() {
            match line.strip_suffix('\\') {
                Some(part) => begun += part,
                None => {
                    let command = std::mem::take(&mut begun) + line;
                    tasks.last_mut().expect("commands stand under a heading").commands.push(command);
                }
            }
        }
    }
    assert!(begun.is_empty(), "a command without an end: {begun}");
    tasks
}

/// The words of a command, of which those in quotation marks may hold spaces; without what stands behind `#`.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in command.chars() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            '#' if !quoted && word.is_none() => break,
            _ => word.get_or_insert_default().push(letter),
        }
    }
    assert!(!quoted, "{command}");
    words.extend(word);
    words
}

/// Runs one command of the guide in a folder.
fn run(folder: &Path, command: &str) {
    let mut arguments = words(command);
    if arguments.is_empty() {
        return;
    }
    assert_eq!(arguments.remove(0), "mcsan", "only mcsan's commands stand in blocks marked sh: {command}");
    if let Some(epochs) = arguments.iter().position(|word| word == "--epochs") {
        arguments[epochs + 1] = "2".to_owned();
    }
    if TRAINING.contains(&arguments[0].as_str()) {
        arguments.extend(TINY.split_whitespace().map(str::to_owned));
        if !arguments.iter().any(|word| word == "--epochs" || word == "--resume") {
            arguments.extend(["--epochs", "1"].map(str::to_owned));
        }
    }
    call(folder, &arguments).succeeds();
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { copy(&entry.path(), &to) } else { fs::copy(entry.path(), &to).map(drop).unwrap() }
    }
}

/// What every task begins with: `corpus/`, in it `mine.csv` with a class of one's own, folders of classes in `talk/`, word vectors,
/// `corpus.safetensors`, `runs/first`, a recording `new.wav`, features of one's own in `features/`.
fn begun() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    copy(corpus().path(), &here.join("corpus"));
    fs::rename(here.join("corpus/vectors.txt"), here.join("glove.txt")).unwrap();
    let manifest = fs::read_to_string(here.join("corpus/manifest.csv")).unwrap();
    fs::write(here.join("corpus/mine.csv"), manifest.replace(",glad,", ",bored,")).unwrap();
    fs::copy(here.join("corpus/audio/calm4.wav"), here.join("new.wav")).unwrap();
    run(here, "mcsan prepare manifest corpus/manifest.csv --out corpus.safetensors --vectors glove.txt --device cpu");
    run(here, "mcsan train --data corpus.safetensors --out runs/first --device cpu");
    for (class, (label, _, text)) in ["anger", "calm", "happy"].into_iter().zip(CLASSES) {
        fs::create_dir_all(here.join("talk").join(class)).unwrap();
        for take in 0..SPLITS.len() {
            let recording = here.join(format!("talk/{class}/{take}.wav"));
            fs::copy(here.join(format!("corpus/audio/{label}{take}.wav")), &recording).unwrap();
            fs::write(recording.with_extension("txt"), text).unwrap();
        }
    }
    fs::create_dir(here.join("talks")).unwrap();
    // A loud second, a pause, and a loud second.
    let pause = vec![0.0; 16_000];
    let loud: Vec<f32> = (0..16_000).map(|n| 0.3 * (n as f32 * 0.1).sin()).collect();
    for recording in ["long.wav", "talks/one.wav"] {
        let mut writer = WavWriter::create(here.join(recording), MONO_16_KHZ).unwrap();
        [&loud, &pause, &loud].into_iter().flatten().for_each(|sample| writer.write_sample((sample * 32_767.0) as i16).unwrap());
        writer.finalize().unwrap();
        let words = "1\n00:00:00,000 --> 00:00:00,900\nGo away!\n\n2\n00:00:02,100 --> 00:00:03,000\nThe sea is quiet.\n";
        fs::write(here.join(recording).with_extension("srt"), words).unwrap();
    }
    fs::create_dir(here.join("features")).unwrap();
    for (label, ..) in CLASSES {
        for take in 0..SPLITS.len() {
            run(here, &format!("mcsan features --audio corpus/audio/{label}{take}.wav --out features/{label}{take}.npy --device cpu"));
        }
    }
    folder
}

#[test]
fn every_command_of_the_guide_runs() {
    let begun = begun();
    let tasks = tasks(include_str!("../GUIDE.md"));
    assert!(tasks.len() > 10 && tasks.iter().map(|task| task.commands.len()).sum::<usize>() > 10);
    // The first task makes what the others begin with.
    let do_all = |Task { heading, commands }: &Task, is_first: bool| {
        let folder = tempfile::tempdir().unwrap();
        copy(begun.path(), folder.path());
        if is_first {
            fs::remove_file(folder.path().join("corpus.safetensors")).unwrap();
            fs::remove_dir_all(folder.path().join("runs")).unwrap();
        }
        println!("{heading}: {} commands", commands.len());
        commands.iter().for_each(|command| run(folder.path(), command));
    };
    let do_all = &do_all;
    let wanted = std::env::var("MCSAN_GUIDE").unwrap_or_default();
    let tasks = tasks.iter().enumerate().filter(|(_, task)| task.heading.contains(&wanted));
    std::thread::scope(|scope| tasks.for_each(|(place, task)| drop(scope.spawn(move || do_all(task, place == 0)))));
}

#[test]
fn words_of_a_command_are_told_apart() {
    assert_eq!(words(r#"mcsan predict  --text "I told you so" # says so"#), ["mcsan", "predict", "--text", "I told you so"]);
    assert_eq!(words("mcsan train --set model.words=a#b"), ["mcsan", "train", "--set", "model.words=a#b"]);
}
