//! Which tile computes which matrix product: the words in which a choice is kept, in settings and in files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    /// All of them, from the largest.
    pub const ALL: [Self; 5] = [Self::Large, Self::Tall, Self::Square, Self::Narrow, Self::Small];

    /// Registers that an invocation needs for its sums, factors and blocks (`shaders/shared/tile.wgsl`), places and all: what NVIDIA's are
    /// given (`benches/offline.csv`).
    pub fn registers(self) -> u32 {
        match self {
            Self::Large => 120,
            Self::Tall | Self::Square => 136,
            Self::Narrow => 88,
            Self::Small => 104,
        }
    }

    /// The tile of a shader's variant, if it has one.
    pub fn of_variant(variant: &str) -> Option<Self> {
        let (_, conditions) = variant.split_once("tile")?;
        let of = |tile: Self| match tile {
            Self::Narrow => "64x64+narrow",
            Self::Small => "32x32+narrow",
            Self::Large | Self::Tall | Self::Square => tile.name(),
        };
        Self::ALL.into_iter().find(|&tile| of(tile) == conditions)
    }

    /// As choices are written.
    pub(crate) fn name(self) -> &'static str {
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
    /// `y = x · Wᵀ`, `[rows, outputs]`
    Forward,
    /// `dx = dy · W`, `[rows, inputs]`
    BackwardInput,
    /// `dW = dyᵀ · x`, `[outputs, inputs]`
    BackwardWeight,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Forward, Self::BackwardInput, Self::BackwardWeight];

    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::BackwardInput => "backward_input",
            Self::BackwardWeight => "backward_weight",
        }
    }
}

/// A product of `linear`: of `rows` rows of `inputs` numbers with a weight `[outputs, inputs]`, or a gradient of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductShape {
    /// Which product.
    pub form: Form,
    /// Rows of x and y.
    pub rows: usize,
    /// Columns of x.
    pub inputs: usize,
    /// Columns of y.
    pub outputs: usize,
}

impl ProductShape {
    /// The products that it is computed like.
    pub fn class(self) -> ProductClass {
        let Self { form, rows, inputs, outputs } = self;
        ProductClass { form, rows: rows.next_power_of_two(), inputs, outputs }
    }
}

/// Products that are computed alike: rows count up to the next power of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProductClass {
    /// Which product.
    pub form: Form,
    /// Most rows of x and y: a power of two.
    pub rows: usize,
    /// Columns of x.
    pub inputs: usize,
    /// Columns of y.
    pub outputs: usize,
}

/// The tile of a class of products; its `Display` is `forward 8192x128x512 128x64`: rows, inputs, outputs, tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TileChoice {
    /// Which products.
    pub class: ProductClass,
    /// What computes them.
    pub tile: Tile,
}

impl TileChoice {
    /// For products of about so many rows.
    pub fn new(form: Form, rows: usize, inputs: usize, outputs: usize, tile: Tile) -> Self {
        Self { class: ProductShape { form, rows, inputs, outputs }.class(), tile }
    }

    /// The same products by another tile.
    pub fn by(self, tile: Tile) -> Self {
        Self { tile, ..self }
    }
}

impl fmt::Display for TileChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class: ProductClass { form, rows, inputs, outputs }, tile } = self;
        write!(f, "{} {rows}x{inputs}x{outputs} {}", form.name(), tile.name())
    }
}

/// More rows no choice is for: what devices count in 32 bits, as a power of two.
const MOST_ROWS: usize = 1 << 31;

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
            (rows <= MOST_ROWS).then(|| Self::new(form, rows, inputs, outputs, tile))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variants_tile_is_told_by_its_name() {
        assert_eq!(Tile::of_variant("vec4+tile64x64+narrow"), Some(Tile::Narrow));
        assert_eq!(Tile::of_variant("vec4+tile64x64"), Some(Tile::Square));
        assert_eq!(Tile::of_variant("vec4+tile32x32+narrow"), Some(Tile::Small));
        assert_eq!([Tile::of_variant("graphics"), Tile::of_variant("tile8x8")], [None; 2]);
    }

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
