//! A group of threads of one process.

use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::panicking;

use super::{Group, GroupError, Message};

/// Where the threads of a group meet.
pub struct Meeting {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

/// An exchange under way.
#[derive(Default)]
struct State {
    /// Which it is.
    number: u64,
    /// What ranks gave, by their number.
    given: Vec<Option<Arc<Result<Message, String>>>>,
    /// Those that have not yet taken what all gave.
    left: usize,
    /// A thread that ended by a panic: nobody waits for it.
    lost: Option<usize>,
}

impl Meeting {
    /// Of so many threads.
    pub fn new(size: usize) -> Self {
        Self { size, state: Mutex::new(State { given: vec![None; size], ..State::default() }), changed: Condvar::new() }
    }

    /// The group as thread `rank`, from 0, sees it. Each rank is taken once.
    pub fn member(&self, rank: usize) -> Member<'_> {
        Member { meeting: self, rank }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread of a group.
pub struct Member<'m> {
    meeting: &'m Meeting,
    rank: usize,
}

impl Debug for Member<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "thread {} of {}", self.rank, self.meeting.size)
    }
}

impl Member<'_> {
    /// Waits while `is_to_wait` says so.
    fn wait<'l>(&self, mut state: MutexGuard<'l, State>, is_to_wait: impl Fn(&State) -> bool) -> Result<MutexGuard<'l, State>, GroupError> {
        while is_to_wait(&state) {
            if let Some(rank) = state.lost {
                return Err(GroupError::Failed { rank, reason: "its thread has ended".into() });
            }
            state = self.meeting.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(state)
    }
}

impl Group for Member<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.meeting.size
    }

    fn exchange(&self, own: Result<Message, String>) -> Result<Vec<Vec<u8>>, GroupError> {
        let size = self.meeting.size;
        // Others may still take what was given before.
        let mut state = self.wait(self.meeting.lock(), |state| state.left > 0)?;
        let number = state.number;
        state.given[self.rank] = Some(Arc::new(own));
        if state.given.iter().all(Option::is_some) {
            (state.number, state.left) = (number + 1, size);
            self.meeting.changed.notify_all();
        }
        let mut state = self.wait(state, |state| state.number == number)?;
        let given: Vec<_> = state.given.iter().flatten().cloned().collect();
        state.left -= 1;
        if state.left == 0 {
            state.given = vec![None; size];
            self.meeting.changed.notify_all();
        }
        drop(state);
        let message = |(rank, own): (usize, &Arc<Result<Message, String>>)| match own.as_ref() {
            Ok(Message::ToAll(bytes)) => Ok(bytes.clone()),
            Ok(Message::ToEach(all)) => Ok(all.get(self.rank).cloned().unwrap_or_default()),
            Err(reason) => Err(GroupError::Failed { rank, reason: reason.clone() }),
        };
        given.iter().enumerate().map(message).collect()
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if panicking() {
            self.meeting.lock().lost = Some(self.rank);
            self.meeting.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of some threads gets.
    fn meet<R: Send>(size: usize, work: impl Fn(&Member<'_>) -> R + Sync) -> Vec<std::thread::Result<R>> {
        let meeting = Meeting::new(size);
        std::thread::scope(|scope| {
            let (meeting, work) = (&meeting, &work);
            let threads: Vec<_> = (0..size).map(|rank| scope.spawn(move || work(&meeting.member(rank)))).collect();
            threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
        })
    }

    #[test]
    fn messages_arrive_in_the_order_of_ranks_however_often() {
        for result in meet(5, |member| {
            for round in 0..200u8 {
                let own = member.rank() as u8;
                let all = member.exchange(Ok(Message::ToAll(vec![own, round]))).unwrap();
                assert_eq!(all, (0..5).map(|rank| vec![rank, round]).collect::<Vec<_>>());
                let each = (0..5).map(|to| vec![own, to]).collect();
                let all = member.exchange(Ok(Message::ToEach(each))).unwrap();
                assert_eq!(all, (0..5).map(|rank| vec![rank, own]).collect::<Vec<_>>());
            }
        }) {
            result.unwrap();
        }
    }

    #[test]
    fn all_learn_of_the_first_that_fails_and_nobody_waits_for_a_thread_that_is_gone() {
        let failed = meet(3, |member| member.exchange(if member.rank() == 0 { Ok(Message::ToAll(vec![])) } else { Err("full".into()) }));
        let expected = GroupError::Failed { rank: 1, reason: "full".into() };
        assert!(failed.into_iter().all(|result| result.unwrap() == Err(expected.clone())));
        let lost = meet(3, |member| {
            assert!(member.rank() != 2, "on purpose");
            member.exchange(Ok(Message::ToAll(vec![])))
        });
        for result in lost.into_iter().take(2) {
            assert!(matches!(result.unwrap(), Err(GroupError::Failed { rank: 2, .. })));
        }
    }
}
