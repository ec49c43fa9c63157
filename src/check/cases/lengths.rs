//! Lengths of a batch's sequences in the names of cases, and as they are typed.
//!
//! A number by itself is the longest of a batch, `batch=32,lengths=111,ragged`; several are each sequence's own,
//! `lengths=3+0+17`.

use std::fmt;

use crate::base::sizes::{Keys, SizeError};
use crate::dataset::lengths;

/// Sequences of a batch where nothing is said.
const BATCH: usize = 32;

/// Lengths as a case's name has them, `3+0+17`.
pub(super) struct Lengths<'a>(pub &'a [u32]);

impl fmt::Display for Lengths<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, length)| write!(f, "{}{length}", if index == 0 { "" } else { "+" }))
    }
}

/// What a name starts with where there is one sequence: its length would be taken for the longest of several.
pub(super) fn batch_of_one(lengths: &[u32]) -> &'static str {
    if lengths.len() == 1 { "batch=1," } else { "" }
}

/// Rows of sequences of the given lengths.
pub(super) fn total(lengths: &[u32]) -> usize {
    lengths.iter().sum::<u32>() as usize
}

/// Reads the lengths of a batch's sequences; `least` is the shortest of several, `usual` the longest where nothing is typed.
pub(super) fn read_lengths(keys: &mut Keys<'_>, key: &'static str, least: u32, usual: usize) -> Result<Vec<u32>, SizeError> {
    Batch::read(keys, key)?.lengths(keys, key, least, usual)
}

/// A batch of which several kinds of sequences are typed.
#[derive(Clone, Copy)]
pub(super) struct Batch {
    sequences: usize,
    /// Whether lengths are drawn of which only the longest is typed.
    ragged: bool,
}

impl Batch {
    /// Reads how many sequences there are: as many as `first` has lengths where it has several.
    pub(crate) fn read(keys: &mut Keys<'_>, first: &'static str) -> Result<Self, SizeError> {
        let several = keys.peek(first).map(|lengths| lengths.split('+').count()).filter(|&count| count > 1);
        Ok(Self { sequences: keys.number("batch", 1, several.unwrap_or(BATCH))?, ragged: keys.switch("ragged")? })
    }

    /// Reads the lengths of one kind.
    pub(crate) fn lengths(self, keys: &mut Keys<'_>, key: &'static str, least: u32, usual: usize) -> Result<Vec<u32>, SizeError> {
        let Self { sequences, ragged } = self;
        let read = match keys.numbers(key, least)? {
            None => lengths(sequences, usual, 1, ragged),
            Some(longest) if longest.len() == 1 => lengths(sequences, longest[0] as usize, least.max(1) as usize, ragged),
            Some(_) if ragged => return Err(SizeError::Misfit(format!("ragged draws lengths; leave it out, or give {key} one number"))),
            Some(own) if own.len() == sequences => own,
            Some(own) => {
                let count = own.len();
                return Err(SizeError::Misfit(format!("{key}: {count} lengths for a batch of {sequences}; give each sequence one")));
            }
        };
        let key = key.split('|').next().unwrap_or(key);
        let rows: u64 = read.iter().map(|&length| u64::from(length)).sum();
        if rows > u64::from(u32::MAX) {
            return Err(SizeError::Misfit(format!("{key}: {rows} rows are more than kernels count ({}); choose fewer", u32::MAX)));
        }
        if rows == 0 {
            return Err(SizeError::Misfit(format!("{key}: no sequence has a row; give at least one of them some")));
        }
        Ok(read)
    }
}
