//! MCSAN
pub mod audio;
pub mod backend;
pub mod check;
pub mod cli;
pub mod config;
pub mod corpus;
pub mod demo;
pub mod dataset;
pub mod model;
pub mod prepare;
pub mod tape;
pub mod text;
pub mod train;
