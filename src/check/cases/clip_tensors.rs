//! Cases of `clip_tensors`.

use std::fmt;
use std::ops::Range;

use super::lengths::Lengths;
use super::{PARAMETERS, suffix};
use crate::backend::gpu::shader;
use crate::backend::{Backend, SLICE_ALIGNMENT, ops};
use crate::base::sizes::{Keys, SizeError};
use crate::check::compare::{Silence, Tolerance};
use crate::check::{Gradient, Inputs, Prepared, Record, Recorded, Sabotage, Source, Subject, Suite};

/// What gradients there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gradients {
    Finite,
    /// An infinite one, which makes NaN of its tensor.
    NotFinite,
}

const GRADIENTS: &[(&str, Gradients)] = &[("not_finite", Gradients::NotFinite)];

/// Clips the gradient of each tensor by its own norm; between them is what stays as it is.
#[derive(Debug, Clone)]
pub struct ClipTensors {
    /// Elements of each tensor.
    pub tensors: Vec<u32>,
    pub gradients: Gradients,
}

/// Largest norm: that of some dozen gradients in ±1.
const LIMIT: f32 = 2.0;

impl ClipTensors {
    /// Where the tensors lie, and what all take.
    fn ranges(&self) -> (Vec<Range<usize>>, usize) {
        let mut next = 0;
        let place = |&elements: &u32| {
            let start = next;
            next = (start + elements as usize + 1).next_multiple_of(SLICE_ALIGNMENT);
            start..start + elements as usize
        };
        (self.tensors.iter().map(place).collect(), next)
    }
}

impl fmt::Display for ClipTensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tensors={}{}", Lengths(&self.tensors), suffix(GRADIENTS, self.gradients))
    }
}

impl Subject for ClipTensors {
    /// A sum of squares, all of one sign, its root and a division.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(5e-6)
    }

    fn silence(&self) -> Silence {
        if self.gradients == Gradients::Finite { Silence::Wrong } else { Silence::Right }
    }
}

impl Suite for ClipTensors {
    fn cases() -> Vec<Self> {
        let clip = |tensors: &[u32], gradients| Self { tensors: tensors.to_vec(), gradients };
        vec![
            clip(&[1, 3, 0, 4096, 300, 4097, 7], Gradients::Finite),
            clip(&[66_000], Gradients::Finite),
            clip(&[5, 5000, 40], Gradients::NotFinite),
        ]
    }

    fn random(source: &mut Source) -> Self {
        let tensors = source.between(1, 6);
        Self { tensors: (0..tensors).map(|_| source.size(1, 5000) as u32).collect(), gradients: Gradients::Finite }
    }

    fn read(keys: &mut Keys<'_>) -> Result<Self, SizeError> {
        let tensors = keys.numbers("tensors", 0)?.unwrap_or_else(|| vec![PARAMETERS as u32 / 40; 40]);
        Ok(Self { tensors, gradients: keys.choice(GRADIENTS, Gradients::Finite)? })
    }

    fn largest(&self) -> u64 {
        self.ranges().1 as u64
    }

    fn gradient() -> Gradient {
        Gradient::None("it changes gradients and has none itself")
    }

    const SABOTAGE: &'static [Sabotage] =
        &[Sabotage::new(&shader::clip_tensors::SHADER, "factor = args.limit / norm", "factor = 1.001 * args.limit / norm")];
}

impl<B: Backend> Record<B> for ClipTensors {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, B>) -> Prepared<'a, B> {
        let (ranges, count) = self.ranges();
        let mut gradients = source.uniform(count, 1.0);
        let middle = &ranges[ranges.len() / 2];
        if self.gradients == Gradients::NotFinite {
            gradients[middle.end - 1] = f32::NEG_INFINITY;
        }
        let tensors = inputs.tensors("tensors", &ranges);
        let clip = ops::ClipTensors { gradients: inputs.matrix("gradients", [1, count], &gradients), tensors, limit: LIMIT };
        let backend = inputs.backend;
        Box::new(move || {
            backend.run(&clip);
            vec![Recorded::new("clipped", clip.gradients.clone())]
        })
    }
}
