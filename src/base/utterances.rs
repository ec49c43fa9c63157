//! What corpora and data sets say of their utterances: what they are for, and why one is left out.

use std::fmt;

/// What an utterance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// To be trained on
    Train,
    /// To choose the best epoch by
    Validation,
    /// To be reported on, and for nothing else
    Test,
    /// To be learned from without a label, by what can
    #[cfg_attr(feature = "cli", value(skip))]
    Unlabelled,
    /// Copies with a changed recording, to be trained on wherever what they are copies of is
    #[cfg_attr(feature = "cli", value(skip))]
    Augmented,
}

/// In place of the label of an utterance that has none; in files it is -1.
pub const NO_LABEL: u32 = u32::MAX;

impl Split {
    /// All splits of utterances with a label, in the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The name in files and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::Unlabelled => "unlabelled",
            Self::Augmented => "augmented",
        }
    }

    /// The split of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Unlabelled, Self::Augmented]).find(|split| split.name() == name)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// An utterance that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LeftOut {
    /// Unique within the corpus.
    pub id: String,
    /// One line that names the file and the remedy.
    pub reason: String,
}
