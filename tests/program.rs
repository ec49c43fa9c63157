//! Runs the program as a user does: arguments in; exit code, standard output and standard error out.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// What the program says while it works, on standard error. A failure is one line besides these.
const PROGRESS: [&str; 5] = ["preparing ", "profiling ", "left out: ", "training on ", "only a software adapter found: "];

/// A finished call of the program.
pub struct Outcome {
    pub line: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Calls the program in a folder; the arguments are separated by spaces.
pub fn mcsan(folder: &Path, arguments: &str) -> Outcome {
    call(folder, &arguments.split_whitespace().collect::<Vec<_>>())
}

/// Calls the program in a folder with arguments that may hold spaces.
pub fn call<A: AsRef<OsStr>>(folder: &Path, arguments: &[A]) -> Outcome {
    call_in(folder, arguments, &[])
}

/// Calls the program as [`mcsan`] does, with variables of its environment, as launchers set them.
pub fn launched(folder: &Path, arguments: &str, variables: &[(&str, &str)]) -> Outcome {
    call_in(folder, &arguments.split_whitespace().collect::<Vec<_>>(), variables)
}

fn call_in<A: AsRef<OsStr>>(folder: &Path, arguments: &[A], variables: &[(&str, &str)]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcsan"));
    command.current_dir(folder).args(arguments).envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().expect("the program starts");
    let shown: Vec<_> = arguments.iter().map(|argument| argument.as_ref().to_string_lossy()).collect();
    let text = |bytes| String::from_utf8(bytes).expect("the program writes UTF-8");
    Outcome { line: format!("mcsan {}", shown.join(" ")), code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

impl Outcome {
    /// The work was done.
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.line, self.stderr);
        self
    }

    /// The work was done and reported as one JSON document.
    pub fn json(self) -> Value {
        let outcome = self.succeeds();
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{}: {error}\n{}", outcome.line, outcome.stdout))
    }

    /// The work failed: exit code 1, nothing on standard output, and one line that says why, which is returned.
    pub fn fails(self) -> String {
        assert_eq!(self.code, Some(1), "{}\n{}", self.line, self.stderr);
        assert_eq!(self.stdout, "", "{}", self.line);
        // What was typed in vain is said whatever comes of the rest.
        let in_vain = [" has no effect: ", ": without the index the others are not read"];
        let is_progress =
            |line: &&str| PROGRESS.iter().any(|progress| line.starts_with(progress)) || in_vain.iter().any(|part| line.contains(part));
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !is_progress(line)).collect();
        assert!(lines.len() == 1 && lines[0].starts_with("mcsan: "), "{}\n{}", self.line, self.stderr);
        println!("{}", lines[0]);
        lines[0].to_owned()
    }
}

/// The first adapter, which is `--device 0`; `None` where there is none, which is said by the test's name, or is a failure where
/// `MCSAN_REQUIRE_ADAPTER` is set (as CI does).
pub fn default_adapter(test: &str) -> Option<String> {
    let devices = mcsan(Path::new("."), "devices --json").json();
    let Some(first) = devices["devices"].as_array().and_then(|devices| devices.first()) else {
        assert!(std::env::var_os("MCSAN_REQUIRE_ADAPTER").is_none(), "{test}: no graphics adapter, but MCSAN_REQUIRE_ADAPTER is set");
        println!("skipped: no adapter: {test}");
        return None;
    };
    let name = format!("{} ({}, {})", first["name"], first["backend"], first["driver"]);
    println!("{test}: an adapter is here, the first is {name}");
    Some(name)
}

/// The matrix of little-endian float32 in a NumPy file: shape and values.
pub fn read_npy(path: &Path) -> ([usize; 2], Vec<f32>) {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "{}", path.display());
    let values = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!(values % 64, 0, "{}", path.display());
    let header = std::str::from_utf8(&bytes[10..values]).unwrap();
    assert!(header.contains("'descr': '<f4', 'fortran_order': False") && header.ends_with('\n'), "{header}");
    let (_, shape) = header.split_once("'shape': (").unwrap();
    let (shape, _) = shape.split_once(')').unwrap();
    let shape: Vec<usize> = shape.split(',').map(str::trim).filter(|size| !size.is_empty()).map(|size| size.parse().unwrap()).collect();
    let values: Vec<f32> = bytes[values..].chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect();
    assert_eq!(values.len(), shape.iter().product::<usize>(), "{}", path.display());
    (shape.try_into().expect("a matrix"), values)
}

/// Largest difference of two matrices; NaN or infinity in either is infinitely far.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| if a.is_finite() && b.is_finite() { (a - b).abs() } else { f32::INFINITY }).fold(0.0, f32::max)
}
