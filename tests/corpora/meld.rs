//! MELD.Raw becomes a corpus.

use std::fs;

use mcsan::corpus::{Split, meld::read};

use super::{Tree, ids, left_out, recordings, refusal, shared};

const HEADING: &str = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\r\n";

/// A CSV of utterances: text as the CSV writes it, emotion, dialogue, number.
fn table(utterances: &[(&str, &str, u32, u32)]) -> String {
    let line = |(text, emotion, dialogue, utterance): &(&str, &str, u32, u32)| {
        format!("1,{text},Ross,{emotion},neutral,{dialogue},{utterance},8,21,\"00:16:16,059\",\"00:16:21,731\"\r\n")
    };
    HEADING.to_owned() + &utterances.iter().map(line).collect::<String>()
}

/// The three splits beside their clip folders.
fn three_splits() -> Tree {
    let tree = Tree::new();
    tree.file("train_sent_emo.csv", table(&[("\"Oh my God, he\u{92}s lost it.\"", "sadness", 0, 1), ("Hi.", "neutral", 0, 0)]))
        .file("dev_sent_emo.csv", table(&[("You\u{2019}re a genius!", "joy", 0, 0)]))
        .file("test_sent_emo.csv", table(&[("\u{91}Kay.", "fear", 0, 0)]))
        .empty("train_splits/dia0_utt0.mp4 train_splits/dia0_utt1.mp4 dev_splits_complete/dia0_utt0.mp4")
        .empty("output_repeated_splits_test/dia0_utt0.mp4 README.txt ._train_sent_emo.csv");
    tree
}

#[test]
fn utterances_come_by_split_in_the_order_of_its_csv() {
    let tree = three_splits();
    let corpus = read(tree.path()).unwrap();
    assert_eq!((corpus.name.as_str(), corpus.root.as_path()), ("meld", tree.path()));
    assert_eq!(corpus.classes, ["anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise"]);
    assert_eq!(ids(&corpus), ["train/dia0_utt1", "train/dia0_utt0", "dev/dia0_utt0", "test/dia0_utt0"]);
    let splits: Vec<_> = corpus.utterances.iter().map(|utterance| utterance.split.unwrap()).collect();
    assert_eq!(splits, [Split::Train, Split::Train, Split::Validation, Split::Test]);
    let texts: Vec<_> = corpus.utterances.iter().map(|utterance| utterance.text.as_str()).collect();
    assert_eq!(texts, ["Oh my God, he\u{92}s lost it.", "Hi.", "You\u{2019}re a genius!", "\u{91}Kay."], "apostrophes as they are");
    let dev = &corpus.utterances[2];
    assert_eq!((dev.speaker.as_deref(), dev.dialogue.as_deref(), &dev.session), (Some("Ross"), Some("dev/dia0"), &None));
    assert_eq!((dev.label.as_str(), &corpus.left_out[..]), ("joy", &[][..]));
}

#[test]
fn splits_may_lie_in_folders_of_their_own() {
    let tree = Tree::new();
    tree.file("MELD.Raw/train/train_sent_emo.csv", table(&[("Hi.", "joy", 3, 4)]))
        .file("MELD.Raw/dev_sent_emo.csv", table(&[("Hi.", "joy", 3, 4)]))
        .file("MELD.Raw/train/test_sent_emo.csv", table(&[("Hi.", "joy", 3, 4)]))
        .empty("MELD.Raw/train/train_splits/dia3_utt4.mp4 MELD.Raw/dev/dev_splits_complete/dia3_utt4.mp4")
        .empty("MELD.Raw/test/output_repeated_splits_test/dia3_utt4.mp4");
    let corpus = read(tree.path()).unwrap();
    let expected =
        ["train/train_splits/dia3_utt4.mp4", "dev/dev_splits_complete/dia3_utt4.mp4", "test/output_repeated_splits_test/dia3_utt4.mp4"];
    assert_eq!(recordings(&corpus), expected);
    assert_eq!(corpus, read(&tree.path().join("MELD.Raw")).unwrap());
}

#[test]
fn extracted_audio_is_preferred_and_in_the_test_split_the_corrected_clip() {
    let tree = three_splits();
    tree.empty("train_splits/dia0_utt1.WAV train_splits/dia0_utt0.flac dev_splits_complete/dia0_utt0.wav")
        .empty("dev_splits_complete/dia0_utt0.m4a dev_splits_complete/._dia0_utt0.wav")
        .empty("dev_splits_complete/final_videos_testdia0_utt0.mp4 dev_splits_complete/dia99_utt0.mp4")
        .empty("output_repeated_splits_test/final_videos_testdia0_utt0.mp4 output_repeated_splits_test/dia0_utt0.wav")
        .empty("output_repeated_splits_test/._final_videos_testdia0_utt0.wav");
    let expected = [
        "train_splits/dia0_utt1.WAV",
        "train_splits/dia0_utt0.flac",
        "dev_splits_complete/dia0_utt0.wav",
        "output_repeated_splits_test/final_videos_testdia0_utt0.mp4",
    ];
    assert_eq!(recordings(&read(tree.path()).unwrap()), expected);
}

