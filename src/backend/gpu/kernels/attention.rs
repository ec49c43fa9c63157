//! Launches of [`Attention`] and its gradients. One dispatch goes over all attentions of the same heads whose matrices lie in the same
//! buffers.

use bytemuck::Zeroable;

use super::*;
use crate::backend::BackendError;
use crate::backend::ops::{Attention, AttentionKept, Differentiate};
use crate::base::numbers::{MAX_HEAD_SIZE, Precision};
use crate::base::remedy::Remedy;
use shader::attention::{Args, BackwardKeys, BackwardQueries, Forward, PLACES, Statistics, Variant};

/// By the most columns of a head, from the smallest: the variants for graphics hardware and those for software adapters.
const GRAPHICS: [Variant; 4] = [Variant::Head8, Variant::Head16, Variant::Head32, Variant::Head64];
const SOFTWARE: [Variant; 4] = [Variant::SoftwareHead8, Variant::SoftwareHead16, Variant::SoftwareHead32, Variant::SoftwareHead64];
/// The same in mixed precision, on any device and by cooperative matrices, the preferred first.
const ROUNDED: [Variant; 2] = [Variant::RoundedHead16, Variant::RoundedHead64];
const MATRICES: [Variant; 2] = [Variant::MatricesSize16, Variant::MatricesSize8];

/// The smallest variant that holds a head.
fn variant_for(gpu: &Gpu, head_size: usize, precision: Precision) -> Variant {
    let holds = |variant: &Variant| head_size <= 4 * variant.quads() as usize;
    let matrices = || MATRICES.into_iter().filter(holds).find(|&variant| gpu.can_run(&shader::attention::SHADER, variant.into()));
    let found = match precision {
        Precision::F32 if suits_software(gpu, &[head_size]) => SOFTWARE.into_iter().find(holds),
        Precision::F32 => GRAPHICS.into_iter().find(holds),
        Precision::Mixed => matrices().or_else(|| ROUNDED.into_iter().find(holds)),
    };
    found.unwrap_or_else(|| {
        gpu.fail(BackendError::Limit {
            kernel: "attention",
            what: "the head size",
            needed: head_size as u64,
            limit: MAX_HEAD_SIZE as u64,
            remedy: Remedy::Raise("model.heads"),
        });
        Variant::Head64
    })
}

/// `Places` of the shader, with the number of the attention's first block before them.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Places {
    first_block: u32,
    q: u32,
    k: u32,
    v: u32,
    o: u32,
    y_gradient: u32,
    log_sum_exp: u32,
    statistics: u32,
    q_gradient: u32,
    k_gradient: u32,
    v_gradient: u32,
    unused: u32,
    accumulate_first: u32,
    accumulate_second: u32,
    unused_too: [u32; 2],
}

const _: () = assert!(size_of::<Places>() == 16 * PLACES as usize);

/// Whose rows a kernel's blocks are made of.
#[derive(Clone, Copy)]
enum Side {
    Queries,
    Keys,
}

/// The blocks of one side's rows, each with the rows of the other side that it meets.
fn blocks_of(side: Side, of: &Attention<Gpu, Tensor>, block: u32) -> Vec<[u32; 4]> {
    let (rows, others) = match side {
        Side::Queries => (&of.query_rows, &of.key_rows),
        Side::Keys => (&of.key_rows, &of.query_rows),
    };
    let mut ranges = Vec::new();
    for (own, other) in rows.offsets.windows(2).zip(others.offsets.windows(2)) {
        for begin in (own[0]..own[1]).step_by(block as usize) {
            let end = own[1].min(begin + block);
            ranges.push(match side {
                Side::Queries => [begin, end, other[0], other[1]],
                Side::Keys => [other[0], other[1], begin, end],
            });
        }
    }
    ranges
}

