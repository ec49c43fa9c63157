//! The cases of the losses of classes: how many classes, which weights, which logits.

use std::fmt;
use std::marker::PhantomData;

use super::losses::{Loss, LossObjective};
use super::{read_amplitude, suffix};
use crate::backend::Backend;
use crate::backend::ops::CrossEntropy;
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::tape_operation::Leaf;
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// Which loss it is.
pub(crate) trait Entropy: fmt::Debug + Clone + 'static {
    /// What to break in its shader.
    const SABOTAGE: &'static [Sabotage];

    /// Runs it on the operands of the softmax's; returns the loss and its gradient.
    fn run<B: Backend>(backend: &B, operands: &CrossEntropy<B, B::Tensor>) -> (B::Tensor, B::Tensor);
}

/// How the classes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassWeights {
    /// Each the same.
    Equal,
    /// Each its own.
    Uneven,
}

const CLASS_WEIGHTS: &[(&str, ClassWeights)] = &[("weighted", ClassWeights::Uneven)];

/// What logits there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logits {
    Finite,
    /// A NaN in the first row: it makes NaN of the loss and of that row's gradient.
    NotFinite,
}

const LOGITS: &[(&str, Logits)] = &[("not_finite", Logits::NotFinite)];

/// A loss and its gradient.
#[derive(Debug, Clone)]
pub struct Entropies<E> {
    pub batch: usize,
    pub classes: usize,
    /// Logits lie in `[-amplitude, amplitude]`.
    pub amplitude: f32,
    pub class_weights: ClassWeights,
    pub smoothing: f32,
    /// What the loss is multiplied with.
    pub weight: f32,
    /// The weight of the batch that this is a part of.
    pub total_weight: Option<f32>,
    /// What the gradient is multiplied with.
    pub scale: f32,
    pub logits: Logits,
    entropy: PhantomData<E>,
}

impl<E> Entropies<E> {
    fn new(batch: usize, classes: usize, amplitude: f32, class_weights: ClassWeights, smoothing: f32) -> Self {
        Self {
            batch,
            classes,
            amplitude,
            class_weights,
            smoothing,
            weight: 1.0,
            total_weight: None,
            scale: 1.0,
            logits: Logits::Finite,
            entropy: PhantomData,
        }
    }
}

impl<E> fmt::Display for Entropies<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch={},classes={},logits=±{},smoothing={}", self.batch, self.classes, self.amplitude, self.smoothing)?;
        self.total_weight.map_or(Ok(()), |total| write!(f, ",of={total}"))?;
        for (name, factor) in [("weight", self.weight), ("scale", self.scale)].into_iter().filter(|(_, factor)| *factor != 1.0) {
            write!(f, ",{name}={factor}")?;
        }
        write!(f, "{}{}", suffix(CLASS_WEIGHTS, self.class_weights), suffix(LOGITS, self.logits))
    }
}

impl<E: Entropy> Subject for Entropies<E> {
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
}

impl<E: Entropy> Suite for Entropies<E> {
    fn cases() -> Vec<Self> {
        use ClassWeights::{Equal, Uneven};
        vec![
            Self::new(256, 7, 3.0, Equal, 0.0),
            Self::new(32, 4, 3.0, Uneven, 0.0),
            Self::new(33, 7, 3.0, Equal, 0.1),
            Self::new(33, 7, 3.0, Uneven, 0.1),
            Self::new(1, 7, 3.0, Uneven, 0.2),
            Self::new(15, 2, 1.0, Equal, 0.0),
            Self::new(63, 5, 80.0, Equal, 0.0),
            Self::new(64, 7, 80.0, Uneven, 0.1),
            Self::new(65, 40, 3.0, Uneven, 0.05),
            Self::new(300, 3, 3.0, Uneven, 0.0),
            Self { total_weight: Some(81.5), ..Self::new(33, 7, 3.0, Uneven, 0.1) },
            Self { weight: 0.3, ..Self::new(33, 7, 3.0, Uneven, 0.1) },
            Self { scale: 65536.0, ..Self::new(33, 7, 3.0, Uneven, 0.1) },
            Self::new(64, 7, 10_000.0, Uneven, 0.1),
            Self { logits: Logits::NotFinite, ..Self::new(33, 7, 3.0, Uneven, 0.1) },
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
            weight: source.pick(&[1.0, 0.2]),
            scale: source.pick(&[1.0, 1024.0]),
            logits: Logits::Finite,
            entropy: PhantomData,
        }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let above_zero = |text: &str| text.parse().ok().filter(|&number: &f32| number > 0.0);
        Ok(Self {
            batch: keys.number("batch", 1, 32)?,
            classes: keys.number("classes", 2, 7)?,
            amplitude: read_amplitude(keys, "logits", 3.0)?,
            smoothing: keys.value("smoothing", "number from 0 to below 1", 0.0, |share| (0.0..1.0).contains(share))?,
            total_weight: keys.read("of", "number above 0", above_zero)?,
            weight: keys.read("weight", "number above 0", above_zero)?.unwrap_or(1.0),
            scale: keys.read("scale", "number above 0", above_zero)?.unwrap_or(1.0),
            class_weights: keys.choice(CLASS_WEIGHTS, ClassWeights::Equal)?,
            logits: keys.choice(LOGITS, Logits::Finite)?,
            entropy: PhantomData,
        })
    }

    fn largest(&self) -> u64 {
        self.batch as u64 * self.classes as u64
    }

    fn gradient() -> Gradient {
        let shapes = [(ClassWeights::Equal, 0.0), (ClassWeights::Uneven, 0.0), (ClassWeights::Uneven, 0.1)];
        let of = |(class_weights, smoothing)| Self { weight: 1.0 - smoothing, ..Self::new(7, 5, 3.0, class_weights, smoothing) };
        LossObjective::proved(shapes.map(of))
    }

    const SABOTAGE: &'static [Sabotage] = E::SABOTAGE;
}

impl<E: Entropy> Loss for Entropies<E> {
    fn leaves(&self, source: &mut Source) -> Vec<Leaf> {
        let mut values = source.uniform(self.batch * self.classes, self.amplitude);
        if self.logits == Logits::NotFinite {
            values[self.classes - 1] = f32::NAN;
        }
        vec![Leaf::new("logits", [self.batch, self.classes], values)]
    }

    fn record<'a, B: Backend>(&self, leaves: &[Leaf], scale: f32, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let mut source = Source::new(self.batch as u64);
        let labels = inputs.words("labels", &source.below(self.batch, self.classes as u32));
        let weights = match self.class_weights {
            ClassWeights::Equal => vec![1.0; self.classes],
            ClassWeights::Uneven => source.uniform(self.classes, 0.9).into_iter().map(|value| 1.0 + value).collect(),
        };
        let class_weights = inputs.matrix("class weights", [1, self.classes], &weights);
        let scaling = inputs.matrix("loss scale", [1, 3], &[scale, 0.0, 0.0]);
        let logits = inputs.leaf(&leaves[0]);
        let &Self { smoothing, weight, total_weight, .. } = self;
        let operands = CrossEntropy { logits, class_weights, scaling, labels, smoothing, weight, total_weight };
        let backend = inputs.backend;
        Box::new(move || {
            let (loss, gradient) = E::run(backend, &operands);
            vec![Recorded::new("loss", loss), Recorded::new("gradient of logits", gradient)]
        })
    }
}

impl<E: Entropy, B: Backend> Record<B> for Entropies<E> {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        self.record(&self.leaves(source), self.scale, inputs)
    }
}
