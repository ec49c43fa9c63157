//! Compilers and validators of other people, as programs: files in, verdict out.

use std::ffi::OsStr;
use std::process::Command;

/// A program on this machine.
pub struct Tool {
    program: &'static str,
}

impl Tool {
    /// The program; where it is missing that is printed with the test's name, or is a failure where `MCSAN_REQUIRE_TOOLS` is
    /// set (as CI does).
    pub fn find(program: &'static str, test: &str) -> Option<Self> {
        let found = Self::find_unasked(program, test);
        let is_required = std::env::var_os("MCSAN_REQUIRE_TOOLS").is_some();
        assert!(found.is_some() || !is_required, "{test}: no {program}, but MCSAN_REQUIRE_TOOLS is set");
        found
    }

    /// The same of a program that CI has no need to have.
    pub fn find_unasked(program: &'static str, test: &str) -> Option<Self> {
        let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
        if !found {
            println!("skipped: {program} is not installed: {test}");
        }
        found.then_some(Self { program })
    }

    /// What it says of files where it does not take all of them.
    pub fn refusal(&self, options: &[&str], files: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Option<String> {
        let output = Command::new(self.program).args(options).args(files).output().expect("the tool starts");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (!output.status.success()).then(|| said(&output.stdout) + &said(&output.stderr))
    }
}
