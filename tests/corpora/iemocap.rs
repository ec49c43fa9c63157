//! IEMOCAP_full_release becomes a corpus.

use std::path::Path;

use mcsan::base::remedy::line;
use mcsan::corpus::Split;
use mcsan::corpus::iemocap::{IemocapClasses, OtherEmotions, read, read_with};

use super::{Tree, ids, left_out, recordings, refusal};

const LABELS: &str = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt";
const TRANSCRIPT: &str = "Session1/dialog/transcriptions/Ses01F_impro01.txt";

/// A label file: the heading, then for each utterance its line and what raters said of it.
fn labels(utterances: &[(&str, &str)]) -> String {
    let block = |(id, code): &(&str, &str)| {
        format!(
            "[6.2901 - 8.2357]\t{id}\t{code}\t[2.5000, 2.5000, 2.5000]\n\
             C-E2:\tNeutral;\t()\nC-E3:\tAnger; Sadness;\t(tired)\nA-E3:\tval 3; act 2; dom  2;\t()\n\n"
        )
    };
    format!("% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n{}", utterances.iter().map(block).collect::<String>())
}

/// One dialog of session 1 with an utterance of each kind of label.
fn dialog() -> Tree {
    let tree = Tree::new();
    let said = [
        ("Ses01F_impro01_F000", "neu"),
        ("Ses01F_impro01_F001", "hap"),
        ("Ses01F_impro01_F002", "exc"),
        ("Ses01F_impro01_M000", "fru"),
        ("Ses01F_impro01_M001", "xxx"),
        ("Ses01F_impro01_M002", "ang"),
        ("Ses01F_impro01_M003", "sur"),
        ("Ses01F_impro01_M004", "fea"),
        ("Ses01F_impro01_M005", "sad"),
        ("Ses01F_impro01_M006", "xxx"),
        ("Ses01F_impro01_M007", "dis"),
        ("Ses01F_impro01_M008", "oth"),
    ];
    let lines: String = said.iter().map(|(id, _)| format!("{id} [006.2901-008.2357]: Excuse me.\n")).collect();
    tree.file(LABELS, labels(&said)).file(TRANSCRIPT, lines);
    for (id, _) in said {
        tree.empty(&format!("Session1/sentences/wav/Ses01F_impro01/{id}.wav"));
    }
    tree
}

#[test]
fn utterances_of_other_emotions_can_be_ones_without_label() {
    let corpus = read_with(dialog().path(), IemocapClasses::Four, OtherEmotions::Unlabelled).unwrap();
    let unlabelled: Vec<_> = corpus.utterances.iter().filter(|utterance| utterance.split == Some(Split::Unlabelled)).collect();
    assert_eq!((corpus.utterances.len(), unlabelled.len(), corpus.other_labels.len()), (12, 7, 0));
    assert!(unlabelled.iter().all(|utterance| utterance.label.is_empty()));
    assert_eq!(corpus.labels().iter().filter(|&&label| label < 0).count(), 7);
}

#[test]
fn seven_classes_are_the_papers_and_the_others_are_counted() {
    let corpus = read(dialog().path(), IemocapClasses::Seven).unwrap();
    assert_eq!(corpus.name, "iemocap");
    assert_eq!(corpus.classes, ["anger", "excitement", "frustration", "happiness", "neutral", "sadness", "surprise"]);
    let found: Vec<_> = corpus.utterances.iter().map(|utterance| utterance.label.as_str()).collect();
    assert_eq!(found, ["neutral", "happiness", "excitement", "frustration", "anger", "surprise", "sadness"]);
    let others: Vec<_> = corpus.other_labels.iter().map(|(label, count)| (label.as_str(), *count)).collect();
    assert_eq!(others, [("disgust", 1), ("fear", 1), ("no agreement", 2), ("other", 1)]);
    assert_eq!(corpus.left_out, []);
}

