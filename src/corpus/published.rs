//! How many utterances each corpus has according to those who published it, and how a prepared data set compares: a
//! figure on a corpus means something only when the corpus is whole.

use serde::Serialize;

use super::{Split, ased, cremad, emodb, emovo, esd, meld, nemo, ravdess, savee, tess};
use crate::corpus::iemocap::IemocapClasses;

/// Published counts of a corpus with certain classes.
struct Published {
    corpus: &'static str,
    /// Sorted, as [`Corpus::classes`](super::Corpus::classes).
    classes: &'static [&'static str],
    groups: &'static [PublishedGroup],
}

struct PublishedGroup {
    group: Group,
    /// `[classes]`
    counts: &'static [usize],
}

/// Which utterances are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// The whole corpus.
    Corpus,
    /// A split that the corpus itself makes.
    Split(Split),
    /// A session of IEMOCAP.
    Session(u8),
}

const PUBLISHED: [Published; 12] = [
    // Label files of the release, as the paper and most others count them.
    Published {
        corpus: "iemocap",
        classes: IemocapClasses::Seven.names(),
        groups: &[PublishedGroup { group: Group::Corpus, counts: &[1103, 1041, 1849, 595, 1708, 1084, 107] }],
    },
    Published {
        corpus: "iemocap",
        classes: IemocapClasses::Four.names(),
        groups: &[PublishedGroup { group: Group::Corpus, counts: &[1103, 1636, 1708, 1084] }],
    },
    // Poria et al. 2019; training and validation counted again in the CSVs.
    Published {
        corpus: "meld",
        classes: &meld::CLASSES,
        groups: &[
            PublishedGroup { group: Group::Split(Split::Train), counts: &[1109, 271, 268, 1743, 4710, 683, 1205] },
            PublishedGroup { group: Group::Split(Split::Validation), counts: &[153, 22, 40, 163, 470, 111, 150] },
            PublishedGroup { group: Group::Split(Split::Test), counts: &[345, 68, 50, 402, 1256, 208, 281] },
        ],
    },
    // Livingstone and Russo 2018: 24 actors say neutral sentences at one intensity, the others at two.
    Published {
        corpus: "ravdess",
        classes: &ravdess::CLASSES,
        groups: &[PublishedGroup { group: Group::Corpus, counts: &[192, 192, 192, 192, 192, 96, 192, 192] }],
    },
    // Burkhardt et al. 2005, the 535 recordings that most listeners recognised and found natural.
    Published {
        corpus: "emodb",
        classes: &emodb::CLASSES,
        groups: &[PublishedGroup { group: Group::Corpus, counts: &[127, 81, 46, 69, 71, 79, 62] }],
    },
    // Cao et al. 2014.
    Published {
        corpus: "cremad",
        classes: &cremad::CLASSES,
        groups: &[PublishedGroup { group: Group::Corpus, counts: &[1271, 1271, 1271, 1271, 1087, 1271] }],
    },
    // Pichora-Fuller and Dupuis 2010: 200 words by two actresses.
    Published { corpus: "tess", classes: &tess::CLASSES, groups: &[PublishedGroup { group: Group::Corpus, counts: &[400; 7] }] },
    // Haq and Jackson 2010: 15 sentences of each emotion by four speakers, and neutral twice as many.
    Published {
        corpus: "savee",
        classes: &savee::CLASSES,
        groups: &[PublishedGroup { group: Group::Corpus, counts: &[60, 60, 60, 60, 120, 60, 60] }],
    },
    // Costantini et al. 2014: 14 sentences by six actors.
    Published { corpus: "emovo", classes: &emovo::CLASSES, groups: &[PublishedGroup { group: Group::Corpus, counts: &[84; 7] }] },
    // Zhou et al. 2022: 350 sentences of each emotion by twenty speakers, of which 300, 20 and 30 are in the splits.
    Published {
        corpus: "esd",
        classes: &esd::CLASSES,
        groups: &[
            PublishedGroup { group: Group::Split(Split::Train), counts: &[6000; 5] },
            PublishedGroup { group: Group::Split(Split::Validation), counts: &[400; 5] },
            PublishedGroup { group: Group::Split(Split::Test), counts: &[600; 5] },
        ],
    },
    // Counted in its table.
    Published {
        corpus: "nemo",
        classes: &nemo::CLASSES,
        groups: &[PublishedGroup { group: Group::Corpus, counts: &[749, 736, 749, 809, 769, 669] }],
    },
    // Retta et al. 2023 state the sum; the classes are counted in a list of its recordings.
    Published {
        corpus: "ased",
        classes: &ased::CLASSES,
        groups: &[PublishedGroup { group: Group::Corpus, counts: &[486, 510, 486, 522, 470] }],
    },
];

/// IEMOCAP's sessions with four classes, all classes together.
const SESSIONS_OF_FOUR: [usize; 5] = [1085, 1023, 1151, 1031, 1241];

