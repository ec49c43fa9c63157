//! The suite of each kernel in a file of its name: the paper's shapes (width 128, 8 heads, feed-forward 512, MFCC-40, 300
//! numbers a word), length 1, lengths around the edges of tiles, a batch of one, unequal lengths, and each kernel's own corners;
//! what a random shape is; how far float32 may be; the gradient; what to break in the shader.
//!
//! Where a name says nothing, sizes are those of the paper's network and a batch of 32.

mod entropies;
mod lengths;
mod losses;
mod products;
mod recurrences;
mod settled;
mod spread;
mod steps;

use crate::backend::{kernels, modules};
use crate::base::sizes::{Keys, SizeError};

kernels!(modules);

macro_rules! exports {
    ($($name:ident $kernel:ident<$($parameter:ident),+> $trait:ident)*) => {
        $(pub use $name::*;)*
    };
}
kernels!(exports);

pub(crate) use entropies::{Entropies, Entropy};
pub(crate) use spread::Spread;
pub(crate) use steps::{Rule, Steps};

/// Lengths on either side of the edges of tiles and workgroups.
const EDGES: [usize; 8] = [1, 15, 16, 17, 63, 64, 65, 129];

/// Elements of a buffer of all parameters: those of the paper's network.
const PARAMETERS: usize = 1_628_935;

/// The end of a case's name: the word of what is chosen, where it has one.
fn suffix<T: PartialEq>(words: &[(&str, T)], chosen: T) -> String {
    words.iter().find(|(_, choice)| *choice == chosen).map_or_else(String::new, |(word, _)| format!(",{word}"))
}

/// Reads the largest of values that lie as far on either side of zero, `±3`.
fn read_amplitude(keys: &mut Keys<'_>, key: &'static str, usual: f32) -> Result<f32, SizeError> {
    let amplitude = |text: &str| text.trim_start_matches('±').parse().ok().filter(|&amplitude: &f32| amplitude > 0.0);
    Ok(keys.read(key, "number above 0", amplitude)?.unwrap_or(usual))
}
