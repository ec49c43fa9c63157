//! Cases of `segment_softmax`.

use std::fmt;

use super::lengths::{Lengths, batch_of_one, read_lengths, total};
use super::{read_amplitude, suffix};
use crate::backend::gpu::shader;
use crate::backend::{Backend, Ragged};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::{Leaf, TapeOperation};
use crate::check::{Gradient, Inputs, Sabotage, Source, Subject, Suite};
use crate::tape::{Tape, Var};

/// What scores there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoftmaxScores {
    Finite,
    /// A NaN in the first row, which makes NaN of its utterance.
    NotFinite,
}

const SCORES: &[(&str, SoftmaxScores)] = &[("not_finite", SoftmaxScores::NotFinite)];

/// Softmax over the rows of each utterance.
#[derive(Debug, Clone)]
pub struct SegmentSoftmax {
    pub lengths: Vec<u32>,
    /// SoftmaxScores lie in `[-amplitude, amplitude]`.
    pub amplitude: f32,
    pub scores: SoftmaxScores,
}

impl fmt::Display for SegmentSoftmax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}lengths={}", batch_of_one(&self.lengths), Lengths(&self.lengths))?;
        write!(f, ",scores=±{}{}", self.amplitude, suffix(SCORES, self.scores))
    }
}

impl Subject for SegmentSoftmax {
    /// An exp of about 1e-6 on some drivers, and a sum of up to some thousand; the gradient of a weight near 1 is what is left of
    /// numbers near 1.
    fn tolerance(&self) -> Tolerance {
        Tolerance { floor: 1e-6, ..Tolerance::of_rms(1e-5) }
    }

    /// The weight of an only row, or of one that is far above all others, is 1 whatever the score.
    fn silence(&self) -> Silence {
        let is_decided = self.lengths.iter().all(|&length| length < 2) || self.amplitude > 10.0;
        if is_decided || self.scores == SoftmaxScores::NotFinite { Silence::Right } else { Silence::Wrong }
    }
}

impl Suite for SegmentSoftmax {
    fn cases() -> Vec<Self> {
        let softmax = |lengths: &[u32], amplitude| Self { lengths: lengths.to_vec(), amplitude, scores: SoftmaxScores::Finite };
        vec![
            softmax(&[111, 50, 33, 1], 3.0),
            softmax(&[1], 3.0),
            softmax(&[127, 0, 128, 129, 2], 3.0),
            softmax(&[2000, 3], 3.0),
            softmax(&[40, 300], 10_000.0),
            Self { scores: SoftmaxScores::NotFinite, ..softmax(&[130, 20], 3.0) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        let batch = source.between(1, 6);
        let longest = source.size(1, 400) as u32;
        Self { lengths: source.lengths(batch, 0, longest), amplitude: source.pick(&[1.0, 4.0, 80.0]), scores: SoftmaxScores::Finite }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        Ok(Self {
            lengths: read_lengths(keys, "lengths|rows", 0, 111)?,
            amplitude: read_amplitude(keys, "scores", 3.0)?,
            scores: keys.choice(SCORES, SoftmaxScores::Finite)?,
        })
    }

    fn largest(&self) -> u64 {
        total(&self.lengths) as u64
    }

    fn gradient() -> Gradient {
        Gradient::of([Self { lengths: vec![4, 1, 0, 9], amplitude: 2.0, scores: SoftmaxScores::Finite }])
    }

    const SABOTAGE: &'static [Sabotage] = &[
        Sabotage::new(&shader::segment_softmax::SHADER, "select(weights[row] / sum", "select(1.001 * weights[row] / sum"),
        Sabotage::new(&shader::segment_softmax::SHADER, "- mean)", "- 1.001 * mean)"),
    ];
}

impl TapeOperation for SegmentSoftmax {
    type Constants<B: Backend> = Ragged<B>;

    fn constants<B: Backend>(&self, inputs: &Inputs<'_, B>) -> Ragged<B> {
        inputs.rows("lengths", &self.lengths)
    }

    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let rows = total(&self.lengths);
        let mut scores = source.uniform(rows, self.amplitude);
        if self.scores == SoftmaxScores::NotFinite {
            scores[0] = f32::NAN;
        }
        vec![Leaf::new("scores", [rows, 1], scores)]
    }

    fn output(&self) -> [usize; 2] {
        [total(&self.lengths), 1]
    }

    fn forward<'a, B: Backend>(&self, tape: &mut Tape<'a, B>, leaves: &[Var<B>], rows: &'a Ragged<B>) -> Var<B> {
        tape.segment_softmax(&leaves[0], rows)
    }
}
