//! Claims: of the processes that work in one folder, which one trains a run, and which one gathers results.
//!
//! A claim is two things. A lock of the operating system on a file `.lock`, which ends with the process, however that ends. And, since
//! file systems that several machines share may know no locks, or each machine its own, a file that says who holds the folder and is
//! touched while that one lives (`sign.rs`): what nobody touches any more is taken over.

#[cfg(target_arch = "wasm32")]
mod alone;
#[cfg(not(target_arch = "wasm32"))]
mod holder;
#[cfg(not(target_arch = "wasm32"))]
mod locked;
#[cfg(not(target_arch = "wasm32"))]
mod sign;

#[cfg(target_arch = "wasm32")]
pub(crate) use alone::Claim;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use locked::Claim;

/// Who has a folder instead.
pub(crate) enum Taken {
    By(Claim),
    /// In words.
    Elsewhere(String),
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Holds,
    /// The folder was removed or moved away.
    Gone,
    /// Another process has taken the folder over.
    Lost,
}
