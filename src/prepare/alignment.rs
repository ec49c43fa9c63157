//! When words are said: an aligner's file an utterance, matched with the tokens.

use super::{PrepareError, RecordingEvent};
use crate::base::streams::{AUDIO, TEXT};
use crate::corpus::{Alignment, Corpus};
use crate::dataset::{DataStream, Streams, hop_seconds};
use crate::text::tokenise;

/// Gives the words their times, where the corpus has files of them; those of an utterance without one, or whose file has other words,
/// are not known.
///
/// # Errors
/// A file that cannot be understood, or is of a longer recording.
pub(super) fn read(
    corpus: &Corpus,
    streams: &mut Streams,
    feature_settings: &serde_json::Value,
    observe: &mut dyn FnMut(RecordingEvent<'_>),
) -> Result<(), PrepareError> {
    let Some(text) = streams.get(TEXT).filter(|_| !corpus.alignments.is_empty()) else { return Ok(()) };
    let (mut times, mut without, mut differing) = (Vec::new(), Vec::new(), Vec::new());
    for (place, utterance) in corpus.utterances.iter().enumerate() {
        let rows = text.length(place, usize::MAX);
        let (speed, is_copy) = (corpus.speed(utterance), corpus.copies.contains_key(&utterance.id));
        let known = match corpus.alignments.get(corpus.own_id(utterance)) {
            Some(path) => {
                let alignment = Alignment::read(path)?;
                if let Some(audio) = streams.frames(AUDIO) {
                    let seconds = audio.of(place, usize::MAX).len() as f64 * hop_seconds(feature_settings);
                    alignment.check_within(seconds * speed)?;
                }
                let known = match text {
                    DataStream::Tokens(_) => alignment.times(&tokenise(&utterance.text)),
                    _ => alignment.times_of_rows(rows),
                };
                differing.extend((known.is_none() && !is_copy).then(|| utterance.id.clone()));
                known
            }
            None => {
                without.extend((!is_copy).then(|| utterance.id.clone()));
                None
            }
        };
        let known = known.unwrap_or_else(|| vec![[f32::NAN; 2]; rows]);
        times.extend(known.into_iter().map(|times| if speed == 1.0 { times } else { times.map(|time| (f64::from(time) / speed) as f32) }));
    }
    if !without.is_empty() || !differing.is_empty() {
        observe(RecordingEvent::Unaligned { without: &without, differing: &differing });
    }
    streams.set_times(TEXT, times);
    Ok(())
}
