//! The `weir` binary: arguments in, exit code out.

use std::io::Write;
use std::process::ExitCode;

use weir::bench;
use weir::config::{Loaded, load};
use weir::top;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Tools that are clients of a server, by the first word.
    let words = || std::env::args_os().skip(1);
    let tool = words().next().unwrap_or_default();
    if tool == bench::SUBCOMMAND {
        return ExitCode::from(bench::main(words()));
    }
    if tool == top::SUBCOMMAND {
        return ExitCode::from(top::main(words()));
    }
    use_small_pages();
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

/// Asks for memory in 4 KiB pages. A queue that grows touches each byte of fresh memory once: huge
/// pages are cleared two megabytes at a time, out of the caches, which made LPUSH at P=64 cost
/// 0.29 us instead of 0.19; and they come and go whole, so that memory per message was 2% more and
/// single pushes paused for 250 us. It is only an optimisation, so a refusal is passed over.
fn use_small_pages() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}

fn fail(message: &str, exit_code: u8) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::from(exit_code)
}