#[test]
fn an_utterance_without_a_clip_is_left_out_by_name() {
    let tree = three_splits();
    tree.remove("train_splits/dia0_utt0.mp4").empty("train_splits/._dia0_utt0.mp4").remove("dev_splits_complete");
    let corpus = read(tree.path()).unwrap();
    assert_eq!(ids(&corpus), ["train/dia0_utt1", "test/dia0_utt0"]);
    let no_file = "train_splits/dia0_utt0.mp4: no such file; unpack it from train.tar.gz, or extract its audio as dia0_utt0.wav there";
    let no_folder = "dev_splits_complete: no such folder; unpack dev.tar.gz there";
    assert_eq!(left_out(&tree, &corpus), [("train/dia0_utt0", no_file.to_owned()), ("dev/dia0_utt0", no_folder.to_owned())]);

    tree.remove("train_splits").remove("output_repeated_splits_test");
    assert_eq!(
        refusal(&tree, read(tree.path())),
        "PATH: none of its 4 utterances can be used; the first, train/dia0_utt1: train_splits: no such folder; unpack train.tar.gz there"
    );
}

#[test]
fn a_split_without_a_csv_is_passed_over_but_not_all_three() {
    let tree = three_splits();
    tree.remove("train_sent_emo.csv").remove("test_sent_emo.csv");
    assert_eq!(ids(&read(tree.path()).unwrap()), ["dev/dia0_utt0"]);
    tree.remove("dev_sent_emo.csv");
    assert_eq!(
        refusal(&tree, read(tree.path())),
        "no train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv under PATH; is it MELD.Raw?"
    );
    assert!(read(&tree.path().join("nowhere")).unwrap_err().to_string().contains("nowhere: cannot be read"));
}

#[test]
fn a_faulty_line_is_named() {
    let faulty = |table: &[u8]| {
        let tree = three_splits();
        tree.file("dev_sent_emo.csv", table);
        let message = refusal(&tree, read(tree.path()));
        message.strip_prefix("dev_sent_emo.csv").unwrap_or_else(|| panic!("{message}")).to_owned()
    };
    assert_eq!(
        faulty(table(&[("Hi.", "joy", 0, 0), ("Hi.", "glee", 0, 1)]).as_bytes()),
        ", line 3: unknown emotion 'glee'; correct it to one of anger, disgust, fear, joy, neutral, sadness, surprise"
    );
    assert_eq!(
        faulty(table(&[("Hi.", "joy", 7, 5), ("Hi.", "joy", 7, 6), ("Ho.", "joy", 7, 5)]).as_bytes()),
        ", line 4: the id 'dia7_utt5' stands in line 2 too; give each utterance its own"
    );
    assert_eq!(
        faulty(table(&[("Hi.", "joy", 0, 0)]).replace(",0,0,", ",0,x1,").as_bytes()),
        ", line 2: Utterance_ID 'x1' is not a whole number; correct it"
    );
    assert_eq!(faulty(table(&[("Hi.", "", 0, 0)]).as_bytes()), ", line 2: no Emotion; fill it in or leave the line out");
    let latin_1: Vec<u8> = table(&[("caf?", "joy", 0, 0)]).bytes().map(|byte| if byte == b'?' { 0x92 } else { byte }).collect();
    assert_eq!(faulty(&latin_1), ", line 2: is not UTF-8; save the file as UTF-8");
    assert_eq!(faulty(HEADING.as_bytes()), ": holds no utterances; add a line for each");
    let found = HEADING.trim_end().replace("Emotion", "Mood").replace(',', ", ");
    assert_eq!(
        faulty(table(&[("Hi.", "joy", 0, 0)]).replace("Emotion", "Mood").as_bytes()),
        format!(": has no column 'Emotion' (found: {found}); add it to the first line")
    );
}

#[test]
fn the_published_csvs_are_read_whole() {
    let Some(folder) = shared("meld") else { return };
    let tree = Tree::new();
    for (split, clips) in [("train", "train_splits"), ("dev", "dev_splits_complete")] {
        let name = format!("{split}_sent_emo.csv");
        let bytes = fs::read(folder.join(&name)).unwrap();
        for record in csv::Reader::from_reader(&bytes[..]).records() {
            let record = record.unwrap();
            tree.empty(&format!("{clips}/dia{}_utt{}.mp4", &record[5], &record[6]));
        }
        tree.file(&name, bytes);
    }
    // As in the archive: one clip of the validation split is missing.
    tree.remove("dev_splits_complete/dia110_utt7.mp4");
    let corpus = read(tree.path()).unwrap();
    let of = |split| corpus.utterances.iter().filter(|utterance| utterance.split == Some(split)).count();
    assert_eq!((of(Split::Train), of(Split::Validation), of(Split::Test)), (9989, 1108, 0));
    assert_eq!(left_out(&tree, &corpus)[0].0, "dev/dia110_utt7");
    let mut unique = ids(&corpus);
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), 11097);
}
