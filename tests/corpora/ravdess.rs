//! RAVDESS becomes a corpus.

use std::collections::BTreeSet;

use mcsan::corpus::ravdess::read;

use super::{Tree, ids, left_out, recordings, refusal, shared};

#[test]
fn names_say_speaker_sentence_and_emotion() {
    let tree = Tree::new();
    let emotions: String = (1..=8).map(|emotion| format!("Actor_24/03-01-{emotion:02}-01-01-02-24.wav ")).collect();
    tree.empty(&emotions).empty("Actor_02/03-01-06-02-02-01-02.flac Actor_02/.DS_Store Actor_02/._03-01-06-02-02-01-02.flac README.txt");
    let corpus = read(tree.path()).unwrap();
    assert_eq!(corpus.name, "ravdess");
    assert_eq!(corpus.classes, ["angry", "calm", "disgust", "fearful", "happy", "neutral", "sad", "surprised"]);
    let labels: Vec<_> = corpus.utterances.iter().map(|utterance| utterance.label.as_str()).collect();
    assert_eq!(labels, ["neutral", "calm", "happy", "sad", "angry", "fearful", "fearful", "disgust", "surprised"]);
    assert_eq!(recordings(&corpus)[6], "Actor_02/03-01-06-02-02-01-02.flac", "by id, not by folder");
    let [first, ..] = &corpus.utterances[..] else { panic!("some") };
    assert_eq!((first.speaker.as_deref(), first.text.as_str()), (Some("actor24"), "Kids are talking by the door"));
    let genders = [&corpus.utterances[0], &corpus.utterances[6]].map(|utterance| corpus.genders[&utterance.id].as_str());
    assert_eq!(genders, ["female"; 2], "actors of even numbers are women");
    let dogs = &corpus.utterances[6];
    assert_eq!((dogs.speaker.as_deref(), dogs.text.as_str()), (Some("actor02"), "Dogs are sitting by the door"));
    assert_eq!((&dogs.split, &dogs.session, &dogs.dialogue), (&None, &None, &None));
}

#[test]
fn songs_and_videos_are_counted_and_passed_over() {
    let tree = Tree::new();
    tree.empty("a/03-01-01-01-01-01-01.mp3 a/03-02-01-01-01-01-01.wav a/01-01-01-01-01-01-01.mp4 a/02-02-01-01-01-01-01.mp4");
    let corpus = read(tree.path()).unwrap();
    assert_eq!(ids(&corpus), ["03-01-01-01-01-01-01"]);
    assert_eq!((corpus.other_labels["song"], corpus.other_labels["video"], &corpus.left_out[..]), (1, 2, &[][..]));
    tree.remove("a/03-01-01-01-01-01-01.mp3");
    assert_eq!(
        refusal(&tree, read(tree.path())),
        "no recording named 03-01-EE-II-SS-RR-AA under PATH (passed over: 1 song, 2 video); is it the folder of RAVDESS?"
    );
}

#[test]
fn recordings_of_other_names_are_left_out_with_the_reason() {
    let tree = Tree::new();
    tree.empty("03-01-01-01-01-01-01.wav 03-01-09-01-01-01-01.wav 03-01-01-01-01-01-25.wav 03-01-01-01-01-01.wav notes.txt");
    tree.empty(
        "03-01-01-03-01-01-01.wav 03-01-01-01-03-01-01.wav 03-01-01-01-01-03-01.wav 04-01-01-01-01-01-01.wav 03-01-01-01-01-01-+1.wav",
    );
    let corpus = read(tree.path()).unwrap();
    let reasons: Vec<String> = left_out(&tree, &corpus)
        .into_iter()
        .map(|(id, reason)| {
            let reason = reason.strip_prefix(&format!("{id}.wav: is not named 03-01-EE-II-SS-RR-AA (")).unwrap().to_owned();
            reason.strip_suffix("); rename it or move it elsewhere").unwrap().to_owned()
        })
        .collect();
    let expected = [
        "it has 6 fields, not 7",
        "actor '+1' is none of 01 to 24",
        "actor '25' is none of 01 to 24",
        "repetition '03' is none of 01 02",
        "sentence '03' is none of 01 02",
        "intensity '03' is none of 01 02",
        "emotion '09' is none of 01 02 03 04 05 06 07 08",
        "modality '04' is none of 01 02 03",
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn an_archive_unpacked_twice_is_refused_with_both_files() {
    let tree = Tree::new();
    tree.empty("Actor_01/03-01-01-01-01-01-01.wav audio_speech_actors_01-24/Actor_01/03-01-01-01-01-01-01.wav");
    assert_eq!(
        refusal(&tree, read(tree.path())),
        "audio_speech_actors_01-24/Actor_01/03-01-01-01-01-01-01.wav: has the same id, '03-01-01-01-01-01-01', as \
         Actor_01/03-01-01-01-01-01-01.wav; remove one of the two files, or give a folder that holds one of them"
    );
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_a_circle_of_them_ends() {
    let tree = Tree::new();
    tree.empty("disk/Actor_01/03-01-01-01-01-01-01.wav corpus/README.txt");
    std::os::unix::fs::symlink(tree.path().join("disk/Actor_01"), tree.path().join("corpus/Actor_01")).unwrap();
    std::os::unix::fs::symlink(tree.path().join("corpus"), tree.path().join("corpus/again")).unwrap();
    std::os::unix::fs::symlink(tree.path().join("gone"), tree.path().join("corpus/03-01-02-01-01-01-01.wav")).unwrap();
    assert_eq!(ids(&read(&tree.path().join("corpus")).unwrap()), ["03-01-01-01-01-01-01"]);
}

#[test]
fn another_folder_is_refused() {
    let tree = Tree::new();
    tree.empty("one.wav two.txt");
    assert_eq!(refusal(&tree, read(tree.path())), "no recording named 03-01-EE-II-SS-RR-AA under PATH; is it the folder of RAVDESS?");
    assert!(read(&tree.path().join("nowhere")).unwrap_err().to_string().contains("nowhere: cannot be read"));
}

#[test]
fn the_published_recordings_are_read_whole() {
    let Some(folder) = shared("ravdess") else { return };
    let corpus = read(&folder).unwrap();
    let speakers: BTreeSet<_> = corpus.utterances.iter().map(|utterance| utterance.speaker.as_deref()).collect();
    let of = |label: &str| corpus.utterances.iter().filter(|utterance| utterance.label == label).count();
    assert_eq!((corpus.utterances.len(), speakers.len(), of("neutral"), of("calm")), (1440, 24, 96, 192));
    assert_eq!((&corpus.left_out[..], corpus.other_labels.len()), (&[][..], 0));
}
