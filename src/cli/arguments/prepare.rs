//! What `mcsan prepare` takes.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum, value_parser};

use crate::audio::change::Changes;
use crate::audio::vectors::VectorFrontEnd;
use crate::base::streams::{FUNCTIONALS, PROSODY};
use crate::corpus::CorpusLayout;
use crate::corpus::iemocap::{IemocapClasses, OtherEmotions};
use crate::corpus::msp_podcast::MspClasses;
use crate::dataset::FeatureType;
use crate::prepare::Allowance;
use crate::text::OutOfVocabulary;

use super::{Options, vectors};
use crate::cli::effect::no_effect;
use crate::cli::settings::FrontEnd;

/// Most shards of a data set, each of which is an open file.
const MOST_SHARDS: i64 = 500;

#[derive(Args)]
#[command(after_help = "Example: mcsan prepare manifest corpus/manifest.csv --out corpus.safetensors --vectors glove.6B.300d.txt")]
pub(crate) struct Prepare {
    /// Layout of the corpus
    pub corpus: CorpusKind,
    /// Folder of the corpus; of a manifest the CSV, with the columns audio, text (one of them may be absent), label and optionally
    /// id, split, speaker, gender, session, dialogue, audio_features (files of features to take in place of recordings),
    /// visual, prosody, functionals (files of features besides)
    pub path: PathBuf,
    /// Classes: 7 or 4 of IEMOCAP (4: happiness with excitement), 8 or 4 of MSP-Podcast, names between commas for a manifest
    #[arg(long, value_name = "CLASSES")]
    pub classes: Option<String>,
    /// Keep IEMOCAP's utterances of other emotions, or of none that raters agreed on, as utterances without label, which some systems
    /// learn from
    #[arg(long)]
    pub unlabelled: bool,
    /// Where the splits come from [default: own; of a manifest or folders that name none, speakers, or else chance, decide, 8 : 1 : 1]
    #[arg(long, value_name = "SOURCE")]
    pub split: Option<SplitSource>,
    /// Which speakers or utterances go into which split, with --split speaker or random [default: 0]
    #[arg(long, value_name = "N")]
    pub split_seed: Option<u64>,
    /// Take the splits of a fold of EmoBox: its folder, as data/ravdess/fold_1 of that repository; where the fold does not say what
    /// validates, a fifth of what it trains on does, each class evenly
    #[arg(long, value_name = "FOLDER", conflicts_with = "split")]
    pub emobox_split: Option<PathBuf>,
    /// The prepared file to write
    #[arg(long, value_name = "DATA.safetensors")]
    pub out: PathBuf,
    /// Word vectors: GloVe, word2vec or fastText as text, .gz or .zip (ARCHIVE.zip:MEMBER chooses of several); with none,
    /// or left out, the word table is trained
    #[arg(long, value_name = "VECTORS")]
    pub vectors: Option<PathBuf>,
    /// What stands for words that the vectors lack
    #[arg(long, value_name = "OOV", default_value = "zero")]
    pub oov: OutOfVocabulary,
    /// Acoustic features that another program computed, in place of the recordings: a folder that holds ID.npy or ID.safetensors
    /// of each utterance, or a file by its recording's name, a matrix of frames and columns
    #[arg(long, value_name = "FOLDER")]
    pub audio_features: Option<PathBuf>,
    /// Take features of the words from this folder instead of vectors of words: ID.npy or ID.safetensors, or with the recording's name
    /// for ID, [tokens, columns] of any width
    #[arg(long, value_name = "DIR")]
    pub text_features: Option<PathBuf>,
    /// Features of pictures besides, from files of the same kinds, a row a picture; an utterance without a file has none
    #[arg(long, value_name = "FOLDER")]
    pub visual_features: Option<PathBuf>,
    /// Functionals of prosody besides: a folder of files with a vector each, or one table (CSV or ARFF of openSMILE); or 'shs': 35
    /// functionals of pitch, voicing, harmonics-to-noise ratio and loudness, computed of the recordings (a file of that name is ./shs)
    #[arg(long, value_name = "PATH|shs")]
    pub prosody: Option<PathBuf>,
    /// Functionals of acoustic features, from the same; or 'mfcc': nine functionals of 40 MFCC, their deltas and double deltas,
    /// computed of the recordings (a folder of that name is ./mfcc)
    #[arg(long, value_name = "PATH|mfcc")]
    pub functionals: Option<PathBuf>,
    /// When the words are said: a folder with a file an utterance, ID.csv with the columns word, start and end in seconds, or
    /// ID.wdseg
    #[arg(long, value_name = "DIR")]
    pub align: Option<PathBuf>,
    /// Train on copies with changed recordings besides, one for each change: speed=0.9,1.1 (pitch shifts as well), noise=20dB (white, so
    /// far below the speech), gain=6dB; of all utterances but those of the corpus' own validation and test splits
    #[arg(long, value_name = "CHANGES")]
    pub augment: Option<Changes>,
    /// Write N files DATA-00001-of-0000N.safetensors of about as many utterances each, and DATA.safetensors.index.json, which --data
    /// then takes; commands with the same arguments divide the work among them, and go on where one was stopped
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=MOST_SHARDS))]
    pub shards: Option<u16>,
    /// Of which type frames of features are in the file
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    pub dtype: FeatureType,
    /// Take only the first N utterances
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// How many of the listed utterances may be left out because a file is missing or cannot be read: a share like 1%, or a
    /// number
    #[arg(long, value_name = "SHARE", default_value_t = Allowance::default())]
    pub allow_missing: Allowance,
    #[command(flatten)]
    pub front_end: FrontEnd,
}

