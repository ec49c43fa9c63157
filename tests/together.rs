//! Operations that go over a device at once give what they give one by one.

use crate::common::gpus;
use mcsan::backend::gpu::{Checking, Gpu, Tensor};
use mcsan::backend::ops::{
    Attention, Bilstm, Differentiable, Differentiate, Directions, Gru, GruWeights, Linear, LstmWeights, Operation, ResidualNorm,
};
use mcsan::backend::{Matrix, Ragged, Storage};
use mcsan::base::numbers::{Activation, Precision};
use mcsan::base::philox::Stream;
use mcsan::tape::{Mode, Tape, Var};

fn drawn(stream: u64, count: usize) -> Vec<f32> {
    let stream = Stream { seed: 5, stream };
    (0..count as u64).map(|place| stream.uniform(place) - 0.5).collect()
}

/// Matrices in one buffer, as a model's parameters lie, drawn from streams that begin with `first`.
fn side_by_side<'a>(gpu: &'a Gpu, tape: &mut Tape<'a, Gpu>, first: u64, shapes: &[[usize; 2]]) -> Vec<Var<Gpu>> {
    let mut buffer = Vec::new();
    let mut starts = Vec::new();
    for (stream, [rows, columns]) in (first..).zip(shapes) {
        buffer.resize(buffer.len().next_multiple_of(64), 0.0);
        starts.push(buffer.len());
        buffer.extend(drawn(stream, rows * columns));
    }
    let all = gpu.upload(&buffer, [1, buffer.len()]);
    starts.into_iter().zip(shapes).map(|(start, &shape)| tape.leaf(all.slice(start, shape))).collect()
}

/// What operations gave.
struct Applied {
    results: Vec<Vec<f32>>,
    /// Of all operands.
    gradients: Vec<Vec<f32>>,
    /// How many the way forward took, times what one went over at most.
    dispatches: u64,
}

/// Products and their gradients.
fn products(gpu: &Gpu, together: bool, activation: Activation) -> Applied {
    let (rows, inputs, outputs) = ([5, 70, 33], 24, 16);
    let mut tape = Tape::new(gpu, Mode::Train);
    let xs = side_by_side(gpu, &mut tape, 0, &rows.map(|rows| [rows, inputs]));
    let weights = side_by_side(gpu, &mut tape, 10, &[[outputs, inputs]; 5]);
    let biases = side_by_side(gpu, &mut tape, 20, &[[1, outputs]; 5]);
    // Some are of the same x, whose gradient is then the sum of all of theirs.
    let of = |(number, x): (usize, usize)| Linear {
        x: xs[x].clone(),
        weight: weights[number].clone(),
        bias: Some(biases[number].clone()),
        activation,
        precision: Precision::F32,
    };
    let operations: Vec<_> = [0, 1, 2, 1, 0].into_iter().enumerate().map(of).collect();
    let leaves: Vec<_> = xs.into_iter().chain(weights).chain(biases).collect();
    applied(gpu, tape, &operations, together, &leaves)
}

/// The same of norms of sums, some with the same residual.
fn norms(gpu: &Gpu, together: bool) -> Applied {
    let (rows, width) = ([5, 70, 5, 70], 24);
    let mut tape = Tape::new(gpu, Mode::Train);
    let xs = side_by_side(gpu, &mut tape, 0, &rows.map(|rows| [rows, width]));
    let residuals = side_by_side(gpu, &mut tape, 10, &[[5, width], [70, width]]);
    let scales = side_by_side(gpu, &mut tape, 20, &[[1, width]; 4]);
    let shifts = side_by_side(gpu, &mut tape, 30, &[[1, width]; 4]);
    let of = |number: usize| {
        let operands = [&xs[number], &residuals[number % 2], &scales[number], &shifts[number]];
        let [x, residual, scale, shift] = operands.map(Clone::clone);
        ResidualNorm { x, residual, scale, shift }
    };
    let operations: Vec<_> = (0..4).map(of).collect();
    let leaves: Vec<_> = [xs, residuals, scales, shifts].concat();
    applied(gpu, tape, &operations, together, &leaves)
}

/// The same of attentions: two sequences attend to each other, and each to itself.
fn attentions(gpu: &Gpu, together: bool) -> Applied {
    let width = 24;
    let layouts = [&[40, 9][..], &[3, 1]].map(|lengths| Ragged::new(gpu, lengths));
    let mut tape = Tape::new(gpu, Mode::Train);
    let shapes = [0, 1, 0, 1].map(|sequence: usize| [layouts[sequence].rows(), width]);
    let [queries, keys, values] = [0, 10, 20].map(|first| side_by_side(gpu, &mut tape, first, &shapes));
    let of = |(own, source): (usize, usize)| Attention {
        queries: queries[own].clone(),
        keys: keys[source].clone(),
        values: values[source].clone(),
        query_rows: layouts[own % 2].clone(),
        key_rows: layouts[source % 2].clone(),
        heads: 3,
        scale: 0.4,
        precision: Precision::F32,
    };
    let operations: Vec<_> = [(0, 1), (1, 0), (2, 2), (3, 3)].map(of).into();
    applied(gpu, tape, &operations, together, &[queries, keys, values].concat())
}

