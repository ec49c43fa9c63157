//! Which corpus lies in a folder, and with which classes it is to be read.

use std::path::Path;

use super::iemocap::{IemocapClasses, OtherEmotions};
use super::msp_podcast::MspClasses;
use super::{
    Corpus, CorpusError, ased, cremad, emodb, emovo, esd, folders, iemocap, manifest, meld, msp_podcast, nemo, ravdess, savee, tess,
};

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
    /// TESS, two actresses.
    Tess,
    /// SAVEE, four actors.
    Savee,
    /// ESD, in Mandarin and English.
    Esd,
    /// EMOVO, in Italian.
    Emovo,
    /// nEMO, in Polish.
    Nemo,
    /// ASED, in Amharic.
    Ased,
    /// MSP-Podcast, with the classes to read it by.
    MspPodcast(MspClasses),
    /// A folder for each class.
    Folders,
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
            Self::Tess => tess::read(path),
            Self::Savee => savee::read(path),
            Self::Esd => esd::read(path),
            Self::Emovo => emovo::read(path),
            Self::Nemo => nemo::read(path),
            Self::Ased => ased::read(path),
            Self::MspPodcast(classes) => msp_podcast::read(path, *classes),
            Self::Folders => folders::read(path),
            Self::Manifest { classes: None } => manifest::read(path),
            Self::Manifest { classes: Some(classes) } => manifest::read_with_classes(path, classes),
        }
    }

    /// Whether it is one of one's own, which may say nothing of splits.
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Manifest { .. } | Self::Folders)
    }
}
