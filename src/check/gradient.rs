//! Gradients of the reference against central differences in float64.
//!
//! Inputs are multiples of 2⁻¹⁶ and small, so the step of 2⁻¹⁶ is exact in the float32 that a backend takes. The
//! difference's own error is h²/6 of the third derivative, 4e-11, and rounding of the objective over h, 1e-10.

use super::tape_operation::{Leaf, TapeOperation, Trial};
use super::{FINE as STEP, Output, Source};

/// How a kernel's gradient is proved.
pub enum Gradient {
    /// That of the reference is held against central differences of each of these.
    Proved(Vec<Box<dyn Objective>>),
    /// There is none, and why.
    None(&'static str),
}

impl Gradient {
    /// Proved on small shapes of an operation.
    pub(crate) fn of<D: TapeOperation>(shapes: impl IntoIterator<Item = D>) -> Self {
        let trial = |shape| Box::new(Trial::new(shape, &mut Source::new(17))) as Box<dyn Objective>;
        Self::Proved(shapes.into_iter().map(trial).collect())
    }
}

/// A number that the reference computes from inputs, and its gradients.
pub trait Objective {
    /// The inputs, to be changed.
    fn leaves(&mut self) -> &mut [Leaf];

    /// The number.
    fn value(&self) -> f64;

    /// `gradient of NAME` for each leaf.
    fn gradients(&self) -> Vec<Output>;
}

const RELATIVE: f64 = 1e-6;
/// Of the gradient's root mean square.
const OF_RMS: f64 = 1e-6;
/// Elements tried of a large input.
const TRIED: usize = 60;
/// Root mean square up to which a gradient proves nothing.
const SILENT: f64 = 1e-6;

/// Says where an objective's gradients are not its central differences, of elements all over each input.
pub fn differences(objective: &mut dyn Objective) -> Vec<String> {
    let gradients = objective.gradients();
    let mut wrong = Vec::new();
    for leaf in 0..objective.leaves().len() {
        let Leaf { name, values, .. } = objective.leaves()[leaf].clone();
        let gradient = gradients.iter().find(|output| output.name == format!("gradient of {name}"));
        let Some(gradient) = gradient.map(|output| &output.values).filter(|gradient| gradient.len() == values.len()) else {
            wrong.push(format!("{name}: has no gradient of its size"));
            continue;
        };
        let rms = (gradient.iter().map(|value| value * value).sum::<f64>() / gradient.len() as f64).sqrt();
        if rms.is_nan() || rms <= SILENT {
            wrong.push(format!("{name}: the gradient is near zero and proves nothing"));
            continue;
        }
        for index in (0..values.len()).step_by(values.len().div_ceil(TRIED)) {
            let [above, below] = [STEP, -STEP].map(|step| {
                objective.leaves()[leaf].values[index] = values[index] + step;
                objective.value()
            });
            objective.leaves()[leaf].values[index] = values[index];
            let difference = (above - below) / f64::from(2.0 * STEP);
            let bound = OF_RMS * rms + RELATIVE * difference.abs();
            if (difference - gradient[index]).abs() > bound {
                wrong.push(format!("{name}[{index}]: gradient {}, difference {difference}", gradient[index]));
            }
        }
    }
    wrong
}
