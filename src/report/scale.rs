//! Scales: values as coordinates, and the round ones among them with their labels.

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// As a number.
    #[default]
    Plain,
    /// A share, written as a percentage.
    Percent,
    /// A count: no tick between two whole numbers.
    Whole,
}

/// A linear map from values to coordinates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// Values at the two ends, the first below the second.
    pub domain: (f64, f64),
    /// Their coordinates.
    pub range: (f64, f64),
}

impl Scale {
    /// A scale over finite values with a little room, also where there are none or all are the same.
    pub(crate) fn over(values: impl Iterator<Item = f64>, range: (f64, f64)) -> Self {
        // Differences of larger numbers would not be numbers.
        let finite = values.filter(|value| value.is_finite()).map(|value| value.clamp(-1e300, 1e300));
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let room = match high - low {
            width if width > 0.0 => 0.04 * width,
            width if width == 0.0 && high != 0.0 => high.abs() / 2.0,
            0.0 => 1.0,
            _ => return Self { domain: (0.0, 1.0), range },
        };
        // What is never negative gets no axis below zero.
        let domain = (if low >= 0.0 { (low - room).max(0.0) } else { low - room }, high + room);
        Self { domain, range }
    }

    /// Coordinate of a value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let part = (value - self.domain.0) / (self.domain.1 - self.domain.0);
        self.range.0 + part * (self.range.1 - self.range.0)
    }

    /// Round values inside the domain, about `count` of them, with their labels.
    pub(crate) fn ticks(&self, count: usize, unit: Unit) -> Vec<(f64, String)> {
        let (low, high) = self.domain;
        let mut step = round_step((high - low) / count.max(1) as f64);
        if unit == Unit::Whole {
            step = step.max(1.0);
        }
        if !(step.is_finite() && step > 0.0) {
            return Vec::new();
        }
        let first = (low / step - 1e-9).ceil();
        let places = (high / step - first + 1e-9).floor().clamp(-1.0, 4.0 * count as f64) as i64;
        (0..=places)
            .map(|place| (first + place as f64) * step)
            .map(|value| (value, tick_label(value, step, high.abs().max(low.abs()), unit)))
            .collect()
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

fn tick_label(value: f64, step: f64, largest: f64, unit: Unit) -> String {
    if value == 0.0 {
        return if unit == Unit::Percent { "0 %".into() } else { "0".into() };
    }
    if unit == Unit::Percent {
        return tick_label(100.0 * value, 100.0 * step, 100.0 * largest, Unit::Plain) + " %";
    }
    let exponent = |value: f64| value.abs().log10().floor();
    if !(1e-3..1e6).contains(&largest) {
        let digits = (exponent(value) - exponent(step)).clamp(0.0, 9.0) as usize;
        return format!("{value:.digits$e}");
    }
    let decimals = (-exponent(step * (1.0 + 1e-9))).max(0.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(domain: (f64, f64), unit: Unit) -> Vec<String> {
        Scale { domain, range: (0.0, 1.0) }.ticks(5, unit).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn a_scale_maps_its_ends_and_its_middle() {
        let scale = Scale { domain: (2.0, 4.0), range: (100.0, 0.0) };
        assert_eq!([2.0, 3.0, 4.0].map(|value| scale.at(value)), [100.0, 50.0, 0.0]);
    }

    #[test]
    fn a_scale_exists_for_no_values_equal_values_and_huge_ones() {
        for values in
            [vec![], vec![f64::NAN], vec![0.0, 0.0], vec![3.0], vec![-3.0], vec![1e300, -1e300], vec![f64::MAX, f64::MIN], vec![1e-300]]
        {
            let scale = Scale::over(values.iter().copied(), (0.0, 100.0));
            assert!(scale.domain.0 < scale.domain.1, "{values:?}: {scale:?}");
            for value in values.iter().filter(|value| value.abs() <= 1e300) {
                let at = scale.at(*value);
                assert!((-1e-9..=100.0 + 1e-9).contains(&at), "{values:?}: {at}");
            }
            assert!(scale.ticks(5, Unit::Plain).len() <= 21);
        }
    }

    #[test]
    fn ticks_are_round_and_labelled_alike() {
        assert_eq!(labels((0.0, 1.0), Unit::Plain), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels((0.0, 1.0), Unit::Percent), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        assert_eq!(labels((0.0, 2.0), Unit::Whole), ["0", "1", "2"]);
        assert_eq!(labels((0.0, 300.0), Unit::Whole), ["0", "100", "200", "300"]);
        assert_eq!(labels((0.0, 0.0005), Unit::Plain), ["0", "1e-4", "2e-4", "3e-4", "4e-4", "5e-4"]);
        assert_eq!(labels((0.95, 1.06), Unit::Plain), ["0.95", "1.00", "1.05"]);
    }
}
