//! Which cases are run: some kernels' lists, a part of them, or random ones without end.

use thiserror::Error;

use super::{Case, Kernel};
use crate::base::philox::Stream;
use crate::base::remedy::{Remedied, Remedy};

/// Kernels or cases that do not exist.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SelectionError {
    #[error("there is no kernel '{name}', the nearest is '{nearest}'")]
    UnknownKernel { name: String, nearest: &'static str },
    #[error("no case of {kernels} has '{text}' in its name")]
    NoCase { text: String, kernels: String },
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
    for name in names {
        let similarity = |kernel: &Kernel| strsim::jaro_winkler(kernel.name(), name);
        if Kernel::ALL.iter().all(|kernel| kernel.name() != name) {
            let nearest = Kernel::ALL.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
            return Err(SelectionError::UnknownKernel { name: name.clone(), nearest: nearest.map_or("", |kernel| kernel.name()) });
        }
    }
    let is_named = |kernel: &&Kernel| names.is_empty() || names.iter().any(|name| kernel.name() == name);
    Ok(Kernel::ALL.iter().filter(is_named).copied().collect())
}

/// The listed cases of some kernels; with `text` those of exactly that name, or else those that have it in their names.
///
/// # Errors
/// [`SelectionError::NoCase`] where there are none.
pub fn select(kernels: &[Kernel], text: Option<&str>) -> Result<Vec<Case>, SelectionError> {
    let cases: Vec<Case> = kernels.iter().flat_map(|kernel| kernel.cases()).collect();
    let Some(text) = text else { return Ok(cases) };
    let (exact, others): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|case| case.name() == text);
    if !exact.is_empty() {
        return Ok(exact);
    }
    let named: Vec<Case> = others.into_iter().filter(|case| case.name().contains(text)).collect();
    if named.is_empty() {
        let kernels = kernels.iter().map(|kernel| kernel.name()).collect::<Vec<_>>().join(", ");
        return Err(SelectionError::NoCase { text: text.into(), kernels });
    }
    Ok(named)
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
