//! `cordon serve`: everything in one process, until SIGTERM or Ctrl-C.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;
use server::config::Config;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Global, Serve};

/// Starts, says where everything is, and stops cleanly.
pub async fn run(serve: &Serve, global: &Global) -> Result<ExitCode> {
    log();
    std::panic::set_hook(Box::new(log_defect));
    let mut config = Config::load(serve.config.as_deref())?;
    if serve.config.is_none() {
        config.data.clone_from(&global.data);
    }
    let mut terminated = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let running = server::start(config).await?;
    let places = running.places();
    if global.json {
        println!("{}", json!(places));
    } else {
        println!(
            "cordon runs.\n\n  gateway  {}/v/<vendor>/\n  API      {}/api/v1/\n  console  {}/console\n  \
             portal   {}/\n  webhooks {}/hooks/<vendor>\n  canaries {} (SMTP)\n  data     {}\n\n\
             The first operator's token is in {}.\nStop with Ctrl-C or SIGTERM.",
            places.gateway,
            places.api,
            places.api,
            places.portal,
            places.portal,
            places.smtp,
            running.data().display(),
            running.data().join("keys/operator.token").display(),
        );
        if let Some(connect) = &places.connect {
            println!("Tunnels to vendors' hosts: HTTPS_PROXY={connect}");
        }
    }
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        () = running.failed() => {}
    }
    running.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// Logs a panic by its place. Its words only where they are the code's own: others may quote data.
fn log_defect(defect: &std::panic::PanicHookInfo<'_>) {
    let said = defect.payload().downcast_ref::<&str>().unwrap_or(&"");
    let place = defect.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(defect.place = place, defect.said = said, "a defect ended a task");
}

/// Logs to the error stream, `CORDON_LOG` chooses what (`info` without it), one line an event.
pub fn log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("CORDON_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,server=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
