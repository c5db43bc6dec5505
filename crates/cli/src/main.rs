//! The program `cordon`: a server, a command line that speaks its API, and drills. Decides nothing.

#![expect(clippy::print_stdout, reason = "a command line prints")]

mod args;
mod commands;
mod show;

use std::process::ExitCode;

use clap::Parser as _;
use serde_json::json;

use crate::args::{Cli, Command, ConnectorCommand, Gateway, GatewayCommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 64 } else { 0 };
            return match error.print() {
                Ok(()) => ExitCode::from(code),
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return show::failure(&error.into(), cli.global.json),
    };
    let json = cli.global.json;
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => show::failure(&error, json),
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let global = cli.global;
    match cli.command {
        Command::Serve(serve) => commands::serve::run(&serve, &global).await,
        Command::Config => {
            match global.json {
                true => show::answer(&json!({ "toml": server::config::DEFAULT }), true),
                false => print!("{}", server::config::DEFAULT),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Drill(drill) => commands::drill::run(drill, &global).await,
        Command::Connector(command) if !matches!(command, ConnectorCommand::List) => {
            commands::connector::run(&command, &global)
        }
        Command::Gateway(Gateway { sidecar, command: None }) => {
            commands::sidecar::run(sidecar, &global).await
        }
        Command::Doctor => commands::doctor::run(&global).await,
        Command::Policy(command) => commands::policy::run(command, &global).await,
        Command::Detokenise(asked) => commands::policy::detokenise(asked, &global).await,
        Command::Gateway(Gateway { command: Some(GatewayCommand::Tail(tail)), .. }) => {
            commands::gateway::tail(&tail, &global).await
        }
        Command::Gateway(Gateway { command: Some(GatewayCommand::Status), .. }) => {
            commands::gateway::status(&global).await
        }
        other => commands::call::run(other, &global).await,
    }
}
