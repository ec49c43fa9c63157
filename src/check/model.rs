//! A whole forward and backward pass of a model on a backend and on the reference in float64, compared value by value in
//! the order of computation: the first that departs names the layer to look at.
//!
//! A value carries the rounding of all that came before it, and where a ReLU or a maximum is nearly undecided a device may
//! rightly decide otherwise and send a gradient elsewhere. So it is judged as a whole, by `‖got - expected‖ / ‖expected‖`; that
//! each kernel is right by itself, element by element, is what [`super::check`] says.

use std::collections::BTreeMap;

use serde::Serialize;

use super::compare::{Agreement, Silence, Tolerance, compare};
use super::{Output, Source};
use crate::backend::cpu::Cpu;
use crate::backend::ops::{GroupStatistics, Tokens, loss_scaling};
use crate::backend::{Backend, Ragged, Result, Write};
#[cfg(feature = "cli")]
use crate::base::memory::{self, Bytes, NoRoom};
use crate::base::numbers::Precision;
use crate::base::real::Real;
use crate::base::streams::{AUDIO, FUNCTIONALS, PROSODY, Reading, StreamShape, TEXT, VISUAL};
use crate::base::words::OUT_OF_VOCABULARY;
use crate::config::{Settings, System};
use crate::dataset::BatchShape;
use crate::model::batch::{Batch, BatchStream, FrameInput, TokenInput, VectorInput, pooled_rows};
#[cfg(feature = "cli")]
use crate::model::cost;
use crate::model::layers::{Dropout, Pass};
use crate::model::loss::LossOf;
use crate::model::parameters::{Parameter, Parameters};
use crate::model::{self, Dimensions};
use crate::tape::{Seen, Tape, Way};

/// Relative error that float32 may have gathered on the way to a value …
const FORWARD: f64 = 2e-5;
/// … and to a gradient, of whose choices a few may have fallen otherwise.
const BACKWARD: f64 = 1e-3;

/// Rows of the trained word table.
const WORDS: usize = 50;
const CLASSES: usize = 4;
const COEFFICIENTS: usize = 40;
const VECTOR_COLUMNS: usize = 35;
const PICTURE_COLUMNS: usize = 24;
/// Every parameter starts this far from where training starts it, so that none is 0 or 1 and hides its kernel's mistakes.
const NUDGE: f32 = 0.05;

/// A value of the pass, and how far the backend's is from the reference's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Of a value its layer, `audio_encoder.conv1`; of a gradient `gradient of …`, the layer or the parameter.
    pub name: String,
    /// `[rows, columns]`
    pub shape: [usize; 2],
    /// Judged as a whole: `pass` follows from `rel_l2`.
    #[serde(flatten)]
    pub agreement: Agreement,
}

/// Compares a pass of the model that `settings` describe, in f32 whatever `train.precision` is, on a batch and parameters that
/// `seed` draws; the points are in the order of computation.
///
/// # Errors
/// Whatever went wrong on the backend, guard words that were overwritten included.
pub async fn check_model<B: Backend>(backend: &B, settings: &Settings, shape: BatchShape, seed: u64) -> Result<Vec<Point>> {
    let got = pass(backend, settings, shape, seed).await?;
    backend.verify().await?;
    let expected = pass(&Cpu::<f64>::new(), settings, shape, seed).await?;
    Ok(expected.iter().zip(&got).map(|(expected, got)| compare_point(expected, got)).collect())
}

/// Refuses a pass that the host has no room for.
///
/// # Errors
/// [`NoRoom`].
#[cfg(feature = "cli")]
pub(crate) fn check_room(settings: &Settings, shape: BatchShape) -> std::result::Result<(), NoRoom> {
    shape.check_room(size_of::<f32>() + size_of::<f64>())?;
    let kept = cost::activations(settings, &dimensions(settings), &shape.frame_lengths(), &shape.word_lengths());
    let needed = Bytes(kept.0.saturating_mul((size_of::<f64>() / size_of::<f32>()) as u64));
    memory::room_for(needed).map_err(|free| NoRoom { what: format!("{shape}: a pass in float64"), needed, free })
}

fn dimensions(settings: &Settings) -> Dimensions {
    let streams = streams(settings);
    Dimensions { streams: streams.iter().map(|&(name, shape)| (name.to_owned(), shape)).collect(), classes: CLASSES }
}

