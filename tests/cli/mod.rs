//! Every command as a process: what it prints, what it writes, how it fails.
//!
//! Most run on `--device cpu`, which is fast at these sizes; [`chain`] goes through all of them on an adapter too.

mod against;
mod aligning;
mod augmenting;
mod chain;
mod checking;
mod claims;
mod commands;
mod comparing;
pub mod corpus;
mod devices;
mod doubts;
mod effects;
mod experiments;
mod exporting;
mod failures;
mod figures;
mod front_ends;
mod fuzzed;
#[cfg(target_os = "linux")]
mod injected;
mod inputs;
mod mapping;
mod matrix;
mod other_systems;
mod overwriting;
mod own_features;
mod predicting;
mod preparing;
mod presenting;
mod profiling;
mod ranks;
mod resuming;
mod seeds;
mod segmenting;
mod several;
mod sharding;
mod stopping;
mod sweeping;
mod tiles;
mod tokens;
pub mod training;
mod tuning;
mod unlabelled;
mod values;
mod versions;
