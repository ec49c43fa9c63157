//! The systems of the paper's Tables 1 and 2: what they are called, who published them, what was published of them, and what of
//! them is a default of ours because nothing is.

use super::ExperimentError;
use crate::base::choice::Choice;
use crate::base::remedy::Remedy;
use crate::config::{self, Settings};

/// A system.
pub(crate) struct System {
    /// As `model.system` has it.
    pub name: &'static str,
    /// In tables.
    pub title: &'static str,
    /// Who published it.
    pub reference: &'static str,
    /// WA and UA on seven classes of IEMOCAP, each with its deviation over the folds, and where they stand.
    pub iemocap: Option<([(f64, f64); 2], &'static str)>,
    /// Weighted F1 on MELD, and where it stands.
    pub meld: Option<(f64, &'static str)>,
    /// What is a default of ours, in words; nothing where all of it was published.
    pub defaults: &'static str,
}

const TABLE_1: &str = "Sun et al. 2021, Table 1";
const TABLE_2: &str = "Sun et al. 2021, Table 2";

/// Figures of four classes, on which MDRE, MHA, Xu et al. and Liang et al. were published first, are not comparable and not here.
const SYSTEMS: [System; 10] = [
    System {
        name: "mcsan",
        title: "MCSAN",
        reference: "Sun et al. 2021",
        iemocap: Some(([(0.612, 0.012), (0.560, 0.019)], TABLE_1)),
        meld: Some((0.592, TABLE_2)),
        defaults: "",
    },
    System {
        name: "mdre",
        title: "MDRE",
        reference: "Yoon et al. 2018",
        iemocap: Some(([(0.498, 0.059), (0.418, 0.077)], TABLE_1)),
        meld: None,
        defaults: "biases are vectors; on seven classes its loss stays that of each class alone, and prosody enters where the data \
                   have it, openSMILE's or, by 'prepare --prosody shs', ours",
    },
    System {
        name: "mdrea",
        title: "MDREA",
        reference: "Yoon et al. 2018",
        iemocap: None,
        meld: None,
        defaults: "biases are vectors; on seven classes its loss stays that of each class alone, and prosody enters where the data \
                   have it, openSMILE's or, by 'prepare --prosody shs', ours",
    },
    System {
        name: "mha",
        title: "MHA",
        reference: "Yoon et al. 2019",
        iemocap: Some(([(0.543, 0.026), (0.491, 0.028)], TABLE_1)),
        meld: None,
        defaults: "cell (`mha.cell`), sizes and residual of the encoders, projections of the queries, loss and training, which are AMH's",
    },
    System {
        name: "xu",
        title: "Xu et al.",
        reference: "Xu et al. 2019",
        iemocap: Some(([(0.560, 0.028), (0.450, 0.028)], TABLE_1)),
        meld: None,
        defaults: "the form that its group released unless xu.form=paper, on seven classes; gates are sigmoids; MFCC where \
                   the data have no power spectrum",
    },
    System {
        name: "can",
        title: "after CAN",
        reference: "Lee et al. 2020",
        iemocap: Some(([(0.579, 0.019), (0.487, 0.017)], TABLE_1)),
        meld: None,
        defaults: "a step is a word; kind and sizes of the encoders, queries, no auxiliary loss unless can.auxiliary says so, training",
    },
    System {
        name: "amh",
        title: "AMH",
        reference: "Yoon et al. 2020",
        iemocap: Some(([(0.617, 0.016), (0.547, 0.025)], "Yoon et al. 2020, as its authors revised it")),
        meld: None,
        defaults: "acoustic and visual columns are normalised over the training split",
    },
    System {
        name: "liang",
        title: "Liang et al.",
        reference: "Liang et al. 2020",
        iemocap: None,
        meld: Some((0.561, "Sun et al. 2021, Table 2, supervised (57.1 % with unlabelled utterances)")),
        defaults: "an LSTM reads word vectors where a Transformer read BERT's; no ReLU after the last layer of decoders and classifier; \
                   unpaired halves of the batch, Adam; 60 epochs, the best by weighted F1; functionals as the data have them, \
                   openSMILE's or, by 'prepare --functionals mfcc', ours; any utterances without label, normalised by themselves",
    },
    System {
        name: "cmkl",
        title: "cMKL",
        reference: "Poria et al. 2016",
        iemocap: None,
        meld: Some((0.555, TABLE_2)),
        defaults: "which 16 kernels, the scaling of columns and kernels, the columns kept of normalised functionals, one class against \
                   the rest with common weights learned on a part of the data, C by validation; 128 maps of each width in the text's \
                   network, of which the parameters are, and Adam; functionals as the data have them, openSMILE's or, by \
                   'prepare --functionals mfcc', ours",
    },
    System {
        name: "mcsan3",
        title: "tri-modal MCSAN",
        reference: "announced by Sun et al. 2021",
        iemocap: None,
        meld: None,
        defaults: "all that is not MCSAN's: nothing is published",
    },
];

/// The system that others are tested against.
pub(crate) const REFERENCE: &str = SYSTEMS[0].name;

/// The system of that name.
pub(crate) fn named(name: &str) -> Option<&'static System> {
    SYSTEMS.iter().find(|system| system.name == name)
}

/// Those that can be trained, in the order of the tables.
pub(crate) fn all() -> impl Iterator<Item = &'static System> {
    SYSTEMS.iter().filter(|system| names().contains(&system.name))
}

/// What the network of some settings is called in tables.
pub(super) fn title(settings: &Settings) -> &'static str {
    let name = word(settings);
    named(name).map_or(name, |system| system.title)
}

/// Which system the settings choose.
fn word(settings: &Settings) -> &'static str {
    settings.model.system.word()
}

/// The names of all systems that can be trained.
pub(crate) fn names() -> Vec<&'static str> {
    config::System::WORDS.iter().map(|(word, _)| *word).collect()
}

/// Whether the settings leave the system to whoever compares several.
///
/// # Errors
/// [`ExperimentError::RowSetting`]
pub(crate) fn check_unchosen(settings: &Settings) -> Result<(), ExperimentError> {
    if word(settings) == word(&Settings::default()) {
        return Ok(());
    }
    Err(ExperimentError::RowSetting { key: "model.system", remedy: Remedy::ChooseSystems })
}

impl System {
    /// As the settings have it.
    pub(crate) fn setting(&self) -> config::System {
        config::System::ALL.iter().copied().find(|system| system.word() == self.name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_that_can_be_trained_is_known_by_its_name() {
        for name in names() {
            assert!(named(name).is_some(), "{name}: its title and what was published of it are missing");
        }
    }
}
