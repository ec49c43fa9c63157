//! Tokens agree with NLTK's, and files of word vectors become a table or one clear error.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use mcsan::base::remedy;
use mcsan::base::words::WordTable;
use mcsan::corpus::{Split, Utterance, manifest};
use mcsan::text::{OutOfVocabulary, TextError, TextTable, tokenise, vectors};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

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
    assert_eq!(differing, 0, "utterances differ");
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

/// A file that a user has downloaded.
struct Download {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Download {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        Self { path, _folder: folder }
    }

    /// The path with a member's name behind it.
    fn member(&self, name: &str) -> PathBuf {
        format!("{}:{name}", self.path.display()).into()
    }
}

type Vectors = Result<(Vec<String>, WordTable), TextError>;

fn read_at(path: &Path, words: &[&str]) -> Vectors {
    vectors::read(path, &words.iter().map(|&word| word.to_owned()).collect::<BTreeSet<_>>())
}

fn read(content: impl AsRef<[u8]>, words: &[&str]) -> Vectors {
    read_at(&Download::new("vectors.txt", content).path, words)
}

/// The one line that reading was refused with.
fn line(outcome: Vectors) -> String {
    let message = remedy::line(&outcome.unwrap_err());
    println!("{message}");
    assert!(message.contains("vectors") && !message.contains('\n'), "{message}");
    message
}

/// The one line that a file of vectors is refused with.
fn refusal(content: impl AsRef<[u8]>, words: &[&str]) -> String {
    line(read(content, words))
}

fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content.as_ref()).unwrap();
    encoder.finish().unwrap()
}

fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
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
    assert!(refusal("alone\n", &["alone"]).contains("line 1: has 0 numbers, a vector at least 1"));
    assert!(refusal("It was a dark night\n", &[]).contains("line 1: 'was' is not a finite number"));
    assert!(refusal("2 3\na 1 2 3\nb 1 2\n", &[]).contains("line 3: has 2 numbers, its heading announces 3"));
    assert!(refusal("2 3\na 1 2 3 4\n", &[]).contains("line 2: has 4 numbers, its heading announces 3"));
}

