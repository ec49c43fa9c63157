//! A long recording, segment by segment: it is read, divided and predicted as it comes, so that what is held follows the window.
//!
//! Every segment is an utterance of its own: its result is, bit for bit, that of a recording of these samples. So the floor of the
//! decibels (`top_db`) lies below the segment's loudest band, and where a model is normalised by utterance or by speaker the figures are
//! the segment's.

use super::evaluate::BATCH;
use super::speech::SpeechInference;
use super::spoken::Spoken;
use super::{Predictor, TrainError};
use crate::audio::AudioError;
use crate::audio::segment::{Envelope, Segment, Segmenter, seconds};
use crate::backend::Backend;
use crate::corpus::Alignment;
use crate::text::TextError;
use crate::text::transcript::Transcript;

/// Samples of the segments that wait for the device: a minute.
const WAITING: usize = 60 * 16_000;

/// What a model predicts over the time of a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeline {
    /// How long the recording is.
    pub seconds: f64,
    /// In the order in which they begin.
    pub segments: Vec<TimedPrediction>,
    /// How loud the recording is.
    pub envelope: Envelope,
    /// Places of the transcript's words that are said in no segment.
    pub unread: Vec<usize>,
}

/// What a model predicts of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedPrediction {
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
    /// Its words; none without a transcript.
    pub text: Option<String>,
    /// Of each class, in the order of the model's.
    pub probabilities: Vec<f64>,
}

impl TimedPrediction {
    /// How long it is.
    pub fn seconds(&self) -> f64 {
        self.end - self.start
    }
}

impl Timeline {
    /// The mean of the segments' probabilities, each by how long it is; none where there is no segment.
    pub fn mean(&self) -> Option<Vec<f64>> {
        let all: f64 = self.segments.iter().map(TimedPrediction::seconds).sum();
        let classes = self.segments.first()?.probabilities.len();
        let of_class = |class| self.segments.iter().map(|segment| segment.probabilities[class] * segment.seconds()).sum::<f64>() / all;
        Some((0..classes).map(of_class).collect())
    }

    /// Seconds that lie in a segment.
    pub fn covered(&self) -> f64 {
        let mut end = 0.0;
        let mut covered = 0.0;
        for segment in &self.segments {
            covered += (segment.end - segment.start.max(end)).max(0.0);
            end = segment.end.max(end);
        }
        covered
    }

    /// Segments in which nothing is said.
    pub fn without_words(&self) -> usize {
        self.segments.iter().filter(|segment| segment.text.as_ref().is_some_and(String::is_empty)).count()
    }
}

impl<B: Backend> SpeechInference<'_, B> {
    /// Predicts every segment of a recording, whose samples come piece by piece, as from a [`Stream`](crate::audio::Stream). Its words
    /// are those of the transcript that are said within it; a segment without any is an utterance without words.
    ///
    /// # Errors
    /// [`TrainError::Audio`], also where the recording turns out at its end not to be whole; [`TextError::OtherTimes`] where all words
    /// are said after its end; and those of [`SpeechInference::predict`], which name the segment.
    pub async fn predict_segments(
        &mut self,
        name: &str,
        pieces: impl IntoIterator<Item = Result<Vec<f32>, AudioError>>,
        mut segmenter: Segmenter,
        transcript: Option<&Transcript>,
    ) -> Result<Timeline, TrainError> {
        let mut timeline = Timeline::default();
        let mut is_read = vec![false; transcript.map_or(0, |transcript| transcript.words().len())];
        let mut waiting: Vec<Segment> = Vec::new();
        let mut samples = 0;
        for piece in pieces {
            let piece = piece?;
            samples += piece.len() as u64;
            timeline.envelope.push(&piece);
            for segment in segmenter.push(&piece) {
                waiting.push(segment);
                if waiting.len() == BATCH || waiting.iter().map(|segment| segment.samples.len()).sum::<usize>() >= WAITING {
                    self.predict_waiting(name, std::mem::take(&mut waiting), transcript, &mut is_read, &mut timeline).await?;
                }
            }
        }
        timeline.seconds = seconds(samples);
        if let Some(transcript) = transcript
            && let Some(first) = transcript.words().first().filter(|word| word.middle() >= timeline.seconds)
        {
            let (path, recording) = (transcript.path.clone(), name.to_owned());
            return Err(TextError::OtherTimes { path, recording, first: first.times[0], seconds: timeline.seconds }.into());
        }
        waiting.extend(segmenter.finish());
        self.predict_waiting(name, waiting, transcript, &mut is_read, &mut timeline).await?;
        timeline.unread = (0..is_read.len()).filter(|&word| !is_read[word]).collect();
        Ok(timeline)
    }

    async fn predict_waiting(
        &mut self,
        name: &str,
        segments: Vec<Segment>,
        transcript: Option<&Transcript>,
        is_read: &mut [bool],
        timeline: &mut Timeline,
    ) -> Result<(), TrainError> {
        let begun = timeline.segments.len();
        let mut utterances = Vec::with_capacity(segments.len());
        for segment in segments {
            let (start, end) = (segment.start_seconds(), segment.end_seconds());
            let words = transcript.map(|transcript| (transcript, transcript.between(start, end)));
            if let Some((_, words)) = &words {
                is_read[words.clone()].fill(true);
            }
            let text = words.as_ref().map(|(transcript, words)| transcript.text(words.clone()));
            let alignment = words.and_then(|(transcript, words)| alignment(self.predictor, transcript, words, [start, end]));
            timeline.segments.push(TimedPrediction { start, end, text: text.clone(), probabilities: Vec::new() });
            utterances.push(Spoken { samples: Some(segment.samples), text, alignment, ..Spoken::default() });
        }
        let found = self.predict_each(&utterances).await?;
        for (segment, probabilities) in timeline.segments[begun..].iter_mut().zip(found) {
            let not_finite = || {
                let id = format!("{name} from {} to {} s", segment.start, segment.end);
                TrainError::ResultNotFinite { places: vec![0], ids: vec![id], kept: None }
            };
            segment.probabilities = probabilities.ok_or_else(not_finite)?;
        }
        Ok(())
    }
}

/// When the words of a segment are said in it, for a model that is told.
fn alignment(predictor: &Predictor, transcript: &Transcript, words: std::ops::Range<usize>, [start, end]: [f64; 2]) -> Option<Alignment> {
    let within = |time: f64| (time - start).clamp(0.0, end - start);
    let words = transcript.in_order(words);
    predictor.reads_times().then(|| {
        Alignment::of_words(&transcript.path, words.into_iter().map(|word| (word.line, word.text.as_str(), word.times.map(within))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_by_length_and_what_overlaps_is_covered_once() {
        let segment = |start, end, probabilities: [f64; 2]| TimedPrediction { start, end, text: None, probabilities: probabilities.into() };
        let segments = vec![segment(1.0, 4.0, [1.0, 0.0]), segment(3.0, 4.0, [0.0, 1.0]), segment(6.0, 6.5, [0.5, 0.5])];
        let timeline = Timeline { seconds: 10.0, segments, ..Timeline::default() };
        let mean = timeline.mean().unwrap();
        assert!((mean[0] - 3.25 / 4.5).abs() < 1e-12 && (mean[1] - 1.25 / 4.5).abs() < 1e-12, "{mean:?}");
        assert_eq!(timeline.covered(), 3.5);
        assert_eq!((Timeline::default().mean(), Timeline::default().covered()), (None, 0.0));
    }
}
