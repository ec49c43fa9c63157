//! Half-precision numbers (IEEE 754 binary16), as files hold them and mixed precision takes factors.

/// The largest of them.
pub(crate) const LARGEST: f32 = 65504.0;
/// The smallest that is not denormal, 2^-14.
const SMALLEST_NORMAL: f32 = 1.0 / 16384.0;

/// A half-precision number, exactly. Shifted into place, its exponent is short of single precision's by 112.
#[cfg(feature = "files")]
pub(crate) fn half_to_single(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let magnitude = u32::from(half & 0x7FFF) << 13;
    let is_finite = half & 0x7C00 != 0x7C00;
    let value = if is_finite { f32::from_bits(magnitude) * 112f32.exp2() } else { f32::from_bits(magnitude | 0x7F80_0000) };
    f32::from_bits(value.to_bits() | sign)
}

/// The nearest half-precision number, ties to even; infinite from 65520 on. Numbers whose size is from 2^-14 to 65504 change by at most
/// 2^-11 of themselves, smaller ones by at most 2^-25.
#[inline(always)]
pub(crate) fn nearest(value: f32) -> f32 {
    let size = value.abs();
    let rounded = if size < SMALLEST_NORMAL {
        // The steps of denormal numbers are 2^-24, as are those of f32 from 0.5 on.
        size + 0.5 - 0.5
    } else {
        // f32 has 13 bits more; a carry goes into the exponent, as it should.
        let bits = size.to_bits();
        f32::from_bits((bits + 0xfff + (bits >> 13 & 1)) & !0x1fff)
    };
    let overflows = size.is_finite() && rounded > LARGEST;
    (if size.is_nan() || overflows { size * f32::INFINITY } else { rounded }).copysign(value)
}

/// As [`nearest`], as a file holds it.
#[cfg(feature = "files")]
pub(crate) fn single_to_half(single: f32) -> u16 {
    let nearest = nearest(single);
    let sign = (nearest.to_bits() >> 16 & 0x8000) as u16;
    let size = nearest.abs();
    let magnitude = if size.is_nan() {
        0x7E00
    } else if size > LARGEST {
        0x7C00
    } else if size < SMALLEST_NORMAL {
        (size * 24f32.exp2()) as u32
    } else {
        // f32 has 13 bits more, which are zeros, and an exponent that is more by 112.
        (size.to_bits() - (112 << 23)) >> 13
    };
    sign | magnitude as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_widened_exactly() {
        let cases = [(0x0000, 0.0), (0x3C00, 1.0), (0xC000, -2.0), (0x7BFF, 65504.0), (0x0001, 2f32.powi(-24)), (0x83FF, -6.097_555e-5)];
        for (half, single) in cases {
            assert_eq!(half_to_single(half), single, "{half:#06x}");
        }
        assert_eq!(half_to_single(0xFC00), f32::NEG_INFINITY);
        assert!(half_to_single(0x7E00).is_nan());
        assert!(half_to_single(0x8000).is_sign_negative());
    }

    #[test]
    fn every_half_precision_number_comes_back_and_others_become_the_nearest() {
        for half in 0..=u16::MAX {
            let single = half_to_single(half);
            let same = if single.is_nan() { half_to_single(single_to_half(single)).is_nan() } else { single_to_half(single) == half };
            assert!(same, "{half:#06x}");
        }
        // Between two neighbours the even one, and beside the middle the nearer.
        for low in (0..0x7BFF_u16).step_by(7) {
            let middle = (f64::from(half_to_single(low)) + f64::from(half_to_single(low + 1))) / 2.0;
            let even = if low % 2 == 0 { low } else { low + 1 };
            let single = middle as f32;
            assert_eq!(single_to_half(single), even, "{low:#06x}");
            assert_eq!([single_to_half(single.next_down()), single_to_half(single.next_up())], [low, low + 1]);
            assert_eq!(single_to_half(-single), even | 0x8000);
        }
        assert_eq!([65519.996, 65520.0, -1e9, f32::INFINITY].map(single_to_half), [0x7BFF, 0x7C00, 0xFC00, 0x7C00]);
    }

    #[test]
    fn f16_is_rounded_to_nearest_even_and_overflows() {
        let tiny = 2f32.powi(-24);
        for (value, expected) in [
            (1.0 + 2f32.powi(-11), 1.0),
            (1.0 + 3.0 * 2f32.powi(-11), 1.0 + 2f32.powi(-9)),
            (-0.1, -0.099_975_586),
            (65519.0, 65504.0),
            (65520.0, f32::INFINITY),
            (-1e30, f32::NEG_INFINITY),
            (f32::NEG_INFINITY, f32::NEG_INFINITY),
            (0.5 * tiny, 0.0),
            (1.5 * tiny, 2.0 * tiny),
            (-0.75 * tiny, -tiny),
            (2f32.powi(-14) - 0.25 * tiny, 2f32.powi(-14)),
            (-0.0, -0.0),
        ] {
            assert_eq!(nearest(value).to_bits(), expected.to_bits(), "{value:e}");
        }
        assert!(nearest(f32::NAN).is_nan());
    }
}
