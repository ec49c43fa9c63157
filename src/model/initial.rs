//! How parameters start.

use crate::base::hash::fnv1a;
use crate::base::philox::Stream;

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Initial {
    /// Uniform in `[-bound, bound)`.
    Uniform {
        /// Above 0.
        bound: f32,
    },
    /// Normal with mean 0.
    Normal {
        /// Its standard deviation.
        deviation: f32,
    },
    /// The same number everywhere.
    Constant(f32),
    /// The vectors of words that the data hold, where they are trained further; else normal with a deviation of 0.1.
    WordTable,
    /// An orthogonal matrix as a layer of so many inputs has it, `[outputs, inputs]`: rows orthonormal, or columns where there are fewer.
    Orthogonal {
        /// Its columns.
        inputs: usize,
    },
    /// A part of a GRU's weights, see [`GruPart`].
    Gru {
        /// Columns of its input.
        inputs: usize,
        /// Columns of its state.
        hidden: usize,
        /// Which.
        part: GruPart,
    },
}

/// A part of a GRU's weights (gates r, u, c). Those that the input is multiplied with and those of the state lie in two matrices
/// `[in + H, 2H]` (r and u) and `[in + H, H]` (c), each orthogonal as a whole: columns orthonormal, or rows where there are fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GruPart {
    /// `[3H, in]`
    Input,
    /// `[3H, H]`
    Recurrent,
    /// `[3H]`: 1 for the gates r and u, so that a state is kept at first; 0 for c.
    Bias,
}

impl Initial {
    /// Uniform with the bound of Glorot and Bengio (2010): the variance of 2 / (inputs + outputs).
    pub(super) fn glorot(inputs: usize, outputs: usize) -> Self {
        Self::Uniform { bound: (6.0 / (inputs + outputs) as f32).sqrt() }
    }

    /// The `count` values of a parameter of that name; they depend on the name, not on what other parameters the model has.
    pub(super) fn values(self, name: &str, count: usize, seed: u64) -> Vec<f32> {
        let stream = Stream { seed, stream: fnv1a(name.as_bytes()) };
        match self {
            Self::Constant(value) => vec![value; count],
            Self::Uniform { bound } => (0..count as u64).map(|i| (2.0 * stream.uniform(i) - 1.0) * bound).collect(),
            Self::WordTable => Self::Normal { deviation: 0.1 }.values(name, count, seed),
            Self::Normal { deviation } => (0..count as u64).map(|i| stream.normal(i) * deviation).collect(),
            Self::Orthogonal { inputs } => orthogonal(stream, count / inputs, inputs).into_iter().map(|value| value as f32).collect(),
            Self::Gru { hidden, part: GruPart::Bias, .. } => (0..count).map(|i| if i < 2 * hidden { 1.0 } else { 0.0 }).collect(),
            Self::Gru { inputs, hidden, part } => {
                // Both of its parts are cut out of the same matrices.
                let whole = name.replace("weight_ih", "weight").replace("weight_hh", "weight");
                let stream = |gates: &str| Stream { seed, stream: fnv1a(format!("{whole}.{gates}").as_bytes()) };
                let (first, rows) = if part == GruPart::Input { (0, inputs) } else { (inputs, hidden) };
                let gates = [("gates", 2 * hidden), ("candidate", hidden)];
                let cut = gates.into_iter().flat_map(|(gates, columns)| {
                    let matrix = orthogonal(stream(gates), inputs + hidden, columns);
                    let transposed = (0..columns).flat_map(move |column| (first..first + rows).map(move |row| (row, column)));
                    transposed.map(move |(row, column)| matrix[row * columns + column] as f32).collect::<Vec<_>>()
                });
                cut.collect()
            }
        }
    }
}

/// A matrix `[rows, columns]` with orthonormal columns, or rows where there are fewer: the factor Q of a normally distributed matrix
/// whose factor R has a positive diagonal.
fn orthogonal(stream: Stream, rows: usize, columns: usize) -> Vec<f64> {
    let (long, short) = (rows.max(columns), rows.min(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(short);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for number in 0..short {
        let mut vector: Vec<f64> = (0..long).map(|place| stream.normal((place * short + number) as u64).into()).collect();
        // Gram and Schmidt, twice, so that what rounding leaves is taken away as well.
        for other in basis.iter().chain(&basis) {
            let along = dot(&vector, other);
            vector.iter_mut().zip(other).for_each(|(value, other)| *value -= along * other);
        }
        let length = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|value| *value /= length);
        basis.push(vector);
    }
    let at = |row: usize, column: usize| if rows >= columns { basis[column][row] } else { basis[row][column] };
    (0..rows * columns).map(|place| at(place / columns, place % columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_values_fill_their_range_and_depend_on_the_seed() {
        let uniform = Initial::Uniform { bound: 0.5 };
        let values = uniform.values("w", 10_000, 1);
        let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!(largest <= 0.5 && largest > 0.499 && mean.abs() < 0.01, "largest {largest}, mean {mean}");
        assert_ne!(values, uniform.values("w", 10_000, 2));
        let normal = Initial::Normal { deviation: 0.1 };
        let variance = normal.values("w", 10_000, 1).iter().map(|value| value * value).sum::<f32>() / 10_000.0;
        assert!((variance - 0.01).abs() < 5e-4, "variance {variance}");
    }

    /// With more rows than columns, and with fewer.
    #[test]
    fn the_weights_of_a_gru_are_orthogonal_with_those_of_its_state() {
        for [inputs, hidden] in [[9, 5], [2, 7]] {
            let of = |name: &str, part, rows: usize| {
                Initial::Gru { inputs, hidden, part }.values(&format!("encoder.gru.{name}_l0_reverse"), 3 * hidden * rows, 4)
            };
            let (input, recurrent) = (of("weight_ih", GruPart::Input, inputs), of("weight_hh", GruPart::Recurrent, hidden));
            // A column of the matrix that both are parts of: what one unit of a gate is made of.
            let column = |unit: usize| [&input[unit * inputs..][..inputs], &recurrent[unit * hidden..][..hidden]].concat();
            for units in [0..2 * hidden, 2 * hidden..3 * hidden] {
                let columns: Vec<Vec<f32>> = units.map(column).collect();
                let rows: Vec<Vec<f32>> = (0..inputs + hidden).map(|row| columns.iter().map(|column| column[row]).collect()).collect();
                let orthonormal = if columns.len() <= rows.len() { &columns } else { &rows };
                for (a, first) in orthonormal.iter().enumerate() {
                    for (b, second) in orthonormal.iter().enumerate() {
                        let product: f32 = first.iter().zip(second).map(|(first, second)| first * second).sum();
                        assert!((product - if a == b { 1.0 } else { 0.0 }).abs() < 1e-5, "{a}, {b}: {product}");
                    }
                }
            }
        }
        let bias = Initial::Gru { inputs: 3, hidden: 2, part: GruPart::Bias }.values("encoder.gru.bias_l0", 6, 0);
        assert_eq!(bias, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
    }
}
