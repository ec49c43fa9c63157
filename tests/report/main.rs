//! `report.html`: what it says of a run, how it fails, and how a real browser shows it.

#[path = "../browser/mod.rs"]
mod chromium;
#[path = "../cli/corpus.rs"]
#[allow(dead_code, reason = "the tests of the commands use all of it")]
mod corpus;
#[path = "../program/mod.rs"]
mod program;

mod browser;
mod content;
mod shown;
mod stage;
