//! What may help against a failure, as values: an error says what is wrong, its remedies what to do about it.
//!
//! The words here fit every caller; a program that has options and commands of its own names those instead, as `cli` does.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use super::setting::{Key, Range};
use super::shown::in_line;
use super::streams::{FUNCTIONALS, PROSODY, VISUAL};

/// Something to do about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// Fewer utterances at a time, or shorter ones.
    SmallerBatch,
    /// Smaller sizes of what is drawn.
    SmallerSizes,
    /// A network of fewer parameters.
    SmallerNetwork,
    /// Fewer or shorter frames of the acoustic front-end, or a shorter recording.
    FewerFrames,
    /// Fit the temperature that the model's probabilities are to be taken at.
    Calibrate,
    /// Fit the temperature of the run that a file was made of, and make the file anew.
    CalibrateAndExport,
    /// Divide a data set into shards, or into more of them.
    MoreShards,
    /// Export a model that takes features in place of samples.
    ExportFeatures,
    /// Export the weights, which every model has.
    ExportWeights,
    /// Export a model in one file.
    ExportModel,
    /// Lower a setting.
    Lower(&'static str),
    /// Raise a setting.
    Raise(&'static str),
    /// Give a setting another value, or one at all.
    Set(&'static str),
    /// Give a setting a value that it takes.
    Choose {
        /// Which setting.
        key: &'static Key,
        /// The numbers that it takes, the other settings being what they are.
        range: Range,
    },
    /// Leave a setting out, or as it was.
    LeaveOut(&'static str),
    /// Give another file.
    GiveInstead(PathBuf),
    /// Give a setting in a file the value again that it had.
    WriteBack(String),
    /// Remove a run's file of settings, which its last checkpoint has too.
    RemoveSettings,
    /// See which settings there are.
    ListSettings,
    /// See which devices there are.
    ListDevices,
    /// Compute on another device.
    OtherDevice,
    /// Compute with the CPU reference.
    UseCpu,
    /// Leave out what gives a network other sizes than the run has that it starts from.
    SourceNetwork,
    /// Start from a run's folder, which knows classes by their names.
    SourceRun,
    /// Do the same again.
    StartAgain,
    /// Tell those who make the program.
    Report,
    /// Look whether a path is right and may be read.
    CheckPath,
    /// Give a file, where something else was found.
    GiveFile,
    /// Give a folder, where a path leads through a file.
    GiveFolder,
    /// Take a newer version of this program.
    NewerProgram,
    /// Give a profile that was kept.
    KeptProfile,
    /// Look whether a folder exists and can be written to.
    CheckFolder,
    /// Free some space on the disk.
    FreeSpace,
    /// Write to another folder.
    OtherFolder,
    /// Remove what is in the folder.
    RemoveFolder,
    /// Train another run from the beginning, in another folder.
    TrainAnew,
    /// Go on with the run that is there.
    Resume,
    /// Go on from this checkpoint, which is whole.
    ResumeFrom {
        /// The checkpoint.
        path: PathBuf,
        /// Optimiser steps that were done when it was written.
        step: u64,
    },
    /// Start fewer ranks.
    FewerRanks,
    /// Give all ranks the same of this.
    SameOnRanks(&'static str),
    /// Do again what was done, which goes on from this checkpoint.
    Again {
        /// The checkpoint.
        path: PathBuf,
        /// Optimiser steps that were done when it was written.
        step: u64,
    },
    /// Move a folder back to where it was and go on.
    PutBack,
    /// Let a run go on for longer than it did, or for as long.
    GoOnLonger,
    /// Prepare the data anew.
    Prepare,
    /// Say which classes of the data are which of the model's.
    MapClasses,
    /// Prepare data from a manifest, and give those.
    PrepareManifest,
    /// Prepare or choose data that have what these lack.
    PrepareWith(Preparation),
    /// Give other data: these.
    Data(&'static str),
    /// Test, or train on, another split.
    OtherSplit,
    /// Do without the data.
    NoData,
    /// Look for what cannot be learned: the same utterance with two labels.
    CheckLabels,
    /// Look for features that are too large to be computed with.
    CheckFeatures,
    /// Look for weights that are too large to be computed with.
    CheckWeights,
    /// Put the file back as it was written.
    Restore,
    /// Train the run again.
    TrainAgain,
    /// Say `KEY=VALUE`.
    Assign,
    /// Measure steps that are alike.
    EqualSteps,
    /// Give the folder that this names, not another.
    CorpusFolder(String),
    /// Choose other classes of the corpus.
    OtherClasses,
    /// Name one of an archive's texts behind the archive.
    NameMember {
        /// The archive.
        archive: PathBuf,
        /// One of its texts.
        member: String,
    },
    /// Choose one of these.
    OneOf(Vec<String>),
    /// Allow more utterances to be left out.
    AllowMissing,
    /// Take this number of folds.
    Folds {
        /// The fewest that the data can be divided into.
        least: usize,
        /// The most that the data can be divided into.
        most: usize,
    },
    /// Take a fold out of as many.
    OtherFold {
        /// How many folds there are; they are counted from 1.
        folds: usize,
    },
    /// Put an experiment's file back, or take a run of it for one by itself.
    CopyRun,
    /// Divide the folds by something else, by utterances at random where nothing is known.
    OtherGrouping,
    /// Divide by utterances at random.
    RandomGroups,
    /// Train another fold.
    AnotherFold,
    /// Wait until another process is done.
    Wait,
    /// Remove what is there of a fold, which is then trained anew.
    RemoveFold,
    /// Go on with the data and settings that an experiment was begun with.
    SameExperiment,
    /// Choose rows of the ablation instead.
    ChooseRows,
    /// Choose systems of the comparison instead.
    ChooseSystems,
    /// Compare the others without this system.
    LeaveSystem,
    /// Train as many seeds, one or several, as an experiment was begun with.
    SameSeeds,
    /// Give the folder of a run that was tested.
    TestedRun,
    /// Give two runs that were tested on the same utterances.
    SameTest,
    /// Train with several seeds instead.
    SeveralSeeds,
    /// Give all values of a setting at once.
    JoinValues,
    /// List values in place of a range.
    ListValues,
    /// Draw some of the values, in place of trying all.
    DrawValues,
    /// Draw no more than so many.
    FewerDraws {
        /// How many there are.
        most: usize,
    },
    /// Train all trials to their end.
    TrainToTheEnd,
    /// Divide the data into folds, in place of the splits that they have.
    DivideAnew,
    /// See which cases there are.
    ListCases,
    /// Name a label as a class too.
    AddClass,
    /// Say otherwise how raw samples are coded, or give a file.
    OtherSamples,
    /// Cut a recording into utterances.
    CutRecording,
    /// Draw as SVG.
    DrawSvg,
    /// What is to be done with a file that this program did not make, in words: a table, a recording, word vectors, tensors of
    /// another program. It is done in an editor or where the file came from, so that no caller has a command or an option for it
    /// that a value could stand for.
    Advice(Cow<'static, str>),
}

/// What data must have that are prepared or chosen anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preparation {
    /// The classes of the model.
    Labels,
    /// The features of the model, by the same front-end.
    FrontEnd,
    /// The settings of features that a run's normalisation is for.
    FeatureSettings,
    /// The words of the model: the same vectors, or none.
    Vectors,
    /// One vocabulary for the data that are trained on and those that are tested.
    OneManifest,
    /// Vectors for both, so that vocabularies need not agree.
    WordVectors,
    /// A group of folds for each utterance: its speaker, its session.
    Groups,
    /// Each utterance's speaker.
    Speakers,
    /// Utterances in the split that was asked for.
    Split,
    /// Splits, where the corpus has none of its own.
    Splits,
    /// Utterances to train on.
    TrainingSplit,
    /// The stream that the model reads.
    Stream,
    /// The features of that stream, which come from files.
    Features(&'static str),
}

impl Preparation {
    /// What data must have that lack a stream.
    pub(crate) fn of_stream(name: &str) -> Self {
        let from_files = [VISUAL, PROSODY, FUNCTIONALS].into_iter().find(|stream| *stream == name);
        from_files.map_or(Self::Stream, Self::Features)
    }
}

impl Display for Preparation {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Labels => "prepare data with the same labels",
            Self::FrontEnd => "prepare with the same front-end",
            Self::FeatureSettings => "prepare it with the run's feature settings",
            Self::Vectors => "prepare with the same vectors (or none, as there)",
            Self::OneManifest => "prepare both as one manifest",
            Self::WordVectors => "prepare both with word vectors",
            Self::Groups => "prepare the data with one for each utterance",
            Self::Speakers => "prepare the data set with a speaker column",
            Self::Split => "prepare data that have it",
            Self::Splits => "prepare them divided into splits",
            Self::TrainingSplit => "use a data set that has a training split",
            Self::Stream => "prepare one that has it",
            Self::Features(stream) => return write!(formatter, "prepare it with files of {stream} features"),
        })
    }
}

impl Remedy {
    /// Advice in words.
    pub(crate) fn advice(words: impl Into<Cow<'static, str>>) -> Self {
        Self::Advice(words.into())
    }
}

impl Display for Remedy {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::SmallerBatch => "take fewer or shorter utterances at a time",
            Self::SmallerSizes => "choose smaller sizes",
            Self::SmallerNetwork => "lower model.layers, model.feed_forward, model.hidden or model.word_width",
            Self::Calibrate => "fit its temperature",
            Self::MoreShards => "divide it into shards, or into more of them",
            Self::CalibrateAndExport => "fit the temperature of its run and export that anew",
            Self::ExportFeatures => "export it from features",
            Self::ExportWeights => "export its weights",
            Self::ExportModel => "export the run as a model in one file",
            Self::FewerFrames => "choose a longer hop or fewer mel bands, or cut the recording",
            Self::Lower(setting) => return write!(formatter, "lower {setting}"),
            Self::Raise(setting) => return write!(formatter, "raise {setting}"),
            Self::Set(setting) => return write!(formatter, "set {setting}"),
            Self::Choose { key, range } => return choose(formatter, key, *range),
            Self::LeaveOut(setting) => return write!(formatter, "leave {setting} out"),
            Self::GiveInstead(path) => return write!(formatter, "give {}", path.display()),
            Self::WriteBack(value) => return write!(formatter, "write {value} there"),
            Self::RemoveSettings => "remove the file, whose settings the last checkpoint has too",
            Self::ListSettings => "see which settings there are",
            Self::ListDevices => "see which devices there are",
            Self::OtherDevice => "choose another device",
            Self::UseCpu => "use the CPU reference",
            Self::SourceNetwork => {
                "leave out what sets other sizes, which are taken from the run, or prepare data with streams of its widths"
            }
            Self::SourceRun => "train from the run's folder instead, which takes classes by their names",
            Self::StartAgain => "start again",
            Self::Report => "please report this",
            Self::CheckPath => "check the path and its permissions",
            Self::GiveFile => "give a file",
            Self::GiveFolder => "give a folder where the path names a file",
            Self::NewerProgram => "take a newer version of the program",
            Self::KeptProfile => "give a profile that was kept",
            Self::CheckFolder => "check that its folder exists, may be written to and has room",
            Self::FreeSpace => "free some space",
            Self::OtherFolder => "choose another folder",
            Self::RemoveFolder => "remove it",
            Self::TrainAnew => "train anew, in another folder",
            Self::Resume => "resume the run",
            Self::ResumeFrom { path, step } => return write!(formatter, "resume from {}, which is whole, of step {step}", path.display()),
            Self::Again { path, step } => return write!(formatter, "do the same again ({} is whole, of step {step})", path.display()),
            Self::FewerRanks => "start fewer ranks",
            Self::SameOnRanks(what) => return write!(formatter, "start all ranks with the same {what}"),
            Self::PutBack => "move it back and resume",
            Self::GoOnLonger => "let it go on for longer",
            Self::Prepare => "prepare the data anew",
            Self::MapClasses => "say which of them is which",
            Self::PrepareManifest => "prepare it and give what that makes",
            Self::PrepareWith(preparation) => return preparation.fmt(formatter),
            Self::OtherSplit => "choose another",
            Self::NoData => "give none",
            Self::CheckLabels => "look for equal utterances with unequal labels",
            Self::CheckFeatures => "look for extreme values in their features",
            Self::CheckWeights => "look for extreme weights",
            Self::Restore => "restore it",
            Self::TrainAgain => "train again",
            Self::Assign => "write for example model.layers=2",
            Self::EqualSteps => "profile a batch that is the same every time",
            Self::CorpusFolder(name) => return write!(formatter, "is it {name}?"),
            Self::OtherClasses => "choose other classes",
            Self::NameMember { archive, member } => {
                return write!(formatter, "choose one, for example {}:{member}", archive.display());
            }
            Self::OneOf(names) => return write!(formatter, "choose one of: {}", names.join(", ")),
            Self::Data(which) => return write!(formatter, "give {which}"),
            Self::AllowMissing => "allow more to be left out",
            Self::Folds { least, most } => return write!(formatter, "take {least} to {most} folds"),
            Self::OtherFold { folds } => return write!(formatter, "choose a fold from 1 to {folds}"),
            Self::CopyRun => "put that file back, or copy the run out of the experiment to test it on the data's own splits",
            Self::OtherGrouping => "divide by something else",
            Self::RandomGroups => "divide at random",
            Self::AnotherFold => "train another fold",
            Self::Wait => "wait for it",
            Self::RemoveFold => "remove the fold's folder to train it anew",
            Self::SameExperiment => "repeat what it was begun with",
            Self::ChooseRows => "choose rows instead",
            Self::ChooseSystems => "choose systems instead",
            Self::LeaveSystem => "leave the system out",
            Self::SameSeeds => "train one seed, or several, as then",
            Self::TestedRun => "give the folder of a run that was tested",
            Self::SameTest => "give two runs that were tested on the same utterances",
            Self::SeveralSeeds => "train several seeds",
            Self::JoinValues => "give all its values at once",
            Self::ListValues => "list values",
            Self::DrawValues => "draw some of them",
            Self::FewerDraws { most } => return write!(formatter, "draw at most {most}"),
            Self::TrainToTheEnd => "train all to their end",
            Self::DivideAnew => "divide them into folds",
            Self::ListCases => "see which cases there are",
            Self::AddClass => "add it to the classes",
            Self::OtherSamples => "say how the samples are coded, or give a file",
            Self::CutRecording => "cut it into utterances",
            Self::DrawSvg => "draw it as SVG",
            Self::Advice(words) => return formatter.write_str(words),
        };
        formatter.write_str(words)
    }
}

/// What a setting takes, and its default where other settings leave it the whole range.
fn choose(formatter: &mut Formatter<'_>, key: &Key, range: Range) -> fmt::Result {
    match (key.rule.words, range) {
        (Some(words), _) => return write!(formatter, "choose {words}"),
        // What is wrong was told by saying which they are.
        (None, Range::PowerOfTwo(..)) => formatter.write_str("choose one")?,
        (None, range) => write!(formatter, "choose {range}")?,
    }
    match (key.default)().filter(|_| range == key.rule.range) {
        Some(default) => write!(formatter, " (default {default})"),
        None => Ok(()),
    }
}

/// An error that knows what may help.
pub trait Remedied: Error {
    /// What may help, the likeliest first; the words join them by "or".
    fn remedies(&self) -> Vec<Remedy> {
        Vec::new()
    }
}

/// Characters of an error that are shown: what a file says of itself may be as long as the file.
const SHOWN: usize = 4000;

/// One line of what may hold a file's own words, and of some length.
fn in_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let shown = in_line(&lines);
    match shown.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.into_owned(),
    }
}

/// An error and its remedies in one line, for example for a file that lists them; `words` may word a remedy otherwise.
pub(crate) fn line_in_words(error: &(impl Remedied + ?Sized), words: impl Fn(&Remedy) -> String) -> String {
    let mut line = in_one_line(&error.to_string());
    for (place, remedy) in error.remedies().iter().enumerate() {
        line += if place == 0 { "; " } else { ", or " };
        line += &words(remedy);
    }
    line
}

/// The same in the words that fit every caller.
pub fn line(error: &(impl Remedied + ?Sized)) -> String {
    line_in_words(error, Remedy::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_of_itself_stays_one_line_of_some_length_and_steers_no_terminal() {
        assert_eq!(in_one_line("a 'two  words'\n  |\r\n1 | \u{1b}[2J\t\u{9b}"), "a 'two  words' | 1 | \\u001b[2J\\u0009\\u009b");
        assert_eq!(in_one_line(&"é".repeat(9999)), "é".repeat(4000) + "…");
    }
}