#[test]
fn four_classes_count_excitement_as_happiness() {
    let corpus = read(dialog().path(), IemocapClasses::Four).unwrap();
    assert_eq!(corpus.classes, ["anger", "happiness", "neutral", "sadness"]);
    let found: Vec<_> = corpus.utterances.iter().map(|utterance| (&utterance.id[15..], utterance.label.as_str())).collect();
    let expected = [("F000", "neutral"), ("F001", "happiness"), ("F002", "happiness"), ("M002", "anger"), ("M005", "sadness")];
    assert_eq!(found, expected);
    assert_eq!((corpus.other_labels["frustration"], corpus.other_labels["surprise"]), (1, 1));
}

#[test]
fn the_speaker_is_the_letter_of_the_last_field_and_not_that_of_the_dialog() {
    let tree = dialog();
    let corpus = read(tree.path(), IemocapClasses::Seven).unwrap();
    let [first, .., last] = &corpus.utterances[..] else { panic!("some") };
    assert_eq!((first.speaker.as_deref(), last.speaker.as_deref()), (Some("Ses01F"), Some("Ses01M")));
    assert_eq!((first.session.as_deref(), first.dialogue.as_deref(), first.split), (Some("1"), Some("Ses01F_impro01"), None));
    assert_eq!(recordings(&corpus)[0], "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav");
}

#[test]
fn transcripts_hold_times_tags_latin_1_and_lines_of_other_people() {
    let tree = dialog();
    let lines = b"Ses01F_impro01_F000 [006.2901-008.2357]: Note]: the time is 6:30.\r\n\
        M: sorry\n\
        Ses01F_impro01_MXX0 [008.0000-009.0000]: Yeah.\n\
        Ses01F_impro01_FXX12 [008.0000-009.0000]: Yeah.\n\
        Ses01F_impro01_F001 [011.3800-014.0000]: [LAUGHTER] That's  [GARBAGE] a caf\xe9. [BREATHING]\n\
        Ses01F_impro01_F002 [015.0000-016.0000]: [LAUGHTER]\n\
        Ses01F_impro01_M000 [016.0000-017.0000]: na\xc3\xafve [so\n\
        \n\
        Ses01F_impro01_M002 [017.0000-018.0000]: Again.\n\
        Ses01F_impro01_M002 [017.0000-018.0000]: Again.\n\
        Ses01F_impro01_M003 [017.0000-018.0000]: Oh.\n\
        Ses01F_impro01_M005 [017.0000-018.0000]: No.\n";
    tree.file(TRANSCRIPT, lines);
    let corpus = read(tree.path(), IemocapClasses::Seven).unwrap();
    let texts: Vec<&str> = corpus.utterances.iter().map(|utterance| utterance.text.as_str()).collect();
    assert_eq!(texts, ["Note]: the time is 6:30.", "That's a caf\u{e9}.", "", "na\u{ef}ve [so", "Again.", "Oh.", "No."]);
    assert_eq!(corpus.left_out, []);
}

#[test]
fn only_the_label_files_directly_in_their_folder_are_read() {
    let tree = dialog();
    let sole = read(tree.path(), IemocapClasses::Seven).unwrap();
    tree.file("Session1/dialog/EmoEvaluation/._Ses01F_impro01.txt", "[\0\u{1}Mac OS X")
        .file("Session1/dialog/EmoEvaluation/Categorical/Ses01F_impro01_e2_cat.txt", "[1 - 2]\tnothing")
        .file("Session1/dialog/EmoEvaluation/Attribute/Ses01F_impro01_e2_atr.txt", "[1 - 2]\tnothing")
        .file("Session1/dialog/EmoEvaluation/Self-evaluation/Ses01F_impro01_f1_cat.txt", "[1 - 2]\tnothing")
        .file("Session1/dialog/EmoEvaluation/notes.doc", "[1 - 2]\tnothing")
        .empty("Session1/sentences/wav/Ses01F_impro01/._Ses01F_impro01_F000.wav Documentation/._x README.txt");
    assert_eq!(read(tree.path(), IemocapClasses::Seven).unwrap(), sole);
}

