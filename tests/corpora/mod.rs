//! Corpora in the layouts in which their archives unpack, with the oddities that are known of each. The trees are made
//! here; the recordings in them are empty, since loaders look for recordings and do not decode them.

mod alignment;
mod command;
mod cremad;
mod emobox;
mod emodb;
mod iemocap;
mod listed;
mod manifest;
mod meld;
mod named;
mod published;
mod ravdess;
mod split;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use mcsan::base::remedy::line;
use mcsan::corpus::{Corpus, CorpusError};

/// A folder with files, removed at the end of the test.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a file and the folders it lies in.
    fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Empty files, named one after another with spaces between.
    fn empty(&self, paths: &str) -> &Self {
        paths.split_whitespace().for_each(|path| {
            self.file(path, "");
        });
        self
    }

    fn remove(&self, path: &str) -> &Self {
        let path = self.0.path().join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn ids(corpus: &Corpus) -> Vec<&str> {
    corpus.utterances.iter().map(|utterance| utterance.id.as_str()).collect()
}

/// The recordings, relative to the corpus' folder.
fn recordings(corpus: &Corpus) -> Vec<String> {
    let relative = |path: &PathBuf| path.strip_prefix(&corpus.root).unwrap().to_string_lossy().replace('\\', "/");
    corpus.utterances.iter().map(|utterance| relative(&utterance.audio)).collect()
}

/// What is left out: each id with its reason, which is one line and names a file that lies in the tree.
fn left_out<'a>(tree: &Tree, corpus: &'a Corpus) -> Vec<(&'a str, String)> {
    let inside = format!("{}/", tree.path().display());
    let shorten = |reason: &str| {
        assert!(reason.starts_with(&inside) && reason.contains("; ") && !reason.contains('\n'), "names the file and the remedy: {reason}");
        reason.replace(&inside, "")
    };
    corpus.left_out.iter().map(|left_out| (left_out.id.as_str(), shorten(&left_out.reason))).collect()
}

/// The one line that a corpus is refused with, without the tree's own path.
fn refusal(tree: &Tree, result: Result<Corpus, CorpusError>) -> String {
    let message = line(&result.unwrap_err());
    let place = tree.path().display().to_string();
    assert!(message.contains(&place) && !message.contains('\n'), "names the file in one line: {message}");
    message.replace(&format!("{place}/"), "").replace(&place, "PATH")
}

/// The data that lie beside the repository, where they do.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: ../shared/data/{name} is not here");
    None
}
