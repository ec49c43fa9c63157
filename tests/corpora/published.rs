//! A data set is compared with what was published.

use mcsan::corpus::iemocap::IemocapClasses;
use mcsan::corpus::published::{Comparison, Counted, Group, compare};
use mcsan::corpus::{Corpus, Split, ased, cremad, emodb, emovo, esd, meld, nemo, ravdess, savee, tess};

use super::shared;

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn nothing(corpus: &str, classes: &[&str]) -> Comparison {
    compare(corpus, &owned(classes), []).unwrap()
}

/// The comparison of a corpus as it was read.
fn of(corpus: &Corpus) -> Comparison {
    let labels = corpus.labels();
    let counted = corpus.utterances.iter().zip(&labels).map(|(utterance, &label)| Counted {
        id: &utterance.id,
        split: utterance.split,
        session: utterance.session.as_deref(),
        label: label as usize,
    });
    compare(&corpus.name, &corpus.classes, counted).unwrap()
}

#[test]
fn published_totals_are_the_ones_that_papers_state() {
    let total = |corpus: &str, classes: &[&str]| -> usize {
        let rows = nothing(corpus, classes).rows;
        let split = |group| !matches!(group, Group::Session(_));
        let all: usize = rows.iter().filter(|row| row.class.is_none() && split(row.group)).map(|row| row.published).sum();
        let by_class: usize = rows.iter().filter(|row| row.class.is_some()).map(|row| row.published).sum();
        assert_eq!(all, by_class, "{corpus}");
        all
    };
    assert_eq!(total("iemocap", IemocapClasses::Seven.names()), 7487);
    assert_eq!(total("iemocap", IemocapClasses::Four.names()), 5531);
    assert_eq!(total("meld", &meld::CLASSES), 9989 + 1109 + 2610);
    assert_eq!(total("ravdess", &ravdess::CLASSES), 1440);
    assert_eq!(total("emodb", &emodb::CLASSES), 535);
    assert_eq!(total("cremad", &cremad::CLASSES), 7442);
    assert_eq!(total("tess", &tess::CLASSES), 2800);
    assert_eq!(total("savee", &savee::CLASSES), 480);
    assert_eq!(total("emovo", &emovo::CLASSES), 588);
    assert_eq!(total("esd", &esd::CLASSES), 35_000);
    assert_eq!(total("nemo", &nemo::CLASSES), 4481);
    assert_eq!(total("ased", &ased::CLASSES), 2474);
    let found = Counted { id: "Ses01F_impro01_F000", split: None, session: Some("1"), label: 0 };
    let sessions = compare("iemocap", &owned(IemocapClasses::Four.names()), [found]).unwrap().rows;
    let sessions: usize = sessions.iter().filter(|row| matches!(row.group, Group::Session(_))).map(|row| row.published).sum();
    assert_eq!(sessions, 5531);
}

#[test]
fn absent_sessions_and_splits_are_named() {
    let classes = owned(IemocapClasses::Seven.names());
    let found = |session| Counted { id: "Ses01F_impro01_F000", split: None, session: Some(session), label: 0 };
    let comparison = compare("iemocap", &classes, [found("1"), found("4")]).unwrap();
    assert_eq!(comparison.absent, [Group::Session(2), Group::Session(3), Group::Session(5)]);
    let anger = &comparison.rows[0];
    assert_eq!((anger.class.as_deref(), anger.published, anger.found), (Some("anger"), 1103, 2));

    let found = Counted { id: "dev/dia0_utt0", split: None, session: None, label: 0 };
    let splits = compare("meld", &owned(&meld::CLASSES), [found]).unwrap().absent;
    assert_eq!(splits, [Group::Split(Split::Train), Group::Split(Split::Test)]);
    assert_eq!(nothing("emodb", &emodb::CLASSES).absent, []);

    let unplaced = Counted { id: "F000", split: None, session: None, label: 0 };
    let comparison = compare("iemocap", &owned(IemocapClasses::Four.names()), [unplaced]).unwrap();
    assert_eq!((&comparison.absent[..], comparison.rows.len()), (&[][..], 5), "sessions are not named at all");
}

#[test]
fn a_corpus_that_is_not_known_or_has_other_classes_is_not_compared() {
    assert_eq!(compare("talk", &owned(&meld::CLASSES), []), None);
    assert_eq!(compare("meld", &owned(&["joy", "anger"]), []), None);
    assert_eq!(compare("iemocap", &owned(&emodb::CLASSES), []), None);
}

#[test]
fn meld_is_compared_by_its_own_splits_however_it_was_divided_anew() {
    let found = |id, split| Counted { id, split, session: None, label: 3 };
    let utterances = [found("dev/dia0_utt0", Some(Split::Test)), found("dia0_utt0", Some(Split::Test)), found("train/dia0_utt0", None)];
    let comparison = compare("meld", &owned(&meld::CLASSES), utterances).unwrap();
    let all: Vec<_> = comparison.rows.iter().filter(|row| row.class.is_none()).map(|row| (row.published, row.found)).collect();
    assert_eq!(all, [(9989, 1), (1109, 1), (2610, 1)]);
    let joy: Vec<_> =
        comparison.rows.iter().filter(|row| row.class.as_deref() == Some("joy")).map(|row| (row.published, row.found)).collect();
    assert_eq!(joy, [(1743, 1), (163, 1), (402, 1)]);
}

#[test]
fn the_published_recordings_of_ravdess_agree_and_one_fewer_does_not() {
    let Some(folder) = shared("ravdess") else { return };
    let mut corpus = ravdess::read(&folder).unwrap();
    assert!(of(&corpus).agrees());
    corpus.utterances.pop();
    let comparison = of(&corpus);
    let differences: Vec<_> = comparison.differences().map(|row| (row.class.as_deref(), row.published, row.found)).collect();
    assert_eq!(differences, [(Some("surprised"), 192, 191), (None, 1440, 1439)]);
}
