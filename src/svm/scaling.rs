//! Columns scaled to between 0 and 1, so that squared distances are of about the size that the kernels' widths are for.

/// How each column is scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// `[columns]`: what becomes 0.
    pub lowest: Vec<f32>,
    /// `[columns]`: what becomes 1 is so much more; 1 of a column that does not vary.
    pub range: Vec<f32>,
}

impl Scaling {
    /// By the least and the greatest value of each column of features `[samples, columns]`, of which there is one at least.
    pub fn of(features: &[f32], columns: usize) -> Self {
        let (mut lowest, mut highest) = (vec![f32::INFINITY; columns], vec![f32::NEG_INFINITY; columns]);
        for row in features.chunks_exact(columns) {
            lowest.iter_mut().zip(row).for_each(|(lowest, &value)| *lowest = lowest.min(value));
            highest.iter_mut().zip(row).for_each(|(highest, &value)| *highest = highest.max(value));
        }
        let range = |(&lowest, &highest): (&f32, &f32)| if highest - lowest > f32::MIN_POSITIVE { highest - lowest } else { 1.0 };
        Self { range: lowest.iter().zip(&highest).map(range).collect(), lowest }
    }

    /// `[samples, chosen columns]` of features of all columns; beyond what was seen it is beyond 0 and 1.
    pub fn apply(&self, features: &[f32], chosen: impl Iterator<Item = usize> + Clone) -> Vec<f32> {
        let scale = |row: &[f32], column: usize| (row[column] - self.lowest[column]) / self.range[column];
        features.chunks_exact(self.lowest.len()).flat_map(|row| chosen.clone().map(move |column| scale(row, column))).collect()
    }
}
