//! `folds.json`: what the runs of a cross-validation have in common, so that those of another one are never mixed in.
//!
//! `{"format", "by", "seed", "data": {"corpus", "utterances", "fingerprint"}, "settings", "folds": [{"fold", "groups",
//! "test": [utterance ids]}]}`; `settings` is TOML. Fold k validates on what fold k + 1 tests (the last on what the first
//! does) and trains on the rest; folds of EmoBox have `validation` and `train` besides `test`. Where and how fast a run computes ([`Execution`]) may differ from
//! fold to fold.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ExperimentError;
use super::folds::{By, Folds};
use super::table::write_text;
use crate::base::contents::first_foreign;
use crate::base::format::{Format, Newer};
use crate::base::input;
use crate::base::remedy::Remedy;
use crate::config::{Config, Execution, Settings};
use crate::corpus::Split;
use crate::dataset::{Dataset, DatasetError};

/// The file's name.
pub(crate) const FILE: &str = "folds.json";

/// What the file's `format` must say.
const FORMAT: Format = Format::new("mcsan-folds", 1);

/// Which data set, wherever its file lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Name of the corpus.
    pub corpus: String,
    /// How many there are, all splits together.
    pub utterances: usize,
    /// See [`Dataset::fingerprint`].
    pub fingerprint: String,
}

/// A part of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    fold: usize,
    groups: Vec<String>,
    test: Vec<String>,
    /// Of folds of files, which need not be made of parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    validation: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    train: Vec<String>,
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spec {
    format: String,
    by: By,
    seed: u64,
    data: Identity,
    #[serde(serialize_with = "write_settings", deserialize_with = "read_settings")]
    settings: Settings,
    folds: Vec<Part>,
}

/// As TOML, with the defaults of where and how fast a run computes, which may differ.
fn write_settings<S: Serializer>(settings: &Settings, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&Config { settings: settings.clone(), execution: Execution::default() }.to_toml())
}

fn read_settings<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Settings, D::Error> {
    let config = Config::from_toml(&String::deserialize(deserializer)?);
    config.map(|config| config.settings).map_err(serde::de::Error::custom)
}

/// A file of an experiment that a newer program wrote.
pub(super) fn newer_file(path: &Path, newer: &Newer) -> ExperimentError {
    ExperimentError::Folder { path: path.into(), problem: newer.to_string(), remedy: Remedy::NewerProgram }
}

impl Identity {
    /// Of a data set, its splits included where they are what is trained on and tested.
    ///
    /// # Errors
    /// Features that cannot be read.
    pub(crate) fn of(data: &Dataset, by: By) -> Result<Self, DatasetError> {
        let fingerprint = if by == By::Given { data.fingerprint_with_splits()? } else { data.fingerprint()? };
        Ok(Self { corpus: data.corpus.clone(), utterances: data.len(), fingerprint })
    }
}

impl Spec {
    /// What a cross-validation is.
    pub(crate) fn of(data: &Dataset, identity: &Identity, settings: &Settings, folds: &Folds) -> Self {
        let ids = |utterances: &[usize]| utterances.iter().map(|&utterance| data.utterances[utterance].id.clone()).collect();
        let part = |fold| Part {
            fold,
            groups: folds.groups(fold).to_vec(),
            test: ids(folds.test(fold)),
            validation: ids(&folds.listed(fold, Split::Validation)),
            train: ids(&folds.listed(fold, Split::Train)),
        };
        Self {
            format: FORMAT.to_string(),
            by: folds.by,
            seed: folds.seed,
            data: identity.clone(),
            settings: settings.clone(),
            folds: (1..=folds.count()).map(part).collect(),
        }
    }

