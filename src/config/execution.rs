//! Where and how fast a run computes: settings that decide none of its results.

use serde::{Deserialize, Serialize};

use crate::base::choice::choices;
use crate::base::setting::{Kind, SettingType, settings};
use crate::base::tiles::TileChoice;

choices! {
    /// What chooses tiles.
    pub enum TileRule {
        /// Timed on graphics hardware, fixed on software adapters.
        Auto = "auto",
        /// Each is timed where its product first comes.
        Timed = "timed",
        /// By the sizes of the product alone.
        Fixed = "fixed",
    }
}

/// How the tiles of matrix products are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Tiles {
    /// By a rule.
    By(TileRule),
    /// These, and the others as by [`TileRule::Auto`].
    Chosen(Vec<TileChoice>),
}

impl SettingType for Tiles {
    const KIND: Kind = Kind::Text;
}

settings! {
    /// Where and how fast a run computes.
    pub struct Execution in "run" {
        /// where to compute: auto (graphics hardware, or without it the CPU reference), cpu (the reference), an adapter's index, or a part of its name
        device: String = "auto".into(); words("auto, cpu, an index or a part of a name in quotes"), flag("DEVICE"), resumable;
        /// how the tiles of matrix products on graphics hardware are chosen, which changes no result: timed once and kept in the
        /// user's cache folder, or fixed; auto times on graphics hardware alone; a run lists what was timed
        tiles: Tiles = Tiles::By(TileRule::Auto);
            words("auto, timed, fixed or a list of choices like [\"forward 8192x128x512 128x64\"]"), flag("CHOICE"), resumable;
    }
}