fn compare_point(expected: &Output, got: &Output) -> Point {
    let limit = if expected.name.starts_with(GRADIENT) { BACKWARD } else { FORWARD };
    let [expected_alone, got_alone] = [expected, got].map(std::slice::from_ref);
    // A gradient may vanish: that of an attention's key bias moves all scores of a query alike.
    let mut agreement = compare(expected_alone, got_alone, Tolerance::of_rms(limit), Silence::Right);
    let is_judged_whole = agreement.rel_l2 > 0.0 && agreement.worst.as_ref().is_none_or(|worst| worst.of_bound.is_finite());
    if is_judged_whole {
        agreement.pass = agreement.rel_l2 <= limit;
        agreement.reason = agreement.reason.filter(|_| !agreement.pass);
        if !agreement.pass {
            agreement.fail(format!("relative error {:.1e} of the whole, at most {limit:.0e}", agreement.rel_l2));
        }
    }
    Point { name: expected.name.clone(), shape: expected.shape, agreement }
}

const GRADIENT: &str = "gradient of ";

/// All named values of a pass in the order of computation, each parameter's gradient after that of its layer's result.
async fn pass<B: Backend>(backend: &B, settings: &Settings, shape: BatchShape, seed: u64) -> Result<Vec<Output>> {
    let streams = streams(settings);
    let model = model::build(settings, &dimensions(settings));
    let layout = model.parameters();
    let mut source = Source::new(seed);
    let nudges = source.uniform(layout.len(), NUDGE);
    let values: Vec<f32> = layout.initial_values(seed).into_iter().zip(nudges).map(|(value, nudge)| value + nudge).collect();
    let parameters = backend.upload(&values, [1, layout.len()]);
    let gradients = backend.zeros([1, layout.len()]);
    let batch = draw_batch(backend, shape, &streams, &model.reads(), &mut source);
    let class_weights = backend.upload(&[1.0; CLASSES], [1, CLASSES]);

    let scaling = backend.upload(&loss_scaling(Precision::F32), [1, 3]);

    let mut tape = Tape::watched(backend);
    let bound = layout.bind(&mut tape, &parameters, &gradients, Write::Set);
    let dropout = Some(Dropout::new(seed, 0));
    let mut pass = Pass { tape: &mut tape, parameters: &bound, dropout, watched: None, terms: Some(Vec::new()), mixing: None };
    let logits = model.forward(&mut pass, &batch);
    let terms = pass.terms.take().unwrap_or_default();
    let smoothing = settings.train.label_smoothing as f32;
    let of =
        LossOf { labels: batch.labels.as_ref(), class_weights: &class_weights, smoothing, whole: None, scaling: &scaling, mixing: None };
    let (loss, starts) = of.sum(&tape, model.loss(), &logits, &terms);
    let loss = Seen { name: "loss".into(), way: Way::Forward, shape: [1, 1], readback: backend.start_read(&loss) };
    let mut seen = tape.backward(starts).into_seen();
    let turn = seen.iter().position(|seen| seen.way == Way::Back).unwrap_or(seen.len());
    seen.insert(turn, loss);

    let gradients: Vec<f64> = backend.read(&gradients).await?.into_iter().map(Real::as_f64).collect();
    let mut outputs = Vec::new();
    for Seen { name, way, shape, readback } in seen {
        let values = backend.finish_read(readback).await?.into_iter().map(Real::as_f64).collect();
        match way {
            Way::Forward => outputs.push(Output { name, shape, values }),
            Way::Back => {
                outputs.push(Output { name: format!("{GRADIENT}{name}"), shape, values });
                outputs.extend(parameters_of(layout, &name).map(|parameter| gradient_of(parameter, &gradients)));
            }
        }
    }
    Ok(outputs)
}

/// The parameters of a layer, `audio_encoder.conv1.weight` of `audio_encoder.conv1`.
fn parameters_of<'l>(parameters: &'l Parameters, layer: &str) -> impl Iterator<Item = &'l Parameter> {
    parameters.iter().filter(move |parameter| parameter.name.rsplit_once('.').is_some_and(|(owner, _)| owner == layer))
}

