//! Cases of `cross_entropy`.

use std::fmt;

use crate::backend::Backend;
use crate::check::compare::Tolerance;
use crate::check::differentiable::Leaf;
use crate::check::{Inputs, Recorded, Source, Subject};

/// How the classes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassWeights {
    /// Each the same.
    Equal,
    /// Each its own.
    Uneven,
}

/// The loss (20) and its gradient.
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    pub batch: usize,
    pub classes: usize,
    /// Logits lie in `[-amplitude, amplitude]`.
    pub amplitude: f32,
    pub class_weights: ClassWeights,
    pub smoothing: f32,
    /// The weight of the batch that this is a part of.
    pub total_weight: Option<f32>,
}

impl CrossEntropy {
    /// Draws the logits.
    pub fn logits(&self, source: &mut Source) -> Leaf {
        Leaf::new("logits", [self.batch, self.classes], source.uniform(self.batch * self.classes, self.amplitude))
    }

    /// Records loss and gradient for given logits.
    pub fn record_for<B: Backend>(&self, logits: &Leaf, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let mut source = Source::new(self.batch as u64);
        let labels = inputs.words("labels", &source.below(self.batch, self.classes as u32));
        let weights = match self.class_weights {
            ClassWeights::Equal => vec![1.0; self.classes],
            ClassWeights::Uneven => source.uniform(self.classes, 0.9).into_iter().map(|value| 1.0 + value).collect(),
        };
        let weights = inputs.matrix("class weights", [1, self.classes], &weights);
        let logits = inputs.matrix(&logits.name, logits.shape, &logits.values);
        let (loss, gradient) = inputs.backend.cross_entropy(&logits, &labels, &weights, self.smoothing, self.total_weight);
        vec![Recorded::new("loss", loss), Recorded::new("gradient of logits", gradient)]
    }
}

impl fmt::Display for CrossEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch={},classes={},logits=±{},smoothing={}", self.batch, self.classes, self.amplitude, self.smoothing)?;
        self.total_weight.map_or(Ok(()), |total| write!(f, ",of {total}"))?;
        f.write_str(if self.class_weights == ClassWeights::Uneven { ",weighted" } else { "" })
    }
}

impl Subject for CrossEntropy {
    fn cases() -> Vec<Self> {
        use ClassWeights::{Equal, Uneven};
        let loss = |batch, classes, amplitude, class_weights, smoothing| Self {
            batch,
            classes,
            amplitude,
            class_weights,
            smoothing,
            total_weight: None,
        };
        vec![
            loss(256, 7, 3.0, Equal, 0.0),
            loss(32, 4, 3.0, Uneven, 0.0),
            loss(33, 7, 3.0, Equal, 0.1),
            loss(33, 7, 3.0, Uneven, 0.1),
            loss(1, 7, 3.0, Uneven, 0.2),
            loss(15, 2, 1.0, Equal, 0.0),
            loss(63, 5, 80.0, Equal, 0.0),
            loss(64, 7, 80.0, Uneven, 0.1),
            loss(65, 40, 3.0, Uneven, 0.05),
            loss(300, 3, 3.0, Uneven, 0.0),
            Self { total_weight: Some(81.5), ..loss(33, 7, 3.0, Uneven, 0.1) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        Self {
            batch: source.between(1, 300),
            classes: source.between(2, 20),
            amplitude: source.pick(&[1.0, 4.0]),
            class_weights: source.pick(&[ClassWeights::Equal, ClassWeights::Uneven]),
            smoothing: source.pick(&[0.0, 0.1]),
            total_weight: source.pick(&[None, Some(40.0)]),
        }
    }

    /// An exp and a logarithm of about 1e-6 on some drivers, and a mean over the batch; rounding of a logit of 80
    /// against its maximum is 1e-5, and its exp is off by as much of itself.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(if self.amplitude > 10.0 { 5e-5 } else { 1e-5 })
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        self.record_for(&self.logits(source), inputs)
    }
}
