//! MCSAN
pub mod audio;
pub mod backend;
pub mod tape;
