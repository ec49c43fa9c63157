//! Loops in the listing of NVK's compiler (NAK), whose blocks name those that follow them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Instructions of one turn of a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loop {
    pub instructions: u64,
    /// Of them those that multiply and add at once, numbers or matrices.
    pub multiply_adds: u64,
}

/// A straight run of instructions, and the numbers of those that may follow.
#[derive(Default)]
struct Block {
    number: u32,
    counts: Loop,
    next: Vec<u32>,
}

/// The loop without another in it that does most multiply-adds, of an entry point's last listing, with both sides of its choices. Of a
/// product, whose invocations have `a_step` of them between two fillings of its tiles, each side counts half: choices are which factor a
/// subgroup brings, for half of them the one, and what a dispatch has or has not. Where the loop does fewer than `a_step`, it is what a
/// turn of the loop around it comes to, in which it turns as often as makes these.
pub fn busiest_loop(listings: &[String], a_step: Option<u64>) -> Option<Loop> {
    let blocks = blocks(listings.last()?);
    let place = |number: &u32| blocks.iter().position(|block| block.number == *number);
    let next: Vec<Vec<usize>> = blocks.iter().map(|block| block.next.iter().filter_map(place).collect()).collect();
    // Blocks stand in the order in which they run, so what leads back leads to the head of a loop.
    let back =
        next.iter().enumerate().flat_map(|(tail, next)| next.iter().filter(move |&&head| head <= tail).map(move |&head| (head, tail)));
    let loops: Vec<BTreeSet<usize>> = back.map(|(head, tail)| body(&next, head, tail)).collect();
    let is_within = |one: &BTreeSet<usize>, other: &BTreeSet<usize>| one.is_subset(other) && one != other;
    let counted = |body: &BTreeSet<usize>| match a_step {
        Some(_) => mean_turn(&blocks, &next, body),
        None => body.iter().map(|&place| blocks[place].counts).fold(Loop::default(), |sum, block| Loop {
            instructions: sum.instructions + block.instructions,
            multiply_adds: sum.multiply_adds + block.multiply_adds,
        }),
    };
    let innermost = loops.iter().filter(|body| !loops.iter().any(|other| is_within(other, body)));
    let busiest = innermost.max_by_key(|body| (counted(body).multiply_adds, Reverse(counted(body).instructions)))?;
    let own = counted(busiest);
    let around = loops.iter().filter(|other| is_within(busiest, other)).min_by_key(|other| other.len()).map(counted);
    match a_step.zip(around) {
        Some((a_step, around)) if (1..a_step).contains(&own.multiply_adds) => Some(Loop {
            instructions: around.instructions - own.instructions + own.instructions * a_step / own.multiply_adds,
            multiply_adds: a_step,
        }),
        _ => Some(own),
    }
}

/// What a turn comes to where each of a block's ways on is taken as often, rounded up. What leads back ends the turn, of a loop within
/// too.
fn mean_turn(blocks: &[Block], next: &[Vec<usize>], body: &BTreeSet<usize>) -> Loop {
    let mut turn = [0.0; 2];
    let mut often: BTreeMap<usize, f64> = body.first().map(|&head| (head, 1.0)).into_iter().collect();
    for &place in body {
        let Some(share) = often.remove(&place) else { continue };
        let Loop { instructions, multiply_adds } = blocks[place].counts;
        turn = [turn[0] + share * instructions as f64, turn[1] + share * multiply_adds as f64];
        let ways: Vec<usize> = next[place].iter().copied().filter(|&next| next > place && body.contains(&next)).collect();
        ways.iter().for_each(|&next| *often.entry(next).or_default() += share / ways.len() as f64);
    }
    let [instructions, multiply_adds] = turn.map(|count| count.ceil() as u64);
    Loop { instructions, multiply_adds }
}

/// Blocks of a loop: its head, and all from which its tail is reached without it.
fn body(next: &[Vec<usize>], head: usize, tail: usize) -> BTreeSet<usize> {
    let mut body = BTreeSet::from([head]);
    let mut found = vec![tail];
    while let Some(block) = found.pop() {
        if body.insert(block) {
            found.extend((0..next.len()).filter(|&before| next[before].contains(&block)));
        }
    }
    body
}

/// `block N LABEL [before] -> {`, an instruction a line, `} -> [next]`.
fn blocks(listing: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in listing.lines() {
        if let Some(rest) = line.strip_prefix("block") {
            let number = rest.trim_start_matches(".u").split_whitespace().next().and_then(|word| word.parse().ok());
            open = number.map(|number| Block { number, ..Block::default() });
        } else if let Some(rest) = line.strip_prefix("} -> [") {
            let next = rest.trim_end().trim_end_matches(']').split(',').filter_map(|number| number.trim().parse().ok()).collect();
            blocks.extend(open.take().map(|block| Block { next, ..block }));
        } else if let Some(block) = &mut open
            && let Some(operation) = operation(line)
        {
            block.counts.instructions += 1;
            block.counts.multiply_adds += u64::from(["ffma", "hfma2", "hmma"].contains(&operation));
        }
    }
    blocks
}

/// The operation of `@predicate result = operation.modifiers operands // when`, without its modifiers.
fn operation(line: &str) -> Option<&str> {
    let instruction = unguarded(line.split("//").next()?.trim());
    let instruction = unguarded(instruction.split_once(" = ").map_or(instruction, |(_, operation)| operation.trim_start()));
    instruction.split([' ', '.']).next().filter(|operation| !operation.is_empty())
}

/// An instruction without its predicate.
fn unguarded(text: &str) -> &str {
    if text.starts_with('@') { text.split_once(' ').map_or("", |(_, rest)| rest.trim_start()) } else { text }
}
