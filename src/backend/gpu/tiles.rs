//! Which tile computes which product on graphics hardware: known from before, found by timing, or fixed by a rule.
//!
//! All tiles sum in the same order (`shaders/shared/tile.wgsl`), so a choice changes the speed of a run and no bit of it.

use std::collections::BTreeMap;

use super::device::Gpu;
use crate::backend::Clock;
use crate::base::tiles::{ProductClass, Tile, TileChoice};

/// What a device knows of its tiles.
#[derive(Default)]
pub(super) struct Tiles {
    chosen: BTreeMap<ProductClass, Tile>,
    clock: Option<Clock>,
}

impl Gpu {
    /// Takes choices that were made before, over those that it has.
    pub fn take_tiles(&self, choices: impl IntoIterator<Item = TileChoice>) {
        self.tiles.borrow_mut().chosen.extend(choices.into_iter().map(|TileChoice { class, tile }| (class, tile)));
    }

    /// Times the tiles wherever a product comes that no choice is known for, and keeps the fastest. That waits for the
    /// device in the midst of recording; without a clock a rule chooses.
    pub fn time_tiles(&self, clock: Clock) {
        self.tiles.borrow_mut().clock = Some(clock);
    }

    /// The choices so far.
    pub(super) fn chosen_tiles(&self) -> Vec<TileChoice> {
        self.tiles.borrow().chosen.iter().map(|(&class, &tile)| TileChoice { class, tile }).collect()
    }

    /// The tile for a product, where there is a reason to depart from the one that the rule chose; `record` records the
    /// product with a given tile, any number of times.
    pub(super) fn tile_for(&self, ruled: TileChoice, record: impl Fn(Tile)) -> Tile {
        let TileChoice { class, tile } = ruled;
        if let Some(&known) = self.tiles.borrow().chosen.get(&class) {
            return known;
        }
        let Some(clock) = self.tiles.borrow_mut().clock.take() else { return tile };
        let fastest = self.fastest(&clock, record);
        let mut tiles = self.tiles.borrow_mut();
        tiles.clock = Some(clock);
        if self.fault.get().is_some() {
            return tile;
        }
        tiles.chosen.insert(class, fastest);
        fastest
    }

    fn fastest(&self, clock: &Clock, record: impl Fn(Tile)) -> Tile {
        let time = |tile: Tile, repeats: usize| {
            let begin = clock();
            (0..repeats).for_each(|_| record(tile));
            self.send();
            self.wait();
            (clock() - begin) / repeats as f64
        };
        // What was recorded before must not count, nor these runs in a profile.
        self.send();
        self.wait();
        let profiler = self.profiler.take();
        let least = |tile: Tile| {
            time(tile, 1);
            let repeats = ((SPAN / time(tile, 1)) as usize).clamp(1, MOST_REPEATS);
            (0..TRIES).map(|_| time(tile, repeats)).fold(f64::INFINITY, f64::min)
        };
        let times = Tile::ALL.map(least);
        *self.profiler.borrow_mut() = profiler;
        let best = (0..times.len()).min_by(|&a, &b| times[a].total_cmp(&times[b])).unwrap_or(0);
        Tile::ALL[best]
    }
}

/// Nanoseconds that a try is to take, so that what a submission costs does not decide.
const SPAN: f64 = 1e6;
const MOST_REPEATS: usize = 32;
const TRIES: usize = 3;
