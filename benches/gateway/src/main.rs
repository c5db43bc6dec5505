//! Cordon's gateway beside its peers, on one machine, in one run. Not shipped.
//!
//! `run` compares; the other commands are what it starts as processes of their own: the vendor that
//! everything is sent to, the load at a constant rate, and the inspector behind Envoy.

#![expect(clippy::disallowed_methods, reason = "what measures has the machine's own clock")]

mod cordon;
mod inspector;
mod load;
mod machine;
mod peers;
mod process;
mod report;
mod run;
mod throughput;
mod traffic;
mod vendor;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare, and print one JSON line last
    Run(run::Plan),
    /// Answer every request as a mail vendor would
    Vendor {
        /// The port on loopback
        port: u16,
    },
    /// Send requests at a constant rate and say how long they took
    Load(load::Load),
    /// Hold connections without using them
    Idle(load::Idle),
    /// Envoy's external processor: reads bodies and logs recipients
    Inspector {
        /// The port on loopback
        port: u16,
        /// Where recipients are logged
        log: PathBuf,
    },
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(plan) => run::run(&plan),
        Command::Vendor { port } => vendor::serve(port),
        Command::Load(load) => load.run(),
        Command::Idle(idle) => idle.run(),
        Command::Inspector { port, log } => inspector::serve(port, log),
    }
}
