//! A drill from beginning to end: the stage is set, normal traffic flows, the intruder acts, the
//! responders respond through the program's API, and the result is judged from outside.

mod acts;
mod judge;
mod portal;
mod program;
mod progress;
mod response;
mod stage;
mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use model::World;

use crate::scenario::Scenario;
use crate::scorecard::Scorecard;

use progress::Progress;
use stage::Stage;

/// What to play and how.
pub struct Options {
    /// The scenario.
    pub scenario: Scenario,
    /// The program to play it against.
    pub program: PathBuf,
    /// How many people the company has.
    pub people: u64,
    /// A real mail server for the notices; the built-in inbox without it.
    pub smtp: Option<SocketAddr>,
    /// Keep the work folder, and the program running until told.
    pub keep: bool,
    /// No live progress.
    pub quiet: bool,
    /// The clock and random bytes.
    pub world: World,
}

/// A drill that was played.
pub struct Played {
    /// What came of it.
    pub scorecard: Scorecard,
    stage: Stage,
    keep: bool,
}

/// Plays a scenario.
///
/// # Errors
/// When the stage cannot be set or the program stops answering; what the program does wrong is no
/// error but a check that fails.
pub async fn run(options: Options) -> Result<Played> {
    let mut progress = Progress::new(options.quiet);
    progress.title(&options.scenario);
    let stage = Stage::set(&options, &mut progress).await.context("setting the stage")?;
    traffic::flow(&stage, &mut progress).await.context("playing normal traffic")?;
    let acts = acts::play(&stage, &mut progress).await.context("playing the intruder")?;
    let responded = response::respond(&stage, &mut progress).await.context("responding")?;
    let scorecard =
        judge::judge(&stage, &acts, &responded, &mut progress).await.context("judging")?;
    progress.done();
    Ok(Played { scorecard, stage, keep: options.keep })
}

impl Played {
    /// Where to look at it in a browser, while it is kept.
    pub fn places(&self) -> Option<String> {
        self.keep.then(|| self.stage.places())
    }

    /// Stops the program and removes the work folder, unless it is kept.
    ///
    /// # Errors
    /// When the program does not stop.
    pub async fn end(self) -> Result<()> {
        self.stage.end(self.keep).await
    }
}
