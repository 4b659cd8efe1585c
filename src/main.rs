//! The `weir` binary: arguments in, exit code out.

use std::io::Write;
use std::process::ExitCode;

use weir::config::{Loaded, load};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match load(std::env::args_os(), std::env::vars_os()) {
        Ok(Loaded::Answer(text)) => {
            // Nothing is left to do for a reader that has gone.
            let _ = write!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Ok(Loaded::Run(start)) => match weir::server::run(&start) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("weir: {error:#}"), 1),
        },
        Err(error) => fail(&error.to_string(), error.exit_code()),
    }
}

fn fail(message: &str, exit_code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::from(exit_code)
}