/// Recurrences of layers with their own weights and sequences.
fn recurrences(gpu: &Gpu, together: bool, hidden: usize, directions: Directions) -> Applied {
    let inputs = 6;
    let layouts = [&[9, 0, 5, 1, 12][..], &[3, 30]].map(|lengths| Ragged::new(gpu, lengths));
    let mut tape = Tape::new(gpu, Mode::Train);
    let xs = side_by_side(gpu, &mut tape, 0, &[0, 1].map(|layer: usize| [layouts[layer].rows(), inputs]));
    let shapes = [[8 * hidden, inputs], [8 * hidden, hidden], [1, 8 * hidden], [1, 8 * hidden]];
    let weights = side_by_side(gpu, &mut tape, 10, &[shapes, shapes].concat());
    let of = |layer: usize| {
        let [input, recurrent, bias_input, bias_recurrent] = [0, 1, 2, 3].map(|weight| weights[4 * layer + weight].clone());
        let weights = LstmWeights { input, recurrent, bias_input, bias_recurrent };
        Bilstm { x: xs[layer].clone(), weights, rows: layouts[layer].clone(), precision: Precision::F32, directions }
    };
    applied(gpu, tape, &[of(0), of(1)], together, &[xs.clone(), weights.clone()].concat())
}

/// The same of GRUs, of both directions.
fn gated_recurrences(gpu: &Gpu, together: bool, hidden: usize) -> Applied {
    let inputs = 6;
    let layouts = [&[9, 0, 5, 1, 12][..], &[3, 30]].map(|lengths| Ragged::new(gpu, lengths));
    let mut tape = Tape::new(gpu, Mode::Train);
    let xs = side_by_side(gpu, &mut tape, 0, &[0, 1].map(|layer: usize| [layouts[layer].rows(), inputs]));
    let shapes = [[6 * hidden, inputs], [6 * hidden, hidden], [1, 6 * hidden]];
    let weights = side_by_side(gpu, &mut tape, 10, &[shapes, shapes].concat());
    let of = |layer: usize| {
        let [input, recurrent, bias] = [0, 1, 2].map(|weight| weights[3 * layer + weight].clone());
        let weights = GruWeights { input, recurrent, bias };
        Gru { x: xs[layer].clone(), weights, rows: layouts[layer].clone(), precision: Precision::F32 }
    };
    applied(gpu, tape, &[of(0), of(1)], together, &[xs.clone(), weights.clone()].concat())
}

/// Runs operations at once or one by one; the leaves' gradients are from drawn gradients of the results.
fn applied<'a, O>(gpu: &'a Gpu, mut tape: Tape<'a, Gpu>, operations: &[O], together: bool, leaves: &[Var<Gpu>]) -> Applied
where
    O: Operation<Gpu, Operand = Var<Gpu>>,
    O::On<Tensor>: Differentiable<Gpu> + 'a,
    O::Kept: 'a,
    Gpu: Differentiate<O::On<Tensor>>,
{
    let before = gpu.counters().dispatches;
    let ys = if together {
        tape.apply_together(operations, |_| String::new())
    } else {
        operations.iter().map(|operation| tape.apply(operation)).collect()
    };
    let dispatches = (gpu.counters().dispatches - before) * if together { operations.len() as u64 } else { 1 };
    let seeds = (90..).zip(&ys).map(|(stream, y)| (y, gpu.upload(&drawn(stream, y.value.len()), y.value.shape()))).collect();
    let gradients = tape.backward(seeds);
    let read = |tensor| pollster::block_on(gpu.read(tensor)).expect("the device does its work");
    let of_leaf = |leaf| read(gradients.get(leaf).expect("every operand has a gradient"));
    Applied { results: ys.iter().map(|y| read(&y.value)).collect(), gradients: leaves.iter().map(of_leaf).collect(), dispatches }
}

/// The same results by as many dispatches as one of them takes; gradients to rounding, whose sums are cut otherwise.
fn agree(what: &str, run: impl Fn(bool) -> Applied) {
    let [together, one_by_one] = [true, false].map(run);
    assert!(together.results == one_by_one.results, "{what}");
    assert_eq!(together.dispatches, one_by_one.dispatches, "{what}");
    for (together, one_by_one) in together.gradients.iter().flatten().zip(one_by_one.gradients.iter().flatten()) {
        assert!((together - one_by_one).abs() <= 1e-5 * one_by_one.abs().max(1.0), "{what}: {together} for {one_by_one}");
    }
}

#[test]
fn one_dispatch_gives_what_several_give() {
    for (name, gpu) in gpus("together", &[Checking::Off]) {
        for activation in [Activation::None, Activation::Relu] {
            agree(&format!("{name}: products, {activation:?}"), |together| products(&gpu, together, activation));
        }
        agree(&format!("{name}: norms"), |together| norms(&gpu, together));
        agree(&format!("{name}: attentions"), |together| attentions(&gpu, together));
        for hidden in [5, 20, 128] {
            for directions in [Directions::Mean, Directions::Joined] {
                agree(&format!("{name}: recurrences of {hidden}"), |together| recurrences(&gpu, together, hidden, directions));
            }
            agree(&format!("{name}: gated recurrences of {hidden}"), |together| gated_recurrences(&gpu, together, hidden));
        }
    }
}
