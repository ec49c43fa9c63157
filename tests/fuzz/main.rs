//! Damaged files for every reader, drawn for as long as is allowed: `cargo test --release --test fuzz`, for `MCSAN_FUZZ_SECONDS`
//! (10) on all cores, from the seed `MCSAN_FUZZ_SEED` (0); names of readers behind `--` choose some, and `--on FILE READER` reads a
//! file that was found.
//!
//! Each reader has a process, which ends where a bound is broken; the file that did it is then shown. A file that is refused in words
//! that were not heard before is damaged further: words tell how far a reader came. `make fuzz` lets libFuzzer draw the files by what
//! they reach in the program (`libfuzzer/`); it reads what `--stage FOLDER` writes.

mod bounds;
mod edits;
mod readers;
mod seeds;

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use readers::{READERS, Reader};

#[global_allocator]
static ALLOCATOR: bounds::Counted = bounds::Counted;

/// Most files that are kept to be damaged further.
const KEPT: usize = 500;
/// Bytes of a file that are shown.
const SHOWN: usize = 4000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--reader", name, folder, seconds] => draw(reader(name), Path::new(folder), seconds.parse().expect("seconds")),
        ["--on", file, name] => {
            let folder = tempfile::tempdir().expect("a folder can be made");
            seeds::stage(reader(name), folder.path());
            println!("{:?}", reader(name).run(folder.path(), &fs::read(file).expect("the file is there")));
        }
        ["--stage", folder] => READERS.iter().for_each(|reader| write_stage(reader, Path::new(folder))),
        names => {
            // What else `cargo test` hands on chooses among the tests of other programs.
            let names: Vec<&&str> = names.iter().filter(|name| !name.starts_with("--")).collect();
            let chosen = READERS.iter().filter(|reader| names.is_empty() || names.contains(&&reader.name));
            return draw_all(&chosen.collect::<Vec<_>>());
        }
    }
    ExitCode::SUCCESS
}

fn reader(name: &str) -> &'static Reader {
    READERS.iter().find(|reader| reader.name == name).unwrap_or_else(|| panic!("no reader is called {name}"))
}

fn setting(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Shares the time among the readers, and says how each fared.
fn draw_all(readers: &[&Reader]) -> ExitCode {
    let cores = thread::available_parallelism().map_or(1, usize::from).min(readers.len().max(1));
    let seconds = setting("MCSAN_FUZZ_SECONDS", 10) as f64 * cores as f64 / readers.len().max(1) as f64;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let waiting = Mutex::new(readers.iter());
    let fallen = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(reader) = { waiting.lock().expect("nobody panics with it").next() } {
                    let place = folder.path().join(reader.name);
                    let output = Command::new(env::current_exe().expect("it runs"))
                        .args(["--reader", reader.name])
                        .arg(&place)
                        .arg(seconds.to_string())
                        .stdin(Stdio::null())
                        .output()
                        .expect("it starts again");
                    print!("{}", String::from_utf8_lossy(&output.stdout));
                    if !output.status.success() {
                        show(reader, &place, &output);
                        fallen.lock().expect("nobody panics with it").push(reader.name);
                    }
                }
            });
        }
    });
    let fallen = fallen.into_inner().expect("nobody panics with it");
    if fallen.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("broken by the files above: {}; they are kept in {}", fallen.join(", "), folder.keep().display());
    ExitCode::FAILURE
}

/// What ended a reader's process.
fn show(reader: &Reader, folder: &Path, output: &Output) {
    let bytes = fs::read(folder.join(reader.file)).unwrap_or_default();
    let bytes_shown = bytes[..bytes.len().min(SHOWN)].escape_ascii();
    eprintln!("{}: {} on {} bytes: \"{bytes_shown}\"", reader.name, output.status, bytes.len());
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
}

/// Has one reader read damaged files, and ends the process with the smallest that breaks it.
fn draw(reader: &Reader, folder: &Path, seconds: f64) {
    let right = seeds::stage(reader, folder);
    assert_eq!(reader.run(folder, &right[0]), None, "a file that is right is read");
    // Decoders that break down over a file are caught by the library; what is told of it stays silent.
    panic::set_hook(Box::new(|_| ()));
    let seed = setting("MCSAN_FUZZ_SEED", 0);
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed.to_le_bytes(); 4].concat()));
    let strategy = edits::damage();
    let fails = |bytes: &[u8]| panic::catch_unwind(AssertUnwindSafe(|| reader.run(folder, bytes)));
    let (mut kept, mut heard) = (Vec::new(), BTreeSet::new());
    let (mut executions, mut refused) = (0u64, 0u64);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        let mut damage = strategy.new_tree(&mut runner).expect("nothing is rejected");
        let bytes = damage.current().done(&right, &kept, reader.words);
        executions += 1;
        match fails(&bytes) {
            Ok(None) => (),
            Ok(Some(line)) => {
                refused += 1;
                if heard.insert(words(&line)) && kept.len() < KEPT {
                    kept.push(bytes);
                }
            }
            Err(_) => {
                while damage.simplify() {
                    while fails(&damage.current().done(&right, &kept, reader.words)).is_ok() && damage.complicate() {}
                }
                // Once more, with what is told of it.
                drop(panic::take_hook());
                reader.run(folder, &damage.current().done(&right, &kept, reader.words));
            }
        }
    }
    println!("{:24} {executions:>9} files, {refused:>9} refused in {:>4} ways", reader.name, heard.len());
}

/// A refusal without what differs from file to file.
fn words(line: &str) -> String {
    let letters = line.split(|letter: char| !letter.is_ascii_alphabetic());
    letters.filter(|word| !word.is_empty()).take(40).collect::<Vec<_>>().join(" ")
}

/// `FOLDER/READER/` for libFuzzer: `stage/`, what is read beside the file; `seeds/`, files that are right; `words`, its dictionary.
fn write_stage(reader: &Reader, folder: &Path) {
    let folder = folder.join(reader.name);
    let staged = seeds::stage(reader, &folder.join("stage"));
    fs::create_dir_all(folder.join("seeds")).expect("the folder can be written to");
    for (place, bytes) in staged.iter().enumerate() {
        fs::write(folder.join("seeds").join(place.to_string()), bytes).expect("the folder can be written to");
    }
    let escaped = |word: &&str| word.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let words: String = reader.words.iter().map(|word| format!("\"{}\"\n", escaped(word))).collect();
    // An empty one is refused.
    fs::write(folder.join("words"), format!("# {}\n{words}", reader.name)).expect("the folder can be written to");
}
