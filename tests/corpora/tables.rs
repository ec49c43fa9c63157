//! Tables as spreadsheets, editors and archives hand them over: read as they are meant, or refused by the line and what is wrong.

use mcsan::corpus::{Corpus, CorpusError, Doubt, manifest::read};

use super::{Tree, refusal};

/// Reads a manifest of these bytes.
fn manifest(content: impl AsRef<[u8]>) -> (Tree, Result<Corpus, CorpusError>) {
    let tree = Tree::new();
    tree.file("talk.csv", content);
    let corpus = read(&tree.path().join("talk.csv"));
    (tree, corpus)
}

/// Text and label of each utterance.
fn pairs(corpus: &Corpus) -> Vec<(&str, &str)> {
    corpus.utterances.iter().map(|utterance| (utterance.text.as_str(), utterance.label.as_str())).collect()
}

/// The line that a manifest of these bytes is refused with, without its name.
fn refused(content: impl AsRef<[u8]>) -> String {
    let (tree, corpus) = manifest(content);
    let line = refusal(&tree, corpus);
    line.strip_prefix("talk.csv").unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[test]
fn fields_may_be_parted_as_spreadsheets_part_them_and_lines_end_as_editors_end_them() {
    let table = "audio,text,label\na.wav,\"Oh, no\",sad\n\nb.wav,Hi,glad\n";
    let unquoted = table.replace("\"Oh, no\"", "Oh, no");
    let utf_8_mark = format!("\u{feff}{table}");
    for content in [
        table.to_owned(),
        unquoted.replace("Oh, no", "Oh- no").replace(',', ";").replace('-', ","),
        unquoted.replace("Oh, no", "Oh- no").replace(',', "\t").replace('-', ","),
        format!("sep=;\r\n{}", unquoted.replace("Oh, no", "Oh- no").replace(',', ";").replace('-', ",")),
        format!("\u{feff}\"sep=,\"\n{table}"),
        table.replace('\n', "\r\n"),
        table.replace('\n', "\r"),
        utf_8_mark,
    ] {
        let (_tree, corpus) = manifest(&content);
        let corpus = corpus.unwrap_or_else(|error| panic!("{content:?}: {error}"));
        assert_eq!(pairs(&corpus), [("Oh, no", "sad"), ("Hi", "glad")], "{content:?}");
        let first = if content.contains("sep=") { 3 } else { 2 };
        assert_eq!((corpus.lines["a"], corpus.lines["b"]), (first, first + 2), "{content:?}");
        assert_eq!(corpus.doubts, []);
    }
}

#[test]
fn names_of_other_case_are_found_whatever_parts_them() {
    let expected = ": has no column 'label' (found: Audio, Text, Label); name 'Label' in the first line 'label'";
    for separator in [",", ";", "\t"] {
        assert_eq!(refused(["Audio,Text,Label", "a.wav,Hi,glad", ""].join("\n").replace(',', separator)), expected);
    }
}

#[test]
fn a_quote_that_is_out_of_place_loses_no_line() {
    let stray = refused("audio,text,label\na.wav,Hi,glad\nb.wav,\"He left,sad\nc.wav,\"Oh, no\",sad\n");
    assert_eq!(
        stray,
        ", line 3: a quote that is opened here and closed in line 4 has text behind it; put the whole text in quotes and write each quote \
         in it twice"
    );
    let escaped = refused("audio,text,label\na.wav,\"He said \\\"no\\\"\",sad\n");
    assert!(escaped.starts_with(", line 2: a quote that is opened here and closed in line 2 has text behind it"), "{escaped}");
    let open = refused("audio;text;label\na.wav;\"Hi;glad\n");
    assert!(open.starts_with(", line 2: a quote is opened here and never closed; put the whole text in quotes"), "{open}");
    let (_tree, meant) = manifest("audio,text,label\na.wav,\"Two\nlines \"\"here\"\"\" ,glad\nb.wav,say \"no\",sad\n");
    let meant = meant.unwrap();
    assert_eq!(pairs(&meant), [("Two\nlines \"here\"", "glad"), ("say \"no\"", "sad")]);
    assert_eq!((meant.lines["b"], &meant.doubts[..]), (4, &[][..]));
    let (tree, joined) = manifest("audio,text,label\na.wav,\"He left,sad\nb.wav,Oh no\",glad\n");
    let path = tree.path().join("talk.csv");
    assert_eq!(joined.unwrap().doubts, [Doubt::Joined { path, line: 2, last: 3 }]);
}

#[test]
fn columns_are_those_that_are_named_and_each_is_one() {
    assert_eq!(
        refused("audio,text,label,text\na.wav,Hi,glad,Ho\n"),
        ", line 1: has two columns 'text'; name one of them otherwise, or remove it"
    );
    assert_eq!(
        refused("audio,text,Label\na.wav,Hi,glad\n"),
        ": has no column 'label' (found: audio, text, Label); name 'Label' in the first line 'label'"
    );
    assert_eq!(
        refused("Audio,text,label\na.wav,Hi,glad\n"),
        ": has no column 'audio' (found: Audio, text, label); name 'Audio' in the first line 'audio'"
    );
    assert_eq!(
        refused("path,words,label\na.wav,Hi,glad\n"),
        ": has no column 'audio' (found: path, words, label); add it to the first line"
    );
    assert_eq!(
        refused("audio;text;label\na.wav;Hi\n"),
        ", line 2: has 2 fields, the first line 3; put text that holds a semicolon in quotes"
    );
    let (tree, corpus) = manifest(",\u{a0}audio ,text,label,,Split\n0,a.wav,Hi,glad,,test\n");
    let corpus = corpus.unwrap();
    assert_eq!((corpus.utterances[0].audio.file_name().unwrap(), corpus.utterances[0].split), ("a.wav".as_ref(), None));
    let path = tree.path().join("talk.csv");
    assert_eq!(corpus.doubts, [Doubt::PassedOver { path, column: "Split".into(), known: "split" }]);
}

#[test]
fn what_is_no_table_of_text_is_named_with_what_mends_it() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 72862\n";
    assert_eq!(
        refused(pointer),
        ": is a pointer of Git LFS in place of the file; run 'git lfs pull' where it was cloned, or fetch the file itself"
    );
    let page = refused("<!DOCTYPE html>\n<title>Sign in</title>");
    assert!(page.starts_with(": is a web page in place of the file; fetch the file itself"), "{page}");
    let wide: Vec<u8> = "\u{feff}audio\ttext\tlabel\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(refused(wide), ": is UTF-16, not a table of text in UTF-8; save it as CSV in UTF-8");
    assert_eq!(refused(b"PK\x03\x04workbook"), ": is a workbook or an archive, not a table of text in UTF-8; save it as CSV in UTF-8");
    assert_eq!(
        refused("audio,text,label\na.wav,Hi\0,glad\n"),
        ": holds NUL bytes, which no text has, not a table of text in UTF-8; save it as CSV in UTF-8"
    );
    // A line of a hundred million letters is refused as any other, and the complaint is short.
    let long = refused(format!("audio,text,label\na.wav,\"Hi\"{}\n", "x".repeat(10_000_000)));
    assert!(long.starts_with(", line 2: a quote"), "{}", &long[..80]);
}

