//! `mercer`, for tests that need real processes.

fn main() -> std::process::ExitCode {
    mercer_cli::main()
}
