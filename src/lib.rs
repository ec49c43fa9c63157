//! MCSAN
pub mod audio;
pub mod backend;
pub mod config;
pub mod corpus;
pub mod dataset;
pub mod model;
pub mod tape;
pub mod train;
