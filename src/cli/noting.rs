//! How notes are said and kept, and what is looked up for some of them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::arguments::Common;
use super::notes::Note;
use super::streams::print_data;
use crate::audio::mfcc::MfccSettings;
use crate::audio::vectors::VectorFrontEnd;
use crate::backend::gpu;
use crate::base::shown::in_line;
use crate::config::Settings;
use crate::corpus::Split;
use crate::dataset::{Dataset, Doubles};
use crate::model::{self, Dimensions};
use crate::train::metrics::json_text;

/// The notes of a command so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notes(RefCell<Vec<Note>>);

impl Notes {
    /// Whether one of them is such.
    pub(crate) fn any(&self, is_such: impl Fn(&Note) -> bool) -> bool {
        self.0.borrow().iter().any(is_such)
    }
}

impl Common {
    /// Says a note.
    pub(crate) fn note(&self, note: Note) {
        eprintln!("{}", in_line(&note.to_string()));
        self.keep_note(note);
    }

    /// Says how many mel bands hear nothing, where it is more than one in ten: HTK's lowest does at the usual sizes.
    pub(crate) fn note_empty_bands(&self, settings: &MfccSettings) {
        let (bands, of) = (settings.empty_bands(), settings.mel_bands);
        if 10 * bands > of {
            self.note(Note::EmptyBands { bands, of });
        }
    }

    /// Says which of some utterances of a data set are longer than a model of these settings reads, where there are any.
    pub(crate) fn note_cut(&self, data: &Dataset, utterances: &[usize], settings: &Settings) {
        let readings = model::readings(settings, &Dimensions::of(data, &settings.model));
        let cut = data.longer(utterances, &readings);
        if !cut.is_empty() {
            let ids = cut.iter().map(|&utterance| data.utterances[utterance].id.clone()).collect();
            let (max_frames, rows) = (settings.data.max_frames, readings.own_limits());
            self.note(Note::Cut { utterances: cut.len(), of: utterances.len(), max_frames, rows, ids });
        }
    }

    /// Says, once, that FXC compiles the shaders of an adapter, where it does.
    pub(crate) fn note_fxc(&self, adapter: &wgpu::Adapter) {
        if gpu::is_of_fxc(adapter) && !self.notes.any(|note| matches!(note, Note::Fxc { .. })) {
            self.note(Note::Fxc { adapter: gpu::describe(&adapter.get_info()) });
        }
    }

    /// Says which vectors of a data set that a model of these settings reads are our own.
    pub(crate) fn note_own_vectors_read(&self, data: &Dataset, settings: &Settings) {
        let readings = model::readings(settings, &Dimensions::of(data, &settings.model));
        self.note_own_vectors(data, |stream| readings.has(stream));
    }

    /// Says, once, which vectors of a data set are our own, as far as they are read.
    pub(crate) fn note_own_vectors(&self, data: &Dataset, is_read: impl Fn(&str) -> bool) {
        let read = data.front_ends.iter().filter(|(stream, _)| is_read(stream));
        for front_end in read.filter_map(|(stream, recorded)| VectorFrontEnd::of_recorded(stream, recorded)) {
            let (own, vectors) = (front_end.stream(), front_end.meaning());
            if !self.notes.any(|note| matches!(note, Note::OwnVectors { stream, .. } if *stream == own)) {
                self.note(Note::OwnVectors { stream: own, vectors });
            }
        }
    }

    /// Says how many utterances have no label, where there are some, and whether a training learns from them.
    pub(crate) fn note_unlabelled(&self, data: &Dataset, settings: &Settings) {
        let (utterances, system) = (data.split(Split::Unlabelled).len(), settings.model.system);
        let from_epoch = settings.unlabelled_from().filter(|&from| from < settings.train.epochs as u64);
        let is_said = self.notes.any(|note| matches!(note, Note::Unlabelled { system: of, .. } if *of == system));
        if utterances > 0 && !is_said {
            self.note(Note::Unlabelled { utterances, system, from_epoch });
        }
    }

    /// Says of which recordings a data set says different things; `lines` are those of a table that lists the utterances, by id.
    pub(crate) fn note_conflicts(&self, data: &Dataset, doubles: &Doubles, lines: &BTreeMap<String, u64>) {
        doubles.conflicts(data, lines).into_iter().for_each(|conflict| self.note(Note::Conflict(conflict)));
    }

    /// Keeps a note that was said, or is one of too many to be said.
    pub(crate) fn keep_note(&self, note: Note) {
        self.notes.0.borrow_mut().push(note);
    }

    /// Prints the one JSON document of a command, with the notes there were.
    pub(crate) fn print_json(&self, mut document: Value) {
        let notes = self.notes.0.borrow();
        if let (Value::Object(fields), false) = (&mut document, notes.is_empty()) {
            let told = |note: &Note| {
                let mut value = json!(note);
                value["text"] = json!(note.to_string());
                value
            };
            fields.insert("notes".into(), notes.iter().map(told).collect());
        }
        print_data(&json_text(&document));
    }
}
