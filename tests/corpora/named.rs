//! TESS, SAVEE, EMOVO and ASED become corpora: names of recordings say all that is known of them.

use mcsan::corpus::{Corpus, ased, emovo, savee, tess};

use super::{Tree, ids, left_out, recordings, refusal};

/// Speaker, label and text of each utterance.
fn told(corpus: &Corpus) -> Vec<(&str, &str, &str)> {
    corpus.utterances.iter().map(|each| (each.speaker.as_deref().unwrap(), each.label.as_str(), each.text.as_str())).collect()
}

#[test]
fn tess_says_the_word_and_its_odd_name_is_read() {
    let tree = Tree::new();
    tree.empty(
        "OAF_Pleasant_surprise/OAF_back_ps.wav OAF_neutral/OA_bite_neutral.wav YAF_angry/YAF_dog_angry.wav YAF_fear/YAF_yes_fear.wav",
    )
    .empty("YAF_sad/YAF_home_sad.WAV YAF_happy/YAF_home_happy.flac YAF_disgust/YAF_home_disgust.wav ._OAF_back_sad.wav readme.txt");
    let corpus = tess::read(tree.path()).unwrap();
    assert_eq!((corpus.name.as_str(), &corpus.left_out[..]), ("tess", &[][..]));
    assert_eq!(corpus.classes, ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]);
    let expected = [
        ("OAF", "surprise", "Say the word back"),
        ("OAF", "neutral", "Say the word bite"),
        ("YAF", "anger", "Say the word dog"),
        ("YAF", "disgust", "Say the word home"),
        ("YAF", "happiness", "Say the word home"),
        ("YAF", "sadness", "Say the word home"),
        ("YAF", "fear", "Say the word yes"),
    ];
    let mut found = told(&corpus);
    found.sort_by_key(|&(speaker, label, text)| (speaker, text, label));
    let mut expected = expected.to_vec();
    expected.sort_by_key(|&(speaker, label, text)| (speaker, text, label));
    assert_eq!(found, expected);
}

#[test]
fn tess_of_an_archive_that_holds_it_twice_is_refused() {
    let tree = Tree::new();
    tree.empty("OAF_Fear/OAF_back_fear.wav data/OAF_Fear/OAF_back_fear.wav");
    assert_eq!(
        refusal(&tree, tess::read(tree.path())),
        "data/OAF_Fear/OAF_back_fear.wav: has the same id, 'OAF_back_fear', as OAF_Fear/OAF_back_fear.wav; remove one of the two files, \
         or give a folder that holds one of them"
    );
    assert_eq!(ids(&tess::read(&tree.path().join("data")).unwrap()), ["OAF_back_fear"]);
}

#[test]
fn savee_is_read_in_either_layout() {
    for files in [
        "AudioData/DC/a01.wav AudioData/KL/n30.wav AudioData/KL/su15.wav AudioData/Info.txt",
        "ALL/DC_a01.wav ALL/KL_n30.wav ALL/KL_su15.wav",
    ] {
        let tree = Tree::new();
        tree.empty(files);
        let corpus = savee::read(tree.path()).unwrap();
        assert_eq!((corpus.name.as_str(), ids(&corpus)), ("savee", vec!["DC_a01", "KL_n30", "KL_su15"]));
        assert_eq!(told(&corpus), [("DC", "anger", ""), ("KL", "neutral", ""), ("KL", "surprise", "")], "transcripts are not published");
        assert_eq!(recordings(&corpus)[0], files.split(' ').next().unwrap());
    }
}

#[test]
fn emovo_has_its_fourteen_sentences() {
    let tree = Tree::new();
    for sentence in ["b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5", "d1", "d2"] {
        tree.empty(&format!("EMOVO/m1/rab-m1-{sentence}.wav"));
    }
    tree.empty("EMOVO/f3/gio-f3-d1.wav EMOVO/documents/struttura.pdf");
    let corpus = emovo::read(tree.path()).unwrap();
    assert_eq!((corpus.name.as_str(), told(&corpus)[0]), ("emovo", ("f3", "happiness", "Sabato sera cosa farà?")));
    assert_eq!((corpus.genders["gio-f3-d1"].as_str(), corpus.genders["rab-m1-n1"].as_str()), ("female", "male"));
    let mut texts: Vec<&str> = told(&corpus).into_iter().map(|(.., text)| text).collect();
    texts.sort_unstable();
    texts.dedup();
    assert_eq!((texts.len(), &corpus.left_out[..]), (14, &[][..]));
}

