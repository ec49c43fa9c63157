//! Progress of a training: a bar on a terminal, plain lines elsewhere; always on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::arguments::Common;
use super::notes::Note;
use super::{remedy, tables};
use crate::train::Event;

/// Shows the events of a run.
pub(crate) struct Progress<'c> {
    common: &'c Common,
    bar: ProgressBar,
    plain: bool,
    /// WA and UA of the last validation.
    validation: Option<[f64; 2]>,
    /// Utterances a second.
    rate: f64,
    pace: Option<Pace>,
}

/// How fast steps are done.
struct Pace {
    started: Instant,
    /// Steps that were done when it started, that are done, and that will be.
    before: u64,
    done: u64,
    planned: u64,
}

impl Pace {
    /// Time that the rest will take; none before the first step.
    fn left(&self) -> Option<Duration> {
        let steps = u32::try_from(self.done.checked_sub(self.before)?).ok().filter(|&steps| steps > 0)?;
        let left = u32::try_from(self.planned.saturating_sub(self.done)).ok()?;
        Some(self.started.elapsed() / steps * left)
    }
}

impl<'c> Progress<'c> {
    pub(crate) fn new(common: &'c Common) -> Self {
        let plain = !std::io::stderr().is_terminal();
        Self { common, bar: ProgressBar::hidden(), plain, validation: None, rate: 0.0, pace: None }
    }

    pub(crate) fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { modules, frames, tokens, epochs, steps, done, train, validation } => {
                self.say(&tables::modules(modules, *frames, *tokens));
                self.say(&format!(
                    "{train} utterances to train on, {validation} to validate; at most {epochs} epochs, {steps} steps{}",
                    if *done > 0 { format!("; {done} steps are done") } else { String::new() }
                ));
                self.pace = Some(Pace { started: Instant::now(), before: *done, done: *done, planned: *steps });
                if !self.plain {
                    self.bar = ProgressBar::new(*steps);
                    self.bar.set_position(*done);
                    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
                    self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                }
            }
            Event::OtherDevice { before, now } => {
                self.note(Note::OtherDevice { before: (*before).to_owned(), now: (*now).to_owned() });
            }
            Event::Step { step, loss, utterances_per_s, .. } => {
                self.rate = *utterances_per_s;
                if let Some(pace) = &mut self.pace {
                    pace.done = step + 1;
                }
                let validation = self.validation.map(|[wa, ua]| format!("  validation WA {wa:.1} %  UA {ua:.1} %")).unwrap_or_default();
                self.bar.set_message(format!("loss {loss:.3}{validation}  {:.0} utterances/s{}", self.rate, self.time_left()));
                self.bar.set_position(step + 1);
            }
            Event::Epoch { epoch, train, validation, best, .. } => {
                self.validation = validation.map(|metrics| [100.0 * metrics.wa, 100.0 * metrics.ua]);
                let seen = validation.map(|metrics| {
                    format!("   validation loss {:.3}  WA {:.1} %  UA {:.1} %", metrics.loss, 100.0 * metrics.wa, 100.0 * metrics.ua)
                });
                let mark = if *best && validation.is_some() { "  best so far" } else { "" };
                self.say(&format!(
                    "epoch {:3}   loss {:.3}  WA {:.1} %{}{mark}   {:.0} utterances/s{}",
                    epoch + 1,
                    train.loss,
                    100.0 * train.wa,
                    seen.unwrap_or_default(),
                    self.rate,
                    self.time_left()
                ));
            }
            Event::Split { step, parts, error } => {
                self.note(Note::Split { step: *step, parts: *parts, error: remedy::line(*error) });
            }
            Event::Skipped { step, scale } => {
                self.note(Note::Skipped { step: *step, scale: *scale });
            }
            Event::Stopped { epochs } => {
                self.note(Note::Stopped { epochs: *epochs });
            }
            Event::Checkpoint { .. } | Event::Test { .. } => {}
        }
    }

    /// Where the pace is known, in words that go on a line.
    fn time_left(&self) -> String {
        let left = self.pace.as_ref().and_then(Pace::left).filter(|left| !left.is_zero());
        left.map(|left| format!("   {} left", HumanDuration(left))).unwrap_or_default()
    }

    fn note(&self, note: Note) {
        self.say(&note.to_string());
        self.common.keep_note(note);
    }

    fn say(&self, line: &str) {
        if self.plain {
            eprintln!("{line}");
        } else {
            self.bar.suspend(|| eprintln!("{line}"));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
