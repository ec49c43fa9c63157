//! Dividing a corpus anew: whole speakers to training, validation and test, about 8 : 1 : 1 by utterances, so that no
//! voice is tested that was trained on.

use std::collections::BTreeMap;

use super::{Corpus, CorpusError, Split, Utterance};
use crate::base::philox::Stream;

/// The stream that speakers are shuffled with, apart from those of a run.
const SPEAKER_STREAM: u64 = 1 << 60;

/// Share of the utterances that validation and test each get.
const SHARE: f64 = 0.1;

/// A speaker and how many utterances are theirs.
type Speaker = (String, usize);

/// Gives every utterance with a label the split of its speaker, in place of what the corpus says.
///
/// Speakers are shuffled by the seed; test, then validation, take each speaker that brings them nearer to a tenth of the
/// utterances, or the one that comes nearest where none does; training gets the rest. Each gets one at least. The same
/// corpus and seed give the same splits.
///
/// # Errors
/// An utterance without a speaker, or fewer than three speakers.
pub fn by_speaker(corpus: &mut Corpus, seed: u64) -> Result<(), CorpusError> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for utterance in corpus.utterances.iter().filter(|utterance| is_divided(utterance)) {
        let speaker = utterance.speaker.clone();
        let speaker = speaker.ok_or_else(|| CorpusError::NoSpeaker { path: corpus.root.clone(), id: utterance.id.clone() })?;
        *counts.entry(speaker).or_insert(0) += 1;
    }
    if counts.len() < Split::ALL.len() {
        let found = counts.into_keys().collect::<Vec<_>>().join(", ");
        return Err(CorpusError::FewSpeakers { path: corpus.root.clone(), found });
    }
    let speakers: Vec<Speaker> = counts.into_iter().collect();
    let order = Stream { seed, stream: SPEAKER_STREAM }.permutation(speakers.len());
    let mut rest: Vec<Speaker> = order.into_iter().map(|speaker| speakers[speaker].clone()).collect();
    let target = SHARE * corpus.utterances.iter().filter(|utterance| is_divided(utterance)).count() as f64;
    // What must remain for the splits that come after: one speaker each.
    let test = take(&mut rest, target, 2);
    let validation = take(&mut rest, target, 1);
    for utterance in corpus.utterances.iter_mut().filter(|utterance| is_divided(utterance)) {
        let of = |speakers: &[Speaker]| speakers.iter().any(|(name, _)| Some(name) == utterance.speaker.as_ref());
        utterance.split = Some(match (of(&test), of(&validation)) {
            (true, _) => Split::Test,
            (_, true) => Split::Validation,
            _ => Split::Train,
        });
    }
    Ok(())
}

/// Utterances without label stay what they are.
fn is_divided(utterance: &Utterance) -> bool {
    utterance.split != Some(Split::Unlabelled)
}

/// Takes speakers that together have about `target` utterances, and leaves `keep` at least.
fn take(rest: &mut Vec<Speaker>, target: f64, keep: usize) -> Vec<Speaker> {
    let distance = |count: usize| (count as f64 - target).abs();
    let (mut taken, mut count, mut at) = (Vec::new(), 0, 0);
    while at < rest.len() && rest.len() > keep {
        if distance(count + rest[at].1) < distance(count) {
            count += rest[at].1;
            taken.push(rest.remove(at));
        } else {
            at += 1;
        }
    }
    if taken.is_empty() {
        let nearest = (0..rest.len()).min_by(|&a, &b| distance(rest[a].1).total_cmp(&distance(rest[b].1)));
        taken.extend(nearest.map(|nearest| rest.remove(nearest)));
    }
    taken
}
