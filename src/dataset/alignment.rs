//! Which frames each word is said in.

/// Rows of an utterance's words and of its frames, and the words' times, where anything is known of them.
pub(crate) struct Aligned<'t> {
    pub words: usize,
    pub frames: usize,
    /// `[words, 2]` in seconds, NaN where unknown; there may be more.
    pub times: Option<&'t [[f32; 2]]>,
}

/// Frames that each word of some utterances covers, first and end, where the utterances' frames follow each other.
pub(crate) fn covered<'t>(utterances: impl Iterator<Item = Aligned<'t>>, hop_seconds: f64) -> Vec<[u32; 2]> {
    let mut begin = 0;
    let mut all = Vec::new();
    for utterance in utterances {
        all.extend(utterance.covered(hop_seconds).into_iter().map(|bounds| bounds.map(|frame| (begin + frame) as u32)));
        begin += utterance.frames;
    }
    all
}

impl Aligned<'_> {
    /// By the times, where all are known, from the nearest beginning of a frame to the nearest, halves up; else evenly, word i of L has
    /// the frames from ⌊i F / L⌋ to ⌊(i + 1) F / L⌋ of F. A word of none has the frame that it begins with.
    fn covered(&self, hop_seconds: f64) -> Vec<[usize; 2]> {
        let Self { words, frames, times } = *self;
        let times = times.and_then(|times| times.get(..words));
        let known = times.filter(|times| times.as_flattened().iter().all(|seconds| !seconds.is_nan()));
        let within = |[first, end]: [usize; 2]| {
            let first = first.min(frames - 1);
            [first, end.clamp(first + 1, frames)]
        };
        // What is beyond all whole numbers becomes the last of them.
        let frame = |seconds: f32| (f64::from(seconds) / hop_seconds + 0.5).floor() as usize;
        match known {
            Some(times) => times.iter().map(|moments| within(moments.map(frame))).collect(),
            None => (0..words).map(|word| within([word, word + 1].map(|word| word * frames / words))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cover_frames_by_their_times_or_evenly() {
        let of = |times, words, frames, hop_seconds| Aligned { words, frames, times }.covered(hop_seconds);
        let times = [[0.0, 0.25], [0.25, 0.25], [0.3125, 0.5], [9.0, 10.0]];
        assert_eq!(of(Some(&times), 4, 4, 0.125), [[0, 2], [2, 3], [3, 4], [3, 4]]);
        let evenly = [[0, 2], [2, 4], [4, 7]];
        assert_eq!(of(None, 3, 7, 0.01), evenly);
        assert_eq!(of(Some(&[[0.0, 0.1], [f32::NAN; 2], [0.2, 0.3]]), 3, 7, 0.01), evenly);
        assert_eq!(of(Some(&times[..2]), 3, 7, 0.01), evenly);
        assert_eq!(of(None, 3, 2, 0.01), [[0, 1], [0, 1], [1, 2]]);
        let two = [2, 3].map(|words| Aligned { words, frames: 4, times: Some(&times) });
        assert_eq!(covered(two.into_iter(), 0.125), [[0, 2], [2, 3], [4, 6], [6, 7], [7, 8]]);
    }
}
