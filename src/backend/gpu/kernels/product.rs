//! Which variant of `linear` computes a product, and over which grid.

use super::slabs::Slabs;
use super::*;
use crate::base::numbers::Precision;
use crate::base::tiles::{Form, ProductShape, Tile};
use shader::linear::Variant;

/// How a product is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    /// On graphics hardware.
    Tiles(Tile),
    /// The same of matrices whose widths are no multiples of four, …
    Scalar,
    /// … and of those that have only a few columns.
    Plain,
    /// On software adapters.
    Software,
    /// In mixed precision on any device, of any widths.
    Rounded,
    /// In mixed precision by cooperative matrices of 16 × 16 × 16 or of 8 × 8 × 8, where widths are multiples of four.
    Matrices16,
    Matrices8,
}

/// The cooperative matrices, the preferred first.
const MATRICES: [Product; 2] = [Product::Matrices16, Product::Matrices8];

/// Invocations that keep a large device busy.
pub(super) const ENOUGH: u64 = 1 << 14;

/// Fewest columns that are worth a tile.
const FEWEST_COLUMNS: usize = 16;

impl ProductShape {
    pub(super) fn of(form: Form, rows: usize, [outputs, inputs]: [usize; 2]) -> Self {
        Self { form, rows, inputs, outputs }
    }

    /// Rows and columns of the matrix of sums.
    fn sums(self) -> [usize; 2] {
        match self.form {
            Form::Forward => [self.rows, self.outputs],
            Form::BackwardInput => [self.rows, self.inputs],
            Form::BackwardWeight => [self.outputs, self.inputs],
        }
    }

    /// How the gradient of its weight is cut, the same for all tiles.
    pub(super) fn slabs(self) -> Slabs {
        Slabs::of_product(self.rows, self.outputs * self.inputs)
    }

    /// The largest tile that registers hold and that makes enough invocations.
    fn fixed_tile(self, gpu: &Gpu) -> Tile {
        let slabs = if self.form == Form::BackwardWeight { self.slabs().count } else { 1 };
        let invocations = |tile| {
            let product = Product::Tiles(tile);
            product.grid(self, slabs).map(u64::from).iter().product::<u64>() * u64::from(product.variant().workgroup())
        };
        let mut held = Tile::ALL.into_iter().filter(|&tile| gpu.holds(tile));
        let smallest = held.clone().next_back().unwrap_or(Tile::Narrow);
        held.find(|&tile| invocations(tile) >= ENOUGH).unwrap_or(smallest)
    }
}

impl Product {
    /// Its kind by the precision, the widths and the device, its tile as it was chosen, else by the rule.
    pub(super) fn of(gpu: &Gpu, precision: Precision, shape: ProductShape) -> Self {
        match precision {
            Precision::Mixed if Width::of(&[shape.inputs, shape.outputs]) == Width::Scalar => Self::Rounded,
            Precision::Mixed => Self::matrices(gpu).unwrap_or(Self::Rounded),
            Precision::F32 if Width::of(&[shape.inputs, shape.outputs]) == Width::Scalar => {
                if shape.inputs.min(shape.outputs) < FEWEST_COLUMNS { Self::Plain } else { Self::Scalar }
            }
            Precision::F32 if gpu.is_software() => Self::Software,
            Precision::F32 => Self::Tiles(gpu.tile_for(shape, shape.fixed_tile(gpu))),
        }
    }

    /// The cooperative matrices that the device has.
    pub(super) fn matrices(gpu: &Gpu) -> Option<Self> {
        MATRICES.into_iter().find(|product| gpu.can_run(&shader::linear::SHADER, product.variant().into()))
    }

    /// Its variant.
    pub(super) fn variant(self) -> Variant {
        match self {
            Self::Tiles(Tile::Large) => Variant::Vec4Tile128x128,
            Self::Tiles(Tile::Tall) => Variant::Vec4Tile128x64,
            Self::Tiles(Tile::Square) => Variant::Vec4Tile64x64,
            Self::Tiles(Tile::Narrow) => Variant::Vec4Tile64x64Narrow,
            Self::Tiles(Tile::Small) => Variant::Vec4Tile32x32Narrow,
            Self::Scalar => Variant::ScalarTile64x64Narrow,
            Self::Plain => Variant::Plain,
            Self::Software => Variant::Software,
            Self::Rounded => Variant::RoundedTile64x64Narrow,
            Self::Matrices16 => Variant::MatricesSize16,
            Self::Matrices8 => Variant::MatricesSize8,
        }
    }

    /// Its workgroups.
    pub(super) fn grid(self, shape: ProductShape, slabs: u32) -> [u32; 3] {
        let [rows, columns] = shape.sums();
        [blocks(columns, self.variant().tile_columns()), blocks(rows, self.variant().tile_rows()), slabs]
    }

    /// How it cuts the gradient of a weight.
    pub(super) fn slabs(self, shape: ProductShape) -> Slabs {
        match self {
            Self::Software => Slabs::of_software(shape.rows, self.grid(shape, 1)),
            _ => shape.slabs(),
        }
    }
}
