//! Which class of one data set is which of another: by the emotion that their names mean, or by a table of one's own.
//!
//! A table is TOML: classes of either data set and the common name that each has, `happy = "happiness"`. A class that it does not name
//! stands for itself, and one with the name `""` for nothing.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;
use toml::{Table, Value};

use super::names::name;
use crate::base::foreign::Foreign;
use crate::base::input;
use crate::base::remedy::{Remedied, Remedy};

/// What corpora call an emotion: the first is the common name.
const EMOTIONS: [&[&str]; 12] = [
    &["anger", "angry"],
    &["boredom", "bored"],
    &["calm", "calmness"],
    &["contempt", "contemptuous"],
    &["disgust", "disgusted"],
    &["excitement", "excited"],
    &["fear", "fearful", "afraid"],
    &["frustration", "frustrated"],
    &["happiness", "happy", "joy", "joyful"],
    &["neutral", "neutrality"],
    &["sadness", "sad"],
    &["surprise", "surprised", "pleasant surprise"],
];

/// Emotions that corpora without them have under another name.
const MERGED: [(&str, &str); 2] = [("excitement", "happiness"), ("calm", "neutral")];

/// Where it stands which class is which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapSource {
    /// The emotions that classes are named after.
    Auto,
    /// The same, excitement counted as happiness and calm as neutral where the other has no class of its own for it.
    Merged,
    /// A table.
    File(PathBuf),
}

impl FromStr for MapSource {
    type Err = Infallible;

    /// `auto`, `merged`, or the path of a table.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "merged" => Self::Merged,
            path => Self::File(path.into()),
        })
    }
}

/// Failure of a table of classes, or of data sets that have none in common.
#[derive(Debug, Error)]
pub enum LabelMapError {
    /// It is not there, or the system does not let it be read.
    #[error("{}: cannot be read ({source})", path.display())]
    Read {
        /// The table.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another file in place of the table.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: Foreign,
    },
    /// It is no TOML.
    #[error("{}: is no TOML ({reason})", path.display())]
    Malformed {
        /// The table.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// A class has something else than a name.
    #[error("{}: '{class}' has no text behind it", path.display())]
    NoName {
        /// The table.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// It names a class that none of the data sets has.
    #[error("{}: '{class}' is no class of the data, the nearest is '{nearest}'", path.display())]
    NoSuchClass {
        /// The table.
        path: PathBuf,
        /// As it is written there.
        class: String,
        /// The class with the most similar name.
        nearest: String,
    },
    /// A class is given a name that no class of the model has.
    #[error("{}: '{class}' is to be '{name}', which no class of the model or of the first file is, the nearest is '{nearest}'", path.display())]
    NoSuchName {
        /// The table.
        path: PathBuf,
        /// The class of the data.
        class: String,
        /// Its name there.
        name: String,
        /// The model's class with the most similar name.
        nearest: String,
    },
    /// A class of the data may be either of two of the model.
    #[error("{}: '{class}' may be '{first}' or '{second}' of the model", path.display())]
    Ambiguous {
        /// The table.
        path: PathBuf,
        /// The class of the data.
        class: String,
        /// A class of the model.
        first: String,
        /// Another one.
        second: String,
    },
    /// No class of the data is one of the model's.
    #[error("none of the data's classes ({}) has a counterpart among the model's ({})", found.join(", "), expected.join(", "))]
    NoCounterpart {
        /// The data's.
        found: Vec<String>,
        /// The model's.
        expected: Vec<String>,
    },
}

impl Remedied for LabelMapError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Read { source, .. } => vec![input::remedy(source)],
            Self::Foreign { what, .. } => vec![Remedy::advice(what.mend())],
            Self::Malformed { .. } | Self::NoName { .. } => {
                vec![Remedy::advice("write a line for each class, as happy = \"happiness\"")]
            }
            Self::NoSuchClass { .. } | Self::NoSuchName { .. } => vec![Remedy::advice("correct it")],
            Self::Ambiguous { .. } => vec![Remedy::advice("give one of the two another name, or \"\"")],
            Self::NoCounterpart { .. } => vec![Remedy::advice("write a table of which is which")],
        }
    }
}

/// What classes have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Labels {
    /// The emotion that they are named after.
    Emotions,
    /// The same, and some emotions counted as others.
    Merged,
    /// The name that a table gives them.
    Table {
        /// The table.
        path: PathBuf,
        /// By class.
        names: BTreeMap<String, String>,
    },
}

/// Of each class of the data, the model's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelMap {
    /// `[classes of the data]`: index into the model's classes; none of those without a counterpart.
    pub to: Vec<Option<usize>>,
}

