//! CREMA-D becomes a corpus.

use mcsan::corpus::cremad::read;

use super::{Tree, ids, left_out, recordings, refusal};

#[test]
fn names_say_speaker_sentence_and_emotion() {
    let tree = Tree::new();
    tree.empty("AudioWAV/1091_WSI_ANG_HI.wav AudioWAV/1001_DFA_DIS_XX.wav AudioWAV/1001_IEO_FEA_LO.wav AudioWAV/1001_IEO_HAP_MD.wav")
        .empty("AudioWAV/1002_TAI_NEU_XX.wav AudioWAV/1040_ITH_SAD_X.wav AudioWAV/._1001_DFA_ANG_XX.wav")
        .empty("AudioMP3/1001_DFA_DIS_XX.mp3 VideoFlash/1001_DFA_DIS_XX.flv SentenceFilenames.csv");
    let corpus = read(tree.path()).unwrap();
    assert_eq!(corpus.name, "cremad");
    assert_eq!(corpus.classes, ["anger", "disgust", "fear", "happiness", "neutral", "sadness"]);
    let found: Vec<_> =
        corpus.utterances.iter().map(|utterance| (utterance.speaker.as_deref().unwrap(), utterance.label.as_str())).collect();
    let expected =
        [("1001", "disgust"), ("1001", "fear"), ("1001", "happiness"), ("1002", "neutral"), ("1040", "sadness"), ("1091", "anger")];
    assert_eq!(found, expected);
    assert_eq!(corpus.utterances[0].text, "Don't forget a jacket");
    assert_eq!(recordings(&corpus)[0], "AudioWAV/1001_DFA_DIS_XX.wav");
    assert_eq!(ids(&read(&tree.path().join("AudioMP3")).unwrap()), ["1001_DFA_DIS_XX"], "the folder of the recordings will do");
}

#[test]
fn genders_are_those_of_the_table_of_actors() {
    let tree = Tree::new();
    tree.empty("AudioWAV/1001_DFA_DIS_XX.wav AudioWAV/1002_TAI_NEU_XX.wav AudioWAV/1003_TAI_NEU_XX.wav");
    assert!(read(tree.path()).unwrap().genders.is_empty());
    let table = tree.path().join("VideoDemographics.csv");
    std::fs::write(&table, "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n1002,21,Female,Asian,Not Hispanic\n")
        .unwrap();
    for folder in [tree.path().to_owned(), tree.path().join("AudioWAV")] {
        let genders = read(&folder).unwrap().genders;
        let of = |id: &str| genders.get(id).map(String::as_str);
        assert_eq!([of("1001_DFA_DIS_XX"), of("1002_TAI_NEU_XX"), of("1003_TAI_NEU_XX")], [Some("male"), Some("female"), None]);
    }
    std::fs::write(&table, "ActorID,Age,Sex\n1001,51,\n").unwrap();
    assert!(refusal(&tree, read(tree.path())).starts_with("VideoDemographics.csv, line 2: "));
}

#[test]
fn every_sentence_has_its_text() {
    let tree = Tree::new();
    for sentence in ["IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI"] {
        tree.empty(&format!("1001_{sentence}_NEU_XX.wav"));
    }
    let corpus = read(tree.path()).unwrap();
    let mut texts: Vec<_> = corpus.utterances.iter().map(|utterance| utterance.text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!((texts.len(), &corpus.left_out[..]), (12, &[][..]));
}

#[test]
fn recordings_of_other_names_are_left_out_with_the_reason() {
    let tree = Tree::new();
    tree.empty("1001_DFA_ANG_XX.wav 1001_DFA_ANG.wav 101_DFA_ANG_XX.wav 1001_ABC_ANG_XX.wav 1001_DFA_SUR_XX.wav 1001_DFA_ANG_VH.wav");
    let corpus = read(tree.path()).unwrap();
    let reason = |name: &str, fault: &str| format!("{name}.wav: is not named 1001_DFA_ANG_XX ({fault}); rename it or move it elsewhere");
    let expected = [
        ("1001_ABC_ANG_XX", "sentence 'ABC' is none of DFA IEO IOM ITH ITS IWL IWW MTI TAI TIE TSI WSI"),
        ("1001_DFA_ANG", "it has 3 fields, not 4"),
        ("1001_DFA_ANG_VH", "level 'VH' is none of LO MD HI XX X"),
        ("1001_DFA_SUR_XX", "emotion 'SUR' is none of ANG DIS FEA HAP NEU SAD"),
        ("101_DFA_ANG_XX", "actor '101' is not four digits"),
    ];
    assert_eq!(left_out(&tree, &corpus), expected.map(|(name, fault)| (name, reason(name, fault))));
}

#[test]
fn another_folder_is_refused() {
    let tree = Tree::new();
    tree.empty("03a01Fa.wav");
    assert_eq!(refusal(&tree, read(tree.path())), "no recording named 1001_DFA_ANG_XX under PATH; is it the folder of CREMA-D?");
    assert!(read(&tree.path().join("nowhere")).unwrap_err().to_string().contains("nowhere: cannot be read"));
}
