//! How loud a recording is over its time, in a picture's columns.

/// Most columns; from twice as many on neighbours are put together.
const COLUMNS: usize = 2048;

/// Lowest and highest sample of each part of a recording, of so many parts that they do not follow its length.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Samples of a part.
    each: usize,
    parts: Vec<[f32; 2]>,
    /// Samples of the last part.
    filled: usize,
}

impl Default for Envelope {
    fn default() -> Self {
        Self { each: 1, parts: Vec::new(), filled: 1 }
    }
}

impl Envelope {
    /// Takes more samples.
    pub fn push(&mut self, samples: &[f32]) {
        for &sample in samples {
            match self.parts.last_mut().filter(|_| self.filled < self.each) {
                Some([low, high]) => {
                    (*low, *high) = (low.min(sample), high.max(sample));
                    self.filled += 1;
                }
                None => {
                    if self.parts.len() == 2 * COLUMNS {
                        self.halve();
                    }
                    self.parts.push([sample; 2]);
                    self.filled = 1;
                }
            }
        }
    }

    /// Puts neighbours together; there are an even number of parts, all full.
    fn halve(&mut self) {
        self.parts = self.parts.chunks_exact(2).map(|pair| [pair[0][0].min(pair[1][0]), pair[0][1].max(pair[1][1])]).collect();
        self.each *= 2;
    }

    /// Lowest and highest sample of each part, in their order.
    pub fn parts(&self) -> &[[f32; 2]] {
        &self.parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_lies_in_a_part_and_the_parts_do_not_follow_the_length() {
        let samples: Vec<f32> = (0..100_000).map(|n| (n as f32 * 0.37).sin() * n as f32).collect();
        let mut envelope = Envelope::default();
        for piece in samples.chunks(777) {
            envelope.push(piece);
        }
        assert_eq!(envelope.each, 32);
        let expected: Vec<[f32; 2]> = samples
            .chunks(32)
            .map(|part| [part.iter().copied().fold(f32::MAX, f32::min), part.iter().copied().fold(f32::MIN, f32::max)])
            .collect();
        assert_eq!(envelope.parts(), expected);
    }
}
