//! `--devices`: an experiment on several devices at once, by a process of this program on each, which share its folder. Each has a
//! pipe to its standard input, and ends after its step when that is closed: by this process, or with it.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::arguments::Common;
use super::notes::{DONE_BEFORE, ELSEWHERE};
use super::{Failure, interrupt, ranks};
use crate::base::input;
use crate::config::Devices;

/// What a line of a failure begins with.
const FAILURE: &str = "mcsan: ";
/// Between two looks at whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Where `--devices` names several, trains on all of them; then what is left is to sum up. Returns the device for that, where it is
/// not that of the settings.
///
/// # Errors
/// Of the first device on which the experiment failed; what the others have trained is kept.
pub(super) fn train(common: &Common, devices: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(devices) = devices else { return Ok(None) };
    let names = match Devices::of(devices) {
        Devices::One(name) => vec![name],
        Devices::All => ranks::all(common)?,
        Devices::Several(names) => names,
    };
    if names.len() > 1 {
        refuse_streams(std::env::args_os().skip(1))?;
        train_on(&names)?;
        common.is_spread.set(true);
    }
    Ok(names.into_iter().next())
}

/// Refuses an input that each of several processes would have to read, and of which the first gets all.
fn refuse_streams(arguments: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    for argument in arguments {
        let value = argument.to_str().and_then(|text| text.split_once('=')).map_or(argument.as_os_str(), |(_, value)| OsStr::new(value));
        if input::is_stream(Path::new(value)) {
            let stream = value.display();
            return Err(Failure(format!(
                "{stream}: is a stream, which is read once, and --devices has a process a device read it; give a file"
            )));
        }
    }
    Ok(())
}

fn train_on(names: &[String]) -> Result<(), Failure> {
    let stop = interrupt::wish();
    let program = std::env::current_exe().map_err(|error| Failure(format!("this program cannot be started again ({error})")))?;
    let start = |name: &String| {
        let mut command = Command::new(&program);
        command.args(arguments(std::env::args_os().skip(1))).args(["--device", name]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).env(interrupt::TIED, "1");
        // Who interrupts this process interrupts those by it, and each once.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn()
    };
    let mut started = Vec::new();
    for name in names {
        match start(name) {
            Ok(child) => started.push((name, child)),
            Err(error) => {
                started.iter_mut().for_each(|(_, child)| end(child));
                return Err(Failure(format!("device {name}: no process can be started ({error})")));
            }
        }
    }
    let ended: Vec<(ExitStatus, Option<String>)> = thread::scope(|scope| {
        let watched: Vec<_> = started.into_iter().map(|(name, child)| scope.spawn(move || watch(name, child))).collect();
        watched.into_iter().filter_map(|thread| thread.join().ok()?.ok()).collect()
    });
    if stop.load(Ordering::Relaxed) {
        return Err(Failure("stopped; call the same again to go on".into()));
    }
    let failed = ended.iter().zip(names).find(|((status, _), _)| !status.success());
    match failed {
        Some(((status, line), name)) => {
            Err(Failure(format!("device {name}: {}", line.clone().unwrap_or_else(|| format!("its process has ended ({status})")))))
        }
        None if ended.len() < names.len() => Err(Failure("a process that trains cannot be watched; call the same again".into())),
        None => Ok(()),
    }
}

/// This program's arguments without the devices.
fn arguments(all: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut all = all.peekable();
    while let Some(argument) = all.next() {
        match argument.to_str() {
            Some("--devices") => drop(all.next()),
            Some(text) if text.starts_with("--devices=") => {}
            _ => kept.push(argument),
        }
    }
    kept
}

/// Says what a process says, until it ends; returns how, and the line of its failure.
fn watch(name: &str, mut child: Child) -> std::io::Result<(ExitStatus, Option<String>)> {
    let said = child.stderr.take();
    let name = name.to_owned();
    let listener = thread::spawn(move || {
        let mut failure = None;
        for line in said.into_iter().flat_map(|said| BufReader::new(said).split(b'\n').map_while(Result::ok)) {
            let line = String::from_utf8_lossy(&line).into_owned();
            match line.strip_prefix(FAILURE) {
                Some(reason) => failure = Some(reason.to_owned()),
                // The lines of the others say it.
                None if [DONE_BEFORE, ELSEWHERE].iter().any(|end| line.ends_with(end)) => {}
                None => eprintln!("device {name}: {line}"),
            }
        }
        failure
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if interrupt::wish().load(Ordering::Relaxed) {
            end(&mut child);
        }
        thread::sleep(LOOK);
    };
    Ok((status, listener.join().ok().flatten()))
}

/// Has a process end after its step.
fn end(child: &mut Child) {
    drop(child.stdin.take());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_gets_all_arguments_but_the_devices() {
        let of = |line: &str| arguments(line.split_whitespace().map(OsString::from));
        assert_eq!(of("crossval --devices 0,1 --data d --out o"), of("crossval --data d --out o"));
        assert_eq!(of("crossval --data d --devices=all --out o"), of("crossval --data d --out o"));
    }

    #[test]
    fn a_stream_is_no_input_of_several_processes() {
        let refused = |line: &str| refuse_streams(line.split_whitespace().map(OsString::from)).is_err();
        assert!(refused("crossval --config /dev/fd/63 --data d") && refused("crossval --config=/dev/stdin --data d"));
        assert!(!refused("crossval --config a.toml --set train.lr=0.1 --data d"));
    }
}