fn gradient_of(parameter: &Parameter, gradients: &[f64]) -> Output {
    let rows = if parameter.shape.len() == 1 { 1 } else { parameter.shape[0] };
    Output {
        name: format!("{GRADIENT}{}", parameter.name),
        shape: [rows, parameter.len() / rows],
        values: gradients[parameter.offset..parameter.offset + parameter.len()].to_vec(),
    }
}

/// What is drawn, in the order in which it is drawn: recording and words, whether the model reads them or not, and what else it does.
fn streams(settings: &Settings) -> Vec<(&'static str, StreamShape)> {
    let words = StreamShape::Tokens { width: settings.model.word_width, learned: Some(WORDS) };
    let mut streams = vec![(AUDIO, StreamShape::Frames { columns: COEFFICIENTS }), (TEXT, words)];
    match settings.model.system {
        System::Mdre | System::Mdrea => streams.push((PROSODY, StreamShape::Vector { columns: VECTOR_COLUMNS })),
        System::Cmkl | System::Liang => streams.push((FUNCTIONALS, StreamShape::Vector { columns: VECTOR_COLUMNS })),
        System::Amh | System::Mcsan3 => streams.push((VISUAL, StreamShape::Frames { columns: PICTURE_COLUMNS })),
        System::Mcsan | System::Mha | System::Xu | System::Can => {}
    }
    streams
}

/// A batch of these streams.
fn draw_batch<B: Backend>(
    backend: &B,
    shape: BatchShape,
    streams: &[(&'static str, StreamShape)],
    reads: &[Reading],
    source: &mut Source,
) -> Batch<B> {
    let input = |&(name, stream): &(&'static str, StreamShape)| {
        let pools = reads.iter().find(|reading| reading.stream == name).map_or(0, Reading::pools);
        (name, draw_input(backend, shape, stream, pools, source))
    };
    let inputs = streams.iter().map(input).collect();
    let labels = source.below(shape.batch, CLASSES as u32);
    Batch { streams: inputs, labels: Some(backend.upload_words(&labels)), covered: BTreeMap::new(), mixing: None }
}

/// A stream of a batch; without a table that is learned every token is out of vocabulary.
fn draw_input<B: Backend>(backend: &B, shape: BatchShape, stream: StreamShape, pools: u32, source: &mut Source) -> BatchStream<B> {
    let mut matrix = |[rows, columns]: [usize; 2], middle: f32, amplitude: f32| {
        let values: Vec<f32> = source.uniform(rows * columns, amplitude).into_iter().map(|value| middle + value).collect();
        backend.upload(&values, [rows, columns])
    };
    let mut numbers = |rows: usize, columns: usize| {
        let values = matrix([rows, columns], 0.0, 3.0);
        let (mean, reciprocal_deviation) = (matrix([1, columns], 0.0, 1.0), matrix([1, columns], 1.0, 0.5));
        (values, GroupStatistics { groups: backend.upload_words(&vec![0; shape.batch]), mean, reciprocal_deviation })
    };
    let sum = |lengths: &[u32]| lengths.iter().sum::<u32>() as usize;
    match stream {
        StreamShape::Frames { columns } => {
            let lengths = shape.frame_lengths();
            let (values, normalisation) = numbers(sum(&lengths), columns);
            BatchStream::Frames(FrameInput::new(values, pooled_rows(backend, &lengths, pools), normalisation))
        }
        StreamShape::Tokens { learned, .. } => {
            let (lengths, words) = (shape.word_lengths(), learned.unwrap_or(0));
            let ids = source.below(sum(&lengths), words as u32 + 1);
            let ids: Vec<u32> = ids.into_iter().map(|id| if id == words as u32 { OUT_OF_VOCABULARY } else { id }).collect();
            let (tokens, rows) = (Tokens::new(backend, &ids, words), Ragged::new(backend, &lengths));
            BatchStream::Tokens(TokenInput { tokens, rows, vectors: backend.upload(&[], [0, 0]) })
        }
        StreamShape::Vector { columns } => {
            let (values, normalisation) = numbers(shape.batch, columns);
            BatchStream::Vector(VectorInput { values, rows: Ragged::new(backend, &vec![1; shape.batch]), normalisation })
        }
    }
}