#[test]
fn utterances_come_by_session_dialog_and_id() {
    let tree = Tree::new();
    for (session, dialog, ids) in
        [(5, "Ses05M_script01_1b", ["M001", "F000"]), (5, "Ses05F_impro02", ["M000", "F010"]), (2, "Ses02F_impro01", ["M000", "F000"])]
    {
        let ids = ids.map(|id| format!("{dialog}_{id}"));
        let folder = format!("Session{session}/dialog");
        tree.file(&format!("{folder}/EmoEvaluation/{dialog}.txt"), labels(&[(&ids[0], "neu"), (&ids[1], "sad")]));
        tree.file(&format!("{folder}/transcriptions/{dialog}.txt"), ids.each_ref().map(|id| format!("{id} [1-2]: Yes.\n")).concat());
        ids.iter().for_each(|id| {
            tree.empty(&format!("Session{session}/sentences/wav/{dialog}/{id}.wav"));
        });
    }
    let corpus = read(tree.path(), IemocapClasses::Four).unwrap();
    let expected = [
        "Ses02F_impro01_F000",
        "Ses02F_impro01_M000",
        "Ses05F_impro02_F010",
        "Ses05F_impro02_M000",
        "Ses05M_script01_1b_F000",
        "Ses05M_script01_1b_M001",
    ];
    assert_eq!(ids(&corpus), expected);
    assert_eq!(corpus.utterances[4].speaker.as_deref(), Some("Ses05F"), "the dialog's letter is M");
    assert_eq!(corpus.classes.len(), 4, "part of the corpus has the classes of the whole");
}

#[test]
fn an_utterance_without_transcript_or_recording_is_left_out_by_name() {
    let tree = dialog();
    tree.remove("Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F001.wav")
        .remove("Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M008.wav")
        .file(
            TRANSCRIPT,
            "Ses01F_impro01_F000 [1-2]: Yes.\nSes01F_impro01_F001 [1-2]: Yes.\nSes01F_impro01_M000 [1-2]: Yes.\n\
             Ses01F_impro01_M002 [1-2]: Yes.\nSes01F_impro01_M000 [1-2]: No.\n",
        );
    let corpus = read(tree.path(), IemocapClasses::Four).unwrap();
    assert_eq!(ids(&corpus), ["Ses01F_impro01_F000", "Ses01F_impro01_M002"]);
    let no_line = |id: &str| format!("{TRANSCRIPT}: has no line '{id} [start-end]: text'; restore it from the archive");
    let no_file = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F001.wav: no such file; unpack it from the archive";
    let expected = [
        ("Ses01F_impro01_F001", no_file.to_owned()),
        ("Ses01F_impro01_F002", no_line("Ses01F_impro01_F002")),
        ("Ses01F_impro01_M005", no_line("Ses01F_impro01_M005")),
    ];
    assert_eq!(left_out(&tree, &corpus), expected, "only those of the chosen classes");

    let corpus = read(tree.path(), IemocapClasses::Seven).unwrap();
    let twice = left_out(&tree, &corpus).into_iter().find(|(id, _)| *id == "Ses01F_impro01_M000").unwrap().1;
    assert_eq!(twice, format!("{TRANSCRIPT}, line 5: says other words for Ses01F_impro01_M000 than line 3; remove one of the two lines"));
}

#[test]
fn a_dialog_without_its_recordings_or_its_transcript_is_left_out() {
    let tree = dialog();
    let id = "Ses01M_impro01_F000";
    tree.file("Session1/dialog/EmoEvaluation/Ses01M_impro01.txt", labels(&[(id, "neu")]));
    let corpus = read(tree.path(), IemocapClasses::Seven).unwrap();
    let reason = "Session1/dialog/transcriptions/Ses01M_impro01.txt: no such file; unpack it from the archive";
    assert_eq!(left_out(&tree, &corpus), [(id, reason.to_owned())]);

    tree.file("Session1/dialog/transcriptions/Ses01M_impro01.txt", format!("{id} [1-2]: Yes.\n"));
    let corpus = read(tree.path(), IemocapClasses::Seven).unwrap();
    let reason = "Session1/sentences/wav/Ses01M_impro01: no such folder; unpack it from the archive";
    assert_eq!(left_out(&tree, &corpus), [(id, reason.to_owned())]);

    tree.remove(LABELS);
    let message = refusal(&tree, read(tree.path(), IemocapClasses::Seven));
    assert_eq!(message, format!("PATH: none of its 1 utterances can be used; the first, {id}: {reason}"));
}