impl Labels {
    /// Reads a table, where it is one.
    ///
    /// # Errors
    /// [`LabelMapError`]: a file that cannot be read or understood.
    pub fn read(source: &MapSource) -> Result<Self, LabelMapError> {
        match source {
            MapSource::Auto => Ok(Self::Emotions),
            MapSource::Merged => Ok(Self::Merged),
            MapSource::File(path) => Self::table(path),
        }
    }

    fn table(path: &Path) -> Result<Self, LabelMapError> {
        let text = input::text(path).map_err(|source| LabelMapError::Read { path: path.into(), source })?;
        if let Some(what) = Foreign::of(text.as_bytes()) {
            return Err(LabelMapError::Foreign { path: path.into(), what });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let table: Table =
            text.parse().map_err(|error: toml::de::Error| LabelMapError::Malformed { path: path.into(), reason: error.to_string() })?;
        let mut names = BTreeMap::new();
        for (class, value) in table {
            let Value::String(text) = value else { return Err(LabelMapError::NoName { path: path.into(), class }) };
            names.insert(name(&class), name(&text));
        }
        Ok(Self::Table { path: path.into(), names })
    }

    /// Refuses a table that names a class which none of the data sets has.
    ///
    /// # Errors
    /// [`LabelMapError::NoSuchClass`]
    pub fn check(&self, sets: &[&[String]]) -> Result<(), LabelMapError> {
        let Self::Table { path, names } = self else { return Ok(()) };
        let all = || sets.iter().flat_map(|classes| classes.iter());
        let Some(class) = names.keys().find(|class| !all().any(|known| known == *class)) else { return Ok(()) };
        Err(LabelMapError::NoSuchClass { path: path.clone(), class: class.clone(), nearest: nearest(class, all()) })
    }

    /// Refuses a table that gives a class of the data a name by which the model has none.
    ///
    /// # Errors
    /// [`LabelMapError::NoSuchName`]
    pub fn check_names(&self, data: &[String], model: &[String]) -> Result<(), LabelMapError> {
        let Self::Table { path, names } = self else { return Ok(()) };
        let of_model: Vec<String> = model.iter().filter_map(|class| self.common(class)).collect();
        let of_data = data.iter().filter_map(|class| Some((class, names.get(class)?)));
        match of_data.into_iter().find(|(_, name)| !name.is_empty() && !of_model.contains(name)) {
            None => Ok(()),
            Some((class, name)) => {
                let nearest = nearest(name, model.iter());
                Err(LabelMapError::NoSuchName { path: path.clone(), class: class.clone(), name: name.clone(), nearest })
            }
        }
    }

    /// The classes of data sets that are joined, by those of the first: of a table each name once, called as the class of that name or the
    /// first class that has it, else the classes as they are.
    pub fn joined(&self, first: &[String]) -> Vec<String> {
        let mut classes: Vec<String> = Vec::new();
        let Self::Table { .. } = self else { return first.to_vec() };
        for meaning in first.iter().filter_map(|class| self.common(class)) {
            let of = || first.iter().filter(|class| self.common(class).as_ref() == Some(&meaning));
            let called = of().find(|class| **class == meaning).or_else(|| of().next());
            classes.extend(called.filter(|class| !classes.contains(class)).cloned());
        }
        classes
    }

    /// What a class has in common with others of the same meaning; none of one that is left out.
    fn common(&self, class: &str) -> Option<String> {
        match self {
            Self::Emotions | Self::Merged => Some(emotion(class)),
            Self::Table { names, .. } => {
                Some(names.get(class).map_or(class, String::as_str)).filter(|name| !name.is_empty()).map(str::to_owned)
            }
        }
    }

    /// Which of the model's classes each class of the data is: that of the same name before others of the same meaning.
    ///
    /// # Errors
    /// [`LabelMapError::Ambiguous`] where a table has two of the model's for one, [`LabelMapError::NoCounterpart`] where none has any.
    pub fn map(&self, data: &[String], model: &[String]) -> Result<LabelMap, LabelMapError> {
        let to = data.iter().map(|class| self.counterpart(class, model)).collect::<Result<Vec<_>, _>>()?;
        if to.iter().all(Option::is_none) {
            return Err(LabelMapError::NoCounterpart { found: data.to_vec(), expected: model.to_vec() });
        }
        Ok(LabelMap { to })
    }

    fn counterpart(&self, class: &str, model: &[String]) -> Result<Option<usize>, LabelMapError> {
        let Some(meaning) = self.common(class) else { return Ok(None) };
        let alike = |meaning: &str| -> Vec<usize> {
            (0..model.len()).filter(|&other| self.common(&model[other]).as_deref() == Some(meaning)).collect()
        };
        let of = alike(&meaning);
        if let Some(same) = of.iter().find(|&&other| model[other] == class) {
            return Ok(Some(*same));
        }
        match (&of[..], self) {
            ([], Self::Merged) => {
                let merged = MERGED.iter().find(|(emotion, _)| *emotion == meaning);
                Ok(merged.and_then(|(_, other)| alike(other).first().copied()))
            }
            ([first, second, ..], Self::Table { path, .. }) => {
                let [first, second] = [first, second].map(|&other| model[other].clone());
                Err(LabelMapError::Ambiguous { path: path.clone(), class: class.into(), first, second })
            }
            (of, _) => Ok(of.first().copied()),
        }
    }
}

/// The name that is most similar.
fn nearest<'n>(to: &str, names: impl Iterator<Item = &'n String>) -> String {
    let similarity = |known: &&String| strsim::jaro_winkler(&known.to_lowercase(), &to.to_lowercase());
    names.max_by(|a, b| similarity(a).total_cmp(&similarity(b))).cloned().unwrap_or_default()
}

