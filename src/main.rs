//! One binary: the service and everything that operates it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sloop::cli::main()
}
