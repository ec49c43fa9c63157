//! A manifest whose classes are given.

use mcsan::corpus::manifest::{read, read_with_classes};

use super::{Tree, refusal};

fn names(names: &str) -> Vec<String> {
    names.split(' ').map(str::to_owned).collect()
}

#[test]
fn given_classes_are_the_classes_whether_they_occur_or_not() {
    let tree = Tree::new();
    tree.file("talk.csv", "audio,text,label\na.wav,Hi.,joy\nb.wav,Hi.,anger\n");
    let path = tree.path().join("talk.csv");
    let corpus = read_with_classes(&path, &names("neutral joy anger")).unwrap();
    assert_eq!(corpus.classes, ["anger", "joy", "neutral"]);
    assert_eq!(corpus.labels(), [1, 0]);
    assert_eq!(read(&path).unwrap().classes, ["anger", "joy"]);
}

#[test]
fn a_label_that_is_no_class_is_named_with_the_nearest() {
    let tree = Tree::new();
    tree.file("talk.csv", "audio,text,label\na.wav,Hi.,joy\n\nb.wav,Hi.,Angry\n");
    assert_eq!(
        refusal(&tree, read_with_classes(&tree.path().join("talk.csv"), &names("neutral joy anger"))),
        "talk.csv, line 4: the label 'Angry' is none of the classes, the nearest is 'anger'; correct it, or add it to the classes"
    );
}