    /// Writes the file to a folder, or compares it with the one that is there.
    ///
    /// # Errors
    /// [`ExperimentError::Folder`], naming the first thing that differs.
    pub(crate) fn agree(&self, folder: &Path) -> Result<(), ExperimentError> {
        let path = folder.join(FILE);
        // In this order: another process writes the file before anything else.
        let foreign = first_foreign(folder, |_| false);
        let has_folds = (1..=self.folds.len()).any(|fold| self.by.folder(folder, fold).exists());
        if path.exists() {
            return self.compare(&path);
        }
        if let Some(name) = foreign {
            let (what, they) = if has_folds { ("folders of folds", "they belong") } else { (name.as_str(), "it belongs") };
            let problem = format!("holds {what} but no {FILE}, so {they} to something else");
            return Err(ExperimentError::Folder { path: folder.into(), problem, remedy: Remedy::OtherFolder });
        }
        let failed = |source| ExperimentError::Write { path: folder.into(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        write_text(&path, &(text + "\n"))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`ExperimentError::Folder`]
    pub(super) fn read(path: &Path) -> Result<Self, ExperimentError> {
        let refused = |problem: String| ExperimentError::Folder { path: path.into(), problem, remedy: Remedy::SameExperiment };
        let text = input::text(path).map_err(|error| refused(format!("cannot be read ({error})")))?;
        FORMAT.version_of_json(&text).map_err(|newer| newer_file(path, &newer))?;
        serde_json::from_str(&text).map_err(|error| refused(format!("is no {FORMAT} ({error})")))
    }

    /// How the data are divided.
    pub(super) fn by(&self) -> By {
        self.by
    }

    /// Which data.
    pub(super) fn data(&self) -> &Identity {
        &self.data
    }

    /// How many folds there are.
    pub(super) fn count(&self) -> usize {
        self.folds.len()
    }

    /// The split of each utterance of fold `fold` (from 1), by ids; those that are not there are trained on where the folds are parts, and
    /// of no split where files have them.
    pub(super) fn splits(&self, fold: usize) -> HashMap<&str, Split> {
        let own = &self.folds[fold - 1];
        let validation = if self.by == By::EmoBox { &own.validation } else { &self.folds[fold % self.folds.len()].test };
        let parts = [(&own.train, Split::Train), (validation, Split::Validation), (&own.test, Split::Test)];
        parts.into_iter().flat_map(|(ids, split)| ids.iter().map(move |id| (id.as_str(), split))).collect()
    }

    fn compare(&self, path: &Path) -> Result<(), ExperimentError> {
        let refused = |problem: String| ExperimentError::Folder { path: path.into(), problem, remedy: Remedy::SameExperiment };
        self.difference(&Self::read(path)?).map_or(Ok(()), |difference| Err(refused(difference)))
    }

    /// The first thing that differs from what is there, in words.
    pub(super) fn difference(&self, there: &Self) -> Option<String> {
        let named = |what: &str, there: &dyn std::fmt::Display, here: &dyn std::fmt::Display| {
            Some(format!("belongs to another experiment: {what} is {there} there and {here} now"))
        };
        if self.format != there.format {
            return named("the format", &there.format, &self.format);
        }
        if self.data != there.data {
            let data = |spec: &Self| {
                let Identity { corpus, utterances, fingerprint } = &spec.data;
                format!("'{corpus}' with {utterances} utterances (fingerprint {fingerprint})")
            };
            return named("the data set", &data(there), &data(self));
        }
        if self.by != there.by {
            return named("the grouping", &there.by, &self.by);
        }
        if self.folds.len() != there.folds.len() {
            return named("the number of folds", &there.folds.len(), &self.folds.len());
        }
        if let Some(difference) = settings_difference(&there.settings, &self.settings) {
            return Some(format!("belongs to another experiment: {difference}"));
        }
        if self.seed != there.seed {
            return named("the seed", &there.seed, &self.seed);
        }
        let differing = self.folds.iter().zip(&there.folds).find(|(here, there)| here != there);
        differing.map(|(part, _)| format!("belongs to another experiment: fold {} has other utterances", part.fold))
    }
}

/// The first setting in which two runs differ.
pub(crate) fn settings_difference(there: &Settings, here: &Settings) -> Option<String> {
    let (key, there, now) = there.differences(here).into_iter().next()?;
    Some(format!("{} is {there} there and {now} now", key.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::remedy::Remedied;
    use crate::base::streams::{AUDIO, TEXT};
    use crate::base::words::WordTable;
    use crate::dataset::{DataStream, Frames, TokenLists, UtteranceInfo};

    fn data() -> Dataset {
        let audio = Frames { columns: 1, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0].into(), offsets: (0..=6).collect() };
        let text = TokenLists {
            tokens: vec![0; 6],
            offsets: (0..=6).collect(),
            vectors: Some(WordTable { width: 1, values: vec![1.0] }),
            vocabulary: Vec::new(),
        };
        let utterances = (0..6).map(|place| UtteranceInfo { id: format!("u{place}"), ..Default::default() });
        Dataset {
            corpus: "few".into(),
            classes: vec!["a".into(), "b".into()],
            streams: [(AUDIO, DataStream::Frames(audio)), (TEXT, DataStream::Tokens(text))].into(),
            labels: vec![0, 1, 0, 1, 0, 1],
            utterances: utterances.collect(),
            ..Default::default()
        }
    }

    fn spec(data: &Dataset, settings: &Settings, count: usize) -> Spec {
        let folds = Folds::assign_count(data, By::Random, count, settings.train.seed).unwrap();
        Spec::of(data, &Identity::of(data, By::Random).unwrap(), settings, &folds)
    }

    #[test]
    fn a_folder_agrees_with_what_it_was_begun_with_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        spec(&data(), &settings, 3).agree(folder.path()).unwrap();
        spec(&data(), &settings, 3).agree(folder.path()).unwrap();

        let refused = |spec: Spec, part: &str| {
            let error = spec.agree(folder.path()).unwrap_err();
            let line = error.to_string();
            assert!(line.contains(part) && line.contains("folds.json"), "{line}");
            assert!(error.remedies().contains(&Remedy::OtherFolder), "{error:?}");
        };
        refused(spec(&data(), &settings, 4), "the number of folds is 3 there and 4 now");
        let mut other = settings.clone();
        other.train.lr = 0.25;
        refused(spec(&data(), &other, 3), "train.lr is 0.001 there and 0.25 now");
        let mut changed = data();
        changed.labels[0] = 1;
        refused(spec(&changed, &settings, 3), "the data set is 'few' with 6 utterances");
        let mut moved = spec(&data(), &settings, 3);
        moved.folds[1].test.swap(0, 1);
        refused(moved, "fold 2 has other utterances");
    }

    #[test]
    fn settings_that_are_no_toml_are_told_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let spec = spec(&data(), &Settings::default(), 3);
        spec.agree(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, fs::read_to_string(&path).unwrap().replace("[data]", "data]")).unwrap();
        let line = spec.agree(folder.path()).unwrap_err().to_string();
        assert!(line.contains("is no mcsan-folds/1") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn folds_of_nobody_knows_what_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(By::Random.folder(folder.path(), 2)).unwrap();
        let line = spec(&data(), &Settings::default(), 3).agree(folder.path()).unwrap_err().to_string();
        assert!(line.contains("no folds.json"), "{line}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
