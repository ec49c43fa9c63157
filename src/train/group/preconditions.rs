//! What ranks compare before they begin.

use serde::{Deserialize, Serialize};

use super::{Group, GroupError, Message};

/// What must be the same on all ranks before they begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preconditions {
    /// Of each thing its name and what tells it from another, in words or as a hash; the first that differs is told.
    pub of: Vec<(String, String)>,
}

/// What ranks may differ in, as [`Preconditions`] names it.
const COMPARED: [&str; 5] = ["program", "kernels", "settings", "data", "device"];

/// Compares what ranks were given with the first's.
///
/// # Errors
/// [`GroupError::Differs`] on all ranks, of the first that differs.
pub(crate) fn compare(group: &dyn Group, own: &Preconditions) -> Result<(), GroupError> {
    let text = serde_json::to_vec(own).unwrap_or_default();
    let all = group.exchange(Ok(Message::ToAll(text)))?;
    let all: Vec<Preconditions> = all.iter().map(|text| serde_json::from_slice(text).unwrap_or(Preconditions { of: Vec::new() })).collect();
    let Some((first, others)) = all.split_first() else { return Ok(()) };
    for what in COMPARED {
        let of =
            |conditions: &Preconditions| conditions.of.iter().find(|(name, _)| name == what).map_or_else(String::new, |(_, of)| of.clone());
        let expected = of(first);
        if let Some((place, other)) = others.iter().enumerate().find(|(_, other)| of(other) != expected) {
            let (found, expected) = difference(&of(other), &expected);
            return Err(GroupError::Differs { rank: place + 1, what, found, expected });
        }
    }
    Ok(())
}

/// The first lines of two texts that differ.
fn difference(found: &str, expected: &str) -> (String, String) {
    let pair = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    let (found, expected) = pair.unwrap_or((found, expected));
    (found.trim().to_owned(), expected.trim().to_owned())
}

#[cfg(all(test, feature = "files"))]
mod tests {
    use super::*;
    use crate::train::group::threads::Meeting;

    #[test]
    fn what_differs_is_named_with_its_rank_and_both_values() {
        let meeting = Meeting::new(3);
        let of = |rank: usize| {
            let lr = if rank == 2 { "lr = 0.1" } else { "lr = 0.2" };
            let settings = format!("[train]\n{lr}\nseed = 1\n");
            Preconditions { of: vec![("data".into(), "same".into()), ("settings".into(), settings)] }
        };
        // The first that differs is told, of the last rank alone.
        for what in COMPARED {
            let meeting = Meeting::new(2);
            std::thread::scope(|scope| {
                for rank in 0..2 {
                    let meeting = &meeting;
                    let of = |name: &str| (name.to_owned(), if name == what { format!("{name} {rank}") } else { "same".into() });
                    let own = Preconditions { of: COMPARED.iter().rev().map(|name| of(name)).collect() };
                    scope.spawn(move || {
                        let line = compare(&meeting.member(rank), &own).unwrap_err().to_string();
                        assert_eq!(line, format!("rank 1: {what}: {what} 1, on rank 0 {what} 0"));
                    });
                }
            });
        }
        std::thread::scope(|scope| {
            for rank in 0..3 {
                let (meeting, own) = (&meeting, of(rank));
                scope.spawn(move || {
                    let error = compare(&meeting.member(rank), &own).unwrap_err();
                    assert_eq!(error.to_string(), "rank 2: settings: lr = 0.1, on rank 0 lr = 0.2");
                });
            }
        });
    }
}
