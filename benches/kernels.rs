//! Each kernel, forward and back, at the paper's sizes on a batch of 256 utterances with IEMOCAP-like lengths.

mod common;

use std::cell::RefCell;

use common::scaled;
use divan::Bencher;
use mcsan::audio::mfcc::{MfccSettings, SAMPLE_RATE};
use mcsan::backend::MfccTables;
use mcsan::backend::{
    AdamStep, AttentionInputs, Backend, ConvPoolSaved, ConvPoolSinks, DeltaFilter, Edges, LstmWeights, NormSinks, Ragged, Sink, StepSize,
    Tokens, Write, ZScore, loss_scaling,
};
use mcsan::base::numbers::{Activation, Precision};
use mcsan::base::philox::Stream;
use mcsan::check::Source;
use mcsan::dataset::BatchShape;
use mcsan::model::batch::acoustic_rows;

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
    frames: [Ragged<B>; 3],
    words: Ragged<B>,
    source: RefCell<Source>,
}

impl<'b, B: Backend> Inputs<'b, B> {
    fn new(backend: &'b B) -> Self {
        let shape = BatchShape { batch: scaled(256), ragged: true, ..BatchShape::default() };
        Self {
            backend,
            batch: shape.batch,
            frames: acoustic_rows(backend, &shape.frame_lengths()),
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

    fn sink(&self, rows: usize, columns: usize) -> Sink<B::Tensor> {
        Sink { tensor: self.backend.zeros([rows, columns]), write: Write::Set }
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

kernels! {
    mfcc_of_an_hour |inputs, backend| {
        let tables = MfccTables::new(backend, &MfccSettings::default()).unwrap();
        let clips = 60 / CLIP_SECONDS;
        let length = CLIP_SECONDS * SAMPLE_RATE as usize;
        let samples = inputs.matrix(clips * length, 1);
        let utterances = Ragged::new(backend, &vec![length as u32; clips]);
        let frames = Ragged::new(backend, &vec![tables.settings.frames(length) as u32; clips]);
        move || (0..scaled(60)).for_each(|_| drop(backend.mfcc(&samples, &utterances, &frames, &tables)))
    }
    deltas |inputs, backend| {
        let x = inputs.matrix(inputs.frames[0].rows(), COEFFICIENTS);
        let filter = DeltaFilter { orders: 2, edges: Edges::Repeated, taps: inputs.matrix(1, 9) };
        move || drop(backend.deltas(&x, &inputs.frames[0], &filter))
    }
    z_score |inputs, backend| {
        let x = inputs.matrix(inputs.frames[0].rows(), COEFFICIENTS);
        let groups = backend.upload_words(&vec![0; inputs.batch]);
        let statistics = ZScore { groups, mean: inputs.matrix(1, COEFFICIENTS), reciprocal_deviation: inputs.matrix(1, COEFFICIENTS) };
        move || drop(backend.z_score(&x, &inputs.frames[0], &statistics))
    }
    embedding |inputs, backend| {
        let (table, tokens) = (inputs.matrix(WORDS, WORD_WIDTH), inputs.tokens());
        move || drop(backend.embedding(&table, &tokens))
    }
    embedding_backward |inputs, backend| {
        let (dy, tokens, sink) = (inputs.matrix(inputs.words.rows(), WORD_WIDTH), inputs.tokens(), inputs.sink(WORDS, WORD_WIDTH));
        move || backend.embedding_backward(&dy, &tokens, &sink)
    }
    position_embedding |inputs, backend| {
        let x = inputs.matrix(inputs.audio().rows(), WIDTH);
        move || drop(backend.position_embedding(&x, inputs.audio()))
    }
    accumulate |inputs, backend| {
        let (x, tensor) = (inputs.matrix(inputs.audio().rows(), WIDTH), inputs.matrix(inputs.audio().rows(), WIDTH));
        let sink = Sink { tensor, write: Write::Add };
        move || backend.accumulate(&x, &sink)
    }
    conv_pool_first |inputs, _backend| { conv_pool(inputs, 0, COEFFICIENTS) }
    conv_pool_first_backward |inputs, _backend| { conv_pool_backward(inputs, 0, COEFFICIENTS) }
    conv_pool_second |inputs, _backend| { conv_pool(inputs, 1, WIDTH) }
    conv_pool_second_backward |inputs, _backend| { conv_pool_backward(inputs, 1, WIDTH) }
    linear_128_to_128 |inputs, _backend| { linear(inputs, WIDTH, WIDTH, Activation::None) }
    linear_128_to_512_relu |inputs, _backend| { linear(inputs, WIDTH, FEED_FORWARD, Activation::Relu) }
    linear_512_to_128 |inputs, _backend| { linear(inputs, FEED_FORWARD, WIDTH, Activation::None) }
    linear_128_to_512_backward_input |inputs, backend| {
        let rows = inputs.audio().rows();
        let (dy, weight, sink) = (inputs.matrix(rows, FEED_FORWARD), inputs.matrix(FEED_FORWARD, WIDTH), inputs.sink(rows, WIDTH));
        move || backend.linear_backward_input(&dy, Some(&dy), &weight, &sink, Precision::F32)
    }
    linear_128_to_512_backward_weight |inputs, backend| {
        let rows = inputs.audio().rows();
        let (dy, x) = (inputs.matrix(rows, FEED_FORWARD), inputs.matrix(rows, WIDTH));
        let (weight, bias) = (inputs.sink(FEED_FORWARD, WIDTH), inputs.sink(1, FEED_FORWARD));
        move || backend.linear_backward_weight(&dy, Some(&dy), &x, &weight, Some(&bias), Precision::F32)
    }
    bilstm_audio |inputs, _backend| { bilstm(inputs, inputs.audio(), WIDTH) }
    bilstm_audio_backward |inputs, _backend| { bilstm_backward(inputs, inputs.audio(), WIDTH, true) }
    bilstm_text |inputs, _backend| { bilstm(inputs, &inputs.words, WORD_WIDTH) }
    bilstm_text_backward |inputs, _backend| { bilstm_backward(inputs, &inputs.words, WORD_WIDTH, false) }
    attention_audio_to_audio |inputs, _backend| { attention(inputs, inputs.audio(), inputs.audio()) }
    attention_audio_to_audio_backward |inputs, _backend| { attention_backward(inputs, inputs.audio(), inputs.audio()) }
    attention_text_to_audio |inputs, _backend| { attention(inputs, &inputs.words, inputs.audio()) }
    attention_text_to_audio_backward |inputs, _backend| { attention_backward(inputs, &inputs.words, inputs.audio()) }
    attention_weights |inputs, backend| {
        let (queries, keys) = (inputs.matrix(inputs.words.rows(), WIDTH), inputs.matrix(inputs.audio().rows(), WIDTH));
        move || drop(backend.attention_weights(&attending([&queries, &keys, &keys], &inputs.words, inputs.audio())))
    }
    residual_norm |inputs, backend| {
        let rows = inputs.audio().rows();
        let (x, residual, scale, shift) = (inputs.matrix(rows, WIDTH), inputs.matrix(rows, WIDTH), inputs.matrix(1, WIDTH), inputs.matrix(1, WIDTH));
        move || drop(backend.residual_norm(&x, &residual, &scale, &shift))
    }
    residual_norm_backward |inputs, backend| {
        let rows = inputs.audio().rows();
        let (x, scale) = (inputs.matrix(rows, WIDTH), inputs.matrix(1, WIDTH));
        let (dy, saved) = backend.residual_norm(&x, &x, &scale, &scale);
        let sinks = NormSinks {
            x: inputs.sink(rows, WIDTH),
            residual: inputs.sink(rows, WIDTH),
            scale: inputs.sink(1, WIDTH),
            shift: inputs.sink(1, WIDTH),
        };
        move || backend.residual_norm_backward(&dy, &scale, &saved, &sinks)
    }
    global_max |inputs, backend| {
        let (audio, text) = (inputs.matrix(inputs.audio().rows(), WIDTH), inputs.matrix(inputs.words.rows(), WIDTH));
        move || {
            let streams = [(&audio, inputs.audio()), (&text, &inputs.words), (&audio, inputs.audio()), (&text, &inputs.words)];
            drop(backend.global_max(&streams));
        }
    }
    global_max_backward |inputs, backend| {
        let rows = inputs.audio().rows();
        let (_, winners) = backend.global_max(&[(&inputs.matrix(rows, WIDTH), inputs.audio())]);
        let (dy, sink) = (inputs.matrix(inputs.batch, WIDTH), inputs.sink(rows, WIDTH));
        move || backend.global_max_backward(&dy, &winners, inputs.audio(), 0, &sink)
    }
    cross_entropy |inputs, backend| {
        let (logits, weights) = (inputs.matrix(inputs.batch, CLASSES), backend.upload(&[1.0; CLASSES], [1, CLASSES]));
        let labels = backend.upload_words(&inputs.below(inputs.batch, CLASSES));
        let scaling = backend.upload(&loss_scaling(Precision::F32), [1, 3]);
        move || drop(backend.cross_entropy(&logits, &labels, &weights, 0.0, None, &scaling))
    }
    dropout |inputs, backend| {
        let x = inputs.matrix(inputs.audio().rows(), WIDTH);
        move || drop(backend.dropout(&x, 0.1, Stream { seed: 1, stream: 1 }, 0))
    }
    gradient_norm |inputs, backend| {
        let gradients = inputs.matrix(1, PARAMETERS);
        move || drop(backend.gradient_norm(&gradients))
    }
    loss_scale |_inputs, backend| {
        let (norm, scaling) = (backend.upload(&[1.0, 1.0], [1, 2]), backend.upload(&loss_scaling(Precision::Mixed), [1, 3]));
        move || backend.loss_scale(&norm, &scaling)
    }
    adam |inputs, backend| {
        let (parameters, gradients, norm) = (inputs.matrix(1, PARAMETERS), inputs.matrix(1, PARAMETERS), backend.upload(&[0.0, 1.0], [1, 2]));
        let moments = [backend.zeros([1, PARAMETERS]), backend.zeros([1, PARAMETERS])];
        let step = AdamStep { size: SIZE, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: 1 };
        move || backend.adam(&parameters, &gradients, moments.each_ref(), &norm, step)
    }
    sgd |inputs, backend| {
        let (parameters, gradients, norm) = (inputs.matrix(1, PARAMETERS), inputs.matrix(1, PARAMETERS), backend.upload(&[0.0, 1.0], [1, 2]));
        move || backend.sgd(&parameters, &gradients, &norm, SIZE)
    }
}

const SIZE: StepSize = StepSize { learning_rate: 1e-3, weight_decay: 0.0, clip_norm: f64::INFINITY };

fn conv_pool<'a, B: Backend>(inputs: &'a Inputs<'_, B>, block: usize, channels: usize) -> impl Fn() + 'a {
    let (input, output) = (&inputs.frames[block], &inputs.frames[block + 1]);
    let (x, weight, bias) = (inputs.matrix(input.rows(), channels), inputs.matrix(WIDTH, 3 * channels), inputs.matrix(1, WIDTH));
    move || drop(inputs.backend.conv_pool(&x, input, output, &weight, &bias, Activation::None))
}

/// The first block's input needs no gradient.
fn conv_pool_backward<'a, B: Backend>(inputs: &'a Inputs<'_, B>, block: usize, channels: usize) -> impl Fn() + 'a {
    let (backend, input, output) = (inputs.backend, &inputs.frames[block], &inputs.frames[block + 1]);
    let (x, weight, bias) = (inputs.matrix(input.rows(), channels), inputs.matrix(WIDTH, 3 * channels), inputs.matrix(1, WIDTH));
    let (y, winners) = backend.conv_pool(&x, input, output, &weight, &bias, Activation::None);
    let sinks = ConvPoolSinks {
        x: (block > 0).then(|| inputs.sink(input.rows(), channels)),
        weight: inputs.sink(WIDTH, 3 * channels),
        bias: inputs.sink(1, WIDTH),
    };
    move || {
        let saved = ConvPoolSaved { x: &x, y: &y, winners: &winners, input, output, weight: &weight, activation: Activation::None };
        backend.conv_pool_backward(&y, &saved, &sinks);
    }
}

fn linear<'a, B: Backend>(inputs: &'a Inputs<'_, B>, columns: usize, outputs: usize, activation: Activation) -> impl Fn() + 'a {
    let (x, weight, bias) = (inputs.matrix(inputs.audio().rows(), columns), inputs.matrix(outputs, columns), inputs.matrix(1, outputs));
    move || drop(inputs.backend.linear(&x, &weight, Some(&bias), activation, Precision::F32))
}

fn bilstm<'a, B: Backend>(inputs: &'a Inputs<'_, B>, rows: &'a Ragged<B>, columns: usize) -> impl Fn() + 'a {
    let (x, weights) = (inputs.matrix(rows.rows(), columns), inputs.lstm_weights(columns, |rows, columns| inputs.matrix(rows, columns)));
    move || drop(inputs.backend.bilstm(&x, rows, &weights, Precision::F32))
}

/// The text's input needs no gradient where its vectors are frozen.
fn bilstm_backward<'a, B: Backend>(inputs: &'a Inputs<'_, B>, rows: &'a Ragged<B>, columns: usize, wants_x: bool) -> impl Fn() + 'a {
    let (x, weights) = (inputs.matrix(rows.rows(), columns), inputs.lstm_weights(columns, |rows, columns| inputs.matrix(rows, columns)));
    let (dy, saved) = inputs.backend.bilstm(&x, rows, &weights, Precision::F32);
    let dx = wants_x.then(|| inputs.sink(rows.rows(), columns));
    let sinks = inputs.lstm_weights(columns, |rows, columns| inputs.sink(rows, columns));
    move || inputs.backend.bilstm_backward(&dy, &x, rows, &weights, &saved, dx.as_ref(), &sinks, Precision::F32)
}

