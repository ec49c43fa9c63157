//! `report.html`: what it says of a run, how it fails, and how a real browser shows it.

mod browser;
mod content;
mod shown;
mod stage;
