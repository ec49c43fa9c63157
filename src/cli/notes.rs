//! What a user should know besides the result: said on standard error, and again as `notes` in the document of `--json`.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use serde::Serialize;

use crate::config::System;
use crate::corpus::Doubt;
use crate::corpus::emobox::Divided;
use crate::dataset::Conflict;
use crate::experiment::emobox_folds::Found;
use crate::train::mapped::Mapped;
use crate::train::{Taken, some_of};

/// What the note of a fold that was done before ends with.
pub(super) const DONE_BEFORE: &str = ": done before";
/// That of a fold that is trained elsewhere.
pub(super) const ELSEWHERE: &str = ": another process trains it";

/// Utterances that a note names.
const SHOWN: usize = 3;

/// Something that a user did not ask for, or might not expect.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Note {
    /// There is no graphics adapter: the CPU reference computes.
    NoAdapter,
    /// The adapter that was found is none of hardware.
    SoftwareAdapter { adapter: String },
    /// DX12's shaders are compiled by FXC.
    Fxc { adapter: String },
    /// The CPU reference computes, though there is an adapter, of software.
    ReferenceIsFaster { adapter: String },
    /// A run goes on on another device than it was computed on.
    OtherDevice { before: String, now: String },
    /// Mixed precision was asked for and brings no speed.
    MixedIsNotFaster { lacks: String },
    /// What was given and the model has no use for.
    NotUsed { option: &'static str, model: String, needs: String },
    /// What was given and decides nothing.
    NoEffect { option: String, reason: String },
    /// Utterances are longer than the model reads.
    Cut {
        /// How many there are, of how many.
        utterances: usize,
        of: usize,
        max_frames: usize,
        /// Rows of each stream that the system reads, where those are fewer.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        rows: Vec<(&'static str, usize)>,
        /// Which they are.
        ids: Vec<String>,
    },
    /// Not all prepared files have a stream, so that none is read.
    LackedStream {
        stream: String,
        /// The first file without it.
        path: PathBuf,
    },
    /// A shard is read without all the others of its data set.
    OneShard {
        path: PathBuf,
        /// Which it is, from 1.
        number: usize,
        of: usize,
    },
    /// A run starts from another.
    StartsFrom(Taken),
    /// Utterances have no label.
    Unlabelled {
        utterances: usize,
        system: System,
        /// The epoch, from 0, from which on they are learned from; none where they are not.
        #[serde(skip_serializing_if = "Option::is_none")]
        from_epoch: Option<u64>,
    },
    /// Utterances lack features that others of the data have.
    LacksFeatures { stream: &'static str, of: usize, ids: Vec<String> },
    /// Vectors are our own, and not those that other programs compute.
    OwnVectors { stream: &'static str, vectors: &'static str },
    /// Of some utterances it is not known when their words are said.
    Unaligned {
        /// How many there are.
        of: usize,
        /// Those without a file of times.
        without: Vec<String>,
        /// Those whose file has other words.
        differing: Vec<String>,
    },
    /// Files of a folder are no recordings, by their names.
    PassedOver { files: Vec<String> },
    /// A recording has no stretch with voice.
    NoVoice { audio: String, seconds: f64 },
    /// Segments of a recording in which nothing is said.
    WithoutWords { audio: String, segments: usize, of: usize },
    /// Words of a transcript that are said in no segment.
    Unread { transcript: String, of: usize, words: Vec<String> },
    /// A transcript tells channels apart.
    SeveralChannels { transcript: String, channels: Vec<String> },
    /// Mel bands so narrow that no frequency of the transform lies in them.
    EmptyBands { bands: usize, of: usize },
    /// The learning rate rises for longer than the run goes on.
    WarmupUnfinished { warmup_steps: u64, steps: u64 },
    /// A model is normalised by speaker, and who speaks is not known.
    SpeakerUnknown { model: String, utterances: usize },
    /// The choices of tiles cannot be written down.
    TilesNotKept { path: String, error: String },
    /// Shaders with run-time checks are not compared.
    UncheckedOnly { compiler: &'static str },
    /// A recording cannot be used.
    LeftOut {
        /// The utterance.
        id: String,
        /// Why, with the file's name.
        reason: String,
    },
    /// Utterances are of recordings in which nothing is to be heard.
    Silent {
        /// Which utterances.
        utterances: Vec<String>,
        /// How many there are in all.
        of: usize,
    },
    /// A corpus can be read, and hardly is what it should be.
    Doubtful(Doubt),
    /// Different things are said of one recording.
    Conflict(Conflict),
    /// Of utterances of one recording, all are in one fold.
    KeptTogether {
        /// How many recordings have several utterances.
        recordings: usize,
        /// The utterances of the first.
        example: Vec<String>,
    },
    /// More than half of the words have no vector.
    FewVectors { path: PathBuf, missing: usize, tokens: usize, missing_words: usize, words: usize },
    /// A corpus has nothing that a model could read of one kind.
    Without(Lacking),
    /// A corpus names no splits, and these were made.
    SplitsMade {
        /// What stays together: speakers, or only the utterances of one recording.
        by: &'static str,
        /// Utterances of each.
        train: usize,
        validation: usize,
        test: usize,
    },
    /// The splits are those of a fold of EmoBox.
    DividedByEmoBox(Divided),
    /// The folds are those of EmoBox.
    FoldsOfEmoBox(Found),
    /// A fold was not trained, because it is there.
    DoneBefore(FoldName),
    /// A fold's run is evaluated on the fold's own division of the data.
    OwnSplit { fold: usize, folds: usize, path: PathBuf },
    /// A fold's run is evaluated on data that are not its experiment's.
    OtherData { path: PathBuf },
    /// No temperature is the best: the predictions it was to be fitted on are all right, or little better than chance.
    NoBestTemperature { temperature: f64, utterances: usize },
    /// A fold is not trained here.
    TrainedElsewhere(FoldName),
    /// The interval of two runs' difference comes of single utterances, as of not all of them it is known who speaks.
    UtterancesDrawn { has_data: bool },
    /// Trials are compared before the learning rate has come down.
    HalvedCosine,
    /// Settings of a sweep cannot be trained with.
    TrialFailed { trial: String, settings: Vec<String>, error: String },
    /// How long a step of a row's runs took, the median of what their logs say.
    StepTime { row: &'static str, ms: f64, steps: usize },
    /// Words of the data were read by the vocabulary of the run.
    WordsOfRun {
        /// Tokens that it has no word for.
        unknown: usize,
        /// Of how many.
        tokens: usize,
        /// Whether it is because the data's vectors are others.
        other_vectors: bool,
    },
    /// Data of other classes were tested by those that the model has too.
    ClassesMapped(Mapped),
    /// A batch is divided among ranks, as nobody said otherwise.
    Divided { ranks: usize },
    /// Tasks that Slurm has started train each by itself.
    Tasks { tasks: usize },
    /// The classes of a file among several are called otherwise in the whole.
    ClassesJoined { path: PathBuf, mapped: Mapped },
    /// The device has no room for a batch.
    Split { step: u64, parts: usize, error: String },
    /// The device has no room for the features of all utterances.
    NotKept { step: u64, error: String },
    /// A step was left out, a gradient having overflowed.
    Skipped { step: u64, scale: f32 },
    /// The run ended before its last epoch.
    Stopped { epochs: u64 },
}

impl Display for Note {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAdapter => formatter.write_str("no graphics adapter found: computing with the CPU reference"),
            Self::SoftwareAdapter { adapter } => write!(formatter, "only a software adapter found: {adapter}"),
            Self::Fxc { adapter } => write!(
                formatter,
                "{adapter}: FXC compiles the shaders, seconds where DXC takes tenths of one, and has no subgroups, 64-bit integers or f16; \
                 if the adapter has shader model 6, dxcompiler.dll of Microsoft's DirectXShaderCompiler beside mcsan.exe has DXC do it"
            ),
            Self::ReferenceIsFaster { adapter } => {
                write!(
                    formatter,
                    "only a software adapter found: {adapter}; the CPU reference computes, which is faster (--device 0 \
                                   takes the adapter)"
                )
            }
            Self::OtherDevice { before, now } => {
                write!(
                    formatter,
                    "the run was computed on {before} and goes on on {now}: its last bits may differ from those of a run that \
                                   nobody stopped"
                )
            }
            Self::MixedIsNotFaster { lacks } => {
                write!(formatter, "mixed precision: {lacks}; factors are rounded to f16 all the same, which is no faster than f32")
            }
            Self::NotUsed { option, model, needs } => write!(formatter, "{option} is not used: the model of {model} needs {needs}"),
            Self::NoEffect { option, reason } => write!(formatter, "{option} has no effect: {reason}"),
            Self::Cut { utterances, of, max_frames, rows, ids } => {
                let own = rows.iter().map(|(stream, most)| format!("{most} rows of {stream}")).collect::<Vec<_>>().join(", ");
                let most = if rows.is_empty() { format!("data.max_frames = {max_frames}") } else { format!("the model reads ({own})") };
                write!(formatter, "{utterances} of {of} utterances are longer than {most} and are cut there: {}", some_of(ids))
            }
            Self::LackedStream { stream, path } => write!(formatter, "'{stream}' is not read of any file: {} has none", path.display()),
            Self::OneShard { path, number, of } => {
                write!(formatter, "{} is shard {number} of {of}: without the index the others are not read", path.display())
            }
            Self::StartsFrom(taken) => taken.fmt(formatter),
            Self::Unlabelled { utterances, system, from_epoch: None } => {
                // Of what can learn from them, the settings keep it.
                let reason =
                    if *system == System::Liang { "liang.unlabelled, liang.from_epoch".into() } else { format!("model.system = {system}") };
                write!(formatter, "{utterances} utterances without label are not learned from ({reason})")
            }
            Self::Unlabelled { utterances, from_epoch: Some(from), .. } => {
                write!(
                    formatter,
                    "{utterances} utterances without label are learned from besides, from epoch {} on (liang.from_epoch)",
                    from + 1
                )
            }
            Self::LacksFeatures { stream, of, ids } => {
                let utterances = ids.len();
                write!(formatter, "{utterances} of {of} utterances have no features '{stream}': each has a row of zeros: {}", some_of(ids))
            }
            Self::OwnVectors { stream, vectors } => {
                write!(formatter, "'{stream}' is our own, of the recordings, and not what openSMILE computes: {vectors}")
            }
            Self::Unaligned { of, without, differing } => {
                let named = |ids: &[String], why: &str| (!ids.is_empty()).then(|| format!("{} {why}: {}", ids.len(), some_of(ids)));
                let all = [named(without, "without a file of times"), named(differing, "whose file has other words")];
                let all = all.into_iter().flatten().collect::<Vec<_>>().join("; ");
                let utterances = without.len() + differing.len();
                write!(formatter, "the words of {utterances} of {of} utterances are spread evenly over their recordings: {all}")
            }
            Self::PassedOver { files } => {
                let plural = if files.len() == 1 { "file is" } else { "files are" };
                write!(formatter, "{} {plural} passed over, no recording by the name: {}", files.len(), some_of(files))
            }
            Self::NoVoice { audio, seconds } => write!(
                formatter,
                "{audio}: no voice was found in {seconds:.1} s, and nothing is predicted (--segments windows takes all of it, a lower \
                 --voice-db more)"
            ),
            Self::WithoutWords { audio, segments, of } => {
                write!(formatter, "{audio}: {segments} of {of} segments have no words: each is predicted as an utterance without words")
            }
            Self::Unread { transcript, of, words } => {
                write!(formatter, "{transcript}: {} of {of} words are said in no segment and not read: {}", words.len(), some_of(words))
            }
            Self::SeveralChannels { transcript, channels } => write!(
                formatter,
                "{transcript}: has words of channels {}: all are read, for the recording's channels are averaged",
                channels.join(", ")
            ),
            Self::EmptyBands { bands, of } => write!(
                formatter,
                "{bands} of {of} mel bands hold no frequency of the transform and say nothing (fewer --mel-bands or a longer --transform)"
            ),
            Self::WarmupUnfinished { warmup_steps, steps } => write!(
                formatter,
                "the learning rate does not reach train.lr: train.warmup_steps = {warmup_steps}, and the run has {steps} steps"
            ),
            Self::SpeakerUnknown { model, utterances } => write!(
                formatter,
                "the model of {model} is normalised by speaker: {utterances} utterances whose speaker is not named (a column 'speaker' of \
                 --list does) are each normalised by themselves"
            ),
            Self::TilesNotKept { path, error } => {
                write!(formatter, "{path}: tiles cannot be kept ({error}) and are timed again next time; --tiles names another file")
            }
            Self::UncheckedOnly { compiler } => {
                write!(formatter, "{compiler} takes minutes to compile run-time checks: only unchecked shaders (--shaders both for all)")
            }
            Self::LeftOut { id, reason } => write!(formatter, "left out: {id}: {reason}"),
            Self::Silent { utterances, of } => {
                let more = if utterances.len() > SHOWN { ", …" } else { "" };
                let shown = utterances.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
                write!(
                    formatter,
                    "{} of {of} recordings are silent ({shown}{more}): nothing is to be learned from their sound",
                    utterances.len()
                )
            }
            Self::Doubtful(doubt) => doubt.fmt(formatter),
            Self::Conflict(conflict) => conflict.fmt(formatter),
            Self::KeptTogether { recordings, example } => write!(
                formatter,
                "{recordings} {} of several utterances ({}{}): these are kept in one fold",
                if *recordings == 1 { "recording is" } else { "recordings are" },
                example.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", "),
                if *recordings > 1 || example.len() > SHOWN { ", …" } else { "" }
            ),
            Self::FewVectors { path, missing, tokens, missing_words, words } => write!(
                formatter,
                "{}: has no vector for {missing} of the corpus' {tokens} tokens, {missing_words} of its {words} different words; are they \
                 of the corpus' language and spelling?",
                path.display()
            ),
            Self::Without(lacking) => lacking.fmt(formatter),
            Self::SplitsMade { by, train, validation, test } => write!(
                formatter,
                "no splits are named, so some were made {by}: {train} utterances to train on, {validation} to validate, {test} to \
                 test (--split own makes none)"
            ),
            Self::DividedByEmoBox(Divided { splits: [train, validation, test], is_drawn, unlisted, missing }) => {
                let drawn = if *is_drawn { ", drawn of those to train on" } else { "" };
                let few = |count: usize, what: &str| if count == 0 { String::new() } else { format!("; {count} {what}") };
                let others = few(*unlisted, "utterances are not in the fold and of no split")
                    + &few(*missing, "recordings of the fold are not here");
                write!(
                    formatter,
                    "the fold of EmoBox: {train} utterances to train on, {validation} to validate{drawn}, {test} to test{others}"
                )
            }
            Self::HalvedCosine => formatter.write_str(
                "train.schedule = cosine comes down by the last epoch: trials that --halving ends before are compared at higher learning rates",
            ),
            Self::FoldsOfEmoBox(Found { folds, is_drawn, unlisted, missing }) => {
                let drawn = if *is_drawn { "; a fifth of those to train on validates, drawn of each class" } else { "" };
                let few = |count: usize, what: &str| if count == 0 { String::new() } else { format!("; {count} {what}") };
                let others = few(*unlisted, "utterances are in no fold") + &few(*missing, "recordings of a fold are not among the data");
                write!(formatter, "the folds are those of EmoBox, {folds}{drawn}{others}")
            }
            Self::DoneBefore(fold) => write!(formatter, "{fold}{DONE_BEFORE}"),
            Self::OwnSplit { fold, folds, path } => {
                write!(formatter, "the splits are those of fold {fold} of {folds}, as {} has them", path.display())
            }
            Self::OtherData { path } => {
                write!(formatter, "the data are not those of {}, so their own splits are taken, and not the fold's", path.display())
            }
            Self::NoBestTemperature { temperature, utterances } => write!(
                formatter,
                "temperature {temperature} is an end of what is looked among: {utterances} validation utterances know of no best one"
            ),
            Self::TrainedElsewhere(fold) => write!(formatter, "{fold}{ELSEWHERE}"),
            Self::UtterancesDrawn { has_data: false } => {
                formatter.write_str("intervals come of single utterances; with --data, which says who speaks, of whole speakers")
            }
            Self::UtterancesDrawn { has_data: true } => {
                formatter.write_str("intervals come of single utterances: the data do not name two speakers or more for all of them")
            }
            Self::TrialFailed { trial, settings, error } => {
                write!(formatter, "{trial} ({}) failed and is left out: {error}", settings.join(", "))
            }
            Self::StepTime { row, ms, steps } => write!(formatter, "{row}: {ms:.1} ms a step, the median of {steps}"),
            Self::WordsOfRun { unknown, tokens, other_vectors } => {
                let why = if *other_vectors { "vectors of words are others in the data" } else { "the run trained its words itself" };
                write!(formatter, "{why}: those of the data are read by the run's vocabulary, which lacks {unknown} of {tokens} tokens")
            }
            Self::ClassesMapped(mapped) => write!(formatter, "classes: {}", classes_in_words(mapped, "the model's")),
            Self::ClassesJoined { path, mapped } => {
                write!(formatter, "classes of {}: {}", path.display(), classes_in_words(mapped, "the"))
            }
            Self::Divided { ranks } => {
                write!(
                    formatter,
                    "a batch is divided among {ranks} ranks: train.accumulate = {ranks}, whose bits the run has on one device too"
                )
            }
            Self::Tasks { tasks } => {
                write!(
                    formatter,
                    "this is one of {tasks} tasks of srun and trains by itself: srun --mpi=pmix (or pmi2, as 'srun --mpi=list' has it) and a \
                     program built with --features mpi make them ranks of one training"
                )
            }
            Self::Split { step, parts, error } => {
                write!(formatter, "step {step}: {error}: from here on each batch is computed in {parts} parts")
            }
            Self::NotKept { step, error } => {
                write!(formatter, "step {step}: {error}: the device keeps no features, from here on each batch brings its own")
            }
            Self::Skipped { step, scale } => {
                write!(formatter, "step {step}: skipped, a gradient overflowed f16; the loss scale is now {scale}")
            }
            Self::Stopped { epochs } => {
                write!(formatter, "stopped: {epochs} epochs without a better validation figure (train.patience)")
            }
        }
    }
}

