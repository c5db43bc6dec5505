//! The project's own chores: tests, benchmarks. Not shipped.

#![expect(clippy::print_stdout, reason = "a chore talks to the person who runs it")]

mod bench;
mod install;
mod test;
#[cfg(test)]
mod tidy;

use std::process::ExitCode;

use anyhow::Result;

const HELP: &str = "\
cargo xtask test [FILTER…]   install what the tests need, run them all, print the closing lines
cargo xtask bench gateway [OPTION…]   compare the gateway with its peers, one JSON line last
cargo xtask install          only install what the tests need (SDKs, Postfix, a DKIM verifier)";

fn main() -> Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("test") => test::run(&words.collect::<Vec<_>>()),
        Some("bench") => {
            let name = words.next();
            bench::bench(name.as_deref(), &words.collect::<Vec<_>>())
        }
        Some("install") => install::all().map(|_| ExitCode::SUCCESS),
        _ => {
            println!("{HELP}");
            Ok(ExitCode::from(64))
        }
    }
}
