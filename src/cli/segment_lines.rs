//! Segments as lines: CSV, JSON lines, and NIST's RTTM.

use std::io::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::listed::csv_line;
use super::predict::{likeliest, named};
use super::segments::{Recording, short_names};
use super::streams::print_data;
use super::{Failure, cannot_write};
use crate::dataset::replace_file;
use crate::train::{TimedPrediction, Timeline};

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `audio,start,end,label`, a column for each class, and the words where there are some.
    Csv,
    /// The same as an object a line.
    JsonLines,
    /// `SPEAKER` lines (NIST, Rich Transcription 2009, appendix A) in which the label stands in the speaker's place, and its
    /// probability in that of the confidence.
    Rttm,
}

impl Format {
    /// The format of a file's name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::JsonLines),
            "rttm" => Some(Self::Rttm),
            _ => None,
        }
    }
}

/// The first columns of a CSV.
pub(super) const COLUMNS: [&str; 4] = ["audio", "start", "end", "label"];

/// The segments of recordings.
pub(super) struct Lines<'l> {
    pub classes: &'l [String],
    pub recordings: &'l [(&'l Recording, &'l Timeline)],
    pub has_text: bool,
}

impl Lines<'_> {
    /// Writes a file of the format that its name says.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let lines = self.of(Format::of(path).unwrap_or(Format::Csv))?;
        replace_file(path, |file| lines.iter().try_for_each(|line| writeln!(file, "{line}"))).map_err(cannot_write(path))
    }

    /// Prints them as CSV.
    pub(super) fn print(&self) -> Result<(), Failure> {
        self.of(Format::Csv)?.iter().for_each(|line| print_data(line));
        Ok(())
    }

    fn of(&self, format: Format) -> Result<Vec<String>, Failure> {
        let names: Vec<&str> = self.recordings.iter().map(|(recording, _)| recording.name.as_str()).collect();
        let segments = |place: usize| self.recordings[place].1.segments.iter();
        let mut lines = Vec::new();
        match format {
            Format::Csv => {
                let text = self.has_text.then(|| "text".to_owned());
                lines.push(csv_line(COLUMNS.map(str::to_owned).into_iter().chain(self.classes.iter().cloned()).chain(text))?);
                for (place, name) in names.iter().enumerate() {
                    for segment in segments(place) {
                        lines.push(self.record(name, segment)?);
                    }
                }
            }
            Format::JsonLines => {
                for (place, name) in names.iter().enumerate() {
                    lines.extend(segments(place).map(|segment| {
                        let mut line = Map::from_iter([("audio".to_owned(), json!(name))]);
                        if let Value::Object(fields) = object(self.classes, segment) {
                            line.extend(fields);
                        }
                        Value::Object(line).to_string()
                    }));
                }
            }
            Format::Rttm => {
                for (place, name) in short_names(self.recordings.iter().map(|(recording, _)| *recording)).into_iter().enumerate() {
                    lines.extend(segments(place).map(|segment| {
                        let best = likeliest(&segment.probabilities);
                        let (name, label) = (one_word(&name), one_word(&self.classes[best]));
                        let (start, seconds, share) = (segment.start, segment.seconds(), segment.probabilities[best]);
                        format!("SPEAKER {name} 1 {start:.3} {seconds:.3} <NA> <NA> {label} {share:.6} <NA>")
                    }));
                }
            }
        }
        Ok(lines)
    }

    fn record(&self, name: &str, segment: &TimedPrediction) -> Result<String, Failure> {
        let label = self.classes[likeliest(&segment.probabilities)].clone();
        let fields = [name.to_owned(), segment.start.to_string(), segment.end.to_string(), label];
        let text = self.has_text.then(|| segment.text.clone().unwrap_or_default());
        csv_line(fields.into_iter().chain(segment.probabilities.iter().map(f64::to_string)).chain(text))
    }
}

/// A segment as JSON.
pub(super) fn object(classes: &[String], segment: &TimedPrediction) -> Value {
    let label = &classes[likeliest(&segment.probabilities)];
    let mut object = json!({ "start": segment.start, "end": segment.end, "label": label });
    if let Some(text) = &segment.text {
        object["text"] = json!(text);
    }
    object["probabilities"] = Value::Object(named(classes, &segment.probabilities));
    object
}

/// A name as RTTM can hold it, whose fields end at white space.
fn one_word(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join("_")
}
