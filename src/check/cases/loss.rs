//! Cases of `cross_entropy`.

use std::fmt;

use crate::backend::{Backend, ops};
use crate::check::compare::{Silence, Tolerance};
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
    /// What the gradient is multiplied with.
    pub scale: f32,
    pub logits: Logits,
}

/// What logits there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logits {
    Finite,
    /// A NaN in the first row: it makes NaN of the loss and of that row's gradient.
    NotFinite,
}

impl CrossEntropy {
    /// Draws the logits.
    pub fn logits(&self, source: &mut Source) -> Leaf {
        let mut values = source.uniform(self.batch * self.classes, self.amplitude);
        if self.logits == Logits::NotFinite {
            values[self.classes - 1] = f32::NAN;
        }
        Leaf::new("logits", [self.batch, self.classes], values)
    }

    /// Records loss and gradient for given logits.
    pub fn record_for<B: Backend>(&self, logits: &Leaf, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        let mut source = Source::new(self.batch as u64);
        let labels = inputs.words("labels", &source.below(self.batch, self.classes as u32));
        let weights = match self.class_weights {
            ClassWeights::Equal => vec![1.0; self.classes],
            ClassWeights::Uneven => source.uniform(self.classes, 0.9).into_iter().map(|value| 1.0 + value).collect(),
        };
        let class_weights = inputs.matrix("class weights", [1, self.classes], &weights);
        let scaling = inputs.matrix("loss scale", [1, 3], &[self.scale, 0.0, 0.0]);
        let logits = inputs.matrix(&logits.name, logits.shape, &logits.values);
        let &Self { smoothing, total_weight, .. } = self;
        let entropy = ops::CrossEntropy { logits, class_weights, scaling, labels, smoothing, total_weight };
        let (loss, gradient) = inputs.backend.run(&entropy);
        vec![Recorded::new("loss", loss), Recorded::new("gradient of logits", gradient)]
    }
}

impl fmt::Display for CrossEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch={},classes={},logits=±{},smoothing={}", self.batch, self.classes, self.amplitude, self.smoothing)?;
        self.total_weight.map_or(Ok(()), |total| write!(f, ",of {total}"))?;
        if self.scale != 1.0 {
            write!(f, ",scale={}", self.scale)?;
        }
        f.write_str(if self.class_weights == ClassWeights::Uneven { ",weighted" } else { "" })?;
        f.write_str(if self.logits == Logits::NotFinite { ",not_finite" } else { "" })
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
            scale: 1.0,
            logits: Logits::Finite,
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
            Self { scale: 65536.0, ..loss(33, 7, 3.0, Uneven, 0.1) },
            loss(64, 7, 10_000.0, Uneven, 0.1),
            Self { logits: Logits::NotFinite, ..loss(33, 7, 3.0, Uneven, 0.1) },
        ]
    }

    fn random(source: &mut Source) -> Self {
        Self {
            batch: source.size(1, 300),
            classes: source.size(2, 33),
            amplitude: source.pick(&[1.0, 4.0, 80.0]),
            class_weights: source.pick(&[ClassWeights::Equal, ClassWeights::Uneven]),
            smoothing: source.pick(&[0.0, 0.1]),
            total_weight: source.pick(&[None, Some(40.0)]),
            scale: source.pick(&[1.0, 1024.0]),
            logits: Logits::Finite,
        }
    }

    /// An exp and a logarithm of about 1e-6 on some drivers, and a mean over the batch; rounding of a logit of 80
    /// against its maximum is 1e-5, of one of 10,000 1e-3, and its exp is off by as much of itself.
    fn tolerance(&self) -> Tolerance {
        let of_rms = match self.amplitude {
            ..=10.0 => 1e-5,
            ..=100.0 => 5e-5,
            _ => 1e-3,
        };
        // A loss near zero is the difference of a logit and a logarithm near it.
        let floor = 1.2e-7 * f64::from(self.amplitude.max(10.0));
        Tolerance { floor, ..Tolerance::of_rms(of_rms) }
    }

    /// The loss of a NaN is no number at all, and that of few utterances with large logits may vanish.
    fn silence(&self) -> Silence {
        let is_decided = self.amplitude > 10.0 && self.batch < 10;
        if is_decided || self.logits == Logits::NotFinite { Silence::Right } else { Silence::Wrong }
    }

    fn record<B: Backend>(&self, source: &mut Source, inputs: &Inputs<'_, B>) -> Vec<Recorded<B>> {
        self.record_for(&self.logits(source), inputs)
    }
}