impl Prepare {
    /// # Errors
    /// Wrong usage: what nothing would use.
    pub(crate) fn check_usage(&self) -> Result<(), clap::Error> {
        if self.split_seed.is_some() && !matches!(self.split, Some(SplitSource::Speaker | SplitSource::Random)) {
            return Err(no_effect("--split-seed draws what --split speaker or random divides; add one of them, or leave it out"));
        }
        if self.oov == OutOfVocabulary::Random && vectors(&self.vectors).is_none() {
            return Err(no_effect("--oov random draws vectors beside those of a file; name one with --vectors, or leave it out"));
        }
        for (option, stream, given) in [("prosody", PROSODY, &self.prosody), ("functionals", FUNCTIONALS, &self.functionals)] {
            let word = given.as_deref().and_then(Path::to_str).unwrap_or_default();
            if self.audio_features.is_some() && VectorFrontEnd::named(stream, word).is_some() {
                let message =
                    format!("--{option} {word} is computed of the recordings, whose place --audio-features takes; leave one of them out");
                return Err(no_effect(message));
            }
        }
        if self.audio_features.is_some() && self.augment.is_some() {
            return Err(no_effect("--augment changes recordings, whose place --audio-features takes; leave one of them out"));
        }
        if self.unlabelled && !matches!(self.corpus, CorpusKind::Iemocap) {
            return Err(no_effect(
                "--unlabelled keeps IEMOCAP's other emotions; of a manifest, give the split unlabelled to utterances without label",
            ));
        }
        self.layout().map(drop)
    }

    /// The layout with its classes.
    ///
    /// # Errors
    /// Wrong usage: classes that the corpus does not have.
    pub(crate) fn layout(&self) -> Result<CorpusLayout, clap::Error> {
        let wrong = |kind, message: String| Options::command().error(kind, message);
        let others = if self.unlabelled { OtherEmotions::Unlabelled } else { OtherEmotions::PassedOver };
        let layout = match (self.corpus, self.classes.as_deref()) {
            (CorpusKind::Iemocap, None | Some("7")) => CorpusLayout::Iemocap(IemocapClasses::Seven, others),
            (CorpusKind::Iemocap, Some("4")) => CorpusLayout::Iemocap(IemocapClasses::Four, others),
            (CorpusKind::Iemocap, Some(other)) => {
                return Err(wrong(ErrorKind::InvalidValue, format!("--classes '{other}': IEMOCAP has 7 or 4")));
            }
            (CorpusKind::MspPodcast, None | Some("8")) => CorpusLayout::MspPodcast(MspClasses::Eight),
            (CorpusKind::MspPodcast, Some("4")) => CorpusLayout::MspPodcast(MspClasses::Four),
            (CorpusKind::MspPodcast, Some(other)) => {
                return Err(wrong(ErrorKind::InvalidValue, format!("--classes '{other}': MSP-Podcast has 8 or 4")));
            }
            (CorpusKind::Manifest, None) => CorpusLayout::Manifest { classes: None },
            (CorpusKind::Manifest, Some(names)) => {
                let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
                if names.iter().any(String::is_empty) {
                    return Err(wrong(ErrorKind::InvalidValue, "--classes: a name is empty; write them as anger,joy,neutral".into()));
                }
                CorpusLayout::Manifest { classes: Some(names) }
            }
            (_, Some(_)) => {
                let message =
                    "--classes can be chosen for iemocap (7 or 4), msp-podcast (8 or 4) and manifest (names); other corpora have their own";
                return Err(wrong(ErrorKind::ArgumentConflict, message.into()));
            }
            (CorpusKind::Meld, None) => CorpusLayout::Meld,
            (CorpusKind::Emodb, None) => CorpusLayout::Emodb,
            (CorpusKind::Ravdess, None) => CorpusLayout::Ravdess,
            (CorpusKind::Cremad, None) => CorpusLayout::Cremad,
            (CorpusKind::Tess, None) => CorpusLayout::Tess,
            (CorpusKind::Savee, None) => CorpusLayout::Savee,
            (CorpusKind::Esd, None) => CorpusLayout::Esd,
            (CorpusKind::Emovo, None) => CorpusLayout::Emovo,
            (CorpusKind::Nemo, None) => CorpusLayout::Nemo,
            (CorpusKind::Ased, None) => CorpusLayout::Ased,
            (CorpusKind::Folders, None) => CorpusLayout::Folders,
        };
        Ok(layout)
    }
}

/// Where the splits come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitSource {
    /// What the corpus itself says
    Own,
    /// Whole speakers, about 8 : 1 : 1, by --split-seed
    Speaker,
    /// Utterances at random, each class evenly, 8 : 1 : 1, by --split-seed
    Random,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CorpusKind {
    /// IEMOCAP_full_release
    Iemocap,
    /// MELD.Raw
    Meld,
    /// EmoDB, the folder that holds wav
    Emodb,
    /// RAVDESS, the folder that holds Actor_01 to Actor_24
    Ravdess,
    /// CREMA-D, the folder that holds AudioWAV
    Cremad,
    /// TESS, the folder that holds OAF_angry and the others
    Tess,
    /// SAVEE, the folder that holds AudioData, or ALL
    Savee,
    /// ESD, the folder that holds 0001 to 0020
    Esd,
    /// EMOVO, the folder that holds f1 to m3
    Emovo,
    /// nEMO, the folder that holds data.tsv and samples
    Nemo,
    /// ASED, the folder that holds 01Neutral to 05Angry
    Ased,
    /// MSP-Podcast, the folder that holds Labels and Audios
    MspPodcast,
    /// A folder for each class, or for each split with such in it; NAME.txt beside NAME.wav is its transcript
    Folders,
    /// A CSV that lists recordings
    Manifest,
}
