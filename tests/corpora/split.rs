//! Speakers are divided among the splits.

use std::collections::{BTreeMap, BTreeSet};

use mcsan::base::remedy::line;
use mcsan::corpus::split::by_speaker;
use mcsan::corpus::{Corpus, Split, Utterance};

/// A corpus in which each speaker has so many utterances.
fn corpus(speakers: &[(&str, usize)]) -> Corpus {
    let utterance = |speaker: &str, number: usize| Utterance {
        id: format!("{speaker}-{number}"),
        audio: format!("{speaker}-{number}.wav").into(),
        text: String::new(),
        label: "neutral".into(),
        split: Some(Split::Test),
        speaker: Some(speaker.into()),
        session: None,
        dialogue: None,
    };
    let utterances = speakers.iter().flat_map(|(speaker, count)| (0..*count).map(|number| utterance(speaker, number))).collect();
    Corpus::new("talk", "/data/talk", utterances)
}

/// Utterances of each split. No speaker is in two.
fn sizes(corpus: &Corpus) -> [usize; 3] {
    let mut of: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
    for utterance in &corpus.utterances {
        of.entry(utterance.speaker.as_deref().unwrap()).or_default().insert(utterance.split.unwrap());
    }
    assert!(of.values().all(|splits| splits.len() == 1), "a speaker is in one split: {of:?}");
    Split::ALL.map(|split| corpus.utterances.iter().filter(|utterance| utterance.split == Some(split)).count())
}

#[test]
fn whole_speakers_make_eight_one_one() {
    let names: Vec<String> = (1..=30).map(|speaker| format!("actor{speaker:02}")).collect();
    let speakers: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 60)).collect();
    for seed in 0..20 {
        let mut corpus = corpus(&speakers);
        by_speaker(&mut corpus, seed).unwrap();
        assert_eq!(sizes(&corpus), [1440, 180, 180]);
    }
}

#[test]
fn the_seed_decides_and_the_order_of_the_utterances_does_not() {
    let speakers = [("a", 10), ("b", 12), ("c", 9), ("d", 11), ("e", 10), ("f", 8), ("g", 13), ("h", 10), ("i", 9), ("j", 10)];
    let divide = |seed, backwards: bool| {
        let mut corpus = corpus(&speakers);
        if backwards {
            corpus.utterances.reverse();
        }
        by_speaker(&mut corpus, seed).unwrap();
        let speakers: BTreeMap<String, Split> =
            corpus.utterances.iter().map(|utterance| (utterance.speaker.clone().unwrap(), utterance.split.unwrap())).collect();
        speakers
    };
    assert_eq!(divide(7, false), divide(7, true));
    let different: BTreeSet<Vec<Split>> = (0..20).map(|seed| divide(seed, false).into_values().collect()).collect();
    assert!(different.len() > 10, "20 seeds gave {} divisions", different.len());
}

#[test]
fn every_split_gets_a_speaker_however_uneven_they_are() {
    for speakers in [
        &[("a", 100), ("b", 100), ("c", 100)][..],
        &[("a", 1), ("b", 1), ("c", 98)],
        &[("a", 400), ("b", 400), ("c", 1000)],
        &[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 2000)],
        &[("a", 2), ("b", 3), ("c", 1)],
    ] {
        for seed in 0..50 {
            let mut corpus = corpus(speakers);
            by_speaker(&mut corpus, seed).unwrap();
            let [train, validation, test] = sizes(&corpus);
            assert!(train > 0 && validation > 0 && test > 0, "{speakers:?}, seed {seed}: {train} {validation} {test}");
        }
    }
}

#[test]
fn large_speakers_do_not_swell_the_small_splits() {
    // As in MELD: six people say most of it.
    let few: Vec<String> = (0..200).map(|guest| format!("guest{guest}")).collect();
    let speakers: Vec<(&str, usize)> =
        ["a", "b", "c", "d", "e", "f"].map(|name| (name, 1400)).into_iter().chain(few.iter().map(|name| (name.as_str(), 8))).collect();
    for seed in 0..20 {
        let mut corpus = corpus(&speakers);
        by_speaker(&mut corpus, seed).unwrap();
        let [_, validation, test] = sizes(&corpus);
        // One is taken only where it brings nearer to the tenth, 1000: so less than twice that, and not further below than
        // half a large speaker, while small ones last.
        assert!((300..2000).contains(&validation) && (300..2000).contains(&test), "seed {seed}: {validation}, {test} of 10000");
    }
}

#[test]
fn too_few_speakers_or_an_unknown_one_are_refused_by_name() {
    let mut two = corpus(&[("Ann", 3), ("Bob", 3)]);
    assert_eq!(
        line(&by_speaker(&mut two, 0).unwrap_err()),
        "/data/talk: speakers are too few for three splits, which need 3 at least (found: Ann, Bob); add some or keep the corpus' own split"
    );
    let mut unknown = corpus(&[("Ann", 3), ("Bob", 3), ("Cas", 3)]);
    unknown.utterances[4].speaker = None;
    assert_eq!(
        line(&by_speaker(&mut unknown, 0).unwrap_err()),
        "/data/talk: the utterance 'Bob-1' has no speaker; name one for each utterance or keep the corpus' own split"
    );
    assert!(unknown.utterances.iter().all(|utterance| utterance.split == Some(Split::Test)), "nothing is half divided");
}
