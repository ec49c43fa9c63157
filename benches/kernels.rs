//! Each kernel, forward and back, at the paper's sizes on a batch of 256 utterances with IEMOCAP-like lengths.

mod common;

use std::cell::RefCell;

use common::scaled;
use divan::Bencher;
use mcsan::audio::mfcc::{MfccSettings, SAMPLE_RATE};
use mcsan::backend::ops::{
    Accumulate, Adam, AdamStep, Attention, AttentionWeights, Bilstm, ConvPool, CrossEntropy, DeltaFilter, Deltas, Differentiable,
    Differentiate, Dropout, Edges, Embedding, GlobalMax, GradientNorm, GroupStatistics, Linear, LossScale, LstmWeights, Mfcc, Operation,
    PositionEmbedding, ResidualNorm, Run, Sgd, StepSize, Tokens, ZScore, loss_scaling,
};
use mcsan::backend::{Backend, Matrix, MfccTables, Ragged, Sink, Storage, Write};
use mcsan::base::numbers::{Activation, Precision};
use mcsan::base::philox::Stream;
use mcsan::check::Source;
use mcsan::dataset::BatchShape;
use mcsan::model::batch::pooled_rows;

const WIDTH: usize = 128;
const FEED_FORWARD: usize = 512;
const HEADS: usize = 8;
const COEFFICIENTS: usize = 40;
const WORDS: usize = 3000;
const WORD_WIDTH: usize = 300;
const CLASSES: usize = 7;
const PARAMETERS: usize = 1_628_935;
const CLIP_SECONDS: usize = 5;

fn main() {
    common::announce();
    divan::main();
}

/// Layouts of the batch, and where matrices come from.
struct Inputs<'b, B: Backend> {
    backend: &'b B,
    batch: usize,
    frames: Vec<Ragged<B>>,
    words: Ragged<B>,
    source: RefCell<Source>,
}

impl<'b, B: Backend> Inputs<'b, B> {
    fn new(backend: &'b B) -> Self {
        let shape = BatchShape { batch: scaled(256), ragged: true, ..BatchShape::default() };
        Self {
            backend,
            batch: shape.batch,
            frames: pooled_rows(backend, &shape.frame_lengths(), 2),
            words: Ragged::new(backend, &shape.word_lengths()),
            source: RefCell::new(Source::new(1)),
        }
    }

    /// Rows of the acoustic sequence in the attention modules.
    fn audio(&self) -> &Ragged<B> {
        &self.frames[2]
    }

    fn matrix(&self, rows: usize, columns: usize) -> B::Tensor {
        self.backend.upload(&self.source.borrow_mut().uniform(rows * columns, 1.0), [rows, columns])
    }

    /// Numbers from 0 to `bound`.
    fn below(&self, count: usize, bound: usize) -> Vec<u32> {
        self.source.borrow_mut().below(count, bound as u32)
    }

    fn tokens(&self) -> Tokens<B> {
        Tokens::new(self.backend, &self.below(self.words.rows(), WORDS), WORDS)
    }

    fn lstm_weights<T>(&self, inputs: usize, make: impl Fn(usize, usize) -> T) -> LstmWeights<T> {
        let gates = 2 * 4 * WIDTH;
        LstmWeights {
            input: make(gates, inputs),
            recurrent: make(gates, WIDTH),
            bias_input: make(1, gates),
            bias_recurrent: make(1, gates),
        }
    }
}

/// Declares a bench for each kernel: `inputs` are made before the clock runs, the closure that is returned is timed.
macro_rules! kernels {
    ($($name:ident |$inputs:ident, $backend:ident| $prepare:block)*) => {$(
        #[divan::bench(max_time = 3)]
        fn $name(bencher: Bencher) {
            on_the_device!(|backend| {
                let $inputs = &Inputs::new(backend);
                let $backend = backend;
                let work = $prepare;
                // Reading a number that was there before waits for the work and copies nothing of it.
                let mark = backend.zeros([1, 1]);
                bencher.bench_local(|| {
                    work();
                    pollster::block_on(backend.read(&mark)).unwrap()
                });
            });
        }
    )*};
}

/// The way forward of an operation.
fn forward<'a, B: Backend + Run<O>, O: Operation<B, Operand = B::Tensor> + 'a>(backend: &'a B, operation: O) -> impl Fn() + 'a {
    move || drop(backend.run(&operation))
}

/// Its way back, to the operands that are `wanted`, by their number.
fn backward<'a, B: Backend + Differentiate<O>, O: Differentiable<B, Operand = B::Tensor> + 'a>(
    backend: &'a B,
    operation: O,
    wanted: impl Fn(usize) -> bool,
) -> impl Fn() + 'a {
    let (dy, kept) = backend.run_keeping(&operation);
    let mut number = 0..;
    let sinks = operation.map(|operand| {
        let sink = || Sink { tensor: backend.zeros(operand.shape()), write: Write::Set };
        number.next().is_some_and(&wanted).then(sink)
    });
    move || backend.run_back(&operation, &kept, &dy, &sinks)
}