#[test]
fn ased_with_its_one_capital_letter() {
    let tree = Tree::new();
    tree.empty("01Neutral/n1-01-02-01-33.wav 02Fearful/f2-07-01-02-65.wav 03Happy/h3-01-01-01-01.wav 05Angry/a5-01-01-01-01.wav")
        .empty("04Sad/S4-04-02-01-29.wav 04Sad/s4-04-02-01-30.wav README.md");
    let corpus = ased::read(tree.path()).unwrap();
    assert_eq!(corpus.classes, ["anger", "fear", "happiness", "neutral", "sadness"]);
    let mut found = told(&corpus);
    found.sort_unstable();
    let expected = [
        ("01", "anger", ""),
        ("01", "happiness", ""),
        ("29", "sadness", ""),
        ("30", "sadness", ""),
        ("33", "neutral", ""),
        ("65", "fear", ""),
    ];
    assert_eq!((corpus.name.as_str(), found), ("ased", expected.to_vec()));
}

#[test]
fn recordings_of_other_names_are_left_out_with_the_reason() {
    type Read = fn(&std::path::Path) -> Result<Corpus, mcsan::corpus::CorpusError>;
    type Case<'a> = (Read, &'a str, &'a [(&'a str, &'a str)]);
    let cases: [Case<'_>; 4] = [
        (
            tess::read,
            "OAF_back_angry",
            &[
                ("OAF_a-b_sad", "word 'a-b' is not of letters"),
                ("OAF_back", "it has 2 fields, not 3"),
                ("OAF_back_calm", "emotion 'calm' is none of angry disgust fear happy neutral ps sad"),
                ("XAF_back_sad", "actress 'XAF' is none of OAF YAF"),
            ],
        ),
        (
            savee::read,
            "DC_a01, or a01 in DC",
            &[
                ("AB_a01", "speaker 'AB' is none of DC JE JK KL"),
                ("DC_a16", "sentence '16' is none of 01 to 15"),
                ("DC_n31", "sentence '31' is none of 01 to 30"),
                ("DC_x01", "emotion 'x' is none of a d f h n sa su"),
                ("a02", "it names no speaker"),
            ],
        ),
        (
            emovo::read,
            "dis-f1-b1",
            &[
                ("cal-f1-b1", "emotion 'cal' is none of dis gio neu pau rab sor tri"),
                ("dis-f1", "it has 2 fields, not 3"),
                ("dis-f1-b4", "sentence 'b4' is none of b1 b2 b3 l1 l2 l3 l4 n1 n2 n3 n4 n5 d1 d2"),
                ("dis-f4-b1", "actor 'f4' is none of f1 f2 f3 m1 m2 m3"),
            ],
        ),
        (
            ased::read,
            "n1-01-02-01-33",
            &[
                ("n1-01-02-01", "it has 4 fields, not 5"),
                ("n1-01-02-01-3", "speaker '3' is not two digits"),
                ("n1-01-02-03-33", "gender '03' is none of 01 02"),
                ("n2-01-02-01-33", "emotion 'n2' is none of n1 f2 h3 s4 a5"),
            ],
        ),
    ];
    for (read, pattern, odd) in cases {
        let tree = Tree::new();
        let right = pattern.split(',').next().unwrap();
        tree.empty(&format!("{right}.wav"));
        odd.iter().for_each(|(name, _)| {
            tree.empty(&format!("{name}.wav"));
        });
        let corpus = read(tree.path()).unwrap();
        let reason = |name: &str, fault: &str| format!("{name}.wav: is not named {pattern} ({fault}); rename it or move it elsewhere");
        assert_eq!(left_out(&tree, &corpus), odd.iter().map(|(name, fault)| (*name, reason(name, fault))).collect::<Vec<_>>());
        tree.remove(&format!("{right}.wav"));
        assert!(refusal(&tree, read(tree.path())).starts_with(&format!("no recording named {pattern} under PATH; is it the folder of ")));
    }
}