/// What a dispatch over attentions is launched with: its variant, arguments, blocks and grid of a workgroup for each head of each block.
struct Dispatch {
    variant: Variant,
    args: Args,
    blocks: Words,
    grid: [u32; 3],
}

impl Dispatch {
    fn new<'a>(gpu: &Gpu, side: Side, attentions: impl Iterator<Item = (&'a Attention<Gpu, Tensor>, Places)>) -> Self {
        let attentions: Vec<_> = attentions.collect();
        let of = attentions[0].0;
        let width = of.queries.columns();
        let head_size = width / of.heads;
        let variant = variant_for(gpu, head_size, of.precision);
        let (mut places, mut ranges) = (Vec::new(), Vec::new());
        for (of, own) in &attentions {
            places.push(Places { first_block: ranges.len() as u32, ..*own });
            ranges.extend(blocks_of(side, of, variant.block()));
        }
        let args = Args {
            query_rows: attentions.iter().map(|(of, _)| of.queries.rows() as u32).sum(),
            heads: of.heads as u32,
            head_size: head_size as u32,
            width: width as u32,
            scale: of.scale,
            attentions: attentions.len() as u32,
            ..Args::zeroed()
        };
        let grid = [of.heads as u32, ranges.len() as u32, 1];
        let table: [&[u32]; 2] = [bytemuck::cast_slice(&places), ranges.as_flattened()];
        Self { variant, args, blocks: gpu.upload_list(&table.concat()), grid }
    }
}

/// Whether two can be of one dispatch, by what they take.
fn alike(one: &Attention<Gpu, Tensor>, other: &Attention<Gpu, Tensor>) -> bool {
    let kind = |of: &Attention<Gpu, Tensor>| (of.heads, of.scale.to_bits(), of.precision, of.queries.columns());
    let operands = |of: &Attention<Gpu, Tensor>| [&of.queries, &of.keys, &of.values].map(Tensor::clone);
    kind(one) == kind(other) && operands(one).iter().zip(&operands(other)).all(|(one, other)| one.is_beside(other))
}

fn kept_beside(one: &AttentionKept<Tensor>, other: &AttentionKept<Tensor>) -> bool {
    one.output.is_beside(&other.output) && one.log_sum_exp.is_beside(&other.log_sum_exp)
}

/// Most blocks of a dispatch of several attentions, which leaves as many to the rows of one: a grid has 65535 along a side.
const MOST_BLOCKS: usize = 1 << 15;

/// What is to be one dispatch, in parts where its blocks are too many for a grid.
fn within_grid<'t, T>(together: &'t [T], of: impl Fn(&T) -> &Attention<Gpu, Tensor>) -> std::slice::Chunks<'t, T> {
    // Blocks of sixteen rows are the smallest.
    let blocks = |rows: &Ragged<Gpu>| rows.lengths().map(|length| length.div_ceil(16) as usize).sum::<usize>();
    let all: usize = together.iter().map(|one| blocks(&of(one).query_rows).max(blocks(&of(one).key_rows))).sum();
    together.chunks(if all > MOST_BLOCKS { 1 } else { together.len() })
}

/// A way forward, which leaves its result in what is kept.
type Forth<'a> = (&'a Attention<Gpu, Tensor>, &'a AttentionKept<Tensor>);

impl Run<Attention<Self, Tensor>> for Gpu {
    fn forward(&self, of: &Attention<Self, Tensor>) -> (Tensor, AttentionKept<Tensor>) {
        let (output, kept) = self.results(of);
        launch_forward(self, &[(of, &kept)]);
        (output, kept)
    }