/// What a corpus lacks altogether, and how to train on it all the same.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "lacking", rename_all = "snake_case")]
pub(crate) enum Lacking {
    Recordings,
    Sound,
    Words,
}

impl Display for Lacking {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (what, variant) = match self {
            Self::Recordings => ("no utterance has a recording", "no_audio"),
            Self::Sound => ("no recording has a sound", "no_audio"),
            Self::Words => ("no utterance to train on has words", "no_text"),
        };
        write!(formatter, "{what}: train with --set model.variant={variant}")
    }
}

/// What became of the classes of data; `whose` they are to be.
fn classes_in_words(Mapped { map, left_out, absent }: &Mapped, whose: &str) -> String {
    let renamed: Vec<String> = map.iter().filter(|(own, other)| own != other).map(|(own, other)| format!("{own} is {other}")).collect();
    let counted: Vec<String> = left_out.iter().map(|(class, count)| format!("{count} {class}")).collect();
    let parts = [
        (!renamed.is_empty()).then(|| renamed.join(", ")),
        (!counted.is_empty()).then(|| format!("left out without a counterpart: {}", counted.join(", "))),
        (!absent.is_empty()).then(|| format!("of {whose} classes the data have no {}", absent.join(", "))),
    ];
    let told = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
    if told.is_empty() { "the same in data and model".into() } else { told }
}

/// Which fold of an experiment.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct FoldName {
    /// The row of a table; of a cross-validation there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub row: String,
    /// Which seed, from 1, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<usize>,
    /// Counted from 1.
    pub fold: usize,
    /// How many there are.
    pub folds: usize,
}

impl Display for FoldName {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let seed = self.seed.map(|seed| format!("seed {seed}"));
        // The data's own splits are no fold among others.
        let fold = (self.folds > 1).then(|| format!("fold {} of {}", self.fold, self.folds));
        let row = [Some(self.row.clone()).filter(|row| !row.is_empty()), seed].into_iter().flatten().collect::<Vec<_>>().join(", ");
        formatter.write_str(&[Some(row).filter(|row| !row.is_empty()), fold].into_iter().flatten().collect::<Vec<_>>().join(": "))
    }
}
