//! What lies in a file's place and is not the file: a clone without Git LFS or git-annex, a page that a server sent instead.

use std::fmt::{self, Display, Formatter};

use super::remedy::Remedy;

/// Bytes of a file's beginning by which a stand-in is known.
pub(crate) const HEAD: usize = 256;

/// What was found in a file's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandIn {
    /// A Git LFS pointer: `version https://git-lfs.github.com/spec/v1` and the file's hash.
    LfsPointer,
    /// A git-annex pointer: the path of the file's key.
    AnnexPointer,
    /// HTML, as servers send it for what is gone or asks for a login.
    WebPage,
}

impl StandIn {
    /// Tells it by a file's first bytes, [`HEAD`] or fewer.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
        let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        if begins(b"version https://git-lfs") {
            Some(Self::LfsPointer)
        } else if begins(b"/annex/objects/") {
            Some(Self::AnnexPointer)
        } else if begins(b"<!doctype html") || begins(b"<html") {
            Some(Self::WebPage)
        } else {
            None
        }
    }

    /// What brings the file itself.
    pub(crate) fn remedy(self) -> Remedy {
        Remedy::advice(match self {
            Self::LfsPointer => "run 'git lfs pull' in the clone, or fetch the file itself from its source",
            Self::AnnexPointer => "run 'git annex get' in the clone, or fetch the file itself from its source",
            Self::WebPage => "open it in a browser to see what it says, and fetch the file itself",
        })
    }
}

impl Display for StandIn {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LfsPointer => "a Git LFS pointer",
            Self::AnnexPointer => "a git-annex pointer",
            Self::WebPage => "a web page",
        })
    }
}
