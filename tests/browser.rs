//! A headless Chromium on this machine, as a program.

use std::path::Path;
use std::process::Command;

/// Programs that are Chromium.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// A browser on this machine.
pub struct Chromium {
    program: &'static str,
}

impl Chromium {
    /// The browser; where there is none the test's name is printed, or it is a failure where `MCSAN_REQUIRE_BROWSER` is set.
    pub fn find(test: &str) -> Option<Self> {
        let works = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
        let found = NAMES.iter().find(works);
        if found.is_none() {
            assert!(std::env::var_os("MCSAN_REQUIRE_BROWSER").is_none(), "{test}: no Chromium, but MCSAN_REQUIRE_BROWSER is set");
            println!("skipped: no Chromium: {test}");
        }
        found.map(|program| Self { program })
    }

    /// Its name.
    pub fn program(&self) -> &'static str {
        self.program
    }

    /// A call of it with a profile of its own in `folder`.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(["--headless=new", "--no-sandbox", "--disable-background-networking", "--no-first-run", "--disable-component-update"])
            .arg("--enable-logging=stderr")
            .arg(format!("--user-data-dir={}", folder.join("profile").display()));
        command
    }
}
