//! ESD, nEMO, MSP-Podcast and folders of classes become corpora.

use mcsan::corpus::msp_podcast::{self, MspClasses};
use mcsan::corpus::{Corpus, Split, esd, folders, nemo};

use super::{Tree, ids, left_out, recordings, refusal};

fn texts(corpus: &Corpus) -> Vec<&str> {
    corpus.utterances.iter().map(|utterance| utterance.text.as_str()).collect()
}

fn labels(corpus: &Corpus) -> Vec<&str> {
    corpus.utterances.iter().map(|utterance| utterance.label.as_str()).collect()
}

fn splits(corpus: &Corpus) -> Vec<Option<Split>> {
    corpus.utterances.iter().map(|utterance| utterance.split).collect()
}

fn doubts(corpus: &Corpus) -> Vec<String> {
    corpus.doubts.iter().map(|doubt| doubt.to_string().split_once(": ").unwrap().1.to_owned()).collect()
}

#[test]
fn esd_is_read_flat_and_by_its_folders_of_splits() {
    let tree = Tree::new();
    let root = "Emotion Speech Dataset/";
    for file in
        ["0011/Neutral/0011_000001.wav", "0011/Angry/0011_000371.wav", "0011/Happy/0011_000751.wav", "0012/Sad/train/0012_001051.wav"]
    {
        tree.file(&format!("{root}{file}"), "");
    }
    tree.file(&format!("{root}ReadMe.txt"), "ESD")
        .file(&format!("{root}0011/0011.txt"), "\u{feff}0011_000001\tHow far?\tNeutral\r\n\r\n0011_000371 The nine eggs. Angry\r\n");
    let corpus = esd::read(tree.path()).unwrap();
    assert_eq!((corpus.name.as_str(), labels(&corpus)), ("esd", vec!["neutral", "anger", "happiness", "sadness"]));
    assert_eq!(
        splits(&corpus),
        [Some(Split::Validation), Some(Split::Test), Some(Split::Train), Some(Split::Train)],
        "by number, or folder"
    );
    assert_eq!(texts(&corpus), ["How far?", "The nine eggs.", "", ""]);
    assert_eq!(corpus.utterances[3].speaker.as_deref(), Some("0012"));
    assert_eq!(doubts(&corpus), ["2 of 4 recordings have no transcript and are read without words, as 0011_000751"]);
}

