//! Splits of EmoBox are taken for a corpus.

use mcsan::base::remedy::line;
use mcsan::corpus::{Corpus, Split, emobox, meld, tess};

use super::Tree;
use crate::program::mcsan;

fn listed(dataset: &str, files: &[&str]) -> String {
    let line = |file: &&str| {
        let (path, key) = file.split_once('=').unwrap_or((file, file));
        format!(
            "{{\"key\": \"{dataset}-{key}\", \"dataset\": \"{dataset}\", \"wav\": \"downloads/{dataset}/{path}\", \"length\": 1.5, \"emo\": \"x\"}}\n"
        )
    };
    files.iter().map(line).collect()
}

fn splits(corpus: &Corpus) -> Vec<Option<Split>> {
    corpus.utterances.iter().map(|utterance| utterance.split).collect()
}

#[test]
fn a_fold_divides_a_corpus_by_the_names_of_its_recordings() {
    let tree = Tree::new();
    let words = ["back", "bar", "base", "bath", "bean", "beg"];
    for word in words {
        tree.empty(&format!("tess/OAF_angry/OAF_{word}_angry.wav"));
    }
    tree.empty("tess/OAF_neutral/OA_bite_neutral.wav");
    let train: Vec<String> = words[..5].iter().map(|word| format!("OAF_{word}_angry.wav")).collect();
    let train = listed("tess", &train.iter().map(String::as_str).collect::<Vec<_>>());
    // Of EmoDB a folder has the same files under two names.
    tree.file("fold_1/tess_train_fold_1.jsonl", &train)
        .file("fold_1/tess_train_fold1.jsonl", "what is not read")
        .file("fold_1/tess_test_fold_1.jsonl", listed("tess", &["OAF_bite_neutral.wav", "YAF_beg_sad.wav"]))
        .file("fold_1/tess_test_fold_1.json", "{}");
    let mut corpus = tess::read(&tree.path().join("tess")).unwrap();
    let divided = emobox::divide(&mut corpus, &tree.path().join("fold_1")).unwrap();
    assert_eq!((divided.splits, divided.is_drawn, divided.unlisted, divided.missing), ([4, 1, 1], true, 1, 1));
    let again = splits(&corpus);
    emobox::divide(&mut corpus, &tree.path().join("fold_1")).unwrap();
    assert_eq!(splits(&corpus), again, "the same every time");
    assert_eq!(corpus.utterances.iter().find(|each| each.id == "OAF_bite_neutral").unwrap().split, Some(Split::Test));

    let mut refused = |part: &str| {
        let line = line(&emobox::divide(&mut corpus, &tree.path().join("fold_1")).unwrap_err());
        assert!(line.contains(part) && line.contains("fold_1") && !line.contains('\n'), "{line}");
    };
    tree.file("fold_1/tess_test_fold_1.jsonl", listed("tess", &["OAF_back_angry.wav"]));
    refused("tess_test_fold_1.jsonl, line 1: 'OAF_back_angry' is to be test, and is listed as train too; remove one");
    tree.file("fold_1/tess_test_fold_1.jsonl", "\n{\"key\": \"a\"}\n");
    refused("tess_test_fold_1.jsonl, line 2: is no recording as JSON (missing field `wav`");
    tree.file("fold_1/tess_test_fold_1.jsonl", "").file("fold_1/tess_train_fold_1.jsonl", listed("esd", &["0011_000001.wav"]));
    refused("fold_1: none of its 1 recordings is one of 'tess'; give the fold of that corpus");
    tree.remove("fold_1/tess_test_fold_1.jsonl");
    refused("fold_1: has no files of a fold, NAME_train_fold_1.jsonl and NAME_test_fold_1.jsonl; give");
}

#[test]
fn names_of_meld_are_told_apart_by_the_split_of_their_key() {
    let tree = Tree::new();
    let head = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n";
    for (table, clips) in
        [("train_sent_emo", "train_splits"), ("dev_sent_emo", "dev_splits_complete"), ("test_sent_emo", "output_repeated_splits_test")]
    {
        tree.file(&format!("{table}.csv"), format!("{head}1,Hi,Ann,joy,positive,0,0\n")).empty(&format!("{clips}/dia0_utt0.mp4"));
    }
    let lines = |split: &str| listed("meld", &[&format!("clips/dia0_utt0.mp4=dia0_utt0-{split}")]);
    tree.file("fold_1/meld_train_fold_1.jsonl", lines("train"))
        .file("fold_1/meld_valid_fold_1.jsonl", lines("dev"))
        .file("fold_1/meld_test_fold_1.jsonl", lines("test"));
    let mut corpus = meld::read(tree.path()).unwrap();
    let divided = emobox::divide(&mut corpus, &tree.path().join("fold_1")).unwrap();
    assert_eq!((divided.splits, divided.is_drawn, divided.missing), ([1, 1, 1], false, 0));
    assert_eq!(splits(&corpus), [Split::Train, Split::Validation, Split::Test].map(Some));
}

#[test]
fn prepare_takes_the_fold_and_says_what_became_of_it() {
    let tree = Tree::new();
    let names: Vec<String> =
        ["03", "08", "09"].iter().flat_map(|speaker| ["F", "W"].map(|emotion| format!("{speaker}a01{emotion}a"))).collect();
    names.iter().for_each(|name| super::command::sound(&tree, &format!("wav/{name}.wav")));
    let of = |names: &[String]| {
        listed(
            "emodb",
            &names.iter().map(|name| format!("wav/{name}.wav")).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>(),
        )
    };
    tree.file("fold_2/emodb_train_fold_2.jsonl", of(&names[..4])).file("fold_2/emodb_test_fold_2.jsonl", of(&names[4..]));
    let prepared = mcsan(tree.path(), "prepare emodb . --out emodb.safetensors --emobox-split fold_2 --device cpu --json").json();
    let note = prepared["notes"].as_array().unwrap().iter().find(|note| note["kind"] == "divided_by_emo_box").unwrap();
    let told = "the fold of EmoBox: 4 utterances to train on, 0 to validate, drawn of those to train on, 2 to test";
    assert_eq!((note["text"].as_str(), &note["splits"]), (Some(told), &serde_json::json!([4, 0, 2])));
    let data = mcsan(tree.path(), "inspect emodb.safetensors --json").json();
    assert_eq!(data["splits"]["test"]["utterances"], 2);
    let line = mcsan(tree.path(), "prepare emodb . --out other.safetensors --emobox-split wav --device cpu").fails();
    assert!(line.starts_with("mcsan: wav: has no files of a fold"), "{line}");
}