/// The common name of the emotion that a class is named after; its own name in lower case where that is none of those known.
fn emotion(class: &str) -> String {
    let class = name(class).to_lowercase();
    EMOTIONS.iter().find(|names| names.contains(&class.as_str())).map_or(class, |names| names[0].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::remedy::line;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn map(labels: &Labels, data: &[&str], model: &[&str]) -> Vec<Option<usize>> {
        labels.map(&owned(data), &owned(model)).unwrap().to
    }

    #[test]
    fn classes_are_matched_by_the_emotion_that_they_are_named_after() {
        let ravdess = ["angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised"];
        let meld = ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"];
        let expected = [Some(0), None, Some(1), Some(2), Some(3), Some(4), Some(5), Some(6)];
        assert_eq!(map(&Labels::Emotions, &ravdess, &meld), expected);
        assert_eq!(map(&Labels::Merged, &ravdess, &meld)[1], Some(4), "calm is counted as neutral");
        let iemocap = ["anger", "excitement", "frustration", "happiness", "neutral", "sadness", "surprise"];
        assert_eq!(map(&Labels::Merged, &iemocap, &meld), [Some(0), Some(3), None, Some(3), Some(4), Some(5), Some(6)]);
        assert_eq!(map(&Labels::Merged, &iemocap, &iemocap)[1], Some(1), "it has a class of its own");
        assert_eq!(map(&Labels::Emotions, &["HAPPY", "odd"], &["joy", "happy", "Odd"]), [Some(0), Some(2)]);
        let none = Labels::Emotions.map(&owned(&["odd"]), &owned(&["joy"])).unwrap_err();
        assert!(line(&none).starts_with("none of the data's classes (odd) has a counterpart among the model's (joy); "), "{none}");
    }

    #[test]
    fn a_table_names_what_classes_of_either_side_have_in_common() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Labels::read(&MapSource::File(path.clone()))
        };
        let labels = read("happy = \"happiness\"\n\"very sad\" = \"sad\"\ncalm = \"\"\nsadness = \"sad\"\n").unwrap();
        let (data, model) = (["calm", "happy", "very sad", "own"], ["happiness", "own", "sadness"]);
        assert_eq!(map(&labels, &data, &model), [None, Some(0), Some(2), Some(1)]);
        labels.check(&[&owned(&data), &owned(&model)]).unwrap();
        let refused = |text: &str, part: &str| {
            let labels = read(text).and_then(|labels| {
                labels.check(&[&owned(&data), &owned(&model)])?;
                labels.check_names(&owned(&data), &owned(&model))?;
                labels.map(&owned(&data), &owned(&model))
            });
            let line = line(&labels.unwrap_err());
            assert!(line.contains(part) && line.contains("labels.toml: ") && !line.contains('\n'), "{line}");
        };
        refused("hapy = \"happiness\"", "'hapy' is no class of the data, the nearest is 'happy'; correct it");
        refused("happy = 3", "'happy' has no text behind it; write a line for each class");
        refused(
            "happy = \"happyness\"",
            "'happy' is to be 'happyness', which no class of the model or of the first file is, the nearest is 'happiness'; correct it",
        );
        refused("happy", "is no TOML (");
        refused("own = \"x\"\nhappiness = \"x\"\nsadness = \"x\"\nhappy = \"x\"", "'happy' may be 'happiness' or 'own' of the model");
        refused("<html>", "is a web page in place of the file");
        let joined = |text: &str| read(text).unwrap().joined(&owned(&["calm", "happy", "joy", "sad"]));
        assert_eq!(joined("joy = \"happy\"\ncalm = \"\""), ["happy", "sad"]);
        assert_eq!(joined("joy = \"joyful\"\nhappy = \"joyful\"\nsad = \"calm\""), ["calm", "happy"]);
        assert_eq!(Labels::Merged.joined(&owned(&["b", "a"])), ["b", "a"]);
    }
}
