//! Which corpus lies in a folder, and with which classes it is to be read.

use std::path::Path;

use super::iemocap::IemocapClasses;
use super::{Corpus, CorpusError, cremad, emodb, iemocap, manifest, meld, ravdess};

/// A corpus layout with what can be chosen about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    Iemocap(IemocapClasses),
    Meld,
    Emodb,
    Ravdess,
    Cremad,
    /// With the classes that labels must be of; `None` where the labels that occur are the classes.
    Manifest(Option<Vec<String>>),
}

impl Layout {
    /// Reads the corpus of this layout at `path`.
    ///
    /// # Errors
    /// Those of the layout's own `read`.
    pub fn read(&self, path: &Path) -> Result<Corpus, CorpusError> {
        match self {
            Self::Iemocap(classes) => iemocap::read(path, *classes),
            Self::Meld => meld::read(path),
            Self::Emodb => emodb::read(path),
            Self::Ravdess => ravdess::read(path),
            Self::Cremad => cremad::read(path),
            Self::Manifest(classes) => manifest::read(path, classes.as_deref()),
        }
    }
}