#[test]
fn a_file_that_is_no_text_of_vectors_says_what_to_do() {
    assert!(refusal(b"BZh91AY", &[]).contains("is packed (bzip2); unpack it and name the text file"));
    assert!(refusal(b"\xfd7zXZ\0", &[]).contains("is packed (xz); unpack it"));
    assert!(refusal("", &[]).contains("holds no word vectors"));
    assert!(refusal("2 3\n", &[]).contains("holds no word vectors"));
    let binary = [b"3 50\n</s> ".as_slice(), &[0; 200], b"\nb "].concat();
    assert!(refusal(binary, &[]).contains("line 2: is no text; name word vectors as text"));
    assert!(refusal(b"\xff\xfea\0 \x001\0\n\0", &[]).contains("line 1: is no text"));
    assert!(refusal(vec![b'x'; 3 << 20], &[]).contains("line 1: is no text"));
    assert!(vectors::read(Path::new("nowhere.txt"), &BTreeSet::new()).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn vectors_of_every_project_are_read_alike() {
    let table = (vec!["No".into(), "no".into()], WordTable { width: 2, values: vec![0.5, -1.0, 3.0, 4.0] });
    let words = ["No", "no", "yes"];
    for (project, content) in [
        ("GloVe", "the 1 2\nNo 0.5 -1\nno 3 4\nNo 7 7\n"),
        ("word2vec", "3 2\n</s> 0 0\nNo 0.5 -1\nno 3 4"),
        ("fastText", "3 2\n, 0 0 \nNo 0.5 -1 \nno 3.0 4e0 \n"),
        ("spaCy", "the\t1\t2\nNo\t0.5\t-1\nno\t3\t4\n"),
        ("a tab behind the word", "3\t2\nthe\t1 2\nNo\t0.5 -1 \nno\t3 4\t\n"),
        ("columns", "the   1  2\nNo  0.5 -1\nno    3  4\n"),
        ("a Windows editor", "\u{feff}3 2\r\nNo 0.5 -1\r\n\r\nno 3 4\r\n"),
    ] {
        assert_eq!(read(content, &words).unwrap(), table, "{project}");
        assert_eq!(read(gzip(content), &words).unwrap(), table, "{project}, gzip");
        assert_eq!(read(zip(&[("vectors.txt", content)]), &words).unwrap(), table, "{project}, zip");
    }
    let parts = [gzip("the 1 2\nNo 0.5"), gzip(" -1\nno 3 4\n")].concat();
    assert_eq!(read(parts, &words).unwrap(), table, "gzip in parts");
}

#[test]
fn what_stands_in_place_of_vectors_is_named_with_what_mends_it() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    assert!(
        refusal(pointer, &[])
            .ends_with("is a pointer of Git LFS in place of the file; run 'git lfs pull' where it was cloned, or fetch the file itself")
    );
    assert!(refusal(zip(&[("vectors.txt", pointer)]), &[]).contains("vectors.txt:vectors.txt: is a pointer of Git LFS"));
    assert!(refusal("<html><body>404</body></html>", &[]).contains("is a web page in place of the file; fetch the file itself"));
    let wide: Vec<u8> = "\u{feff}a 1 2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(refusal(wide, &[]).contains("line 1: is no text in UTF-8, but UTF-16; save the file as UTF-8"));
    assert!(refusal("a 1 2\rb 3 4\r", &[]).contains("line 1: has carriage returns within it; save the file with a line feed behind each"));
    assert!(refusal("a 1 2\nb 1  \n", &["b"]).contains("line 2: has 1 numbers, the lines before it 2"));
    let widest = format!("a{}\n", " 1".repeat(8193));
    assert!(refusal(gzip(&widest), &["a"]).contains("line 1: vectors of 8193 numbers are none of words, which have at most 8192"));
    assert!(refusal("1 8193\na 1\n", &["a"]).contains("line 1: vectors of 8193 numbers"));
}

#[test]
fn vectors_of_no_word_of_the_corpus_are_refused_and_of_few_are_told() {
    let file = Download::new("vectors.txt", "bonjour 1\nle 2\n");
    let table = |text: &str| TextTable::with_vectors(&[utterance(text, None)], &file.path, OutOfVocabulary::Random);
    let refused = remedy::line(&table("Good morning, good morning").unwrap_err());
    assert!(
        refused.ends_with(
            "has no vector for any of the corpus' 4 different words (morning , Good); name vectors of the corpus' language and spelling"
        ),
        "{refused}"
    );
    assert!(table("").unwrap().vocabulary.is_empty());
    let few = table("Le bonjour, monsieur le ministre").unwrap().missing;
    assert_eq!((few.tokens, few.missing, few.words, few.commonest.len(), few.is_most()), (6, 3, 6, 3, false));
    assert!(table("Le bonjour, monsieur, madame").unwrap().missing.is_most());
}

#[test]
fn an_archive_with_one_text_is_that_text() {
    let junk = ("__MACOSX/._v.txt", "\0\0");
    for members in [
        &[("v.300d.txt", "a 1\n")][..],
        &[("folder/wiki.vec", "1 1\na 1 \n"), ("LICENCE", "free")],
        &[("._v.txt", "\0"), junk, ("v.TXT", "a 1\n")],
        &[("vectors", "a 1\n")],
    ] {
        assert_eq!(read(zip(members), &["a"]).unwrap().1.values, [1.0], "{members:?}");
    }
    assert!(refusal(zip(&[]), &[]).contains("holds no word vectors"));
    assert!(refusal(zip(&[junk]), &[]).contains("holds no word vectors"));
    assert!(refusal(zip(&[("inner.zip", "PK\u{3}\u{4}")]), &[]).contains("vectors.txt:inner.zip: is packed (zip)"));
}

#[test]
fn of_an_archive_with_several_texts_one_must_be_chosen() {
    let archive = Download::new("vectors.zip", zip(&[("glove.50d.txt", "a 1\n"), ("deep/glove.100d.txt", "a 2 3\nb 4\n")]));
    let several = line(read_at(&archive.path, &["a"]));
    let choice = format!("choose one, for example {}:glove.50d.txt", archive.path.display());
    assert!(several.contains("holds several texts (glove.50d.txt, deep/glove.100d.txt)") && several.contains(&choice), "{several}");
    assert_eq!(read_at(&archive.member("glove.50d.txt"), &["a"]).unwrap().1.values, [1.0]);
    let named = line(read_at(&archive.member("glove.100d.txt"), &["a"]));
    assert!(named.contains("vectors.zip:deep/glove.100d.txt, line 2: has 1 numbers"), "{named}");
    let absent = line(read_at(&archive.member("glove.300d.txt"), &["a"]));
    assert!(absent.contains("holds no text 'glove.300d.txt'; choose one of: glove.50d.txt, deep/glove.100d.txt"), "{absent}");
    let plain = Download::new("vectors.txt", "a 1\n");
    assert!(line(read_at(&plain.member("glove.50d.txt"), &["a"])).contains("is no zip archive that could hold 'glove.50d.txt'"));
    if cfg!(unix) {
        // A file of that very name goes first.
        fs::write(archive.member("glove.50d.txt"), "a 9\n").unwrap();
        assert_eq!(read_at(&archive.member("glove.50d.txt"), &["a"]).unwrap().1.values, [9.0]);
    }
}

#[test]
fn a_packed_file_that_is_cut_short_or_damaged_is_refused() {
    let content: String = (0..5000).map(|word| format!("word{word} {} {}\n", word as f32 * 0.37, word % 17)).collect();
    for (kind, whole) in [("gzip", gzip(&content)), ("zip", zip(&[("v.txt", &content)]))] {
        let remedy = format!("its {kind} data are cut short or damaged");
        for length in [12, 40, whole.len() / 2, whole.len() - 1] {
            let cut = refusal(&whole[..length], &["word4999"]);
            assert!(cut.contains(&remedy) && cut.contains("fetch the file again"), "{length} bytes of {kind}: {cut}");
        }
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 0x10;
        let cut = refusal(damaged, &["word4999"]);
        assert!(cut.contains("fetch the file again"), "{kind}: {cut}");
    }
}

#[test]
fn a_word_is_looked_up_as_written_and_then_in_lower_case() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.txt");
    fs::write(&path, "Ross 1\nross 2\nno 3\n. 4\nunused 5\n").unwrap();
    let utterances = [utterance("Ross, NO.", None), utterance("", None), utterance("Xyzzy xyzzy Xyzzy.", None)];
    let table = TextTable::with_vectors(&utterances, &path, OutOfVocabulary::Zero).unwrap();
    assert_eq!(table.vocabulary, [".", "Ross", "no"]);
    assert_eq!(table.vectors, Some(WordTable { width: 1, values: vec![4.0, 1.0, 3.0] }));
    assert_eq!(table.tokens, [1, -1, 2, 0, -1, -1, -1, 0]);
    assert_eq!(table.offsets, [0, 4, 4, 8]);
    assert_eq!((table.missing.tokens, table.missing.missing, table.missing.share()), (8, 4, 0.5));
    assert_eq!(table.missing.commonest, [("Xyzzy".to_owned(), 2), (",".to_owned(), 1), ("xyzzy".to_owned(), 1)]);
}