#[test]
fn names_are_trimmed_and_composed_and_those_that_look_alike_are_told() {
    let table = "audio,text,label,id,speaker\na.wav,Hi,\u{a0}caf\u{e9}\u{200b},e\u{301},Anna\n\
                 b.wav,Hi,cafe\u{301},b,anna\nc.wav,Hi,Caf\u{e9},c,bob\n\
                 d.wav,Hi,1,d,bob\ne.wav,Hi,1.0,e,bob\n";
    let (_tree, corpus) = manifest(table);
    let corpus = corpus.unwrap();
    assert_eq!(corpus.classes, ["1", "1.0", "Caf\u{e9}", "caf\u{e9}"]);
    assert_eq!(corpus.utterances[0].id, "\u{e9}");
    let told: Vec<String> = corpus.doubts.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].ends_with(
        "talk.csv: 2 labels look alike and are not the same: \"1\" (line 5), \"1.0\" (line 6); write them alike, if \
                                 they are one"
    ));
    assert!(
        told[1].contains("2 labels look alike and are not the same: \"caf\u{e9}\" (line 2 and 1 more), \"Caf\u{e9}\" (line 4)"),
        "{}",
        told[1]
    );
    assert!(told[2].contains("2 speakers look alike and are not the same: \"Anna\" (line 2), \"anna\" (line 3)"), "{}", told[2]);
    assert_eq!(
        refused("audio,text,label,id\na.wav,Hi,glad,e\u{301}\nb.wav,Hi,glad,\u{e9}\u{a0}\n"),
        ", line 3: the id '\u{e9}' stands in line 2 too; give each utterance its own"
    );
    let many: String = (0..31).map(|class| format!("a{class}.wav,Hi,class{class}\n")).collect();
    let (_tree, corpus) = manifest(format!("audio,text,label\n{many}"));
    let doubts = corpus.unwrap().doubts;
    assert!(matches!(doubts[..], [Doubt::ManyClasses { classes: 31, utterances: 31, .. }]), "{doubts:?}");
}

#[test]
fn one_of_sound_and_words_is_enough() {
    let (_tree, words) = manifest("text,label\nHi,glad\nOh no,sad\n");
    let words = words.unwrap();
    assert!(words.utterances.iter().all(|utterance| utterance.audio.as_os_str().is_empty()));
    assert_eq!(pairs(&words), [("Hi", "glad"), ("Oh no", "sad")]);
    let (_tree, sound) = manifest("audio,label\na.wav,glad\n");
    assert_eq!(pairs(&sound.unwrap()), [("", "glad")]);
    assert_eq!(refused("audio,label\n\u{a0},glad\n"), ", line 2: no audio; fill it in or leave the line out");
}
