//! Which tile computes which product on graphics hardware: known from before, found by timing, or fixed by a rule.
//!
//! All tiles sum in the same order (`shaders/shared/tile.wgsl`), so a choice changes the speed of a run and no bit of it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::device::Gpu;
use crate::backend::Clock;

/// The tiles of `shaders/shared/tile.wgsl`, from the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tile {
    /// 128 × 128
    Large,
    /// 128 × 64
    Tall,
    /// 64 × 64 by 64 invocations
    Square,
    /// 64 × 64 by 128 invocations
    Narrow,
    /// 32 × 32
    Small,
}

impl Tile {
    pub const ALL: [Self; 5] = [Self::Large, Self::Tall, Self::Square, Self::Narrow, Self::Small];

    /// As choices are written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Large => "128x128",
            Self::Tall => "128x64",
            Self::Square => "64x64",
            Self::Narrow => "64x64-narrow",
            Self::Small => "32x32",
        }
    }
}

/// A product of `linear`, by its entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    Forward,
    BackwardInput,
    BackwardWeight,
}

impl Form {
    pub const ALL: [Self; 3] = [Self::Forward, Self::BackwardInput, Self::BackwardWeight];

    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::BackwardInput => "backward_input",
            Self::BackwardWeight => "backward_weight",
        }
    }
}

/// Products that are computed alike: rows count up to the next power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    form: Form,
    rows: usize,
    inputs: usize,
    outputs: usize,
}

/// The tile of a class of products; its `Display` is `forward 8192x128x512 128x64`: rows, inputs, outputs, tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TileChoice {
    class: Class,
    tile: Tile,
}

impl TileChoice {
    /// For products of about so many rows.
    pub fn new(form: Form, rows: usize, inputs: usize, outputs: usize, tile: Tile) -> Self {
        Self { class: Class { form, rows: rows.next_power_of_two(), inputs, outputs }, tile }
    }

    /// The same products by another tile.
    pub fn by(self, tile: Tile) -> Self {
        Self { tile, ..self }
    }
}

impl fmt::Display for TileChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class: Class { form, rows, inputs, outputs }, tile } = self;
        write!(f, "{} {rows}x{inputs}x{outputs} {}", form.name(), tile.name())
    }
}

/// A text that is no [`TileChoice`].
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is no tile choice; write for example 'forward 8192x128x512 128x64'")]
pub struct NoTileChoice(String);

impl FromStr for TileChoice {
    type Err = NoTileChoice;

    fn from_str(text: &str) -> Result<Self, NoTileChoice> {
        let parse = || {
            let [form, sizes, tile] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
            let form = Form::ALL.into_iter().find(|known| known.name() == form)?;
            let tile = Tile::ALL.into_iter().find(|known| known.name() == tile)?;
            let sizes: Vec<usize> = sizes.split('x').map(|size| size.parse().ok()).collect::<Option<_>>()?;
            let [rows, inputs, outputs] = sizes.try_into().ok()?;
            (rows <= 1 << 48).then(|| Self::new(form, rows, inputs, outputs, tile))
        };
        parse().ok_or_else(|| NoTileChoice(text.into()))
    }
}

impl TryFrom<String> for TileChoice {
    type Error = NoTileChoice;

    fn try_from(text: String) -> Result<Self, NoTileChoice> {
        text.parse()
    }
}

impl From<TileChoice> for String {
    fn from(choice: TileChoice) -> Self {
        choice.to_string()
    }
}

/// What a device knows of its tiles.
#[derive(Default)]
pub(super) struct Tiles {
    chosen: BTreeMap<Class, Tile>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_as_they_are_written() {
        for (form, tile) in Form::ALL.into_iter().flat_map(|form| Tile::ALL.map(|tile| (form, tile))) {
            let choice = TileChoice::new(form, 700, 128, 512, tile);
            assert_eq!(choice.to_string().parse::<TileChoice>().unwrap(), choice);
        }
        assert_eq!(TileChoice::new(Form::Forward, 700, 128, 512, Tile::Tall).to_string(), "forward 1024x128x512 128x64");
        for text in
            ["", "forward", "forward 8x4 64x64", "forward 8x4x4 64x65", "back 8x4x4 64x64", "forward 8x4xx4 64x64 ", "forward 8x-4x4 64x64"]
        {
            assert!(text.parse::<TileChoice>().is_err(), "'{text}'");
        }
    }
}
