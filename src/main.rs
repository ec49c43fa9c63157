//! The program `mcsan`: see `mcsan help`, and the library's documentation for how it is built.

fn main() -> std::process::ExitCode {
    mcsan::cli::run()
}
