//! What a person sees while a drill plays: one line a step, a bar for long ones.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::scenario::Scenario;

/// The live display; silent when asked, plain lines where there is no terminal.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// A display that says nothing yet.
    pub fn new(quiet: bool) -> Self {
        let bar = ProgressBar::no_length();
        bar.set_draw_target(if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        });
        Self { bar, quiet }
    }

    /// The scenario, before anything happens.
    pub fn title(&self, scenario: &Scenario) {
        self.line(&format!("{}: {}", scenario.id, scenario.title));
    }

    /// A step begins whose length is not known.
    pub fn begin(&mut self, what: &str) {
        self.start(ProgressBar::no_length(), "  {spinner} {msg} {elapsed}", what);
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    /// A step begins that has so many parts.
    pub fn count(&mut self, what: &str, parts: u64) {
        let form = "  {msg} {wide_bar} {human_pos}/{human_len} {elapsed}";
        self.start(ProgressBar::new(parts), form, what);
    }

    fn start(&mut self, bar: ProgressBar, form: &str, what: &str) {
        self.bar.finish_and_clear();
        self.bar = bar;
        if self.quiet {
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template(form) {
            self.bar.set_style(style);
        }
        self.bar.set_message(what.to_owned());
    }

    /// So many parts are done.
    pub fn at(&self, parts: u64) {
        self.bar.set_position(parts);
    }

    /// Something happened that stays on the screen.
    pub fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.bar.is_hidden() {
            use std::io::Write as _;
            // Progress is a courtesy: with the error stream closed the drill goes on.
            drop(writeln!(std::io::stderr(), "{text}"));
        } else {
            self.bar.println(text);
        }
    }

    /// Nothing more is shown.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}
