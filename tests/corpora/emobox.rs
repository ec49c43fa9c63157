//! Splits of EmoBox are taken for a corpus.

use mcsan::base::remedy::line;
use mcsan::corpus::{Corpus, Split, emobox, meld, tess};
use mcsan::dataset::Dataset;

use super::Tree;
use crate::cli::corpus::TINY;
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

/// EmoDB of five speakers, of whom fold 1 tests one, fold 2 another, and none has the last.
fn folds_of_emodb() -> Tree {
    let tree = Tree::new();
    let of = |speakers: &[&str]| {
        let names = speakers.iter().flat_map(|speaker| ["a01", "a02", "a04"].map(|text| (speaker, text)));
        let names = names.flat_map(|(speaker, text)| ["F", "W"].map(|emotion| format!("wav/{speaker}{text}{emotion}a.wav")));
        names.collect::<Vec<String>>()
    };
    of(&["03", "08", "09", "10", "11"]).iter().for_each(|name| super::command::sound(&tree, name));
    let lines = |speakers: &[&str]| listed("emodb", &of(speakers).iter().map(String::as_str).collect::<Vec<_>>());
    for (fold, train, test) in [(1, ["03", "08", "09"], "10"), (2, ["03", "10", "09"], "08")] {
        tree.file(&format!("emodb/fold_{fold}/emodb_train_fold_{fold}.jsonl"), lines(&train))
            .file(&format!("emodb/fold_{fold}/emodb_test_fold_{fold}.jsonl"), lines(&[test]));
    }
    mcsan(tree.path(), "prepare emodb wav --out data.safetensors --device cpu").succeeds();
    tree
}

