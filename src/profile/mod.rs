//! Where the time of a step goes.

mod keys;
mod shape;

pub use keys::SizeError;
pub use shape::{Shape, lengths};
