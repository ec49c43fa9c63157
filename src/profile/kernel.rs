//! One kernel's work from typed sizes: `rows=14400,inputs=128,outputs=512`. Inputs are drawn as those of its cases.

use crate::audio::mfcc::MfccSettings;
use crate::backend::ops::{Edges, FIRST_SCALE, StepSize};
use crate::base::numbers::{Activation, MAX_HEAD_SIZE, MAX_LSTM_HIDDEN, Precision};
use crate::base::philox::Stream;
use crate::check::cases::*;
use crate::check::{Case, Kernel, Origin, Shape};
use crate::dataset::lengths;
use crate::dataset::sizes::{Keys, SizeError};

/// The kernel of a name.
///
/// # Errors
/// [`SizeError::Misfit`], with those that there are.
pub fn find(name: &str) -> Result<Kernel, SizeError> {
    let names = || Kernel::ALL.iter().map(|kernel| kernel.name()).collect::<Vec<_>>().join(", ");
    let found = Kernel::ALL.iter().copied().find(|kernel| kernel.name() == name);
    found.ok_or_else(|| SizeError::Misfit(format!("'{name}' is no kernel; there are {}", names())))
}

/// The usual size of a buffer of all parameters, that of the paper's network.
const PARAMETERS: usize = 1_628_935;

/// A kernel's work of the given sizes; what is not given is as in the paper's network, for a batch of 32.
///
/// # Errors
/// [`SizeError`].
pub fn case(kernel: Kernel, text: &str) -> Result<Case, SizeError> {
    let mut keys = Keys::parse(text, kernel.name())?;
    let shape = shape(kernel, &mut keys)?;
    keys.finish()?;
    Ok(Case { shape, seed: 1, origin: Origin::Listed })
}

fn shape(kernel: Kernel, keys: &mut Keys<'_>) -> Result<Shape, SizeError> {
    Ok(match kernel {
        Kernel::Mfcc => Shape::Mfcc(Mfcc { samples: sequences(keys, "samples", 80_000)?, settings: MfccSettings::default() }),
        Kernel::Deltas => Shape::Deltas(Deltas {
            lengths: sequences(keys, "frames", 1000)?,
            columns: keys.number("columns", 1, 40)?,
            orders: 2,
            filters: 2,
            width: 9,
            edges: Edges::Shifted,
        }),
        Kernel::ZScore => Shape::ZScore(ZScore {
            lengths: sequences(keys, "frames", 1000)?,
            columns: keys.number("columns", 1, 40)?,
            groups: keys.number("groups", 1, 1)?,
        }),
        Kernel::Embedding => Shape::Embedding(Embedding {
            rows: keys.number("rows", 1, 1600)?,
            words: keys.number("words", 1, 3000)?,
            width: keys.number("width", 1, 300)?,
        }),
        Kernel::PositionEmbedding => {
            Shape::PositionEmbedding(PositionEmbedding { lengths: sequences(keys, "rows", 111)?, width: keys.number("width", 1, 128)? })
        }
        Kernel::Accumulate => Shape::Accumulate(Accumulate { count: keys.number("count", 1, PARAMETERS)? }),
        Kernel::ConvPool => Shape::ConvPool(ConvPool {
            lengths: sequences(keys, "frames", 1000)?,
            inputs: keys.number("inputs", 1, 40)?,
            outputs: keys.number("outputs", 1, 128)?,
            activation: activation(keys)?,
            spread: Spread::Even,
        }),
        Kernel::Linear => Shape::Linear(Linear {
            rows: keys.number("rows", 1, 3552)?,
            inputs: keys.number("inputs", 1, 128)?,
            outputs: keys.number("outputs", 1, 128)?,
            bias: if keys.switch("no_bias")? { Bias::None } else { Bias::Added },
            activation: activation(keys)?,
            spread: Spread::Even,
            precision: precision(keys)?,
        }),
        Kernel::Bilstm => {
            let hidden = keys.number("hidden", 1, 128)?;
            at_most("hidden", hidden, MAX_LSTM_HIDDEN)?;
            Shape::Bilstm(Bilstm {
                lengths: sequences(keys, "rows", 111)?,
                inputs: keys.number("inputs", 1, 128)?,
                hidden,
                gates: Gates::Usual,
                precision: precision(keys)?,
            })
        }
        Kernel::Attention => Shape::Attention(attention(keys)?),
        Kernel::AttentionWeights => Shape::AttentionWeights(AttentionWeights(attention(keys)?)),
        Kernel::ResidualNorm => Shape::ResidualNorm(ResidualNorm {
            rows: keys.number("rows", 1, 3552)?,
            width: keys.number("width", 1, 128)?,
            content: Rows::Even,
        }),
        Kernel::GlobalMax => Shape::GlobalMax(GlobalMax {
            streams: vec![(sequences(keys, "rows", 111)?, keys.number("columns", 1, 128)?)],
            spread: Spread::Even,
        }),
        Kernel::CrossEntropy => Shape::CrossEntropy(CrossEntropy {
            batch: keys.number("batch", 1, 32)?,
            classes: keys.number("classes", 2, 7)?,
            amplitude: 3.0,
            logits: Logits::Finite,
            class_weights: ClassWeights::Equal,
            smoothing: 0.0,
            total_weight: None,
            scale: 1.0,
        }),
        Kernel::Dropout => Shape::Dropout(Dropout {
            rows: keys.number("rows", 1, 3552)?,
            columns: keys.number("columns", 1, 128)?,
            rate: 0.1,
            stream: Stream { seed: 7, stream: 0 },
            first: 0,
        }),
        Kernel::GradientNorm => Shape::GradientNorm(GradientNorm { count: keys.number("count", 1, PARAMETERS)?, amplitude: 1.0 }),
        Kernel::LossScale => Shape::LossScale(LossScale { norm: 1.0, scale: FIRST_SCALE, good: 0 }),
        Kernel::Adam => Shape::Adam(Adam { count: keys.number("count", 1, PARAMETERS)?, size: STEP, last: Last::Good }),
        Kernel::Sgd => Shape::Sgd(Sgd { count: keys.number("count", 1, PARAMETERS)?, size: STEP, last: Last::Good }),
    })
}

