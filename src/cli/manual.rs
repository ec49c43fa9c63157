//! `mcsan completions` and `mcsan man`: what shells and `man` know of the command line, from its own definition.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::arguments::Options;
use super::output::{self, Kind};
use super::{Done, cannot_write};
use crate::dataset::replace_file;

#[derive(Args)]
#[command(after_help = "Example: mcsan completions bash > ~/.local/share/bash-completion/completions/mcsan")]
pub(crate) struct Completions {
    pub shell: Shell,
}

#[derive(Args)]
#[command(after_help = "Example: mcsan man --out ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Folder to write to: mcsan.1 and a page for each command
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

pub(crate) fn completions(arguments: &Completions) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Options::command(), "mcsan", &mut script);
    println!("{}", String::from_utf8_lossy(&script).trim_end());
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(arguments: &Man) -> Done {
    output::check_folder(&arguments.out, |_| true)?;
    std::fs::create_dir_all(&arguments.out).map_err(cannot_write(&arguments.out))?;
    let mut program = Options::command();
    program.build();
    let pages = std::iter::once(program.clone()).chain(program.get_subcommands().filter(|command| command.get_name() != "help").cloned());
    let mut count = 0;
    for page in pages {
        let path = arguments.out.join(format!("{}.1", page_name(&page)));
        let name = page_name(&page);
        output::check(&path, Kind::Manual)?;
        let rendered = clap_mangen::Man::new(page.name(name));
        replace_file(&path, |file| rendered.render(file)).map_err(cannot_write(&path))?;
        count += 1;
    }
    println!("{count} pages in {}", arguments.out.display());
    Ok(ExitCode::SUCCESS)
}

/// `mcsan` of the program, `mcsan-predict` of a command.
fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}
