//! A matrix product on scratch memory, run to time its tiles.

use super::linear::{InputGradient, Output, Term, WeightGradient};
use super::product::Product;
use super::slabs::SlabGradient;
use super::*;
use crate::backend::ops::Linear;
use crate::base::numbers::{Activation, Precision};
use crate::base::tiles::{Form, ProductShape, Tile};

/// A product with its operands, which hold anything: what they are changes no time.
pub(in super::super) struct Trial {
    form: Form,
    of: Linear<Tensor>,
    /// `[rows, outputs]`
    y: Tensor,
}

impl Trial {
    pub(crate) fn new(gpu: &Gpu, shape: ProductShape) -> Self {
        let ProductShape { form, rows, inputs, outputs } = shape;
        let [x, weight, y] = [[rows, inputs], [outputs, inputs], [rows, outputs]].map(|shape| gpu.new_tensor(shape));
        Self { form, of: Linear { x, weight, bias: None, activation: Activation::None, precision: Precision::F32 }, y }
    }

    /// Records the product by one tile; of a weight's gradient with the sum of its slabs, which is the same for all tiles.
    pub(crate) fn record(&self, gpu: &Gpu, tile: Tile) {
        let Self { form, of, y } = self;
        let sink = |tensor: &Tensor| Sink { tensor: tensor.clone(), write: Write::Set };
        let product = Product::Tiles(tile);
        match form {
            Form::Forward => Output::run_by(gpu, product, &[Output { of, y }]),
            Form::BackwardInput => {
                let terms = vec![Term { of, gate: None, dy: y }];
                InputGradient::run_by(gpu, product, &[InputGradient { terms, dx: &sink(&of.x) }]);
            }
            Form::BackwardWeight => WeightGradient::run_by(
                gpu,
                product,
                &[WeightGradient {
                    x: (&of.x, 0),
                    dy: (y, 0),
                    gate: None,
                    widths: of.weight.shape(),
                    precision: of.precision,
                    gradient: SlabGradient::whole(sink(&of.weight), None),
                    work: shapes(of).one_gradient(),
                }],
            ),
        }
    }
}
