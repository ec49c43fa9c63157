//! Cases of `deltas`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::suffix;
use crate::backend::Backend;
use crate::backend::gpu::shader;
use crate::backend::ops::{self, DeltaFilter, Edges};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::Tolerance;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Differences of features over time.
#[derive(Debug, Clone)]
pub struct Deltas {
    pub lengths: Vec<u32>,
    pub columns: usize,
    pub orders: usize,
    /// Filters given; one makes both orders.
    pub filters: usize,
    pub width: usize,
    pub edges: Edges,
}

const EDGES: &[(&str, Edges)] = &[("shifted", Edges::Shifted), ("repeated", Edges::Repeated)];

impl fmt::Display for Deltas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lengths, columns, orders, filters, width, edges } = self;
        write!(f, "{}lengths={},columns={columns}", batch_of_one(lengths), Lengths(lengths))?;
        write!(f, ",orders={orders},filters={filters},width={width}{}", suffix(EDGES, *edges))
    }
}

impl Subject for Deltas {
    /// A short sum of products.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 1e-6, ..Tolerance::ROUNDING }
    }
}

impl Suite for Deltas {
    fn cases() -> Vec<Self> {
        let deltas = |lengths: &[u32], columns, orders, filters, width, edges| Self {
            lengths: lengths.to_vec(),
            columns,
            orders,
            filters,
            width,
            edges,
        };
        vec![
            deltas(&[120, 9, 33], 40, 2, 2, 9, Edges::Shifted),
            deltas(&[8, 1, 0, 10], 40, 2, 2, 9, Edges::Shifted),
            deltas(&[65], 13, 1, 1, 9, Edges::Shifted),
            deltas(&[70, 4, 1, 5], 40, 2, 1, 5, Edges::Repeated),
            deltas(&[2], 1, 1, 1, 5, Edges::Repeated),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 5);
        let longest = source.size(1, 130) as u32;
        let orders = source.between(1, 2);
        Self {
            lengths: source.lengths(batch, 0, longest),
            columns: source.size(1, 45),
            orders,
            filters: source.between(1, orders),
            width: source.pick(&[3, 5, 9]),
            edges: source.pick(&[Edges::Shifted, Edges::Repeated]),
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let lengths = read_lengths(keys, "lengths|frames", 0, 1000)?;
        let columns = keys.number("columns", 1, 40)?;
        let orders = keys.value("orders", "number from 1 to 2", 2, |orders| (1..=2).contains(orders))?;
        let filters = keys.value("filters", &format!("number from 1 to {orders}"), orders, |filters| (1..=orders).contains(filters))?;
        let width = keys.value("width", "odd number", 9, |width| width % 2 == 1)?;
        Ok(Self { lengths, columns, orders, filters, width, edges: keys.choice(EDGES, Edges::Shifted)? })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64 * (self.columns * (1 + self.orders)) as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("training begins behind it, with features from a file")
    }

    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::deltas::SHADER, "range.y - args.width) + k", "range.y - args.width + 1u) + k")];
}

impl<B: Backend> Record<B> for Deltas {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let (frames, columns) = (total(&self.lengths), self.columns);
        let taps = source.uniform(self.filters * self.width, 0.5);
        let filter = DeltaFilter { orders: self.orders, edges: self.edges, taps: inputs.matrix("taps", [self.filters, self.width], &taps) };
        let x = inputs.matrix("x", [frames, columns], &source.uniform(frames * columns, 3.0));
        let deltas = ops::Deltas { x, frames: inputs.rows("lengths", &self.lengths), filter };
        let backend = inputs.backend;
        Box::new(move || vec![Recorded::new("output", backend.run(&deltas))])
    }
}
