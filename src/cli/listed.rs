//! `mcsan predict --list`: many utterances, a line each.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::vec::IntoIter;

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::arguments::Common;
use super::notes::Note;
use super::predict::{file_column, hears, likeliest, named, note_cut, note_lacking, note_misaligned, read_alignment, read_further};
use super::streams::print_data;
use super::{Done, Failure, remedy};
use crate::audio::decode;
use crate::backend::Backend;
use crate::base::shown::in_line;
use crate::corpus::CorpusError;
use crate::corpus::list::Listed;
use crate::dataset::FeatureMatrix;
use crate::prepare::{GROUP_BYTES, GROUP_CLIPS};
use crate::train::speakers::Speakers;
use crate::train::{Predictor, Spoken, TrainError};

/// A line of a list, or why it cannot be used.
type Line = Result<Listed, CorpusError>;

/// Predicts every line that can be read; those that cannot are reported one by one and make the command fail.
pub(super) fn predict<B: Backend>(common: &Common, model: &Path, predictor: &Predictor, backend: &B, lines: Vec<Line>) -> Done {
    let classes = &predictor.checkpoint.classes;
    let mut inference = predictor.on(backend)?;
    let columns = Columns::of(&lines, file_column(predictor));
    if !common.json {
        print_data(&csv_line(columns.names().into_iter().chain(["label".to_owned()]).chain(classes.iter().cloned()))?);
    }
    let mut list = List { predictor, count: lines.len(), failed: 0, cut: Vec::new(), lacking: BTreeMap::new(), misaligned: Vec::new() };
    let has_speakers = list.note_speakers(common, model, &lines);
    let show = |listed: &Listed, probabilities: &[f64]| {
        let label = &classes[likeliest(probabilities)];
        if common.json {
            let mut line = columns.json(listed);
            line.extend([("label".to_owned(), json!(label)), ("probabilities".to_owned(), Value::Object(named(classes, probabilities)))]);
            print_data(&Value::Object(line).to_string());
        } else {
            let numbers = probabilities.iter().map(f64::to_string);
            print_data(&csv_line(columns.fields(listed).into_iter().chain([label.clone()]).chain(numbers))?);
        }
        Ok::<_, Failure>(())
    };
    let mut groups = Groups(lines.into_iter().peekable());
    if has_speakers {
        let mut speakers = Speakers::new(&mut inference, &std::env::temp_dir())?;
        let mut all = Vec::new();
        for group in groups {
            let (listed, utterances) = list.read(group);
            let names: Vec<Option<String>> = listed.iter().map(|line| line.speaker.clone()).collect();
            pollster::block_on(speakers.add(&utterances, &names))?;
            all.extend(listed);
        }
        let found = pollster::block_on(speakers.predict_each())?;
        list.show(&all, &found, &show)?;
    } else {
        groups.try_for_each(|group| {
            let (listed, utterances) = list.read(group);
            let found = pollster::block_on(inference.predict_each(&utterances))?;
            list.show(&listed, &found, &show)
        })?;
    }
    list.finish(common)
}

/// Lines that are read together, so that what is decoded fits into memory.
struct Groups(Peekable<IntoIter<Line>>);

impl Iterator for Groups {
    type Item = Vec<Line>;

    fn next(&mut self) -> Option<Vec<Line>> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        while let Some(line) = self.0.next_if(|_| group.len() < GROUP_CLIPS && bytes < GROUP_BYTES) {
            let path = line.as_ref().ok().and_then(|listed| listed.path.as_deref());
            bytes += path.and_then(|path| path.metadata().ok()).map_or(0, |metadata| metadata.len());
            group.push(line);
        }
        Some(group).filter(|group| !group.is_empty())
    }
}

/// A list on its way through a model.
struct List<'p> {
    predictor: &'p Predictor,
    /// Lines that there are, and of those that could not be predicted.
    count: usize,
    failed: usize,
    /// The recordings that are longer than the model reads.
    cut: Vec<String>,
    /// Those that lack features beside recording and words, by the stream that the model reads.
    lacking: BTreeMap<&'static str, Vec<String>>,
    /// Those whose files of times have other words.
    misaligned: Vec<String>,
}

