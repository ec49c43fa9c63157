//! Launches of [`GlobalMax`] and its gradient. One dispatch goes over all streams of as many columns that lie in the same buffers.

use bytemuck::Zeroable;

use super::*;
use crate::backend::ops::{Differentiate, GlobalMax};
use shader::global_max::{Args, BLOCK_ROWS, Backward, Forward, Stream, WORKGROUP};

/// A stream of an operation: its number, first column of the result, matrix and layout.
struct Own<'a> {
    number: usize,
    column: usize,
    x: &'a Tensor,
    rows: &'a Ragged<Gpu>,
}

fn streams<'a>(of: &'a GlobalMax<Gpu, Tensor>) -> impl Iterator<Item = Own<'a>> {
    let mut next = 0;
    of.streams.iter().enumerate().map(move |(number, (x, rows))| {
        let column = next;
        next += x.columns();
        Own { number, column, x, rows }
    })
}

/// Arguments of a dispatch over some streams, of which `total` columns stand in a row of the result; and what it works on.
fn arguments(own: &[Own<'_>], total: usize) -> (Args, Width) {
    let columns = own[0].x.columns();
    let args = Args {
        rows: own.iter().map(|own| own.x.rows() as u32).sum(),
        batch: own[0].rows.batch() as u32,
        columns: columns as u32,
        total_columns: total as u32,
        streams: own.len() as u32,
    };
    let columns: Vec<usize> = own.iter().map(|own| own.column).chain([columns, total]).collect();
    (args, Width::of(&columns))
}

impl Run<GlobalMax<Self, Tensor>> for Gpu {
    fn forward(&self, of: &GlobalMax<Self, Tensor>) -> (Tensor, Words) {
        let (y, winners) = self.results(of);
        let goes_with = |one: &Own<'_>, other: &Own<'_>| {
            one.x.columns() == other.x.columns()
                && one.x.is_beside(other.x)
                && one.rows.device_offsets.is_beside(&other.rows.device_offsets)
        };
        for own in in_dispatches(streams(of), goes_with, |_, _| false) {
            let (args, width) = arguments(&own, of.columns());
            let x = around(&own, |own| own.x.clone());
            let offsets = around_words(&own, |own| own.rows.device_offsets.clone());
            let stream = |own: &Own<'_>| Stream {
                column: own.column as u32,
                x: own.x.place_in(&x),
                offsets: own.rows.device_offsets.place_in(&offsets),
                ..Stream::zeroed()
            };
            let table = self.upload_table(&own.iter().map(stream).collect::<Vec<_>>());
            let launch = Forward { x: &x, offsets: &offsets, y: &y, winners: &winners, streams: &table };
            let grid = [blocks(own[0].x.columns() / width.numbers(), WORKGROUP), args.batch, args.streams];
            let work: Work = own.iter().map(|own| shapes(of).maximum(own.number)).sum();
            self.dispatch_variant(width, &launch, args, grid, work);
        }
        (y, winners)
    }
}

impl Differentiate<GlobalMax<Self, Tensor>> for Gpu {
    fn backward(&self, of: &GlobalMax<Self, Tensor>, winners: &Words, dy: &Tensor, sinks: &GlobalMax<Self, Option<Sink<Tensor>>>) {
        let wanted = streams(of).zip(&sinks.streams).filter_map(|(own, (dx, _))| Some((own, dx.as_ref()?)));
        let goes_with = |one: &(Own<'_>, &Sink<Tensor>), other: &(Own<'_>, &Sink<Tensor>)| {
            one.0.x.columns() == other.0.x.columns()
                && one.1.tensor.is_beside(&other.1.tensor)
                && one.0.rows.owners.is_beside(&other.0.rows.owners)
        };
        let meets = |one: &(Own<'_>, &Sink<Tensor>), other: &(Own<'_>, &Sink<Tensor>)| one.1.tensor.buffer().meets(other.1.tensor.buffer());
        for together in in_dispatches(wanted, goes_with, meets) {
            let dx = around(&together, |(_, dx)| dx.tensor.clone());
            let owners = around_words(&together, |(own, _)| own.rows.owners.clone());
            let mut first_block = 0;
            let mut stream = |(own, sink): &(Own<'_>, &Sink<Tensor>)| {
                let begin = first_block;
                first_block += blocks(own.x.rows(), BLOCK_ROWS);
                Stream {
                    rows: own.x.rows() as u32,
                    column: own.column as u32,
                    first_block: begin,
                    accumulate: sink.accumulates(),
                    owners: own.rows.owners.place_in(&owners),
                    x_gradient: sink.tensor.place_in(&dx),
                    ..Stream::zeroed()
                }
            };
            let table: Vec<Stream> = together.iter().map(&mut stream).collect();
            let (own, _): (Vec<_>, Vec<_>) = together.into_iter().unzip();
            let (args, width) = arguments(&own, dy.columns());
            let launch =
                Backward { y_gradient: dy, winning_rows: winners, owners: &owners, x_gradient: &dx, streams: &self.upload_table(&table) };
            let grid = row_grid(own[0].x.columns() / width.numbers(), WORKGROUP, (first_block * BLOCK_ROWS) as usize, BLOCK_ROWS);
            let work: Work = own.iter().map(|own| shapes(of).gradient(own.number)).sum();
            self.dispatch_variant(width, &launch, args, grid, work);
        }
    }
}
