//! The file in which timed choices of tiles are kept from one run to the next.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::input;
use crate::base::tiles::TileChoice;

/// A device's choices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TileFile {
    /// Adapter, interface and driver.
    pub device: String,
    /// Of the text of the shaders that were timed.
    pub shaders: String,
    /// What was chosen.
    pub tiles: Vec<TileChoice>,
}

impl TileFile {
    /// Reads such a file; what is none is made anew, so why does not matter.
    pub fn read(path: &Path) -> Option<Self> {
        toml::from_str(&input::text(path).ok()?).ok()
    }
}
