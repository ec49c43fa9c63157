//! A manifest becomes a corpus or one clear error.

use std::fs;
use std::path::Path;

use mcsan::base::remedy::line;
use mcsan::corpus::{Corpus, CorpusError, Split, manifest};

fn read(content: impl AsRef<[u8]>) -> Result<Corpus, CorpusError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk.csv");
    fs::write(&path, content).unwrap();
    manifest::read(&path)
}

/// The one line that a manifest is refused with.
fn refusal(content: impl AsRef<[u8]>) -> String {
    let message = line(&read(content).unwrap_err());
    assert!(message.contains("talk.csv") && !message.contains('\n'), "{message}");
    message
}

#[test]
fn every_column_reaches_the_utterance() {
    let corpus = read(
        "\u{feff}label,speaker,audio,text,split,session,dialogue,id,mood\r\n\
         sad,Ann,a/b.wav,\"No, \"\"never\"\".\nNever.\",validation,1,d1,u1,7\r\n\
         glad,,/c.flac,, ,,,,\r\n",
    )
    .unwrap();
    assert_eq!(corpus.name, "talk");
    assert_eq!(corpus.classes, ["glad", "sad"]);
    assert_eq!(corpus.labels(), [1, 0]);
    let [first, second] = &corpus.utterances[..] else { panic!("two utterances") };
    assert_eq!((first.id.as_str(), first.text.as_str(), first.split), ("u1", "No, \"never\".\nNever.", Some(Split::Validation)));
    assert_eq!((first.speaker.as_deref(), first.session.as_deref(), first.dialogue.as_deref()), (Some("Ann"), Some("1"), Some("d1")));
    assert!(first.audio.ends_with("a/b.wav") && first.audio.is_absolute(), "relative to the manifest");
    assert_eq!((second.id.as_str(), second.text.as_str(), second.split, &second.speaker), ("c", "", None, &None));
    assert_eq!(second.audio, Path::new("/c.flac"));
}

#[test]
fn utterances_without_an_id_get_one_of_their_own() {
    let corpus = read("id,audio,text,label\n,x/a.wav,,n\n,y/a.wav,,n\na-2,z/b.wav,,n\n,w/a.wav,,n\n").unwrap();
    let ids: Vec<&str> = corpus.utterances.iter().map(|utterance| utterance.id.as_str()).collect();
    assert_eq!(ids, ["a", "a-3", "a-2", "a-4"]);
}

#[test]
fn a_faulty_line_is_named() {
    assert!(refusal("audio,text,label\na.wav,x,n\nb.wav,y\n").contains("line 3: has 2 fields, the first line 3"));
    assert!(refusal("audio,text,label,split\na.wav,\"x\ny\",n,dev\n").contains("line 2: unknown split 'dev'"));
    assert!(refusal("audio,text,label\na.wav,x,n\n\nb.wav,y,\n").contains("line 4: no label"));
    assert!(refusal("audio,text,label\r\na.wav,x,n\r\nb.wav,y,\r\n").contains("line 3: no label"));
    assert!(refusal("audio,text,label\r\na.wav,x,n\r\nb.wav,y\r\n").contains("line 3: has 2 fields"));
    assert!(refusal("audio,text,label\n,x,n\n").contains("line 2: no audio"));
    assert!(refusal("id,audio,text,label\nu,a.wav,x,n\nu,b.wav,y,n\n").contains("line 3: the id 'u' stands in line 2 too"));
    assert!(refusal(b"audio,text,label\na.wav,caf\xe9,n\n").contains("line 2: is not UTF-8"));
    assert!(refusal(b"audio,te\xe9t,label\n").contains("line 1: is not UTF-8"));
}

#[test]
fn a_faulty_file_is_named() {
    assert!(refusal("audio,text\na.wav,n\n").contains("no column 'label' (found: audio, text)"));
    assert!(refusal("").contains("no column 'label'"));
    assert!(refusal("audio,text,label\n").contains("holds no utterances"));
    let missing = line(&manifest::read(Path::new("nowhere/talk.csv")).unwrap_err());
    assert!(missing.contains("nowhere/talk.csv") && missing.contains("cannot be read"), "{missing}");
}

#[test]
fn the_shared_manifest_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/ravdess_meld.csv");
    if !path.exists() {
        println!("skipped: ../shared/data/ravdess_meld.csv is not here");
        return;
    }
    let corpus = manifest::read(&path).unwrap();
    let of = |split| corpus.utterances.iter().filter(|utterance| utterance.split == Some(split)).count();
    assert_eq!((corpus.utterances.len(), corpus.classes.len()), (1248, 7));
    assert_eq!(Split::ALL.map(of), [936, 156, 156]);
    assert!(corpus.utterances.iter().all(|utterance| utterance.audio.exists()));
}