kernels! {
    mfcc_of_an_hour |inputs, backend| {
        let tables = MfccTables::new(backend, &MfccSettings::default()).unwrap();
        let clips = 60 / CLIP_SECONDS;
        let length = CLIP_SECONDS * SAMPLE_RATE as usize;
        let samples = inputs.matrix(clips * length, 1);
        let utterances = Ragged::new(backend, &vec![length as u32; clips]);
        let frames = Ragged::new(backend, &vec![tables.settings.frames(length) as u32; clips]);
        let minute = forward(backend, Mfcc { samples, utterances, frames, tables });
        move || (0..scaled(60)).for_each(|_| minute())
    }
    deltas |inputs, backend| {
        let frames = inputs.frames[0].clone();
        let filter = DeltaFilter { orders: 2, edges: Edges::Repeated, taps: inputs.matrix(1, 9) };
        forward(backend, Deltas { x: inputs.matrix(frames.rows(), COEFFICIENTS), frames, filter })
    }
    z_score |inputs, backend| {
        let rows = inputs.frames[0].clone();
        let groups = backend.upload_words(&vec![0; inputs.batch]);
        let [mean, reciprocal_deviation] = [(); 2].map(|()| inputs.matrix(1, COEFFICIENTS));
        let statistics = GroupStatistics { groups, mean, reciprocal_deviation };
        forward(backend, ZScore { x: inputs.matrix(rows.rows(), COEFFICIENTS), rows, statistics })
    }
    embedding |inputs, backend| { forward(backend, lookup(inputs)) }
    embedding_backward |inputs, backend| { backward(backend, lookup(inputs), |_| true) }
    position_embedding |inputs, backend| {
        let rows = inputs.audio().clone();
        forward(backend, PositionEmbedding { x: inputs.matrix(rows.rows(), WIDTH), rows })
    }
    accumulate |inputs, backend| {
        let [x, sum] = [(); 2].map(|()| inputs.matrix(inputs.audio().rows(), WIDTH));
        forward(backend, Accumulate { x, sum, write: Write::Add })
    }
    // The first block's input needs no gradient.
    conv_pool_first |inputs, backend| { forward(backend, conv_pool(inputs, 0, COEFFICIENTS)) }
    conv_pool_first_backward |inputs, backend| { backward(backend, conv_pool(inputs, 0, COEFFICIENTS), |operand| operand > 0) }
    conv_pool_second |inputs, backend| { forward(backend, conv_pool(inputs, 1, WIDTH)) }
    conv_pool_second_backward |inputs, backend| { backward(backend, conv_pool(inputs, 1, WIDTH), |_| true) }
    linear_128_to_128 |inputs, backend| { forward(backend, linear(inputs, WIDTH, WIDTH, Activation::None)) }
    linear_128_to_512_relu |inputs, backend| { forward(backend, linear(inputs, WIDTH, FEED_FORWARD, Activation::Relu)) }
    linear_512_to_128 |inputs, backend| { forward(backend, linear(inputs, FEED_FORWARD, WIDTH, Activation::None)) }
    linear_128_to_512_backward_input |inputs, backend| {
        backward(backend, linear(inputs, WIDTH, FEED_FORWARD, Activation::Relu), |operand| operand == 0)
    }
    linear_128_to_512_backward_weight |inputs, backend| {
        backward(backend, linear(inputs, WIDTH, FEED_FORWARD, Activation::Relu), |operand| operand > 0)
    }
    // The text's input needs no gradient where its vectors are frozen.
    bilstm_audio |inputs, backend| { forward(backend, bilstm(inputs, inputs.audio(), WIDTH)) }
    bilstm_audio_backward |inputs, backend| { backward(backend, bilstm(inputs, inputs.audio(), WIDTH), |_| true) }
    bilstm_text |inputs, backend| { forward(backend, bilstm(inputs, &inputs.words, WORD_WIDTH)) }
    bilstm_text_backward |inputs, backend| { backward(backend, bilstm(inputs, &inputs.words, WORD_WIDTH), |operand| operand > 0) }
    attention_audio_to_audio |inputs, backend| { forward(backend, attention(inputs, inputs.audio(), inputs.audio())) }
    attention_audio_to_audio_backward |inputs, backend| { backward(backend, attention(inputs, inputs.audio(), inputs.audio()), |_| true) }
    attention_text_to_audio |inputs, backend| { forward(backend, attention(inputs, &inputs.words, inputs.audio())) }
    attention_text_to_audio_backward |inputs, backend| { backward(backend, attention(inputs, &inputs.words, inputs.audio()), |_| true) }
    attention_weights |inputs, backend| { forward(backend, AttentionWeights(attention(inputs, &inputs.words, inputs.audio()))) }
    residual_norm |inputs, backend| { forward(backend, norm(inputs)) }
    residual_norm_backward |inputs, backend| { backward(backend, norm(inputs), |_| true) }
    global_max |inputs, backend| {
        let streams = [inputs.audio(), &inputs.words, inputs.audio(), &inputs.words];
        forward(backend, maximum(inputs, &streams))
    }
    global_max_backward |inputs, backend| { backward(backend, maximum(inputs, &[inputs.audio()]), |_| true) }
    cross_entropy |inputs, backend| {
        forward(backend, CrossEntropy {
            logits: inputs.matrix(inputs.batch, CLASSES),
            class_weights: backend.upload(&[1.0; CLASSES], [1, CLASSES]),
            scaling: backend.upload(&loss_scaling(Precision::F32), [1, 3]),
            labels: backend.upload_words(&inputs.below(inputs.batch, CLASSES)),
            smoothing: 0.0,
            total_weight: None,
        })
    }
    dropout |inputs, backend| {
        let x = inputs.matrix(inputs.audio().rows(), WIDTH);
        forward(backend, Dropout { x, rate: 0.1, stream: Stream { seed: 1, stream: 1 }, first: 0 })
    }
    gradient_norm |inputs, backend| { forward(backend, GradientNorm { gradients: inputs.matrix(1, PARAMETERS) }) }
    loss_scale |_inputs, backend| {
        let (norm, scaling) = (backend.upload(&[1.0, 1.0], [1, 2]), backend.upload(&loss_scaling(Precision::Mixed), [1, 3]));
        forward(backend, LossScale { norm, scaling })
    }
    adam |inputs, backend| {
        let [parameters, gradients] = [(); 2].map(|()| inputs.matrix(1, PARAMETERS));
        let [first_moment, second_moment] = [(); 2].map(|()| backend.zeros([1, PARAMETERS]));
        let step = AdamStep { size: SIZE, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 1 };
        forward(backend, Adam { parameters, gradients, first_moment, second_moment, norm: backend.upload(&[0.0, 1.0], [1, 2]), step })
    }
    sgd |inputs, backend| {
        let [parameters, gradients] = [(); 2].map(|()| inputs.matrix(1, PARAMETERS));
        forward(backend, Sgd { parameters, gradients, norm: backend.upload(&[0.0, 1.0], [1, 2]), size: SIZE })
    }
}

