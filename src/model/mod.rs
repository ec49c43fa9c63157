//! The network: parameters, layers, MCSAN and its variants.

pub mod batch;
pub mod cost;
pub mod layers;
pub mod mcsan;
pub mod parameters;

pub use batch::Batch;
pub use mcsan::{Dimensions, Mcsan};
