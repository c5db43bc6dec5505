//! `cordon drill`: plays a real breach through this very program and prints a scorecard.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use drill::{Options, Scenario};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Usage, requests};
use crate::args::{Drill, Global};
use crate::show;

/// The scenarios that come with the program.
const SHIPPED: [&str; 2] = [
    include_str!("../../../../scenarios/flickr-2026-02.toml"),
    include_str!("../../../../scenarios/mailerlite-2024-01.toml"),
];

/// Exit code 0 when every check holds, 1 when one does not.
pub async fn run(drill: Drill, global: &Global) -> Result<ExitCode> {
    if drill.scenario == "list" {
        let shown = shipped()?;
        let rows = shown.iter().map(|one| json!({ "scenario": one.id, "title": one.title }));
        show::answer(&json!({ "scenarios": rows.collect::<Vec<_>>() }), global.json);
        return Ok(ExitCode::SUCCESS);
    }
    let playing = drill::run(Options {
        scenario: named(&drill.scenario)?,
        program: std::env::current_exe().context("finding this program")?,
        people: u64::from(drill.people),
        smtp: drill.smtp,
        keep: drill.keep,
        quiet: global.json,
        world: server::door::world(),
    });
    let mut terminated = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let played = tokio::select! {
        played = playing => played?,
        // Dropping the drill ends the program that it plays against.
        _ = terminated.recv() => anyhow::bail!("the drill was stopped"),
    };
    let scorecard = &played.scorecard;
    if let Some(file) = &drill.scorecard {
        let text = serde_json::to_string_pretty(scorecard)?;
        std::fs::write(file, text).with_context(|| format!("writing `{}`", file.display()))?;
    }
    if global.json {
        println!("{}", serde_json::to_string(scorecard)?);
    } else {
        println!("{scorecard}");
    }
    let code = if scorecard.ok { ExitCode::SUCCESS } else { ExitCode::from(1) };
    if let Some(places) = played.places() {
        println!("\n{places}\n\nIt runs until Ctrl-C.");
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed.context("listening for Ctrl-C")?,
            _ = terminated.recv() => {}
        }
    }
    played.end().await?;
    Ok(code)
}

fn shipped() -> Result<Vec<Scenario>> {
    SHIPPED.iter().map(|text| Ok(Scenario::parse(text)?)).collect()
}

/// A scenario that comes with the program, or one in a file.
fn named(name: &str) -> Result<Scenario> {
    if let Some(found) = shipped()?.into_iter().find(|scenario| scenario.id == name) {
        return Ok(found);
    }
    let path = Path::new(name);
    if !path.exists() {
        return Err(Usage::NoScenario(name.to_owned()).into());
    }
    let parsed = Scenario::parse(&requests::text_in(path)?);
    parsed.with_context(|| format!("reading `{name}`"))
}
