//! Progress of a training: a bar on a terminal, plain lines elsewhere; always on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::arguments::Common;
use super::notes::Note;
use super::{remedy, tables};
use crate::base::shown::{in_line, percent};
use crate::train::{Event, Metrics};

/// Shows the events of a run.
pub(crate) struct Progress<'c> {
    common: &'c Common,
    bar: ProgressBar,
    plain: bool,
    /// WA and UA of the last validation, shares of one.
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
    /// Tenths of the steps that were done when it was said last.
    said: u64,
}

impl Pace {
    /// Time that the rest will take; none before the first step.
    fn left(&self) -> Option<Duration> {
        let steps = u32::try_from(self.done.checked_sub(self.before)?).ok().filter(|&steps| steps > 0)?;
        let left = u32::try_from(self.planned.saturating_sub(self.done)).ok()?;
        Some(self.started.elapsed() / steps * left)
    }

    /// Whether it should be said again: once in each tenth of the steps.
    fn is_due(&mut self) -> bool {
        let tenth = 10 * self.done / self.planned.max(1);
        std::mem::replace(&mut self.said, tenth) < tenth
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
                self.say(&format!("{train} utterances to train on, {validation} to validate; at most {epochs} epochs, {steps} steps"));
                if *done > 0 {
                    self.say(&format!("{done} steps are done"));
                }
                self.pace = Some(Pace { started: Instant::now(), before: *done, done: *done, planned: *steps, said: 0 });
                if !self.plain {
                    self.bar = ProgressBar::new(*steps);
                    self.bar.set_position(*done);
                    let style = ProgressStyle::with_template("{bar:20} {pos}/{len}  {wide_msg}");
                    self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                }
            }
            Event::Taken { taken } => self.note(Note::StartsFrom((*taken).clone())),
            Event::OtherDevice { before, now } => {
                self.note(Note::OtherDevice { before: (*before).to_owned(), now: (*now).to_owned() });
            }
            Event::Step { step, loss, utterances_per_s, .. } => {
                self.rate = *utterances_per_s;
                if let Some(pace) = &mut self.pace {
                    pace.done = step + 1;
                }
                let pace = self.pace();
                let validation = self.validation.map(|[wa, ua]| format!("  WA {}  UA {}", percent(wa), percent(ua)));
                self.bar.set_message(format!("loss {loss:.3}{}  {pace}", validation.unwrap_or_default()));
                self.bar.set_position(step + 1);
            }
            Event::Epoch { epoch, train, validation, best, .. } => {
                self.validation = validation.map(|metrics| [metrics.wa, metrics.ua]);
                self.say(&epoch_line(epoch + 1, train, *validation, *best));
                // On a terminal the bar shows it.
                if self.plain && self.pace.as_mut().is_some_and(Pace::is_due) {
                    self.say(&self.pace());
                }
            }
            Event::Split { step, parts, error } => {
                self.note(Note::Split { step: *step, parts: *parts, error: remedy::line(*error) });
            }
            Event::NotKept { step, error } => {
                self.note(Note::NotKept { step: *step, error: remedy::line(*error) });
            }
            Event::Skipped { step, scale } => {
                self.note(Note::Skipped { step: *step, scale: *scale });
            }
            Event::WarmupUnfinished { warmup_steps, steps } => {
                self.note(Note::WarmupUnfinished { warmup_steps: *warmup_steps, steps: *steps });
            }
            Event::Plateau { epochs, factor } => {
                self.say(&format!("{epochs} epochs without a better validation figure: learning rate times {factor}"));
            }
            Event::Stopped { epochs } => {
                self.note(Note::Stopped { epochs: *epochs });
            }
            Event::Fitting { utterances, memory } => {
                self.say(&format!("fitting the SVM to {utterances} utterances, which takes {memory} of memory"));
            }
            Event::Fitted { machine } => self.say(&tables::machine(machine)),
            Event::Checkpoint { .. } | Event::Test { .. } => {}
        }
    }

    /// Utterances a second, and, where that is known, the time that is left.
    fn pace(&self) -> String {
        let left = self.pace.as_ref().and_then(Pace::left).filter(|left| left.as_secs() > 0);
        format!("{:.0} utterances/s{}", self.rate, left.map(|left| format!(", {} left", HumanDuration(left))).unwrap_or_default())
    }

    fn note(&self, note: Note) {
        self.say(&in_line(&note.to_string()));
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

/// An epoch in a line that fits a terminal.
fn epoch_line(number: u64, train: &Metrics, validation: Option<&Metrics>, best: bool) -> String {
    let validation = validation.map(|metrics| {
        let mark = if best { "  best" } else { "" };
        format!("  validation {:.3}  WA {}  UA {}{mark}", metrics.loss, percent(metrics.wa), percent(metrics.ua))
    });
    format!("epoch {number:3}  loss {:.3}  WA {}{}", train.loss, percent(train.wa), validation.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_fits_a_terminal_and_the_pace_is_said_ten_times() {
        let metrics = |wa, loss| Metrics {
            utterances: 1000,
            wa,
            ua: 0.555,
            macro_f1: wa,
            weighted_f1: wa,
            loss,
            classes: Vec::new(),
            confusion: Vec::new(),
        };
        let line = epoch_line(300, &metrics(1.0, 0.012), Some(&metrics(0.567, 1.234)), true);
        assert_eq!(line, "epoch 300  loss 0.012  WA 100.0 %  validation 1.234  WA 56.7 %  UA 55.5 %  best");
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(epoch_line(1, &metrics(0.5, 1.5), None, true), "epoch   1  loss 1.500  WA 50.0 %");
        let mut pace = Pace { started: Instant::now(), before: 0, done: 0, planned: 300, said: 0 };
        let said = (1..=300).filter(|&done| {
            pace.done = done;
            pace.is_due()
        });
        assert_eq!(said.count(), 10);
    }
}
