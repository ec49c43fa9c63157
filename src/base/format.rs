//! Versions of the files that this program writes and reads again: each says of which kind it is and of which version of that,
//! `mcsan-folds/1`.
//!
//! A change that an older program would misread raises the version; its reader then reads the older ones, too, and is tested with a file
//! of each. What says nothing is of version 1: some kinds said nothing at first.

use std::fmt::{self, Display, Formatter};

use serde::Deserialize;
use thiserror::Error;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    pub name: &'static str,
    /// As it is written now; each from 1 on is read.
    pub version: u32,
}

/// A file of a version that only a newer program reads.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("was written by a newer {} (version {found} of {name}; this one reads up to {known})", env!("CARGO_PKG_NAME"))]
pub struct Newer {
    /// The kind of file.
    pub name: &'static str,
    /// Its version, as the file says it.
    pub found: u64,
    /// The newest version that is read.
    pub known: u32,
}

impl Format {
    pub(crate) const fn new(name: &'static str, version: u32) -> Self {
        Self { name, version }
    }

    /// The version that a file says by `said`; `None` where it is of another kind.
    pub(crate) fn version_of(&self, said: &str) -> Result<Option<u32>, Newer> {
        let version = said.strip_prefix(self.name).and_then(|rest| rest.strip_prefix('/')?.parse::<u64>().ok());
        match version {
            Some(found) if found > self.version.into() => Err(Newer { name: self.name, found, known: self.version }),
            version => Ok(version.filter(|&version| version > 0).and_then(|version| version.try_into().ok())),
        }
    }

    /// The version of a file that need not say it; one of another kind is left to its reader, which misses something else.
    pub(crate) fn version_or_first(&self, said: Option<&str>) -> Result<u32, Newer> {
        Ok(said.map_or(Ok(None), |said| self.version_of(said))?.unwrap_or(1))
    }

    /// The version of a JSON document by its field `format`, which it need not have.
    pub(crate) fn version_of_json(&self, text: &str) -> Result<u32, Newer> {
        /// Whatever else is in it.
        #[derive(Deserialize)]
        struct Head {
            format: String,
        }
        self.version_or_first(serde_json::from_str::<Head>(text).ok().as_ref().map(|head| head.format.as_str()))
    }
}

impl Display for Format {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_up_to_the_own_is_read_and_a_newer_one_is_named() {
        let format = Format::new("mcsan-folds", 2);
        assert_eq!(format.to_string(), "mcsan-folds/2");
        assert_eq!([1, 2].map(|version| format.version_of(&format!("mcsan-folds/{version}"))), [Ok(Some(1)), Ok(Some(2))]);
        let newer = format.version_of("mcsan-folds/3").unwrap_err();
        assert_eq!(newer.to_string(), "was written by a newer mcsan (version 3 of mcsan-folds; this one reads up to 2)");
        assert!(format.version_of("mcsan-folds/99999999999").is_err());
        for other in ["", "mcsan-folds", "mcsan-folds/", "mcsan-folds/0", "mcsan-folds/-1", "mcsan-foldsx/3", "mcsan-dataset/3", "/3"] {
            assert_eq!(format.version_of(other), Ok(None), "{other}");
        }
    }

    #[test]
    fn a_document_that_says_nothing_is_of_the_first_version() {
        let format = Format::new("mcsan-test", 4);
        for (text, version) in [("{}", 1), ("[", 1), (r#"{"format":3}"#, 1), (r#"{"wa":[],"format":"mcsan-test/3"}"#, 3)] {
            assert_eq!(format.version_of_json(text), Ok(version), "{text}");
        }
        assert!(format.version_of_json(r#"{"format":"mcsan-test/5","wa":0.5}"#).is_err());
        assert_eq!(format.version_or_first(None), Ok(1));
    }
}