#[test]
fn an_utterance_that_is_labelled_twice_is_refused_with_both_places() {
    let tree = dialog();
    tree.file("Session1/dialog/EmoEvaluation/Ses01F_impro01 copy.txt", labels(&[("Ses01F_impro01_F001", "hap")]));
    assert_eq!(
        refusal(&tree, read(tree.path(), IemocapClasses::Seven)),
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt, line 8: the id 'Ses01F_impro01_F001' stands in \
         Session1/dialog/EmoEvaluation/Ses01F_impro01 copy.txt, line 3 too; remove one of the two lines"
    );
}

#[test]
fn a_label_line_that_cannot_be_understood_is_named() {
    let faulty = |line: &str| {
        let tree = dialog();
        tree.file(LABELS, format!("% heading\n\n{line}\n"));
        refusal(&tree, read(tree.path(), IemocapClasses::Seven)).replace(LABELS, "FILE")
    };
    assert_eq!(
        faulty("[1 - 2]\tSes01F_impro01_F000\tjoy\t[1, 1, 1]"),
        "FILE, line 3: unknown emotion 'joy'; correct it to one of ang, dis, exc, fea, fru, hap, neu, oth, sad, sur, xxx"
    );
    assert_eq!(
        faulty("[1 - 2] Ses01F_impro01_F000 neu"),
        "FILE, line 3: is not '[start - end]<TAB>utterance<TAB>emotion'; restore the line from the archive"
    );
    assert_eq!(
        faulty("[1 - 2]\tSes01F_impro01_000\tneu\t[1, 1, 1]"),
        "FILE, line 3: the id 'Ses01F_impro01_000' does not end in _F or _M and a number, which name the speaker; restore the line from \
         the archive"
    );
}

#[test]
fn another_folder_is_refused() {
    let tree = Tree::new();
    tree.empty("Session6/dialog/EmoEvaluation/x.txt");
    assert_eq!(refusal(&tree, read(tree.path(), IemocapClasses::Seven)), "no Session1..5 under PATH; is it IEMOCAP_full_release?");
    let missing = line(&read(Path::new("nowhere/at/all"), IemocapClasses::Seven).unwrap_err());
    assert!(
        missing.starts_with("nowhere/at/all: cannot be read ") && missing.ends_with("; check the path and its permissions"),
        "{missing}"
    );

    let tree = Tree::new();
    tree.empty("Session2/dialog/transcriptions/x.txt");
    assert!(refusal(&tree, read(tree.path(), IemocapClasses::Seven)).starts_with("Session2/dialog/EmoEvaluation: cannot be read "));
    tree.empty("Session2/dialog/EmoEvaluation/x.txt");
    assert_eq!(
        refusal(&tree, read(tree.path(), IemocapClasses::Seven)),
        "no label in the files of Session1..5/dialog/EmoEvaluation; unpack the corpus again"
    );
    tree.file("Session2/dialog/EmoEvaluation/x.txt", labels(&[("Ses02F_x_F000", "xxx"), ("Ses02F_x_F001", "fea")]));
    assert_eq!(
        refusal(&tree, read(tree.path(), IemocapClasses::Seven)),
        "PATH: none of its utterances has one of the classes (it has 1 fear, 1 no agreement); choose other classes"
    );
}

#[test]
fn the_folder_that_holds_the_release_will_do() {
    let tree = Tree::new();
    let id = "Ses03F_impro01_M000";
    tree.file("IEMOCAP_full_release/Session3/dialog/EmoEvaluation/Ses03F_impro01.txt", labels(&[(id, "ang")]))
        .file("IEMOCAP_full_release/Session3/dialog/transcriptions/Ses03F_impro01.txt", format!("{id} [1-2]: No!\n"))
        .empty("IEMOCAP_full_release/Session3/sentences/wav/Ses03F_impro01/Ses03F_impro01_M000.wav");
    let corpus = read(tree.path(), IemocapClasses::Seven).unwrap();
    assert_eq!((ids(&corpus), corpus.root.ends_with("IEMOCAP_full_release")), (vec![id], true));
}
