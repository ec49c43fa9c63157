//! What the reference promises: the same bits for an utterance in any batch and for any number of threads, the earliest of
//! equal maxima, NaN that stays NaN, and answers where there is nothing to attend to or look up.

use mcsan::backend::cpu::{Cpu, CpuTensor};
use mcsan::backend::ops::{
    Attention, Bilstm, ConvPool, Directions, Dropout, Embedding, GlobalMax, Gru, GruWeights, Linear, LstmWeights, PositionEmbedding,
    ResidualNorm, Tokens,
};
use mcsan::backend::{Matrix, Ragged, Storage};
use mcsan::base::numbers::{Activation, POOL, Precision};
use mcsan::base::philox::Stream;
use mcsan::base::words::OUT_OF_VOCABULARY;
use mcsan::check::Kernel;

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    for &kernel in Kernel::ALL {
        for case in kernel.cases() {
            let run = |threads| pool(threads).install(|| pollster::block_on(case.run(&Cpu::<f32>::new())).unwrap());
            let bits =
                |threads| run(threads).into_iter().map(|output| output.values.iter().map(|value| value.to_bits()).collect()).collect();
            let (one, three): (Vec<Vec<u64>>, Vec<Vec<u64>>) = (bits(1), bits(3));
            assert!(one == three, "{case}");
        }
    }
}

const CHANNELS: usize = 24;
const LENGTHS: [u32; 6] = [31, 9, 150, 12, 64, 10];

struct Weights {
    convolution: CpuTensor<f32>,
    bias: CpuTensor<f32>,
    lstm: LstmWeights<CpuTensor<f32>>,
    projection: CpuTensor<f32>,
}

fn matrix(backend: &Cpu<f32>, stream: u64, shape: [usize; 2]) -> CpuTensor<f32> {
    let stream = Stream { seed: 11, stream };
    let values: Vec<f32> = (0..(shape[0] * shape[1]) as u64).map(|i| stream.uniform(i) - 0.5).collect();
    backend.upload(&values, shape)
}

fn linear(x: &CpuTensor<f32>, weight: &CpuTensor<f32>, bias: Option<&CpuTensor<f32>>, activation: Activation) -> Linear<CpuTensor<f32>> {
    Linear { x: x.clone(), weight: weight.clone(), bias: bias.cloned(), activation, precision: Precision::F32 }
}

/// Every kernel that sees rows of utterances, one after another, and the maximum over time.
fn encode(backend: &Cpu<f32>, weights: &Weights, frames: &[f32], lengths: &[u32]) -> Vec<f32> {
    let input = Ragged::new(backend, lengths);
    let output = input.pooled(backend, POOL);
    let x = backend.upload(frames, [input.rows(), CHANNELS]);
    let (weight, bias, activation) = (weights.convolution.clone(), weights.bias.clone(), Activation::Relu);
    let x = backend.run(&ConvPool { x, weight, bias: bias.clone(), input, output: output.clone(), activation });
    let x = backend.run(&Bilstm {
        x,
        weights: weights.lstm.clone(),
        rows: output.clone(),
        precision: Precision::F32,
        directions: Directions::Mean,
    });
    let x = backend.run(&PositionEmbedding { x, rows: output.clone() });
    let queries = backend.run(&linear(&x, &weights.projection, Some(&bias), Activation::None));
    let attended = backend.run(&Attention {
        queries,
        keys: x.clone(),
        values: x.clone(),
        query_rows: output.clone(),
        key_rows: output.clone(),
        heads: 4,
        scale: 0.4,
        precision: Precision::F32,
    });
    let x = backend.run(&ResidualNorm { x: attended, residual: x, scale: bias.clone(), shift: bias });
    let x = backend.run(&GlobalMax { streams: vec![(x, output)] });
    assert_eq!(x.shape(), [lengths.len(), CHANNELS]);
    pollster::block_on(backend.read(&x)).unwrap()
}

#[test]
fn an_utterance_gives_the_same_bits_alone_and_in_any_batch() {
    let backend = Cpu::<f32>::new();
    let weights = Weights {
        convolution: matrix(&backend, 1, [CHANNELS, CHANNELS * 3]),
        bias: matrix(&backend, 2, [1, CHANNELS]),
        lstm: LstmWeights {
            input: matrix(&backend, 3, [8 * CHANNELS, CHANNELS]),
            recurrent: matrix(&backend, 4, [8 * CHANNELS, CHANNELS]),
            bias_input: matrix(&backend, 5, [1, 8 * CHANNELS]),
            bias_recurrent: matrix(&backend, 6, [1, 8 * CHANNELS]),
        },
        projection: matrix(&backend, 7, [CHANNELS, CHANNELS]),
    };
    let stream = Stream { seed: 2, stream: 2 };
    let utterances: Vec<Vec<f32>> = LENGTHS
        .iter()
        .enumerate()
        .map(|(u, &length)| (0..u64::from(length) * CHANNELS as u64).map(|i| 4.0 * stream.uniform(u as u64 * 100_000 + i) - 2.0).collect())
        .collect();
    let alone: Vec<Vec<f32>> =
        utterances.iter().zip(LENGTHS).map(|(frames, length)| encode(&backend, &weights, frames, &[length])).collect();
    for order in [vec![0, 1, 2, 3, 4, 5], vec![5, 4, 3, 2, 1, 0], vec![2, 2, 0], vec![4, 1]] {
        let frames: Vec<f32> = order.iter().flat_map(|&u| utterances[u].iter().copied()).collect();
        let lengths: Vec<u32> = order.iter().map(|&u| LENGTHS[u]).collect();
        let together = encode(&backend, &weights, &frames, &lengths);
        for (row, &u) in together.chunks(CHANNELS).zip(&order) {
            assert!(row.iter().zip(&alone[u]).all(|(a, b)| a.to_bits() == b.to_bits()), "utterance {u} in {order:?}");
        }
    }
}

