//! What a file is in place of what was asked for, told by its first bytes: the remedy is then one for that.

use std::fmt::{self, Display, Formatter};

/// A file that stands where another should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// What Git has in place of a file that Git LFS keeps elsewhere.
    LfsPointer,
    /// What Git has in place of a file that git-annex keeps elsewhere.
    AnnexPointer,
    /// What a server answered in place of the file, or a page that was saved in place of what it leads to.
    WebPage,
}

/// How files begin that are no recording, table or list of vectors, in lower case.
const MARKS: [(&[u8], Foreign); 8] = [
    (b"version https://git-lfs.github.com/spec/", Foreign::LfsPointer),
    (b"version https://hawser.github.com/spec/", Foreign::LfsPointer),
    (b"/annex/objects/", Foreign::AnnexPointer),
    (b"../.git/annex/objects/", Foreign::AnnexPointer),
    (b"<!doctype", Foreign::WebPage),
    (b"<html", Foreign::WebPage),
    (b"<head", Foreign::WebPage),
    (b"<?xml", Foreign::WebPage),
];

impl Foreign {
    /// What a file is that begins like this; `None` where that is not known.
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let begins = |mark: &[u8]| head.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark));
        MARKS.into_iter().find(|(mark, _)| begins(mark)).map(|(_, foreign)| foreign)
    }

    /// How to come by the file itself.
    pub(crate) fn mend(self) -> &'static str {
        match self {
            Self::LfsPointer => "run 'git lfs pull' where it was cloned, or fetch the file itself",
            Self::AnnexPointer => "run 'git annex get' where it was cloned, or fetch the file itself",
            Self::WebPage => "fetch the file itself, which the page may lead to",
        }
    }
}

impl Display for Foreign {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::LfsPointer => "is a pointer of Git LFS in place of the file",
            Self::AnnexPointer => "is a pointer of git-annex in place of the file",
            Self::WebPage => "is a web page in place of the file",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_place_of_a_file_is_known_and_what_is_asked_for_is_not() {
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
        assert_eq!(Foreign::of(pointer), Some(Foreign::LfsPointer));
        assert_eq!(Foreign::of(b"/annex/objects/SHA256E-s9--00.wav\n"), Some(Foreign::AnnexPointer));
        for page in ["\u{feff}\r\n<!DOCTYPE html>", "<HTML lang=de>", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"] {
            assert_eq!(Foreign::of(page.as_bytes()), Some(Foreign::WebPage), "{page}");
        }
        for other in [&b"audio,text,label\n"[..], b"<unk> 0.1 0.2\n", b"version 1 2\n", b"RIFF", b""] {
            assert_eq!(Foreign::of(other), None, "{other:?}");
        }
    }
}