#[test]
fn transcripts_of_esd_are_read_in_the_codings_that_they_come_in() {
    let tree = Tree::new();
    let utf_16 = |text: &str| [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    tree.empty("0001/Neutral/0001_000001.wav 0003/Surprise/0003_001401.wav 0016/Sad/0016_001051.wav")
        .file("0001/0001.txt", b"0001_000001\t\xcb\xfb\xba\xdc\xc0\xe4\xa1\xa3\t\xd6\xd0\xc1\xa2\n")
        .file("0003/0003.txt", utf_16("0003_001401\t他很冷。\t惊喜\n"))
        .file("0016/0016.txt", b"0016_001051\tA caf\xe9, a sigh.\tSad\n");
    let corpus = esd::read(tree.path()).unwrap();
    assert_eq!(texts(&corpus), ["他很冷。", "他很冷。", "A café, a sigh."]);
}

#[test]
fn recordings_that_are_none_of_esd_are_left_out_and_another_folder_is_refused() {
    let tree = Tree::new();
    tree.empty("0011/Sad/0011_001051.wav 0011/Sad/0011_001751.wav 0011/Sad/11_1.wav 0011/Sad/0011_00105.wav");
    let reason =
        |name: &str, fault: &str| format!("0011/Sad/{name}.wav: is not named 0011_000351 ({fault}); rename it or move it elsewhere");
    let expected = [
        ("0011_00105", "number '00105' is none of 000001 to 001750"),
        ("0011_001751", "number '001751' is none of 000001 to 001750"),
        ("11_1", "speaker '11' is not four digits"),
    ];
    assert_eq!(left_out(&tree, &esd::read(tree.path()).unwrap()), expected.map(|(name, fault)| (name, reason(name, fault))));
    tree.remove("0011/Sad/0011_001051.wav");
    assert_eq!(refusal(&tree, esd::read(tree.path())), "no recording named 0011_000351 under PATH; is it the folder of ESD?");
    tree.empty("0011/Sad/0011_001051.wav").file("0011/0011.txt", "version https://git-lfs.github.com/spec/v1\n");
    assert!(refusal(&tree, esd::read(tree.path())).starts_with("0011/0011.txt: is a pointer of Git LFS in place of the file; "));
}

const HEAD: &str = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n";

#[test]
fn nemo_is_its_table_and_its_samples() {
    let tree = Tree::new();
    let rows = "WR0_surprised_64.wav\tsurprised\tUcho, „ucho”.\tucho\t        WR0\tmale\t23\nEB0_neutral_13.wav\tneutral\tPolska.\tpolska\t        EB0\tfemale\t27\n";
    tree.file("data.tsv", format!("{HEAD}{rows}")).empty("samples/WR0_surprised_64.wav samples/EB0_neutral_13.wav samples/extra.wav");
    let corpus = nemo::read(tree.path()).unwrap();
    assert_eq!((corpus.name.as_str(), ids(&corpus)), ("nemo", vec!["WR0_surprised_64", "EB0_neutral_13"]));
    assert_eq!((labels(&corpus), texts(&corpus)), (vec!["surprise", "neutral"], vec!["Ucho, „ucho”.", "Polska."]));
    assert_eq!(corpus.utterances[0].speaker.as_deref(), Some("WR0"), "blanks before it are none of the name");
    assert_eq!(corpus.genders["EB0_neutral_13"], "female");
    assert_eq!(recordings(&corpus)[1], "samples/EB0_neutral_13.wav");

    tree.remove("samples/EB0_neutral_13.wav");
    let expected = "samples/EB0_neutral_13.wav: no such file; fetch it, or take its line out of data.tsv";
    assert_eq!(left_out(&tree, &nemo::read(tree.path()).unwrap()), [("EB0_neutral_13", expected.to_owned())]);
    tree.file("data.tsv", format!("{HEAD}a_b_1.wav\tcalm\tA.\ta\tA\tmale\t1\n"));
    let known = "anger, fear, happiness, neutral, sadness, surprised";
    assert_eq!(refusal(&tree, nemo::read(tree.path())), format!("data.tsv, line 2: unknown emotion 'calm'; correct it to one of {known}"));
    tree.file("data.tsv", "file_id\temotion\traw_text\n");
    assert!(
        refusal(&tree, nemo::read(tree.path())).starts_with("data.tsv: has no column 'speaker_id' (found: file_id, emotion, raw_text); ")
    );
    tree.remove("data.tsv");
    assert_eq!(refusal(&tree, nemo::read(tree.path())), "no data.tsv under PATH; is it the folder of nEMO?");
}

const LABELS: &str = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n";

#[test]
fn msp_podcast_is_read_with_eight_classes_or_four() {
    let tree = Tree::new();
    let row = |number: usize, letter: &str, speaker: &str, set: &str| {
        format!("MSP-PODCAST_0001_000{number}.wav,{letter},3.2,4,5,{speaker},Male,{set}\n")
    };
    let rows = [
        row(1, "N", "127", "Test1"),
        row(2, "C", "Unknown", "Train"),
        row(3, "X", "3", "Train"),
        row(4, "A", "3", "Development"),
        row(5, "H", "9", "Test2"),
        row(6, "S", "9", "Validation"),
    ];
    tree.file("Labels/labels_consensus.csv", LABELS.to_owned() + &rows.concat())
        .empty("Audios/MSP-PODCAST_0001_0001.wav Audios/MSP-PODCAST_0001_0002.wav Audios/MSP-PODCAST_0001_0004.wav Partitions.txt")
        .file("Transcripts/MSP-PODCAST_0001_0001.txt", "Well,\nyou know.\n");
    let corpus = msp_podcast::read(tree.path(), MspClasses::Eight).unwrap();
    assert_eq!((corpus.name.as_str(), labels(&corpus)), ("msp-podcast", vec!["neutral", "contempt", "anger"]));
    assert_eq!(splits(&corpus), [Some(Split::Test), Some(Split::Train), Some(Split::Validation)]);
    assert_eq!(texts(&corpus), ["Well, you know.", "", ""]);
    let speakers: Vec<_> = corpus.utterances.iter().map(|each| each.speaker.as_deref()).collect();
    assert_eq!((speakers, corpus.genders["MSP-PODCAST_0001_0001"].as_str()), (vec![Some("127"), None, Some("3")], "male"));
    let counted: Vec<_> = corpus.other_labels.iter().map(|(label, count)| (label.as_str(), *count)).collect();
    assert_eq!(counted, [("Test2", 1), ("no agreement", 1)]);
    let missing = ("MSP-PODCAST_0001_0006", "Audios/MSP-PODCAST_0001_0006.wav: no such file; unpack it there".to_owned());
    assert_eq!(left_out(&tree, &corpus), [missing]);
    assert_eq!(doubts(&corpus), ["2 of 3 recordings have no transcript and are read without words, as MSP-PODCAST_0001_0002"]);

    let four = msp_podcast::read(tree.path(), MspClasses::Four).unwrap();
    assert_eq!((four.classes, four.other_labels["contempt"]), (["anger", "happiness", "neutral", "sadness"].map(String::from).to_vec(), 1));
    tree.file("Labels/labels_consensus.csv", LABELS.to_owned() + &row(1, "Q", "1", "Train"));
    let line = refusal(&tree, msp_podcast::read(tree.path(), MspClasses::Four));
    assert_eq!(line, "Labels/labels_consensus.csv, line 2: unknown emotion 'Q'; correct it to one of A, C, D, F, H, N, S, U, O, X");
    tree.file("Labels/labels_consensus.csv", LABELS.to_owned() + &rows[0]).file("Transcripts/MSP-PODCAST_0001_0001.txt", b"a\nb\xff\n");
    let line = refusal(&tree, msp_podcast::read(tree.path(), MspClasses::Four));
    assert_eq!(line, "Transcripts/MSP-PODCAST_0001_0001.txt, line 2: is not UTF-8; save the file as UTF-8");
    tree.remove("Labels");
    let line = refusal(&tree, msp_podcast::read(tree.path(), MspClasses::Four));
    assert_eq!(line, "no Labels/labels_consensus.csv under PATH; is it the folder of MSP-Podcast?");
}

#[test]
fn a_folder_is_a_class_and_what_lies_beside_a_recording_is_said_in_it() {
    let tree = Tree::new();
    tree.empty("talk/angry/a01.wav talk/angry/deeper/a02.flac talk/very sad/notes.md")
        .file("talk/very sad/b.wav", "")
        .file("talk/angry/a01.txt", "\u{feff}Go\r\naway!\n");
    let corpus = folders::read(&tree.path().join("talk")).unwrap();
    assert_eq!((corpus.name.as_str(), &corpus.classes[..]), ("talk", &["angry".to_owned(), "very sad".to_owned()][..]));
    assert_eq!(ids(&corpus), ["angry/a01", "angry/deeper/a02", "very sad/b"]);
    assert_eq!((texts(&corpus), splits(&corpus)), (vec!["Go away!", "", ""], vec![None; 3]));
    assert_eq!(doubts(&corpus), ["2 of 3 recordings have no transcript and are read without words, as angry/deeper/a02"]);
    tree.empty("talk/c.wav");
    let beside = ("c", "talk/c.wav: lies in no class' folder; move it into one, or elsewhere".to_owned());
    assert_eq!(left_out(&tree, &folders::read(&tree.path().join("talk")).unwrap()), [beside]);
    tree.empty("talk/angry/a01.mp3");
    assert!(
        refusal(&tree, folders::read(&tree.path().join("talk"))).contains("a01.wav: has the same id, 'angry/a01', as talk/angry/a01.mp3; ")
    );
    tree.empty("bare/notes.txt bare/docs/readme.md");
    assert_eq!(
        refusal(&tree, folders::read(&tree.path().join("bare"))),
        "no folder with recordings under bare; give the folder that holds one for each class"
    );
}

#[test]
fn folders_of_splits_hold_those_of_the_classes() {
    let tree = Tree::new();
    tree.empty("train/calm/a.wav train/angry/a.wav val/calm/a.wav test/angry/b.wav test/loose.wav");
    let corpus = folders::read(tree.path()).unwrap();
    assert_eq!(ids(&corpus), ["test/angry/b", "train/angry/a", "train/calm/a", "val/calm/a"]);
    assert_eq!(labels(&corpus), ["angry", "angry", "calm", "calm"]);
    assert_eq!(splits(&corpus), [Split::Test, Split::Train, Split::Train, Split::Validation].map(Some));
    assert_eq!(corpus.left_out[0].id, "loose");
}