impl List<'_> {
    /// Whether utterances are normalised with others of their speaker; says of how many the model would need to know who speaks.
    fn note_speakers(&self, common: &Common, model: &Path, lines: &[Line]) -> bool {
        if !self.predictor.by_speaker() {
            return false;
        }
        let utterances = lines.iter().flatten().filter(|line| line.speaker.is_none()).count();
        if utterances > 0 {
            common.note(Note::SpeakerUnknown { model: model.display().to_string(), utterances });
        }
        lines.iter().flatten().any(|line| line.speaker.is_some())
    }

    /// Reads some lines' recordings, or files of features, on all cores; says which cannot be read, and keeps the others.
    fn read(&mut self, lines: Vec<Line>) -> (Vec<Listed>, Vec<Spoken>) {
        let has_audio = hears(self.predictor);
        let read = |line: Line| {
            let listed = line.map_err(|error| remedy::line(&error))?;
            let path = listed.path.as_deref().filter(|_| has_audio);
            let named = |error: String| format!("line {}: {error}", listed.line);
            let (mut samples, mut features) = (None, None);
            match (path, self.predictor.feature_columns()) {
                (None, _) => {}
                (Some(path), None) => samples = Some(decode(path).map_err(|error| named(remedy::line(&error)))?),
                (Some(path), Some(columns)) => {
                    features = Some(FeatureMatrix::read_of(path, columns).map_err(|error| named(remedy::line(&error)))?);
                }
            }
            let file = |stream: &'static str| listed.further.get(stream).map(PathBuf::as_path);
            let further = read_further(self.predictor, file).map_err(|error| named(remedy::line(&error)))?;
            let alignment = read_alignment(self.predictor, listed.alignment.as_deref()).map_err(|error| named(remedy::line(&error)))?;
            let text = Some(listed.text.clone().unwrap_or_default());
            let utterance = Spoken { samples, features, text, further, alignment };
            self.predictor.check_times(&utterance).map_err(|error| named(remedy::line(&error)))?;
            Ok::<_, String>((listed, utterance))
        };
        let (mut listed, mut utterances) = (Vec::new(), Vec::new());
        for line in lines.into_par_iter().map(read).collect::<Vec<_>>() {
            match line {
                Ok((line, utterance)) => {
                    if self.predictor.cuts(&utterance) {
                        self.cut.push(name(&line));
                    }
                    if self.predictor.is_misaligned(&utterance) {
                        self.misaligned.push(name(&line));
                    }
                    for (stream, _) in self.predictor.from_files().into_iter().filter(|(stream, _)| !utterance.further.contains_key(stream))
                    {
                        self.lacking.entry(stream).or_default().push(name(&line));
                    }
                    listed.push(line);
                    utterances.push(utterance);
                }
                Err(reason) => self.fail(&reason),
            }
        }
        (listed, utterances)
    }

    /// Shows what was found of some lines; says of which nothing was.
    fn show(
        &mut self,
        listed: &[Listed],
        found: &[Option<Vec<f64>>],
        show: &impl Fn(&Listed, &[f64]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for (line, probabilities) in listed.iter().zip(found) {
            match probabilities {
                Some(probabilities) => show(line, probabilities)?,
                None => {
                    let error = TrainError::ResultNotFinite { places: vec![0], ids: vec![name(line)], kept: None };
                    self.fail(&format!("line {}: {}", line.line, remedy::line(&error)));
                }
            }
        }
        Ok(())
    }

    fn fail(&mut self, reason: &str) {
        self.failed += 1;
        eprintln!("mcsan: {}", in_line(reason));
    }

    fn finish(self, common: &Common) -> Done {
        let Self { predictor, count, failed, cut, lacking, misaligned } = self;
        note_cut(common, predictor, count, cut);
        note_lacking(common, count, lacking);
        note_misaligned(common, count, misaligned);
        match failed {
            0 => Ok(ExitCode::SUCCESS),
            _ => Err(Failure(format!("{failed} of {count} listed utterances could not be predicted; they are named above"))),
        }
    }
}

/// What a line of a list is called.
fn name(line: &Listed) -> String {
    let names = [&line.id, &line.audio].into_iter().flatten().next();
    names.cloned().unwrap_or_else(|| format!("line {}", line.line))
}

/// By which of a list's columns its lines are told apart in the output.
struct Columns {
    id: bool,
    audio: bool,
    /// What that of the files is called.
    column: &'static str,
}

impl Columns {
    fn of(lines: &[Line], column: &'static str) -> Self {
        let any = |has: fn(&Listed) -> bool| lines.iter().flatten().any(has);
        Self { id: any(|line| line.id.is_some()), audio: any(|line| line.audio.is_some()), column }
    }

    /// Name and field of each column of a line; the text where nothing else is there.
    fn of_line<'l>(&self, listed: &'l Listed) -> Vec<(&'static str, &'l str)> {
        let field = |field: &'l Option<String>| field.as_deref().unwrap_or_default();
        let columns = [
            ("id", self.id, field(&listed.id)),
            (self.column, self.audio, field(&listed.audio)),
            ("text", !self.audio, field(&listed.text)),
        ];
        columns.into_iter().filter_map(|(name, shown, field)| shown.then_some((name, field))).collect()
    }

    fn names(&self) -> Vec<String> {
        let empty = Listed::default();
        self.of_line(&empty).into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    fn fields(&self, listed: &Listed) -> Vec<String> {
        self.of_line(listed).into_iter().map(|(_, field)| field.to_owned()).collect()
    }

    fn json(&self, listed: &Listed) -> Map<String, Value> {
        self.of_line(listed).into_iter().map(|(name, field)| (name.to_owned(), json!(field))).collect()
    }
}

/// A record without its line end.
pub(super) fn csv_line(fields: impl Iterator<Item = String>) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields.collect::<Vec<_>>())?;
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}
