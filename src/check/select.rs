//! Which cases are run: some kernels' lists, a part of them, any other of their shapes, or random ones without end.

use std::str::FromStr;

use thiserror::Error;

use super::{Case, Kernel};
use crate::base::philox::Stream;
use crate::base::remedy::{Remedied, Remedy};
use crate::base::sizes::SizeError;

/// Kernels or cases that do not exist.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SelectionError {
    /// No kernel has the name.
    #[error("there is no kernel '{name}', the nearest is '{nearest}'")]
    UnknownKernel {
        /// As it was asked for.
        name: String,
        /// The kernel with the most similar name.
        nearest: &'static str,
    },
    /// Of several kernels none has such a case.
    #[error("no case of {kernels} has '{text}' in its name")]
    NoCase {
        /// A part of a name, or sizes, as it was asked for.
        text: String,
        /// The names of the kernels, between commas.
        kernels: String,
    },
    /// A kernel has no such case and does not take such sizes.
    #[error("no case of {kernel} has '{text}' in its name, nor are these its sizes: {reason}")]
    NoShape {
        /// A part of a name, or sizes, as it was asked for.
        text: String,
        /// The name of the kernel.
        kernel: &'static str,
        /// What is wrong with the text as sizes.
        reason: SizeError,
    },
}

impl FromStr for Kernel {
    type Err = SelectionError;

    fn from_str(name: &str) -> Result<Self, SelectionError> {
        if let Some(kernel) = Self::ALL.iter().find(|kernel| kernel.name() == name) {
            return Ok(*kernel);
        }
        let similarity = |kernel: &Self| strsim::jaro_winkler(kernel.name(), name);
        let nearest = Self::ALL.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        Err(SelectionError::UnknownKernel { name: name.into(), nearest: nearest.map_or("", |kernel| kernel.name()) })
    }
}

impl Remedied for SelectionError {
    fn remedies(&self) -> Vec<Remedy> {
        vec![Remedy::ListCases]
    }
}

/// The kernels of the given names, in the order of the model; without a name all.
///
/// # Errors
/// [`SelectionError::UnknownKernel`] with the nearest name.
pub fn kernels_named(names: &[String]) -> Result<Vec<Kernel>, SelectionError> {
    let named = names.iter().map(|name| name.parse()).collect::<Result<Vec<Kernel>, _>>()?;
    Ok(Kernel::ALL.iter().filter(|kernel| named.is_empty() || named.contains(kernel)).copied().collect())
}

/// The case of some kernels whose name is exactly `text`, listed or not, or else the listed ones that have it in their names (with
/// an empty text all), or else the cases of these sizes and of what they leave out ([`Kernel::case`]).
///
/// # Errors
/// [`SelectionError::NoCase`] where there are none, of a single kernel [`SelectionError::NoShape`].
pub fn select(kernels: &[Kernel], text: &str) -> Result<Vec<Case>, SelectionError> {
    let (mut read, mut refused) = (Vec::new(), None);
    for kernel in kernels {
        match kernel.case(text) {
            Ok(case) => read.push(case),
            Err(reason) => refused = Some((kernel, reason)),
        }
    }
    if read.iter().any(|case| case.name() == text) {
        read.retain(|case| case.name() == text);
        return Ok(read);
    }
    let listed = kernels.iter().flat_map(|kernel| kernel.cases());
    let partly: Vec<Case> = listed.filter(|case| case.name().contains(text)).collect();
    if !partly.is_empty() {
        return Ok(partly);
    }
    match refused {
        _ if !read.is_empty() => Ok(read),
        Some((kernel, reason)) if kernels.len() == 1 => Err(SelectionError::NoShape { text: text.into(), kernel: kernel.name(), reason }),
        _ => {
            let kernels = kernels.iter().map(|kernel| kernel.name()).collect::<Vec<_>>().join(", ");
            Err(SelectionError::NoCase { text: text.into(), kernels })
        }
    }
}

/// Random cases of some kernels in turn, without end; each is [`Kernel::random_case`] of the seed that it carries.
pub fn fuzz(kernels: &[Kernel], seed: u64) -> impl Iterator<Item = Case> {
    let stream = Stream { seed, stream: 0 };
    let seeds = (0..).map(move |number| {
        let [high, low, ..] = stream.block(number);
        u64::from(high) << 32 | u64::from(low)
    });
    kernels.iter().copied().cycle().zip(seeds).map(|(kernel, seed)| kernel.random_case(seed))
}
