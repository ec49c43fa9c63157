//! Sizes as they are typed and shown: `batch=256,frames=1000,words=50,ragged`.
//!
//! `Keys` takes them one by one, so that what reads a shape also says which sizes there are; what nobody took is an error that
//! names them.

use std::str::FromStr;

use thiserror::Error;

/// What is wrong with sizes that were typed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SizeError {
    /// Nothing has a size of that name here.
    #[error("'{key}' is no size of {of}, which has {known}")]
    Unknown {
        /// The name as it was typed.
        key: String,
        /// What has the sizes: `a batch`, a kernel.
        of: &'static str,
        /// The sizes that it has, as they are typed, between commas.
        known: String,
    },
    /// A size is given once more than it is taken.
    #[error("'{key}' is given twice")]
    Twice {
        /// The name as it was typed.
        key: String,
    },
    /// A size is no number, or one that is not allowed.
    #[error("{key}: '{value}' is no {wanted}")]
    Value {
        /// The name of the size.
        key: String,
        /// What was typed behind `=`; empty where nothing was.
        value: String,
        /// What may stand there, in words.
        wanted: String,
    },
    /// A word that stands by itself is given a value.
    #[error("{key} is a switch and takes no value")]
    Switch {
        /// The name as it was typed.
        key: String,
    },
    /// Sizes that do not go together; this says which and what to do.
    #[error("{0}")]
    Misfit(String),
}

/// Largest size that can be typed; products of two fit into memory's addresses.
const MOST: usize = 1 << 24;

/// Typed sizes, taken one by one; what nobody takes is an error. A key may have other names, `in|inputs`.
pub(crate) struct Keys<'t> {
    of: &'static str,
    given: Vec<(&'t str, Option<&'t str>)>,
    known: Vec<String>,
}

/// Whether `given` is one of a key's names.
fn is_named(names: &str, given: &str) -> bool {
    names.split('|').any(|name| name.eq_ignore_ascii_case(given))
}

impl<'t> Keys<'t> {
    /// Reads sizes of `of`: names with a value, and switches.
    pub(crate) fn parse(text: &'t str, of: &'static str) -> Self {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let pair = |part: &'t str| part.split_once('=').map_or((part, None), |(key, value)| (key.trim_end(), Some(value.trim_start())));
        Self { of, given: parts.map(pair).collect(), known: Vec::new() }
    }

    /// How often a key is given.
    pub(crate) fn count(&self, key: &'static str) -> usize {
        self.given.iter().filter(|(given, _)| is_named(key, given)).count()
    }

    /// The first value of a key, as it was typed, which stays to be taken.
    pub(crate) fn peek(&self, key: &'static str) -> Option<&'t str> {
        self.given.iter().find(|(given, _)| is_named(key, given))?.1
    }

    /// Takes the first of a key, as it was typed.
    fn take(&mut self, key: &'static str) -> Option<(&'t str, Option<&'t str>)> {
        let place = self.given.iter().position(|(given, _)| is_named(key, given))?;
        Some(self.given.remove(place))
    }

    fn learn(&mut self, known: String) {
        if !self.known.contains(&known) {
            self.known.push(known);
        }
    }

    /// A value, which `read` makes of its text; `wanted` says in words which there may be.
    ///
    /// # Errors
    /// [`SizeError::Value`].
    pub(crate) fn read<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, SizeError> {
        self.learn(format!("{key}=N"));
        let Some((key, value)) = self.take(key) else { return Ok(None) };
        let value = value.unwrap_or_default();
        let wrong = || SizeError::Value { key: key.into(), value: value.into(), wanted: wanted.into() };
        read(value).map(Some).ok_or_else(wrong)
    }

    /// A value of which `is_legal`; `usual` where it is not given.
    ///
    /// # Errors
    /// [`SizeError::Value`].
    pub(crate) fn value<T: FromStr>(
        &mut self,
        key: &'static str,
        wanted: &str,
        usual: T,
        is_legal: impl Fn(&T) -> bool,
    ) -> Result<T, SizeError> {
        Ok(self.read(key, wanted, |text| text.parse().ok().filter(is_legal))?.unwrap_or(usual))
    }

    /// A number, at least `least`; `usual` where it is not given.
    ///
    /// # Errors
    /// [`SizeError::Value`].
    pub(crate) fn number(&mut self, key: &'static str, least: usize, usual: usize) -> Result<usize, SizeError> {
        self.value(key, &format!("number from {least} to {MOST}"), usual, |number| (least..=MOST).contains(number))
    }

    /// Numbers between plus signs, `3+0+17`, each at least `least`.
    ///
    /// # Errors
    /// [`SizeError::Value`].
    pub(crate) fn numbers(&mut self, key: &'static str, least: u32) -> Result<Option<Vec<u32>>, SizeError> {
        let number = |text: &str| text.parse().ok().filter(|number| (least..=MOST as u32).contains(number));
        let wanted = format!("number from {least} to {MOST}, nor several with + between them");
        self.read(key, &wanted, |text| text.split('+').map(number).collect())
    }

    /// What the one given of several switches stands for; `usual` where none is.
    ///
    /// # Errors
    /// [`SizeError::Switch`], and [`SizeError::Misfit`] where two are given.
    pub(crate) fn choice<T: Copy>(&mut self, switches: &[(&'static str, T)], usual: T) -> Result<T, SizeError> {
        let mut chosen = None;
        for &(key, meaning) in switches {
            self.learn(key.into());
            let Some((given, value)) = self.take(key) else { continue };
            if value.is_some() {
                return Err(SizeError::Switch { key: given.into() });
            }
            if let Some((other, _)) = chosen.replace((given, meaning)) {
                return Err(SizeError::Misfit(format!("{other} and {given} exclude each other; leave one out")));
            }
        }
        Ok(chosen.map_or(usual, |(_, meaning)| meaning))
    }

    /// Whether a switch is given.
    ///
    /// # Errors
    /// [`SizeError::Switch`].
    pub(crate) fn switch(&mut self, key: &'static str) -> Result<bool, SizeError> {
        self.choice(&[(key, true)], false)
    }

    /// Says that all sizes are taken.
    ///
    /// # Errors
    /// [`SizeError::Twice`]; [`SizeError::Unknown`], with those that there are.
    pub(crate) fn finish(self) -> Result<(), SizeError> {
        let Some(&(key, _)) = self.given.first() else { return Ok(()) };
        let is_known = self.known.iter().any(|known| is_named(known.trim_end_matches("=N"), key));
        let key = key.to_owned();
        Err(if is_known { SizeError::Twice { key } } else { SizeError::Unknown { key, of: self.of, known: self.known.join(", ") } })
    }
}
