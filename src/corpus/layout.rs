//! Which corpus lies in a folder, and with which classes it is to be read.

use std::path::Path;

use super::iemocap::{IemocapClasses, OtherEmotions};
use super::{Corpus, CorpusError, cremad, emodb, iemocap, manifest, meld, ravdess};

/// A corpus layout with what can be chosen about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorpusLayout {
    /// IEMOCAP's five sessions, with the classes to read them by, and what becomes of other emotions.
    Iemocap(IemocapClasses, OtherEmotions),
    /// MELD: dialogues of a television series, its own three splits.
    Meld,
    /// Berlin's Emo-DB.
    Emodb,
    /// RAVDESS' speech.
    Ravdess,
    /// CREMA-D.
    Cremad,
    /// A CSV of one's own.
    Manifest {
        /// What labels must be of; without them the labels that occur are the classes.
        classes: Option<Vec<String>>,
    },
}

impl CorpusLayout {
    /// Reads the corpus of this layout at `path`.
    ///
    /// # Errors
    /// Those of the layout's own `read`.
    pub fn read(&self, path: &Path) -> Result<Corpus, CorpusError> {
        match self {
            Self::Iemocap(classes, others) => iemocap::read_with(path, *classes, *others),
            Self::Meld => meld::read(path),
            Self::Emodb => emodb::read(path),
            Self::Ravdess => ravdess::read(path),
            Self::Cremad => cremad::read(path),
            Self::Manifest { classes: None } => manifest::read(path),
            Self::Manifest { classes: Some(classes) } => manifest::read_with_classes(path, classes),
        }
    }
}