#[test]
fn missing_words_are_drawn_a_row_each_and_still_counted() {
    let file = Download::new("vectors.txt", "Ross 1 5\nno 3 5\n. 4 5\nunused 5 5\n");
    let utterances = [utterance("Ross, NO.", None), utterance("Xyzzy xyzzy Xyzzy.", None)];
    let build = |utterances: &[Utterance], oov| TextTable::with_vectors(utterances, &file.path, oov).unwrap();
    let (zero, random) = (build(&utterances, OutOfVocabulary::Zero), build(&utterances, OutOfVocabulary::Random));
    assert_eq!((&random.missing, zero.missing.missing, zero.drawn.len()), (&zero.missing, 4, 0));
    assert_eq!(random.vocabulary, [",", ".", "Ross", "Xyzzy", "no", "xyzzy"]);
    assert_eq!(random.tokens, [2, 0, 4, 1, 3, 5, 3, 1]);
    assert_eq!(random.drawn, [",", "Xyzzy", "xyzzy"]);
    let vectors = random.vectors.as_ref().unwrap();
    let row = |word: usize| &vectors.values[2 * word..2 * word + 2];
    assert_eq!([row(1), row(2), row(4)].concat(), [4.0, 5.0, 1.0, 5.0, 3.0, 5.0], "words of the file keep their vectors");
    assert!(row(3)[0] != row(5)[0] && row(3)[0] != row(0)[0], "{vectors:?}");
    // The second component is 5 wherever it is known, so it is 5 where it is drawn.
    assert_eq!([row(0)[1], row(3)[1], row(5)[1]], [5.0; 3]);

    let fewer = [utterance("no Ross. xyzzy plugh", None)];
    let other = build(&fewer, OutOfVocabulary::Random);
    assert_eq!(other.vocabulary, [".", "Ross", "no", "plugh", "xyzzy"]);
    assert_eq!(other.vectors.unwrap().values[8..], *row(5), "a word's vector does not depend on which others are missing");
    let learned = TextTable::learned(&utterances);
    assert!(learned.drawn.is_empty() && learned.vectors.is_none());
}