const SIZE: StepSize = StepSize { learning_rate: 1e-3, weight_decay: 0.0, clip_norm: f64::INFINITY };

fn lookup<B: Backend>(inputs: &Inputs<'_, B>) -> Embedding<B, B::Tensor> {
    Embedding { table: inputs.matrix(WORDS, WORD_WIDTH), tokens: inputs.tokens() }
}

fn conv_pool<B: Backend>(inputs: &Inputs<'_, B>, block: usize, channels: usize) -> ConvPool<B, B::Tensor> {
    let [input, output] = [block, block + 1].map(|rows| inputs.frames[rows].clone());
    let x = inputs.matrix(input.rows(), channels);
    let (weight, bias) = (inputs.matrix(WIDTH, 3 * channels), inputs.matrix(1, WIDTH));
    ConvPool { x, weight, bias, input, output, activation: Activation::None }
}

fn linear<B: Backend>(inputs: &Inputs<'_, B>, columns: usize, outputs: usize, activation: Activation) -> Linear<B::Tensor> {
    let (x, weight) = (inputs.matrix(inputs.audio().rows(), columns), inputs.matrix(outputs, columns));
    Linear { x, weight, bias: Some(inputs.matrix(1, outputs)), activation, precision: Precision::F32 }
}

fn bilstm<B: Backend>(inputs: &Inputs<'_, B>, rows: &Ragged<B>, columns: usize) -> Bilstm<B, B::Tensor> {
    let weights = inputs.lstm_weights(columns, |rows, columns| inputs.matrix(rows, columns));
    Bilstm { x: inputs.matrix(rows.rows(), columns), weights, rows: rows.clone(), precision: Precision::F32 }
}

fn attention<B: Backend>(inputs: &Inputs<'_, B>, queries: &Ragged<B>, keys: &Ragged<B>) -> Attention<B, B::Tensor> {
    let (query_rows, key_rows) = (queries.clone(), keys.clone());
    let [queries, keys, values] = [queries, keys, keys].map(|rows| inputs.matrix(rows.rows(), WIDTH));
    Attention { queries, keys, values, query_rows, key_rows, heads: HEADS, scale: 0.25 }
}

fn norm<B: Backend>(inputs: &Inputs<'_, B>) -> ResidualNorm<B::Tensor> {
    let [x, residual] = [(); 2].map(|()| inputs.matrix(inputs.audio().rows(), WIDTH));
    let [scale, shift] = [(); 2].map(|()| inputs.matrix(1, WIDTH));
    ResidualNorm { x, residual, scale, shift }
}

fn maximum<B: Backend>(inputs: &Inputs<'_, B>, streams: &[&Ragged<B>]) -> GlobalMax<B, B::Tensor> {
    let streams = streams.iter().map(|&rows| (inputs.matrix(rows.rows(), WIDTH), rows.clone()));
    GlobalMax { streams: streams.collect() }
}
