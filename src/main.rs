fn main() -> std::process::ExitCode {
    mcsan::cli::run()
}
