//! A matrix product on scratch memory, run to time its tiles.

use super::linear::arguments;
use super::product::Product;
use super::*;
use crate::base::numbers::{Activation, Precision};
use crate::base::tiles::{Form, ProductShape, Tile};
use shader::linear::{Args, BackwardInput, BackwardWeight, Forward};

/// A product with its operands, which hold anything: what they are changes no time.
pub(in super::super) struct Trial {
    shape: ProductShape,
    /// `[rows, inputs]`
    x: Tensor,
    /// `[outputs, inputs]`
    weight: Tensor,
    /// `[rows, outputs]`
    y: Tensor,
    /// `[slabs, outputs · (inputs + 1)]`, of a weight's gradient.
    partial: Tensor,
}

impl Trial {
    pub(crate) fn new(gpu: &Gpu, shape: ProductShape) -> Self {
        let ProductShape { form, rows, inputs, outputs } = shape;
        let slabs = if form == Form::BackwardWeight { shape.slabs().count as usize } else { 0 };
        let [x, weight, y, partial] =
            [[rows, inputs], [outputs, inputs], [rows, outputs], [slabs, outputs * (inputs + 1)]].map(|shape| gpu.new_tensor(shape));
        Self { shape, x, weight, y, partial }
    }

    /// Records the product by one tile.
    pub(crate) fn record(&self, gpu: &Gpu, tile: Tile) {
        let Self { shape, x, weight, y, partial } = self;
        let product = Product::Tiles(tile);
        let (variant, slabs) = (product.variant(), shape.slabs());
        let args = arguments(shape.rows, weight);
        let [of_x, of_weight] = [x, weight].map(|operand| ops::Shape(operand.shape()));
        let of = ops::Linear { x: of_x, weight: of_weight, bias: None, activation: Activation::None, precision: Precision::F32 };
        let work = of.one_gradient();
        match shape.form {
            Form::Forward => gpu.dispatch_variant(variant, &Forward { x, weight, bias: weight, y }, args, product.grid(*shape, 1), work),
            Form::BackwardInput => {
                gpu.dispatch_variant(
                    variant,
                    &BackwardInput { weight, y_gradient: y, gate: y, x_gradient: x },
                    args,
                    product.grid(*shape, 1),
                    work,
                );
            }
            Form::BackwardWeight => {
                let args = Args { slab_rows: slabs.rows, ..args };
                let launch = BackwardWeight { x, y_gradient: y, gate: y, partial };
                gpu.dispatch_variant(variant, &launch, args, product.grid(*shape, slabs.count), work);
            }
        }
    }
}
