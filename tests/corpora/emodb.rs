//! EmoDB becomes a corpus.

use mcsan::corpus::emodb::read;

use super::{Tree, ids, left_out, recordings, refusal};

#[test]
fn names_say_speaker_sentence_and_emotion() {
    let tree = Tree::new();
    tree.empty("wav/16b10Wa.wav wav/03a01Fa.wav wav/08a02La.wav wav/09a04Ec.wav wav/10a05Aa.wav wav/11a07Tb.wav wav/12b01Nd.wav")
        .empty("lablaut/03a01Fa.lablaut wav/._03a01Fa.wav silb/03a01Fa.silb");
    let corpus = read(tree.path()).unwrap();
    assert_eq!(corpus.name, "emodb");
    assert_eq!(corpus.classes, ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"]);
    let found: Vec<_> =
        corpus.utterances.iter().map(|utterance| (utterance.speaker.as_deref().unwrap(), utterance.label.as_str())).collect();
    let expected =
        [("03", "happiness"), ("08", "boredom"), ("09", "disgust"), ("10", "fear"), ("11", "sadness"), ("12", "neutral"), ("16", "anger")];
    assert_eq!(found, expected);
    assert_eq!(corpus.utterances[2].text, "Heute abend könnte ich es ihm sagen.");
    assert_eq!(recordings(&corpus)[0], "wav/03a01Fa.wav");
    assert_eq!(ids(&read(&tree.path().join("wav")).unwrap()), ids(&corpus), "the folder of the recordings will do");
}

#[test]
fn every_sentence_has_its_text() {
    let tree = Tree::new();
    for sentence in ["a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10"] {
        tree.empty(&format!("wav/03{sentence}Na.wav"));
    }
    let corpus = read(tree.path()).unwrap();
    let mut texts: Vec<_> = corpus.utterances.iter().map(|utterance| utterance.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 10);
    assert!(texts.iter().all(|text| text.ends_with(['.', '?'])));
}

#[test]
fn recordings_of_other_names_are_left_out_with_the_reason() {
    let tree = Tree::new();
    tree.empty("03a01Fa.wav 03a03Fa.wav 03a01Xa.wav x3a01Fa.wav 03a.wav 03a01Fab.wav größere.wav");
    let corpus = read(tree.path()).unwrap();
    let reason = |name: &str, fault: &str| format!("{name}.wav: is not named 03a01Fa ({fault}); rename it or move it elsewhere");
    let expected = [
        ("03a", "it is not speaker, sentence, emotion and version in 2, 3, 1 and 1 letters"),
        ("03a01Fab", "version 'ab' is not one letter"),
        ("03a01Xa", "emotion 'X' is none of W L E A F T N"),
        ("03a03Fa", "sentence 'a03' is none of a01 a02 a04 a05 a07 b01 b02 b03 b09 b10"),
        ("größere", "it is not speaker, sentence, emotion and version in 2, 3, 1 and 1 letters"),
        ("x3a01Fa", "speaker 'x3' is not two digits"),
    ];
    assert_eq!(left_out(&tree, &corpus), expected.map(|(name, fault)| (name, reason(name, fault))));
}

#[test]
fn one_recording_in_two_formats_is_refused() {
    let tree = Tree::new();
    tree.empty("wav/03a01Fa.wav wav/03a01Fa.flac");
    assert_eq!(
        refusal(&tree, read(tree.path())),
        "wav/03a01Fa.wav: has the same id, '03a01Fa', as wav/03a01Fa.flac; remove one of the two files, or give a folder that holds one of them"
    );
}

#[test]
fn another_folder_is_refused() {
    let tree = Tree::new();
    assert_eq!(refusal(&tree, read(tree.path())), "no recording named 03a01Fa under PATH; is it the folder of EmoDB?");
    assert!(read(&tree.path().join("nowhere")).unwrap_err().to_string().contains("nowhere: cannot be read"));
}
