//! Which candidate of each frame is its pitch, if any: the cheapest path through all frames (Viterbi), to which a candidate of little
//! voicing, an unusual frequency and a jump are dear, and so is the change between speech with and without voice.
//!
//! The figures are those of the prosody set and, where it leaves some open, of openSMILE's paths, measured at it.

use super::subharmonics::{CANDIDATES, Candidate};

/// Weight of the voicing, `-ln(voicing)`.
const VOICING: f64 = 2.0;
/// Voicing from which a frame is taken to be voiced, and the cost of deciding otherwise, under [`VOICING`].
const THRESHOLD: f64 = 0.7;
const AGAINST_THRESHOLD: f64 = 4.0;
/// Weight of a jump, `2 |ln(f / f')|`; a path that begins with voice has made one of 1.
const JUMP: f64 = 10.0;
/// Cost of the beginning and of the end of voice.
const CHANGE: f64 = 10.0;
/// Cost of a further frame without voice.
const WITHOUT_VOICE: f64 = 1.0;

/// Paths end in a candidate, or behind all of them without voice.
const STATES: usize = CANDIDATES + 1;
const UNVOICED: usize = CANDIDATES;

/// Of every frame which candidate is its pitch; none where it is without voice.
pub(super) fn voiced(frames: &[Vec<Candidate>]) -> Vec<Option<usize>> {
    let mut costs = [f64::INFINITY; STATES];
    // Of every frame and state the state before.
    let mut before: Vec<[usize; STATES]> = Vec::with_capacity(frames.len());
    for (place, frame) in frames.iter().enumerate() {
        let local = local_costs(frame);
        let mut from = [UNVOICED; STATES];
        costs = std::array::from_fn(|state| match place.checked_sub(1) {
            None => local[state] + if state == UNVOICED { 0.0 } else { JUMP },
            Some(last) => {
                let path = |from: usize| costs[from] + transition(frames[last].get(from), frame.get(state));
                let cheapest = (1..STATES).fold(0, |best, other| if path(other) < path(best) { other } else { best });
                from[state] = cheapest;
                local[state] + path(cheapest)
            }
        });
        before.push(from);
    }
    let mut state = (1..STATES).fold(0, |best, other| if costs[other] < costs[best] { other } else { best });
    let mut chosen = vec![None; frames.len()];
    for place in (0..frames.len()).rev() {
        chosen[place] = Some(state).filter(|&state| state != UNVOICED);
        state = before[place][state];
    }
    chosen
}

/// What each state of a frame costs by itself; infinitely much where there is no such candidate.
fn local_costs(frame: &[Candidate]) -> [f64; STATES] {
    let is_voiced = frame.iter().any(|candidate| candidate.voicing >= THRESHOLD);
    let of_candidate = |candidate: &Candidate| {
        let against = if candidate.voicing < THRESHOLD { AGAINST_THRESHOLD } else { 0.0 };
        VOICING * (against - candidate.voicing.max(f64::MIN_POSITIVE).ln()) + strangeness(candidate.hertz)
    };
    std::array::from_fn(|state| match frame.get(state) {
        Some(candidate) => of_candidate(candidate),
        None if state == UNVOICED => VOICING * if is_voiced { AGAINST_THRESHOLD } else { 0.0 },
        None => f64::INFINITY,
    })
}

/// What it costs to come from a state to another; a state that is no candidate is without voice, or costs infinitely much anyway.
fn transition(from: Option<&Candidate>, to: Option<&Candidate>) -> f64 {
    match (from, to) {
        (Some(from), Some(to)) => JUMP * 2.0 * (to.hertz / from.hertz).ln().abs(),
        (None, None) => WITHOUT_VOICE,
        _ => CHANGE,
    }
}

/// How unlike a voice's a frequency is: 0 from 100 to 350 Hz.
fn strangeness(hertz: f64) -> f64 {
    match hertz {
        ..100.0 => (100.0 - hertz) / 100.0,
        ..350.0 => 0.0,
        ..600.0 => (hertz - 350.0) / 250.0,
        _ => 1.2,
    }
}