#[test]
fn a_cross_validation_over_the_folds_has_their_splits_and_goes_on() {
    let tree = folds_of_emodb();
    let here = tree.path();
    let train =
        format!("crossval --data data.safetensors --out folds --emobox emodb {TINY} --set model.variant=no_text --epochs 1 --device cpu");
    mcsan(here, &format!("{train} --fold 2")).succeeds();
    let results = mcsan(here, &format!("{train} --json")).json();
    let said: Vec<&str> = results["notes"].as_array().unwrap().iter().filter_map(|note| note["text"].as_str()).collect();
    assert!(
        said.contains(
            &"the folds are those of EmoBox, 2; a fifth of those to train on validates, drawn of each class; 6 utterances are in no fold"
        ),
        "{said:?}"
    );
    assert!(said.contains(&"fold 2 of 2: done before"), "{said:?}");
    assert_eq!((&results["by"], &results["folds"], &results["done"]), (&"emo_box".into(), &2.into(), &2.into()));
    assert_eq!(results["pooled"]["utterances"], 12);
    // Each has the splits that a preparation of this fold has.
    let folds: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(here.join("folds/folds.json")).unwrap()).unwrap();
    for fold in [1, 2] {
        let command = format!("prepare emodb wav --out fold{fold}.safetensors --emobox-split emodb/fold_{fold} --device cpu");
        mcsan(here, &command).succeeds();
        let data = Dataset::load(&here.join(format!("fold{fold}.safetensors"))).unwrap();
        for (split, part) in [(Split::Train, "train"), (Split::Validation, "validation"), (Split::Test, "test")] {
            let ids: Vec<&str> = data.split(split).iter().map(|&place| data.utterances[place].id.as_str()).collect();
            assert_eq!(folds["folds"][fold - 1][part], serde_json::json!(ids), "fold {fold}, {part}");
            let of = format!("evaluate --run folds/fold-{fold} --data data.safetensors --split {part} --device cpu --json");
            assert_eq!(mcsan(here, &of).json()["utterances"], ids.len());
        }
    }
    // Student's t of one degree of freedom, by the utterances that both folds train on and test.
    let tested = |fold: usize| mcsan(here, &format!("evaluate --run folds/fold-{fold} --data data.safetensors --device cpu --json")).json();
    let both = [1, 2].map(tested);
    let of = |figure: &dyn Fn(&serde_json::Value) -> f64| both.each_ref().map(figure);
    let [first, second] = of(&|test| test["wa"].as_f64().unwrap());
    let trained: usize = folds["folds"].as_array().unwrap().iter().map(|fold| fold["train"].as_array().unwrap().len()).sum();
    let reach = 12.706204736174698 * (0.5 * (first - second).powi(2) * (0.5 + 12.0 / trained as f64)).sqrt();
    let mean = (first + second) / 2.0;
    let interval = &results["certainty"]["intervals"]["wa"];
    for (end, expected) in [(0, (mean - reach).max(0.0)), (1, (mean + reach).min(1.0))] {
        assert!((interval[end].as_f64().unwrap() - expected).abs() < 1e-9, "{interval}: {expected}");
    }
    let [first, second] = of(&|test| test["calibration"]["ece"].as_f64().unwrap());
    assert!((results["certainty"]["ece"]["mean"].as_f64().unwrap() - (first + second) / 2.0).abs() < 1e-9, "{results}");
    let listed = std::fs::read_to_string(here.join("folds/crossval-certainty.csv")).unwrap();
    let header = "model,wa_interval_low,wa_interval_high,ua_interval_low,ua_interval_high,weighted_f1_interval_low,weighted_f1_interval_high,\
                  macro_f1_interval_low,macro_f1_interval_high,ece,ece_deviation,pooled_ece";
    assert_eq!(listed.lines().next(), Some(header));
    for file in ["crossval.md", "crossval.tex", "report.html"] {
        let text = std::fs::read_to_string(here.join("folds").join(file)).unwrap();
        assert!(text.contains("intervals of the means, and calibration") && text.contains("ECE, pooled"), "{file}");
    }
    for command in ["evaluate --run folds --data data.safetensors", "card --run folds --data data.safetensors --out card.md"] {
        let line = mcsan(here, command).fails();
        assert!(line.contains("folds: holds the runs of several folds or seeds; give --run one of them, as folds/fold-1"), "{line}");
    }
    let table = mcsan(here, &train).succeeds().stdout;
    assert!(table.contains("2 folds of EmoBox, seed 0"), "{table}");
}

#[test]
fn folds_that_do_not_divide_the_data_are_refused() {
    let tree = folds_of_emodb();
    let here = tree.path();
    let train = format!("crossval --data data.safetensors --out folds {TINY} --set model.variant=no_text --device cpu");
    let refused = |options: &str, part: &str| {
        let line = mcsan(here, &format!("{train} {options}")).fails();
        assert!(line.contains(part) && !here.join("folds").exists(), "{options}: {line}");
    };
    refused("--emobox wav", "wav: has no folders fold_1, fold_2 and so on; give the folder of the corpus in EmoBox' data");
    refused("--emobox none", "none: cannot be read");
    refused("--emobox emodb --fold 3", "there is no fold 3");
    tree.file("late/fold_2/x_train_fold_2.jsonl", "");
    refused("--emobox late", "late: has a fold_2, but no fold_1");
    let test = |fold: usize, of: &str| {
        tree.file(&format!("emodb/fold_{fold}/emodb_test_fold_{fold}.jsonl"), listed("emodb", &[of]));
    };
    test(2, "wav/10a01Fa.wav");
    refused("--emobox emodb", "emodb_test_fold_2.jsonl, line 1: '10a01Fa' is to be test, and is listed as train too; remove one");
    test(2, "wav/11a01Fa.wav");
    test(1, "wav/11a01Fa.wav");
    refused("--emobox emodb", "emodb/fold_2: '11a01Fa' is to be tested, as in fold_1");
    test(1, "wav/16a01Fa.wav");
    refused("--emobox emodb", "emodb/fold_1: none of its recordings that are to be tested is one of 'emodb'");
}
