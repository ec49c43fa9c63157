//! How a device adds two numbers, so that the host can do it to the same bits while the device has other work.

use crate::backend::ops::Accumulate;
use crate::backend::{Backend, BackendError, Write, as_f32};

/// What becomes of subnormal numbers, those below 2⁻¹²⁶: IEEE 754 keeps them, a device may take them for zero. All others are added as
/// IEEE 754 has it, by every device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addition {
    /// What is added is taken for zero where it is subnormal.
    flushes_terms: bool,
    /// A sum is.
    flushes_sums: bool,
}

impl Addition {
    /// As IEEE 754 has it.
    const IEEE: Self = Self { flushes_terms: false, flushes_sums: false };

    const ALL: [Self; 4] = [
        Self::IEEE,
        Self { flushes_terms: true, flushes_sums: true },
        Self { flushes_terms: true, ..Self::IEEE },
        Self { flushes_sums: true, ..Self::IEEE },
    ];

    /// As [`Accumulate`] adds on a device, by what it makes of numbers of all kinds; `None` where that is none of the ways known.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub(super) async fn of<B: Backend>(backend: &B) -> Result<Option<Self>, BackendError> {
        let kinds = kinds();
        let pairs: Vec<(f32, f32)> = kinds.iter().flat_map(|&a| kinds.iter().map(move |&b| (a, b))).collect();
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
        let shape = [1, pairs.len()];
        let sum = backend.uninitialised(shape);
        for (values, write) in [(&a, Write::Set), (&b, Write::Add)] {
            backend.run(&Accumulate { x: backend.upload(values, shape), sum: sum.clone(), write });
        }
        let sums = as_f32(backend.read(&sum).await?);
        let adds_so = |way: &Self| pairs.iter().zip(&sums).all(|(&(a, b), sum)| way.add(a, b).to_bits() == sum.to_bits());
        Ok(Self::ALL.into_iter().find(adds_so))
    }

    fn add(self, a: f32, b: f32) -> f32 {
        let [a, b] = [a, b].map(|term| if self.flushes_terms { flushed(term) } else { term });
        if self.flushes_sums { flushed(a + b) } else { a + b }
    }

    /// Adds `x` to `sum`, element by element.
    pub(super) fn add_to(self, sum: &mut [f32], x: &[f32]) {
        let pairs = sum.iter_mut().zip(x);
        // Nearly every device adds so: a loop without a choice.
        if self == Self::IEEE {
            return pairs.for_each(|(sum, x)| *sum += x);
        }
        pairs.for_each(|(sum, x)| *sum = self.add(*sum, *x));
    }
}

/// A number, or zero of its sign where it is subnormal.
fn flushed(value: f32) -> f32 {
    if value.abs() < f32::MIN_POSITIVE { 0.0_f32.copysign(value) } else { value }
}

/// Numbers of all kinds that are finite, of both signs.
fn kinds() -> Vec<f32> {
    let least = f32::MIN_POSITIVE;
    let subnormal = [1, 0x0035_0a3c, 0x007f_ffff].map(f32::from_bits);
    let normal = [least, 1.5 * least, 4.0 * least, 1e-30, f32::EPSILON / 2.0, 0.1, 1.0, 1.0 + f32::EPSILON, 3.0, 7e7, 3e38];
    [0.0].into_iter().chain(subnormal).chain(normal).flat_map(|value| [value, -value]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::Cpu;

    #[test]
    fn the_reference_adds_as_ieee_754_has_it_and_each_way_is_told_from_the_others() {
        assert_eq!(pollster::block_on(Addition::of(&Cpu::<f32>::default())).unwrap(), Some(Addition::IEEE));
        let (kinds, bits) = (kinds(), |way: Addition, a, b| way.add(a, b).to_bits());
        for (place, &one) in Addition::ALL.iter().enumerate() {
            for &other in &Addition::ALL[..place] {
                assert!(kinds.iter().any(|&a| kinds.iter().any(|&b| bits(one, a, b) != bits(other, a, b))), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_is_subnormal_is_kept_or_is_zero_of_its_sign() {
        let tiny = f32::from_bits(3);
        let sums = |way: Addition| {
            let mut sum = [-tiny, tiny, f32::MIN_POSITIVE, -1.5 * f32::MIN_POSITIVE, 1.0];
            way.add_to(&mut sum, &[0.0, -0.0, tiny, f32::MIN_POSITIVE, 2.0]);
            sum.map(f32::to_bits)
        };
        let least = f32::MIN_POSITIVE;
        assert_eq!(sums(Addition::ALL[0]), [-tiny, tiny, least + tiny, -0.5 * least, 3.0].map(f32::to_bits));
        assert_eq!(sums(Addition::ALL[1]), [0.0, 0.0, least, -0.0, 3.0].map(f32::to_bits));
        assert_eq!(sums(Addition::ALL[2]), [0.0, 0.0, least, -0.5 * least, 3.0].map(f32::to_bits));
        assert_eq!(sums(Addition::ALL[3]), [-0.0, 0.0, least + tiny, -0.0, 3.0].map(f32::to_bits));
    }
}