/// An utterance of a prepared data set, as far as counting goes.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// Its name in the corpus; of MELD it starts with the split.
    pub id: &'a str,
    /// The split that the data set gives it.
    pub split: Option<Split>,
    /// Its recording session, a number in IEMOCAP.
    pub session: Option<&'a str>,
    /// Index into the data set's classes.
    pub label: usize,
}

/// A data set beside what was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Group by group: the data set's classes in its order, then all together. Sessions have a row for all together alone.
    pub rows: Vec<PublishedRow>,
    /// Splits or sessions of the corpus of which there is no utterance; empty where no utterance says which it is of.
    pub absent: Vec<Group>,
}

/// How many utterances of one class, or of all, a group has and should have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedRow {
    /// Which utterances are counted.
    pub group: Group,
    /// `None`: all classes together.
    pub class: Option<String>,
    /// How many there should be.
    pub published: usize,
    /// How many the data set has.
    pub found: usize,
}

impl Comparison {
    /// The rows in which the data set differs from what was published.
    pub fn differences(&self) -> impl Iterator<Item = &PublishedRow> {
        self.rows.iter().filter(|row| row.published != row.found)
    }

    /// Whether every count is the published one.
    pub fn agrees(&self) -> bool {
        self.differences().next().is_none()
    }
}

/// Compares the utterances of a prepared data set with the published counts of its corpus; `None` where none are known
/// for that corpus with those classes (in any order).
///
/// Splits are the corpus' own: an id of MELD (`dev/dia0_utt0`) says it even where speakers were divided anew; an id of
/// another form leaves it to `split`. IEMOCAP is compared as a whole, its four classes also session by session.
///
/// ```
/// use mcsan::corpus::published::{Counted, compare};
///
/// let classes = ["neutral", "sadness", "anger", "happiness"].map(String::from);
/// let found = Counted { id: "Ses02F_impro01_F000", split: None, session: Some("2"), label: 1 };
/// let comparison = compare("iemocap", &classes, [found]).expect("known for IEMOCAP with four classes");
/// let sadness = &comparison.rows[1];
/// assert_eq!((sadness.class.as_deref(), sadness.published, sadness.found), (Some("sadness"), 1084, 1));
/// assert_eq!(comparison.absent.len(), 4, "sessions 1, 3, 4 and 5");
/// ```
pub fn compare<'a>(corpus: &str, classes: &[String], utterances: impl IntoIterator<Item = Counted<'a>>) -> Option<Comparison> {
    let known = PUBLISHED.iter().find(|known| known.corpus == corpus && same_names(known.classes, classes))?;
    let utterances: Vec<Counted<'_>> = utterances.into_iter().collect();
    let found = |group: Group, label: Option<usize>| {
        let counts = |utterance: &&Counted<'_>| utterance.is_in(group) && label.is_none_or(|label| utterance.label == label);
        utterances.iter().filter(counts).count()
    };
    let mut rows = Vec::new();
    for &PublishedGroup { group, counts } in known.groups {
        for (label, class) in classes.iter().enumerate() {
            let published = known.classes.iter().zip(counts).find(|(name, _)| **name == class.as_str()).map_or(0, |(_, &count)| count);
            rows.push(PublishedRow { group, class: Some(class.clone()), published, found: found(group, Some(label)) });
        }
        rows.push(PublishedRow { group, class: None, published: counts.iter().sum(), found: found(group, None) });
    }
    let mut parts: Vec<Group> = known.groups.iter().map(|known| known.group).filter(|group| *group != Group::Corpus).collect();
    if corpus == "iemocap" {
        parts = (1..=5).map(Group::Session).collect();
    }
    // A data set of another program may not name sessions at all: then nothing can be said of them.
    let placed = parts.iter().any(|&part| found(part, None) > 0);
    if placed && known.classes == IemocapClasses::Four.names() {
        let totals = parts.iter().zip(SESSIONS_OF_FOUR);
        rows.extend(totals.map(|(&group, published)| PublishedRow { group, class: None, published, found: found(group, None) }));
    }
    parts.retain(|&part| placed && found(part, None) == 0);
    Some(Comparison { rows, absent: parts })
}

impl Counted<'_> {
    fn is_in(&self, group: Group) -> bool {
        match group {
            Group::Corpus => true,
            Group::Split(split) => self.own_split() == Some(split),
            Group::Session(session) => self.session.and_then(|name| name.parse().ok()) == Some(session),
        }
    }

    /// The split in which the corpus has the utterance.
    fn own_split(&self) -> Option<Split> {
        match self.id.split_once('/') {
            Some(("train", _)) => Some(Split::Train),
            Some(("dev", _)) => Some(Split::Validation),
            Some(("test", _)) => Some(Split::Test),
            _ => self.split,
        }
    }
}

fn same_names(published: &[&str], classes: &[String]) -> bool {
    published.len() == classes.len() && published.iter().all(|name| classes.iter().any(|class| class == name))
}
