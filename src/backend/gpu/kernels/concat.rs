//! Launches of [`Concat`] and its gradient: copies of columns.

use super::columns::copy_columns;
use super::*;
use crate::backend::ops::{self, Concat, Differentiate};

impl Run<Concat<Tensor>> for Gpu {
    fn forward(&self, of: &Concat<Tensor>) -> (Tensor, ()) {
        let (y, ()) = self.results(of);
        let sink = Sink { tensor: y.clone(), write: Write::Set };
        for (first, part) in of.places() {
            copy_columns(self, (part, 0), (&sink, first), part.columns(), ops::copied(&ops::Shape(part.shape())));
        }
        (y, ())
    }
}

impl Differentiate<Concat<Tensor>> for Gpu {
    fn backward(&self, of: &Concat<Tensor>, (): &(), dy: &Tensor, sinks: &Concat<Option<Sink<Tensor>>>) {
        for ((first, part), sink) in of.places().zip(&sinks.parts) {
            if let Some(sink) = sink {
                copy_columns(self, (dy, first), (sink, 0), part.columns(), ops::copied(&ops::Shape(part.shape())));
            }
        }
    }
}
