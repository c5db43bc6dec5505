//! `cordon gateway --sidecar`: carries to a gateway elsewhere, until SIGTERM or Ctrl-C.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;
use server::sidecar::{self, Place, SidecarFiles};
use tokio::signal::unix::{SignalKind, signal};

use super::Usage;
use crate::args::{Global, Sidecar};

/// Starts, says where it listens, and stops cleanly.
pub async fn run(args: Sidecar, global: &Global) -> Result<ExitCode> {
    super::serve::log();
    let mut terminated = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listening for Ctrl-C")?;
    let Sidecar { upstream, listen, socket, ca, certificate, key, tokens, .. } = args;
    let upstream = upstream.context("`--sidecar` needs `--upstream`")?;
    if !upstream.starts_with("https://") {
        return Err(Usage::UpstreamInTheClear(upstream).into());
    }
    let files = SidecarFiles { ca, certificate: certificate.zip(key), tokens };
    let place = socket.map_or(Place::Address(listen), Place::Socket);
    let ready = sidecar::open(&upstream, files, place).await?;
    if global.json {
        println!("{}", json!({ "listening": ready.at, "upstream": upstream }));
    } else {
        println!("the sidecar carries from {}/v/<vendor>/ to {upstream}", ready.at);
    }
    ready
        .serve(async {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted.recv() => {}
            }
        })
        .await;
    Ok(ExitCode::SUCCESS)
}
