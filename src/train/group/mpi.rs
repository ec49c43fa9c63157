//! A group of processes that an MPI launcher has started, on one machine or several.

use std::fmt::{self, Debug, Formatter};
use std::thread::panicking;

use mpi::collective::SystemOperation;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Root};
use mpi::{Count, Threading};

use super::{Group, GroupError, Message};

/// The processes of an MPI launcher, of which this is one.
pub struct Processes {
    /// Those of the same machine.
    host: SimpleCommunicator,
    world: SimpleCommunicator,
    /// Ends MPI when it is dropped, after the others.
    _universe: Universe,
}

impl Debug for Processes {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "process {} of {}", self.rank(), self.size())
    }
}

impl Processes {
    /// Begins MPI; `None` where it has begun before. To be called, as all of a group, by the main thread.
    pub fn begin() -> Option<Self> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)?;
        let world = universe.world();
        let host = world.split_shared(world.rank());
        Some(Self { host, world, _universe: universe })
    }

    /// Which of the processes of its machine it is, from 0, and how many these are.
    pub fn on_host(&self) -> [usize; 2] {
        [self.host.rank(), self.host.size()].map(|number| number as usize)
    }

    /// The MPI library and its version.
    pub fn library() -> String {
        let version = mpi::environment::library_version().unwrap_or_default();
        let name = version.split(['\n', '\0', ',']).next().unwrap_or_default();
        name.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Tells all ranks how long what this one gives each of them will be, or why it cannot go on, and returns how long what each gives it is.
    fn announce(&self, own: Result<Vec<usize>, String>) -> Result<Vec<usize>, GroupError> {
        let (size, rank) = (self.size(), self.rank());
        let own = own.and_then(|lengths| {
            let all: usize = lengths.iter().sum();
            if all <= MOST / 2 { Ok(lengths) } else { Err(format!("{all} elements are more than MPI sends at once")) }
        });
        let lengths = match &own {
            Ok(lengths) => lengths.iter().map(|&length| length as u64).collect(),
            Err(reason) => vec![reason.len() as u64; size],
        };
        let head = [&[u64::from(own.is_err())], &lengths[..]].concat();
        let mut heads = vec![0; head.len() * size];
        self.world.all_gather_into(&head[..], &mut heads[..]);
        let heads: Vec<&[u64]> = heads.chunks_exact(head.len()).collect();
        if let Some(failed) = heads.iter().position(|head| head[0] != 0) {
            let mut reason = allocated(heads[failed][1] as usize);
            reason.extend_from_slice(own.err().filter(|_| failed == rank).unwrap_or_default().as_bytes());
            reason.resize(heads[failed][1] as usize, 0);
            self.world.process_at_rank(failed as mpi::Rank).broadcast_into(&mut reason[..]);
            return Err(GroupError::Failed { rank: failed, reason: String::from_utf8_lossy(&reason).into_owned() });
        }
        Ok(heads.iter().map(|head| head[1 + rank] as usize).collect())
    }

    /// What each rank gives this one, of known lengths.
    fn send(&self, own: &Message, lengths: &[usize]) -> Vec<u8> {
        let mut all = allocated(lengths.iter().sum());
        all.resize(lengths.iter().sum(), 0);
        let (counts, places) = layout(lengths);
        let mut into = PartitionMut::new(&mut all[..], counts, places);
        match own {
            Message::ToAll(own) => {
                let mut bytes = allocated(own.len());
                bytes.extend_from_slice(own);
                self.world.all_gather_varcount_into(&bytes[..], &mut into);
            }
            Message::ToEach(each) => {
                let mut bytes = allocated(each.iter().map(Vec::len).sum());
                each.iter().for_each(|own| bytes.extend_from_slice(own));
                let (counts, places) = layout(&each.iter().map(Vec::len).collect::<Vec<_>>());
                self.world.all_to_all_varcount_into(&Partition::new(&bytes[..], counts, places), &mut into);
            }
        }
        all
    }
}

/// A vector of no element with room for so many and one more: where an empty one begins that was never allocated, at 1, MPI libraries
/// see an order to send in place.
fn allocated(len: usize) -> Vec<u8> {
    Vec::with_capacity(len + 1)
}

/// Lengths and places as MPI counts them; see [`MOST`].
fn layout(lengths: &[usize]) -> (Vec<Count>, Vec<Count>) {
    let places = lengths.iter().scan(0, |place, &length| Some(std::mem::replace(place, *place + length) as Count));
    (lengths.iter().map(|&length| length as Count).collect(), places.collect())
}

/// Most elements that MPI counts.
const MOST: usize = Count::MAX as usize;

impl Group for Processes {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn exchange(&self, own: Result<Message, String>) -> Result<Vec<Vec<u8>>, GroupError> {
        let lengths = own.as_ref().map(|message| match message {
            Message::ToAll(bytes) => vec![bytes.len(); self.size()],
            Message::ToEach(all) => all.iter().map(Vec::len).collect(),
        });
        let lengths = self.announce(lengths.map_err(Clone::clone))?;
        let Ok(own) = own else { return Ok(Vec::new()) };
        let mut all = self.send(&own, &lengths);
        let mut messages: Vec<Vec<u8>> = lengths.iter().rev().map(|length| all.split_off(all.len() - length)).collect();
        messages.reverse();
        Ok(messages)
    }

    fn exchange_values(&self, own: &[f32], lengths: &[usize]) -> Result<Vec<f32>, GroupError> {
        let given = self.announce(Ok(lengths.to_vec()))?;
        let mut all = vec![0.0; given.iter().sum()];
        let [(own_counts, own_places), (counts, places)] = [layout(lengths), layout(&given)];
        self.world
            .all_to_all_varcount_into(&Partition::new(own, own_counts, own_places), &mut PartitionMut::new(&mut all[..], counts, places));
        Ok(all)
    }

    fn gather_values(&self, own: &[f32]) -> Result<Vec<f32>, GroupError> {
        let given = self.announce(Ok(vec![own.len(); self.size()]))?;
        let mut all = vec![0.0; given.iter().sum()];
        let (counts, places) = layout(&given);
        self.world.all_gather_varcount_into(own, &mut PartitionMut::new(&mut all[..], counts, places));
        Ok(all)
    }

    fn add_fast(&self, values: &[f32]) -> Result<Option<Vec<f32>>, GroupError> {
        super::wait(self)?;
        let mut sum = vec![0.0; values.len()];
        self.world.all_reduce_into(values, &mut sum[..], SystemOperation::sum());
        Ok(Some(sum))
    }

    fn adds_fast(&self) -> bool {
        true
    }
}

/// A process that ends by a panic ends the others, which would wait for it.
impl Drop for Processes {
    fn drop(&mut self) {
        if panicking() {
            self.world.abort(1);
        }
    }
}
