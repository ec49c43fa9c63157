//! `mcsan prepare` with a corpus' folder.

use super::Tree;
use crate::program::{Outcome, mcsan};

/// Wrong usage: exit code 2, nothing on standard output, and the first line of what is said about it.
fn wrong_usage(outcome: Outcome) -> String {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{}\n{}", outcome.line, outcome.stderr);
    outcome.stderr.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_corpus_divided_by_speaker_becomes_a_data_set() {
    let tree = Tree::new();
    let format = hound::WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    for (speaker, emotion) in ["03", "08", "09", "10"].iter().flat_map(|speaker| ["F", "W"].map(|emotion| (speaker, emotion))) {
        let path = format!("wav/{speaker}a01{emotion}a.wav");
        tree.empty(&path);
        let mut writer = hound::WavWriter::create(tree.path().join(&path), format).unwrap();
        (0..4000).for_each(|sample| writer.write_sample((sample % 100) as i16 * 50).unwrap());
        writer.finalize().unwrap();
    }
    mcsan(tree.path(), "prepare emodb . --out emodb.safetensors --split speaker --split-seed 3 --device cpu").succeeds();
    let data = mcsan(tree.path(), "inspect emodb.safetensors --json").json();
    assert_eq!((data["corpus"].as_str(), data["utterances"].as_u64()), (Some("emodb"), Some(8)));
    assert_eq!(data["classes"].as_array().map(Vec::len), Some(7), "the corpus' classes, of which two occur");
    let sizes = ["train", "validation", "test"].map(|split| data["splits"][split]["utterances"].as_u64());
    assert_eq!(sizes, [Some(4), Some(2), Some(2)]);
}

/// A quarter of a second of a sound, another for each path.
pub fn sound(tree: &Tree, path: &str) {
    let format = hound::WavSpec { channels: 1, sample_rate: 16_000, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    tree.empty(path);
    let mut writer = hound::WavWriter::create(tree.path().join(path), format).unwrap();
    let period = 50 + path.bytes().enumerate().map(|(place, byte)| (place + 1) * usize::from(byte)).sum::<usize>() % 397;
    (0..4000).for_each(|sample| writer.write_sample((sample % period) as i16 * 20).unwrap());
    writer.finalize().unwrap();
}

#[test]
fn two_speakers_are_divided_at_random_and_folders_by_themselves() {
    let tree = Tree::new();
    let words = ["back", "bite", "dog", "home", "yes", "sheep"];
    for (place, word) in words.iter().enumerate() {
        sound(&tree, &format!("tess/OAF_angry/OAF_{word}_angry.wav"));
        sound(&tree, &format!("tess/YAF_sad/YAF_{word}_sad.wav"));
        sound(&tree, &format!("own/glad/{word}.wav"));
        sound(&tree, &format!("own/blue/{place}.wav"));
        tree.file(&format!("own/blue/{place}.txt"), "I feel blue.");
    }
    let splits =
        |data: &serde_json::Value| ["train", "validation", "test"].map(|split| data["splits"][split]["utterances"].as_u64().unwrap());
    mcsan(tree.path(), "prepare tess tess --out tess.safetensors --split random --split-seed 2 --device cpu").succeeds();
    let data = mcsan(tree.path(), "inspect tess.safetensors --json").json();
    assert_eq!((data["corpus"].as_str(), splits(&data)), (Some("tess"), [8, 2, 2]));
    let line = mcsan(tree.path(), "prepare tess tess --out other.safetensors --split speaker --device cpu").fails();
    assert!(line.contains("speakers are too few for three splits"), "{line}");
    let line = mcsan(tree.path(), "prepare tess tess --limit 6 --out other.safetensors --split random --device cpu").fails();
    assert!(
        line.ends_with("tess: its 6 utterances are of too few recordings to be divided 8 : 1 : 1, which needs 10; leave --split out"),
        "{line}"
    );

    let own = mcsan(tree.path(), "prepare folders own --out own.safetensors --device cpu --json").json();
    assert_eq!((own["classes"].clone(), own["utterances"].as_u64()), (serde_json::json!(["blue", "glad"]), Some(12)));
    let notes: Vec<&str> = own["notes"].as_array().unwrap().iter().filter_map(|note| note["text"].as_str()).collect();
    assert!(notes.iter().any(|note| note.contains("6 of 12 recordings have no transcript")), "{notes:?}");
    assert!(notes.iter().any(|note| note.starts_with("no splits are named, so some were made at random")), "{notes:?}");
    assert_eq!(splits(&mcsan(tree.path(), "inspect own.safetensors --json").json()), [8, 2, 2]);
}

#[test]
fn classes_that_a_corpus_does_not_have_and_seeds_that_nothing_uses_are_wrong_usage() {
    let tree = Tree::new();
    let usage = |arguments: &str| wrong_usage(mcsan(tree.path(), &format!("prepare {arguments} --out data.safetensors")));
    assert_eq!(
        usage("meld . --classes 7"),
        "error: --classes can be chosen for iemocap (7 or 4), msp-podcast (8 or 4) and manifest (names); other corpora have their own"
    );
    assert_eq!(
        usage("emodb . --split-seed 3"),
        "error: --split-seed draws what --split speaker or random divides; add one of them, or leave it out"
    );
    assert_eq!(usage("msp-podcast . --classes 7"), "error: --classes '7': MSP-Podcast has 8 or 4");
    assert_eq!(usage("iemocap . --classes 5"), "error: --classes '5': IEMOCAP has 7 or 4");
    assert_eq!(usage("manifest talk.csv --classes joy,,anger"), "error: --classes: a name is empty; write them as anger,joy,neutral");
}

#[test]
fn a_folder_that_is_not_the_corpus_fails_in_one_line() {
    let tree = Tree::new();
    let line = mcsan(tree.path(), "prepare iemocap . --classes 4 --out data.safetensors --device cpu").fails();
    assert_eq!(line, "mcsan: no Session1..5 under .; is it IEMOCAP_full_release?");
    tree.file("talk.csv", "audio,text,label\na.wav,Hi.,Joy\n");
    let line = mcsan(tree.path(), "prepare manifest talk.csv --classes joy,anger --out data.safetensors --device cpu").fails();
    assert!(line.starts_with("mcsan: talk.csv, line 2: the label 'Joy' is none of the classes, the nearest is 'joy'; "), "{line}");
    tree.file("talk.csv", "audio,text,label\na.wav,Hi.,joy\n");
    let line = mcsan(tree.path(), "prepare manifest talk.csv --split speaker --out data.safetensors --device cpu").fails();
    assert!(line.contains("the utterance 'a' has no speaker; "), "{line}");
    assert!(!tree.path().join("data.safetensors").exists());
}
