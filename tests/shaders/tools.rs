//! Compilers and validators of other people, as programs: files in, verdict out.

use std::path::Path;
use std::process::Command;

/// A program on this machine.
pub struct Tool {
    program: &'static str,
}

impl Tool {
    /// The program; where it is missing that is printed with the test's name, or is a failure where `MCSAN_REQUIRE_TOOLS` is
    /// set (as CI does).
    pub fn find(program: &'static str, test: &str) -> Option<Self> {
        let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
        if !found {
            assert!(std::env::var_os("MCSAN_REQUIRE_TOOLS").is_none(), "{test}: no {program}, but MCSAN_REQUIRE_TOOLS is set");
            println!("skipped: {program} is not installed: {test}");
        }
        found.then_some(Self { program })
    }

    /// What it says of a file where it does not take it.
    pub fn refusal(&self, options: &[&str], file: &Path) -> Option<String> {
        let output = Command::new(self.program).args(options).arg(file).output().expect("the tool starts");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (!output.status.success()).then(|| said(&output.stdout) + &said(&output.stderr))
    }
}
