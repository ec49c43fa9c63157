//! Vectors of an utterance that we compute ourselves from its recording, in place of files that another program made.

use serde_json::{Value, json};

use super::mfcc::MfccSettings;
use super::prosody;
use crate::base::choice::{Choice, choices};
use crate::base::streams;

/// What is taken of a column of features over an utterance's N frames, in the order of the result.
///
/// Moments are those of the N frames themselves, divided by N; kurtosis is the fourth standardised moment, 3 of a normal
/// distribution, as openSMILE has it. Median and quartiles lie at ¼, ½ and ¾ of the N - 1 steps from the least to the greatest value,
/// between two in proportion, as NumPy has them. The slope is that of the regression line, a frame. A column that varies by less than a
/// millionth of its largest value is constant: deviation, skewness, kurtosis and slope are 0.
pub const FUNCTIONALS: [&str; 9] = ["mean", "deviation", "skewness", "kurtosis", "minimum", "maximum", "median", "quartile_range", "slope"];

choices! {
    /// What computes a vector of each recording.
    pub enum VectorFrontEnd {
        /// nine functionals of 40 MFCC, their deltas and double deltas: 1080 columns
        Mfcc = "mfcc",
        /// 35 functionals of F0, log F0, voicing, log HNR and loudness, like its but for silence, the last frames and 3 frames in 1000
        Shs = "shs",
    }
}

impl VectorFrontEnd {
    /// The one that makes a stream in a way that a data set has recorded.
    pub(crate) fn of_recorded(stream: &str, recorded: &Value) -> Option<Self> {
        Self::ALL.iter().copied().find(|front_end| front_end.stream() == stream && front_end.recorded() == *recorded)
    }

    /// The one that makes a stream and is called so.
    #[cfg(feature = "cli")]
    pub(crate) fn named(stream: &str, word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|front_end| front_end.stream() == stream && front_end.word() == word)
    }

    /// What it computes, in a phrase.
    #[cfg(feature = "cli")]
    pub(crate) fn meaning(self) -> &'static str {
        Self::WORDS.iter().find(|(word, _)| *word == self.word()).map_or("", |(_, meaning)| meaning)
    }

    /// The stream that it makes.
    pub fn stream(self) -> &'static str {
        match self {
            Self::Mfcc => streams::FUNCTIONALS,
            Self::Shs => streams::PROSODY,
        }
    }

    /// Columns of a vector.
    pub fn columns(self) -> usize {
        match self {
            Self::Mfcc => FUNCTIONALS.len() * Self::mfcc().columns(),
            Self::Shs => prosody::COLUMNS,
        }
    }

    /// The MFCC that [`VectorFrontEnd::Mfcc`] is made from: always these, whatever front-end makes the frames.
    pub fn mfcc() -> MfccSettings {
        MfccSettings { deltas: 2, ..MfccSettings::default() }
    }

    /// How it is made, as data sets keep it.
    pub fn recorded(self) -> Value {
        match self {
            Self::Mfcc => json!({ "from": "mfcc", "functionals": FUNCTIONALS, "mfcc": Self::mfcc().recorded() }),
            Self::Shs => json!({ "from": "shs", "contours": prosody::CONTOURS, "functionals": prosody::FUNCTIONALS }),
        }
    }
}
