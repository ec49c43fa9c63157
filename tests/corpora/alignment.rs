//! When words are said: an aligner's files, matched with tokens.

use mcsan::base::remedy::line;
use mcsan::corpus::Alignment;
use mcsan::corpus::iemocap::{IemocapClasses, read};
use mcsan::corpus::manifest;
use mcsan::text::tokenise;

use super::Tree;

/// As Sphinx writes it: a heading, silences, another pronunciation, the sum of the scores.
const SPHINX: &str = "\tSFrm\tEFrm\tSegAScr\tWord\n\t0\t4\t-9871\t<s>\n\t5\t14\t-301\tEXCUSE(2)\n\t15\t19\t-44\t++BREATH++\n\
                      \t20\t29\t-500\tME\n\t30\t31\t-3\t</s>\n Total score:\t-10719\n";

fn times(tree: &Tree, file: &str, text: &str) -> Option<Vec<[f32; 2]>> {
    Alignment::read(&tree.path().join(file)).unwrap().times(&tokenise(text))
}

#[test]
fn tokens_have_the_times_of_the_words_that_they_are_written_of() {
    let tree = Tree::new();
    tree.file("a.wdseg", SPHINX);
    assert_eq!(times(&tree, "a.wdseg", "Excuse me!").unwrap(), [[0.05, 0.15], [0.2, 0.3], [0.3, 0.3]]);
    assert_eq!(times(&tree, "a.wdseg", "Excuse you!"), None);
    assert_eq!(times(&tree, "a.wdseg", "Excuse me, me"), None);
    // A word of several tokens, a token of several words, and tokens without letters.
    tree.file("b.csv", "start;end;word\n0.5;1;I\n1;2;DON'T\n2;2.5;\n3;3.5;gon\n3.5;4;na\n");
    let tokens = tokenise("\"I don't gonna.");
    assert_eq!(tokens[1..4], ["I", "do", "n't"]);
    let all = [[0.5, 0.5], [0.5, 1.0], [1.0, 1.5], [1.5, 2.0], [3.0, 3.5], [3.5, 4.0], [4.0, 4.0]];
    assert_eq!(times(&tree, "b.csv", "\"I don't gonna.").unwrap(), all, "{tokens:?}");
}

#[test]
fn times_that_cannot_be_are_refused_with_their_line() {
    let tree = Tree::new();
    let refused = |file: &str, content: &str| {
        tree.file(file, content);
        let message = line(&Alignment::read(&tree.path().join(file)).unwrap_err());
        message.replace(&format!("{}/", tree.path().display()), "").split(';').next().unwrap_or_default().to_owned()
    };
    let csv = |rows: &str| refused("a.csv", &format!("word,start,end\n{rows}"));
    assert_eq!(csv("go,0,0.2\naway,0.5,0.4\n"), "a.csv, line 3: 'away' ends at 0.4 s, before it begins at 0.5 s");
    assert_eq!(csv("go,1,2\naway,0.5,3\n"), "a.csv, line 3: 'away' begins at 0.5 s, before the word in line 2 does");
    assert_eq!(csv("go,-1,2\n"), "a.csv, line 2: start '-1' is no number of seconds from 0");
    assert_eq!(csv("go,1,NaN\n"), "a.csv, line 2: end 'NaN' is no number of seconds from 0");
    assert_eq!(refused("a.csv", "word,start\ngo,1\n"), "a.csv: has no column 'end' (found: word, start)");
    assert_eq!(refused("a.wdseg", "SFrm EFrm SegAScr Word\n0 x -3 GO\n"), "a.wdseg, line 2: is not 'first frame, last frame, score, word'");
}

#[test]
fn iemocaps_times_are_found_where_they_are_and_a_manifest_names_others() {
    let tree = Tree::new();
    let id = "Ses01F_impro01_F000";
    tree.file("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", format!("[6.2 - 8.2]\t{id}\tneu\t[2.5, 2.5, 2.5]\n"))
        .file("Session1/dialog/transcriptions/Ses01F_impro01.txt", format!("{id} [006.2-008.2]: Excuse me.\n"))
        .empty(&format!("Session1/sentences/wav/Ses01F_impro01/{id}.wav"));
    assert!(read(tree.path(), IemocapClasses::Seven).unwrap().alignments.is_empty());
    let file = format!("Session1/sentences/ForcedAlignment/Ses01F_impro01/{id}.wdseg");
    tree.file(&file, SPHINX);
    assert_eq!(read(tree.path(), IemocapClasses::Seven).unwrap().alignments[id], tree.path().join(&file));
    tree.file("talk.csv", "id,audio,text,label,align\na,a.wav,Hi,joy,a.csv\nb,b.wav,Hi,joy,\n");
    let alignments = manifest::read(&tree.path().join("talk.csv")).unwrap().alignments;
    assert_eq!(alignments.into_iter().collect::<Vec<_>>(), [("a".into(), tree.path().join("a.csv"))]);
}
