//! Sizes as they are typed: `batch=256,frames=1000,words=50,ragged`.

use thiserror::Error;

/// What is wrong with sizes that were typed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SizeError {
    #[error("'{key}' is no size of {of}, which has {known}")]
    Unknown { key: String, of: &'static str, known: String },
    #[error("'{key}' is given twice")]
    Twice { key: String },
    #[error("{key}: '{value}' is no number from {least} to {most}")]
    Number { key: &'static str, value: String, least: usize, most: usize },
    #[error("{key} is a switch and takes no value")]
    Switch { key: &'static str },
    #[error("{0}")]
    Misfit(String),
}

/// Largest size that can be typed; products of two fit into memory's addresses.
const MOST: usize = 1 << 24;

/// Typed sizes, taken one by one; what nobody takes is an error.
pub struct Keys<'t> {
    of: &'static str,
    given: Vec<(&'t str, Option<&'t str>)>,
    known: Vec<String>,
}

impl<'t> Keys<'t> {
    /// Reads sizes of `of`: names with a number, and switches.
    ///
    /// # Errors
    /// [`SizeError::Twice`].
    pub fn parse(text: &'t str, of: &'static str) -> Result<Self, SizeError> {
        let mut given: Vec<(&str, Option<&str>)> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=').map_or((part, None), |(key, value)| (key.trim(), Some(value.trim())));
            if given.iter().any(|&(other, _)| other == key) {
                return Err(SizeError::Twice { key: key.into() });
            }
            given.push((key, value));
        }
        Ok(Self { of, given, known: Vec::new() })
    }

    fn take(&mut self, key: &'static str) -> Option<Option<&'t str>> {
        let place = self.given.iter().position(|&(given, _)| given == key)?;
        Some(self.given.swap_remove(place).1)
    }

    /// A number, at least `least`; `usual` where it is not given.
    ///
    /// # Errors
    /// [`SizeError::Number`].
    pub fn number(&mut self, key: &'static str, least: usize, usual: usize) -> Result<usize, SizeError> {
        self.known.push(format!("{key}=N"));
        let Some(value) = self.take(key) else { return Ok(usual) };
        let value = value.unwrap_or_default();
        let number = value.parse().ok().filter(|number| (least..=MOST).contains(number));
        number.ok_or_else(|| SizeError::Number { key, value: value.into(), least, most: MOST })
    }

    /// Whether a switch is given.
    ///
    /// # Errors
    /// [`SizeError::Switch`].
    pub fn switch(&mut self, key: &'static str) -> Result<bool, SizeError> {
        self.known.push(key.into());
        match self.take(key) {
            None => Ok(false),
            Some(None) => Ok(true),
            Some(Some(_)) => Err(SizeError::Switch { key }),
        }
    }

    /// Says that all sizes are taken.
    ///
    /// # Errors
    /// [`SizeError::Unknown`], with those that there are.
    pub fn finish(self) -> Result<(), SizeError> {
        match self.given.first() {
            None => Ok(()),
            Some(&(key, _)) => Err(SizeError::Unknown { key: key.into(), of: self.of, known: self.known.join(", ") }),
        }
    }
}
