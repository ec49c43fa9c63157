//! The tiles that matrix products are computed with on graphics hardware, as far as they were chosen.
//!
//! All tiles sum in the same order (`shaders/shared/tile.wgsl`), so a choice changes the speed of a run and no bit of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::base::tiles::{ProductClass, Tile, TileChoice};

/// Which tile computes which products.
#[derive(Default)]
pub(super) struct ChosenTiles(RefCell<BTreeMap<ProductClass, Tile>>);

impl ChosenTiles {
    /// Takes choices over those that there are.
    pub(crate) fn take(&self, choices: impl IntoIterator<Item = TileChoice>) {
        self.0.borrow_mut().extend(choices.into_iter().map(|TileChoice { class, tile }| (class, tile)));
    }

    pub(crate) fn get(&self, class: ProductClass) -> Option<Tile> {
        self.0.borrow().get(&class).copied()
    }

    /// All choices.
    pub(crate) fn all(&self) -> Vec<TileChoice> {
        self.0.borrow().iter().map(|(&class, &tile)| TileChoice { class, tile }).collect()
    }
}
