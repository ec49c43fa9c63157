//! Tokens agree with NLTK's, and files of word vectors become a table or one clear error.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mcsan::corpus::{Split, Utterance, manifest};
use mcsan::dataset::WordTable;
use mcsan::text::{TextError, TextTable, tokenise, vectors};

/// Of MELD's 11,098 training and validation utterances, how many may be tokenised otherwise than by NLTK 3.10: three do,
/// where Punkt, a trained model, ends a sentence elsewhere.
const DIFFERING_UTTERANCES: usize = 3;

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if !path.exists() {
        println!("skipped: ../shared/data/{name} is not here");
        return None;
    }
    Some(path)
}

#[test]
fn the_transcripts_of_meld_are_tokenised_as_by_nltk() {
    let Some(path) = shared("meld/tokens.train-dev.jsonl") else { return };
    let content = fs::read_to_string(path).unwrap();
    let mut differing = 0;
    for line in content.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let expected: Vec<&str> = entry["tokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
        let tokens = tokenise(entry["text"].as_str().unwrap());
        if tokens != expected {
            differing += 1;
            println!("ours   {}\nNLTK's {}\n", tokens.join("|"), expected.join("|"));
        }
    }
    println!("{differing} of {} utterances differ", content.lines().count());
    assert!(differing <= DIFFERING_UTTERANCES, "{differing} utterances differ");
}

proptest::proptest! {
    #[test]
    fn any_text_gives_tokens_without_white_space(text in "[ a-z'`\"“”.,:;!?(\\-0-9ßé\u{a0}\u{85}\n]{0,40}") {
        for token in tokenise(&text) {
            proptest::prop_assert!(!token.is_empty() && !token.contains(char::is_whitespace), "{text:?}: {token:?}");
        }
    }
}

fn utterance(text: &str, split: Option<Split>) -> Utterance {
    Utterance {
        id: String::new(),
        audio: PathBuf::new(),
        text: text.into(),
        label: "n".into(),
        split,
        speaker: None,
        session: None,
        dialogue: None,
    }
}

fn read(content: impl AsRef<[u8]>, words: &[&str]) -> Result<(Vec<String>, WordTable), TextError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.txt");
    fs::write(&path, content).unwrap();
    vectors::read(&path, &words.iter().map(|&word| word.to_owned()).collect::<BTreeSet<_>>())
}

/// The one line that a file of vectors is refused with.
fn refusal(content: impl AsRef<[u8]>, words: &[&str]) -> String {
    let message = read(content, words).unwrap_err().to_string();
    assert!(message.contains("vectors.txt") && !message.contains('\n'), "{message}");
    message
}

#[test]
fn tokens_with_odd_white_space_are_words_like_any_other() {
    let content = "the 1 2\nto\u{a0}day 3 4\nx\u{85} 5 6\n. . . 7 8\nthe 9 9\r\nend 1e-2 -.5 \n";
    let (words, table) = read(content, &["the", "to\u{a0}day", "x\u{85}", ". . .", "end", "absent"]).unwrap();
    assert_eq!(words, [". . .", "end", "the", "to\u{a0}day", "x\u{85}"]);
    assert_eq!(table, WordTable { width: 2, values: vec![7.0, 8.0, 0.01, -0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0] });
}

#[test]
fn a_heading_and_words_that_are_no_utf_8_are_passed_over() {
    let (words, table) = read(b"2 3\nca\xff\xfe 1 2 3\nb 4 5 6", &["b", "2"]).unwrap();
    assert_eq!((words, table), (vec!["b".into()], WordTable { width: 3, values: vec![4.0, 5.0, 6.0] }));
}

#[test]
fn a_faulty_line_is_named() {
    assert!(refusal("a 1 2\nb 1\n", &["a"]).contains("line 2: has 1 numbers, the lines before it 2"));
    assert!(refusal("a 1 2\nb 1 2 3\n", &["a"]).contains("line 2: has 3 numbers"));
    assert!(refusal("a 1 2\nb 1 x2\n", &["b"]).contains("line 2: 'x2' is not a finite number"));
    assert!(refusal("a 1 2\nb 1 nan\n", &["b"]).contains("line 2: 'nan' is not a finite number"));
    assert!(refusal("alone\n", &["alone"]).contains("line 1: has 0 numbers"));
}

#[test]
fn a_file_that_is_no_text_of_vectors_says_what_to_do() {
    assert!(refusal(b"\x1f\x8b\x08\0", &[]).contains("is packed (gzip); unpack it"));
    assert!(refusal(b"PK\x03\x04\0", &[]).contains("is packed (zip); unpack it"));
    assert!(refusal("", &[]).contains("holds no word vectors"));
    assert!(vectors::read(Path::new("nowhere.txt"), &BTreeSet::new()).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn a_word_is_looked_up_as_written_and_then_in_lower_case() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.txt");
    fs::write(&path, "Ross 1\nross 2\nno 3\n. 4\nunused 5\n").unwrap();
    let utterances = [utterance("Ross, NO.", None), utterance("", None), utterance("Xyzzy xyzzy Xyzzy.", None)];
    let table = TextTable::build(&utterances, Some(&path)).unwrap();
    assert_eq!(table.vocabulary, [".", "Ross", "no"]);
    assert_eq!(table.vectors, Some(WordTable { width: 1, values: vec![4.0, 1.0, 3.0] }));
    assert_eq!(table.tokens, [1, -1, 2, 0, -1, -1, -1, 0]);
    assert_eq!(table.offsets, [0, 4, 4, 8]);
    assert_eq!((table.missing.tokens, table.missing.missing, table.missing.share()), (8, 4, 0.5));
    assert_eq!(table.missing.commonest, [("Xyzzy".to_owned(), 2), (",".to_owned(), 1), ("xyzzy".to_owned(), 1)]);
}

#[test]
fn words_to_be_learned_are_those_of_the_training_split() {
    let utterances = [utterance("Oh no", Some(Split::Train)), utterance("oh YES", Some(Split::Test))];
    let table = TextTable::build(&utterances, None).unwrap();
    assert_eq!((table.vocabulary, table.tokens, table.vectors), (vec!["no".into(), "oh".into()], vec![1, 0, 1, -1], None));
    let unsplit = utterances.map(|utterance| Utterance { split: None, ..utterance });
    assert_eq!(TextTable::build(&unsplit, None).unwrap().vocabulary, ["no", "oh", "yes"]);
}

#[test]
fn the_shared_vectors_cover_the_shared_corpus() {
    let (Some(corpus), Some(path)) = (shared("ravdess_meld.csv"), shared("glove/glove.6B.50d.meld.txt")) else { return };
    let table = TextTable::build(&manifest::read(&corpus, None).unwrap().utterances, Some(&path)).unwrap();
    println!("{:.2} % missing: {:?}", 100.0 * table.missing.share(), &table.missing.commonest[..10]);
    assert_eq!(table.vectors.unwrap().width, 50);
    assert!(table.missing.share() < 0.03, "{}", table.missing.share());
}