    fn forward_together(&self, all: &[Attention<Self, Tensor>]) -> Option<Vec<(Tensor, AttentionKept<Tensor>)>> {
        let outputs = self.new_tensors(&all.iter().map(|of| of.queries.shape()).collect::<Vec<_>>());
        let sums = self.new_tensors(&all.iter().map(|of| [of.queries.rows(), of.heads]).collect::<Vec<_>>());
        let kept: Vec<_> = outputs.into_iter().zip(sums).map(|(output, log_sum_exp)| AttentionKept { output, log_sum_exp }).collect();
        let goes_with = |one: &Forth<'_>, other: &Forth<'_>| alike(one.0, other.0) && kept_beside(one.1, other.1);
        for together in in_dispatches(all.iter().zip(&kept), goes_with, |_, _| false) {
            within_grid(&together, |one| one.0).for_each(|attentions| launch_forward(self, attentions));
        }
        Some(kept.into_iter().map(|kept| (kept.output.clone(), kept)).collect())
    }
}

fn launch_forward(gpu: &Gpu, attentions: &[Forth<'_>]) {
    let [q, k, v] = [
        around(attentions, |(of, _)| of.queries.clone()),
        around(attentions, |(of, _)| of.keys.clone()),
        around(attentions, |(of, _)| of.values.clone()),
    ];
    let [o, log_sum_exp] = [around(attentions, |(_, kept)| kept.output.clone()), around(attentions, |(_, kept)| kept.log_sum_exp.clone())];
    let places = |&(of, kept): &Forth<'_>| Places {
        q: of.queries.place_in(&q),
        k: of.keys.place_in(&k),
        v: of.values.place_in(&v),
        o: kept.output.place_in(&o),
        log_sum_exp: kept.log_sum_exp.place_in(&log_sum_exp),
        ..Places::zeroed()
    };
    let Dispatch { variant, args, blocks, grid } =
        Dispatch::new(gpu, Side::Queries, attentions.iter().map(|forth| (forth.0, places(forth))));
    let launch = Forward { q: &q, k: &k, v: &v, blocks: &blocks, o: &o, log_sum_exp: &log_sum_exp };
    gpu.dispatch_variant(variant, &launch, args, grid, attentions.iter().map(|(of, _)| work(*of)).sum::<Work>());
}

/// A way back, with a place for each gradient whether it is wanted or not, and for the statistics of its queries.
struct Back<'a> {
    back: &'a ops::Backward<'a, Gpu, Attention<Gpu, Tensor>>,
    dq: Sink<Tensor>,
    dk: Sink<Tensor>,
    dv: Sink<Tensor>,
    /// `[query rows · heads, 2]`
    statistics: Tensor,
}

impl<'a> Back<'a> {
    fn new(gpu: &Gpu, back: &'a ops::Backward<'a, Gpu, Attention<Gpu, Tensor>>, statistics: Tensor) -> Self {
        let ops::Backward { of, sinks, .. } = back;
        let sinks = [(&sinks.queries, &of.queries), (&sinks.keys, &of.keys), (&sinks.values, &of.values)];
        let [dq, dk, dv] = sinks.map(|(sink, like)| gpu.sink(sink, like));
        Self { back, dq, dk, dv, statistics }
    }

    fn goes_with(&self, other: &Self) -> bool {
        let sinks = |one: &Self| [&one.dq, &one.dk, &one.dv].map(|sink| sink.tensor.clone());
        alike(self.back.of, other.back.of)
            && kept_beside(self.back.kept, other.back.kept)
            && self.back.dy.is_beside(other.back.dy)
            && self.statistics.is_beside(&other.statistics)
            && sinks(self).iter().zip(&sinks(other)).all(|(one, other)| one.is_beside(other))
    }

    /// Whether one adds to what the other writes.
    fn meets(&self, other: &Self) -> bool {
        let sinks = |one: &Self| [&one.dq, &one.dk, &one.dv].map(|sink| sink.tensor.buffer());
        sinks(self).iter().any(|one| sinks(other).iter().any(|other| one.meets(*other)))
    }
}

impl Differentiate<Attention<Self, Tensor>> for Gpu {
    fn backward(
        &self,
        of: &Attention<Self, Tensor>,
        kept: &AttentionKept<Tensor>,
        dy: &Tensor,
        sinks: &Attention<Self, Option<Sink<Tensor>>>,
    ) {
        self.backward_together(&[ops::Backward { of, kept, dy, sinks }]);
    }

