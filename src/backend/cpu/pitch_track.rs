//! The pitch of each frame: the cheapest path through the candidates of an utterance.

use super::{Cpu, CpuTensor, Real};
use crate::audio::prosody::{LOWEST_NOTE, QUIETEST};
use crate::backend::ops::{CANDIDATE_COLUMNS, CANDIDATES, PitchTrack, Run, TRACK_COLUMNS};
use crate::base::parallel::*;

/// Weight of the voicing, `-ln(voicing)`.
const VOICING: f64 = 2.0;
/// The least voicing that is told from none.
const SMALLEST_VOICING: f64 = 1e-30;
/// Voicing from which a frame is taken to be voiced, and the cost of deciding otherwise, under [`VOICING`].
const THRESHOLD: f64 = 0.7;
const AGAINST_THRESHOLD: f64 = 4.0;
/// Weight of a jump, `|ln(f / f')|`, and what it costs to begin with voice.
const JUMP: f64 = 20.0;
const BEGINNING: f64 = 10.0;
/// Cost of the beginning and of the end of voice.
const CHANGE: f64 = 10.0;
/// Cost of a further frame without voice.
const WITHOUT_VOICE: f64 = 1.0;

/// Paths end in a candidate, or behind all of them without voice.
const STATES: usize = CANDIDATES + 1;
const UNVOICED: usize = CANDIDATES;

impl<T: Real> Run<PitchTrack<Self, CpuTensor<T>>> for Cpu<T> {
    fn forward(&self, of: &PitchTrack<Self, CpuTensor<T>>) -> (CpuTensor<T>, ()) {
        let y = forward(&of.candidates.values(), &of.frames.offsets);
        (CpuTensor::new(y, [of.frames.rows(), TRACK_COLUMNS]), ())
    }
}

/// `candidates: [frames, 13]`, `offsets: [batch + 1]` → `[frames, 4]`.
pub(crate) fn forward<T: Real>(candidates: &[T], offsets: &[u32]) -> Vec<T> {
    let of_utterance = |rows: &[u32]| {
        let rows = rows[0] as usize * CANDIDATE_COLUMNS..rows[1] as usize * CANDIDATE_COLUMNS;
        let frames: Vec<&[T]> = candidates[rows].chunks_exact(CANDIDATE_COLUMNS).collect();
        let chosen = cheapest_path(&frames);
        frames.into_iter().zip(chosen).flat_map(|(frame, chosen)| contours(frame, chosen)).collect::<Vec<T>>()
    };
    offsets.par_windows(2).flat_map_iter(of_utterance).collect()
}

/// F0, log F0, voicing, log HNR.
fn contours<T: Real>(frame: &[T], chosen: usize) -> [T; TRACK_COLUMNS] {
    let (zero, is_quiet) = (T::zero(), frame[3 * CANDIDATES] < T::of(QUIETEST));
    let voicing = &frame[CANDIDATES..2 * CANDIDATES];
    let unless_quiet = |value: T| if is_quiet { zero } else { value };
    if chosen == UNVOICED {
        return [zero, zero, unless_quiet(voicing.iter().copied().fold(zero, T::max)), zero];
    }
    let hertz = frame[chosen];
    let semitones = (T::of(12.0) * (hertz / T::of(LOWEST_NOTE)).log2()).max(T::one());
    [unless_quiet(hertz), unless_quiet(semitones), unless_quiet(voicing[chosen]), frame[2 * CANDIDATES + chosen]]
}

/// Of every frame the state that the path goes through.
fn cheapest_path<T: Real>(frames: &[&[T]]) -> Vec<usize> {
    let mut costs = [T::zero(); STATES];
    // Of every frame and state the state before.
    let mut before: Vec<[usize; STATES]> = Vec::with_capacity(frames.len());
    for (place, &frame) in frames.iter().enumerate() {
        let local = local_costs(frame);
        let mut from = [UNVOICED; STATES];
        costs = std::array::from_fn(|state| match place.checked_sub(1) {
            None if state == UNVOICED => local[state],
            None => local[state] + T::of(BEGINNING),
            Some(last) => {
                let paths = std::array::from_fn(|from| costs[from] + transition(frames[last], from, frame, state));
                from[state] = cheapest(&paths);
                local[state] + paths[from[state]]
            }
        });
        let least = costs[cheapest(&costs)];
        costs.iter_mut().for_each(|cost| *cost -= least);
        before.push(from);
    }
    let mut state = cheapest(&costs);
    let mut chosen = vec![UNVOICED; frames.len()];
    for place in (0..frames.len()).rev() {
        chosen[place] = state;
        state = before[place][state];
    }
    chosen
}

/// The first of the cheapest.
fn cheapest<T: Real>(costs: &[T; STATES]) -> usize {
    (1..STATES).fold(0, |best, other| if costs[other] < costs[best] { other } else { best })
}

/// What each state of a frame costs by itself; infinitely much where there is no such candidate.
fn local_costs<T: Real>(frame: &[T]) -> [T; STATES] {
    let (hertz, voicing) = frame.split_at(CANDIDATES);
    let [weight, threshold, against] = [VOICING, THRESHOLD, AGAINST_THRESHOLD].map(T::of);
    let is_there = |candidate: usize| hertz[candidate] > T::zero();
    let is_voiced = (0..CANDIDATES).any(|candidate| is_there(candidate) && voicing[candidate] >= threshold);
    std::array::from_fn(|state| match state {
        UNVOICED if is_voiced => weight * against,
        UNVOICED => T::zero(),
        _ if is_there(state) => {
            let against = if voicing[state] < threshold { against } else { T::zero() };
            weight * (against - voicing[state].max(T::of(SMALLEST_VOICING)).ln()) + strangeness(hertz[state])
        }
        _ => T::infinity(),
    })
}

/// What it costs to come from a state to another; a state that is no candidate is without voice, or costs infinitely much anyway.
fn transition<T: Real>(from_frame: &[T], from: usize, to_frame: &[T], to: usize) -> T {
    let hertz = |frame: &[T], state: usize| frame[..CANDIDATES].get(state).copied().filter(|&hertz| hertz > T::zero());
    match (hertz(from_frame, from), hertz(to_frame, to)) {
        (Some(from), Some(to)) => T::of(JUMP) * (to.ln() - from.ln()).abs(),
        (None, None) => T::of(WITHOUT_VOICE),
        _ => T::of(CHANGE),
    }
}

/// How unlike a voice's a frequency is: 0 from 100 to 350 Hz.
fn strangeness<T: Real>(hertz: T) -> T {
    let [low, high, highest] = [100.0, 350.0, 600.0].map(T::of);
    if hertz < low {
        (low - hertz) / low
    } else if hertz < high {
        T::zero()
    } else if hertz < highest {
        (hertz - high) / T::of(250.0)
    } else {
        T::of(1.2)
    }
}