#[test]
fn maxima_take_the_earliest_of_equals_and_any_nan() {
    let backend = Cpu::<f32>::new();
    let rows = Ragged::new(&backend, &[2, 4]);
    #[rustfmt::skip]
    let x = backend.upload(&[
        1.0, 5.0,
        1.0, f32::NAN,
        f32::NEG_INFINITY, 2.0,
        3.0, 7.0,
        3.0, 7.0,
        0.0, f32::NAN,
    ], [6, 2]);
    let (y, winners) = backend.run_keeping(&GlobalMax { streams: vec![(x, rows)] });
    let y = pollster::block_on(backend.read(&y)).unwrap();
    assert_eq!(winners[..], [0, 1, 3, 5]);
    assert_eq!((y[0], y[2]), (1.0, 3.0));
    assert!(y[1].is_nan() && y[3].is_nan());
}

#[test]
fn nan_passes_through_relu_recurrences_and_attention() {
    let backend = Cpu::<f32>::new();
    let rows = Ragged::new(&backend, &[2, 2]);
    let poisoned = backend.upload(&[0.5, f32::NAN, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], [4, 2]);
    let weight = |rows| backend.upload(&vec![0.1; rows * 2], [rows, 2]);
    let bias = |columns| backend.zeros([1, columns]);
    let lstm = LstmWeights { input: weight(16), recurrent: weight(16), bias_input: bias(16), bias_recurrent: bias(16) };
    let [queries, keys, values] = [(); 3].map(|()| poisoned.clone());
    let [query_rows, key_rows] = [(); 2].map(|()| rows.clone());
    let attention = Attention { queries, keys, values, query_rows, key_rows, heads: 1, scale: 1.0, precision: Precision::F32 };
    let bilstm = Bilstm { x: poisoned.clone(), weights: lstm, rows: rows.clone(), precision: Precision::F32, directions: Directions::Mean };
    let weights = GruWeights { input: weight(6), recurrent: weight(6), bias: bias(6) };
    let gru = Gru { x: poisoned.clone(), weights, rows, precision: Precision::F32 };
    let results = [
        ("linear", backend.run(&linear(&poisoned, &weight(2), None, Activation::Relu)), vec![true, false, false, false]),
        ("bilstm", backend.run(&bilstm), vec![true, true, false, false]),
        ("gru", backend.run(&gru), vec![true, true, false, false]),
        ("attention", backend.run(&attention), vec![true, true, false, false]),
    ];
    for (kernel, y, nan_rows) in results {
        let y = pollster::block_on(backend.read(&y)).unwrap();
        let found: Vec<bool> = y.chunks(2).map(|row| row.iter().any(|value| value.is_nan())).collect();
        assert_eq!(found, nan_rows, "{kernel}");
    }
}

#[test]
fn a_query_without_keys_gives_a_zero_row() {
    let backend = Cpu::<f32>::new();
    let [query_rows, key_rows] = [[2, 1], [0, 1]].map(|lengths| Ragged::new(&backend, &lengths));
    let (queries, keys) = (matrix(&backend, 1, [3, 4]), matrix(&backend, 2, [1, 4]));
    let values = keys.clone();
    let precision = Precision::F32;
    let attention = Attention { queries, keys, values, query_rows, key_rows, heads: 2, scale: 1.0, precision };
    let (_, kept) = backend.run_keeping(&attention);
    let output = pollster::block_on(backend.read(&kept.output)).unwrap();
    let log_sum_exp = pollster::block_on(backend.read(&kept.log_sum_exp)).unwrap();
    assert_eq!(output[..8], [0.0; 8]);
    assert!(output[8..].iter().all(|&value| value != 0.0));
    assert_eq!(log_sum_exp[..4], [f32::NEG_INFINITY; 4]);
    assert!(log_sum_exp[4..].iter().all(|value| value.is_finite()));
}

#[test]
fn a_word_without_a_vector_is_a_row_of_zeros() {
    let backend = Cpu::<f32>::new();
    let table = backend.upload(&[1.0, 2.0, 3.0, 4.0], [2, 2]);
    let tokens = Tokens::new(&backend, &[1, OUT_OF_VOCABULARY, 0, 1], 2);
    let y = pollster::block_on(backend.read(&backend.run(&Embedding { table, tokens }))).unwrap();
    assert_eq!(y, [3.0, 4.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn dropout_keeps_the_numbers_that_philox_says() {
    let backend = Cpu::<f32>::new();
    let stream = Stream { seed: 7, stream: 3 };
    let x = backend.upload(&[1.0; 103], [1, 103]);
    for first in [0, 6, 8] {
        let y = pollster::block_on(backend.read(&backend.run(&Dropout { x: x.clone(), rate: 0.25, stream, first }))).unwrap();
        for (i, &value) in y.iter().enumerate() {
            let kept = stream.uniform((first + i) as u64) >= 0.25;
            assert_eq!(value, if kept { 1.0 / 0.75 } else { 0.0 }, "element {i} after {first}");
        }
    }
}