    fn backward_together(&self, all: &[ops::Backward<'_, Self, Attention<Self, Tensor>>]) {
        let statistics = self.new_tensors(&all.iter().map(|back| [back.kept.log_sum_exp.len(), 2]).collect::<Vec<_>>());
        let backs = all.iter().zip(statistics).map(|(back, statistics)| Back::new(self, back, statistics));
        for together in in_dispatches(backs, Back::goes_with, Back::meets) {
            within_grid(&together, |one| one.back.of).for_each(|backs| launch_backward(self, backs));
        }
    }
}

fn launch_backward(gpu: &Gpu, backs: &[Back<'_>]) {
    let [q, k, v] = [
        around(backs, |one| one.back.of.queries.clone()),
        around(backs, |one| one.back.of.keys.clone()),
        around(backs, |one| one.back.of.values.clone()),
    ];
    let [o, log_sum_exp, dy, statistics] = [
        around(backs, |one| one.back.kept.output.clone()),
        around(backs, |one| one.back.kept.log_sum_exp.clone()),
        around(backs, |one| one.back.dy.clone()),
        around(backs, |one| one.statistics.clone()),
    ];
    let [dq, dk, dv] = [
        around(backs, |one| one.dq.tensor.clone()),
        around(backs, |one| one.dk.tensor.clone()),
        around(backs, |one| one.dv.tensor.clone()),
    ];
    let places = |one: &Back<'_>| Places {
        q: one.back.of.queries.place_in(&q),
        k: one.back.of.keys.place_in(&k),
        v: one.back.of.values.place_in(&v),
        o: one.back.kept.output.place_in(&o),
        y_gradient: one.back.dy.place_in(&dy),
        log_sum_exp: one.back.kept.log_sum_exp.place_in(&log_sum_exp),
        // Of pairs of numbers.
        statistics: one.statistics.place_in(&statistics) / 2,
        q_gradient: one.dq.tensor.place_in(&dq),
        k_gradient: one.dk.tensor.place_in(&dk),
        v_gradient: one.dv.tensor.place_in(&dv),
        ..Places::zeroed()
    };
    let queries = |one: &Back<'_>| Places { accumulate_first: one.dq.accumulates(), ..places(one) };
    let Dispatch { variant, args, blocks, grid } = Dispatch::new(gpu, Side::Queries, backs.iter().map(|one| (one.back.of, queries(one))));
    let launch = Statistics { y_gradient: &dy, saved_o: &o, saved_log_sum_exp: &log_sum_exp, statistics_out: &statistics, blocks: &blocks };
    gpu.dispatch_variant(variant, &launch, args, grid, None);

    // Each side's dispatch makes two of the four products, and the scores again.
    let half: Work = backs.iter().map(|one| ops::backward_work(one.back.of, one.back.sinks).share(0.5)).sum();
    let launch = BackwardQueries { q: &q, k: &k, v: &v, blocks: &blocks, y_gradient: &dy, statistics_in: &statistics, q_gradient: &dq };
    gpu.dispatch_variant(variant, &launch, args, grid, half);

    let keys = |one: &Back<'_>| Places { accumulate_first: one.dk.accumulates(), accumulate_second: one.dv.accumulates(), ..places(one) };
    let Dispatch { variant, args, blocks, grid } = Dispatch::new(gpu, Side::Keys, backs.iter().map(|one| (one.back.of, keys(one))));
    let launch = BackwardKeys {
        q: &q,
        k: &k,
        v: &v,
        blocks: &blocks,
        y_gradient: &dy,
        statistics_in: &statistics,
        k_gradient: &dk,
        v_gradient: &dv,
    };
    gpu.dispatch_variant(variant, &launch, args, grid, half);
}