fn attending<'a, B: Backend>(
    [queries, keys, values]: [&'a B::Tensor; 3],
    query_rows: &'a Ragged<B>,
    key_rows: &'a Ragged<B>,
) -> AttentionInputs<'a, B> {
    AttentionInputs { queries, keys, values, query_rows, key_rows, heads: HEADS, scale: 0.25 }
}

fn attention<'a, B: Backend>(inputs: &'a Inputs<'_, B>, queries: &'a Ragged<B>, keys: &'a Ragged<B>) -> impl Fn() + 'a {
    let operands = [queries, keys, keys].map(|rows| inputs.matrix(rows.rows(), WIDTH));
    move || drop(inputs.backend.attention(&attending(operands.each_ref(), queries, keys)))
}

fn attention_backward<'a, B: Backend>(inputs: &'a Inputs<'_, B>, queries: &'a Ragged<B>, keys: &'a Ragged<B>) -> impl Fn() + 'a {
    let operands = [queries, keys, keys].map(|rows| inputs.matrix(rows.rows(), WIDTH));
    let saved = inputs.backend.attention(&attending(operands.each_ref(), queries, keys));
    let sinks = [queries, keys, keys].map(|rows| inputs.sink(rows.rows(), WIDTH));
    move || inputs.backend.attention_backward(&saved.output, &attending(operands.each_ref(), queries, keys), &saved, sinks.each_ref())
}
