//! Progress of a training: a bar on a terminal, plain lines elsewhere; always on standard error.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

use crate::train::run::Event;

/// Shows the events of a run.
pub struct Progress {
    bar: ProgressBar,
    plain: bool,
    validation: Option<f64>,
    rate: f64,
}

impl Progress {
    pub fn new() -> Self {
        Self { bar: ProgressBar::hidden(), plain: !std::io::stderr().is_terminal(), validation: None, rate: 0.0 }
    }

    pub fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { parameters, epochs, steps, train, validation } => {
                self.say(&format!(
                    "{parameters} parameters; {train} utterances to train on, {validation} to validate; at most {epochs} epochs, {steps} steps"
                ));
                if !self.plain {
                    self.bar = ProgressBar::new(*steps);
                    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}  {eta} left");
                    self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                }
            }
            Event::Step { loss, utterances_per_s, .. } => {
                self.rate = *utterances_per_s;
                let validation = self.validation.map(|ua| format!("  validation UA {:.1} %", 100.0 * ua)).unwrap_or_default();
                self.bar.set_message(format!("loss {loss:.3}{validation}  {:.0} utterances/s", self.rate));
                self.bar.inc(1);
            }
            Event::Epoch { epoch, train, validation, best } => {
                self.validation = validation.map(|metrics| metrics.ua);
                let seen = validation.map(|metrics| {
                    format!("   validation loss {:.3}  WA {:.1} %  UA {:.1} %", metrics.loss, 100.0 * metrics.wa, 100.0 * metrics.ua)
                });
                let mark = if *best && validation.is_some() { "  best so far" } else { "" };
                self.say(&format!(
                    "epoch {:3}   loss {:.3}  WA {:.1} %{}{mark}   {:.0} utterances/s",
                    epoch + 1,
                    train.loss,
                    100.0 * train.wa,
                    seen.unwrap_or_default(),
                    self.rate
                ));
            }
        }
    }

    fn say(&self, line: &str) {
        if self.plain {
            eprintln!("{line}");
        } else {
            self.bar.suspend(|| eprintln!("{line}"));
        }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