const STEP: StepSize = StepSize { learning_rate: 1e-3, weight_decay: 0.0, clip_norm: f64::INFINITY };

fn precision(keys: &mut Keys<'_>) -> Result<Precision, SizeError> {
    Ok(if keys.switch("mixed")? { Precision::Mixed } else { Precision::F32 })
}

fn attention(keys: &mut Keys<'_>) -> Result<Attention, SizeError> {
    let batch = keys.number("batch", 1, 32)?;
    let [queries, key_rows] = [keys.number("queries", 1, 111)?, keys.number("keys", 1, 111)?];
    let ragged = keys.switch("ragged")?;
    let [width, heads] = [keys.number("width", 1, 128)?, keys.number("heads", 1, 8)?];
    if !width.is_multiple_of(heads) {
        return Err(SizeError::Misfit(format!("width {width} does not divide into {heads} heads; choose a multiple")));
    }
    at_most("width of a head", width / heads, MAX_HEAD_SIZE)?;
    let [queries, keys] = [queries, key_rows].map(|longest| lengths(batch, longest, 1, ragged));
    Ok(Attention { queries, keys, width, heads, scores: Scores::Usual })
}

/// Sequences of a batch: `batch=32,NAME=longest[,ragged]`.
fn sequences(keys: &mut Keys<'_>, name: &'static str, usual: usize) -> Result<Vec<u32>, SizeError> {
    let (batch, longest) = (keys.number("batch", 1, 32)?, keys.number(name, 1, usual)?);
    Ok(lengths(batch, longest, 1, keys.switch("ragged")?))
}

fn activation(keys: &mut Keys<'_>) -> Result<Activation, SizeError> {
    Ok(if keys.switch("relu")? { Activation::Relu } else { Activation::None })
}

fn at_most(what: &str, value: usize, most: usize) -> Result<(), SizeError> {
    if value > most { Err(SizeError::Misfit(format!("{what} is {value}; kernels take at most {most}"))) } else { Ok(()) }
}