#[test]
fn utterances_that_are_dropped_take_their_tokens_and_leave_the_vocabulary() {
    let utterances = ["a b", "c", "", "b d e"].map(|text| utterance(text, None));
    let whole = TextTable::learned(&utterances);
    let mut kept = whole.clone();
    kept.retain(&[true, false, true, true]);
    assert_eq!((&kept.tokens[..], &kept.offsets[..]), (&[0, 1, 1, 3, 4][..], &[0, 2, 2, 5][..]));
    assert_eq!((&kept.vocabulary, &kept.missing), (&whole.vocabulary, &whole.missing));
    kept.retain(&[false; 3]);
    assert_eq!((kept.tokens.len(), kept.offsets), (0, vec![0]));
}

#[test]
fn words_to_be_learned_are_those_of_the_training_split() {
    let utterances = [utterance("Oh no", Some(Split::Train)), utterance("oh YES", Some(Split::Test))];
    let table = TextTable::learned(&utterances);
    assert_eq!((table.vocabulary, table.tokens, table.vectors), (vec!["no".into(), "oh".into()], vec![1, 0, 1, -1], None));
    let unsplit = utterances.map(|utterance| Utterance { split: None, ..utterance });
    assert_eq!(TextTable::learned(&unsplit).vocabulary, ["no", "oh", "yes"]);
}

#[test]
fn the_shared_vectors_cover_the_shared_corpus() {
    let (Some(corpus), Some(path)) = (shared("ravdess_meld.csv"), shared("glove/glove.6B.50d.meld.txt")) else { return };
    let table = TextTable::with_vectors(&manifest::read(&corpus).unwrap().utterances, &path, OutOfVocabulary::Zero).unwrap();
    println!("{:.2} % missing: {:?}", 100.0 * table.missing.share(), &table.missing.commonest[..10]);
    assert_eq!(table.vectors.unwrap().width, 50);
    assert!(table.missing.share() < 0.03, "{}", table.missing.share());
}
