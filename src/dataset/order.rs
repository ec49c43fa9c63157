//! In which order, and with which others, an epoch visits its utterances.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::base::philox::Stream;
use crate::config::Order;

/// Most batches that are sorted by length together. The more, the more alike are the lengths in a batch and the less of it is
/// left to chance.
const WINDOW: usize = 8;
/// Windows of an epoch, at least, so that its batches are others each time.
const WINDOWS: usize = 4;

/// The utterances of each of the `count` batches of one epoch: every one of `utterances` once, `size` in a batch and the rest in one
/// that is smaller. The `streams` must differ from epoch to epoch and from each other.
///
/// [`Order::Replacement`] draws each utterance of every batch from all, [`Order::Balanced`] from those of a `class`, which it draws
/// from the classes that there are.
///
/// [`Order::Grouped`] shuffles the utterances, cuts them into windows of some batches, sorts each window by `length`, cuts it
/// into batches, and shuffles all batches.
pub(crate) fn epoch_batches<L: Ord>(
    utterances: &[usize],
    order: Order,
    [count, size]: [usize; 2],
    streams: [Stream; 2],
    length: impl Fn(usize) -> L,
    class: impl Fn(usize) -> u32,
) -> Vec<Vec<usize>> {
    let size = size.max(1);
    let cut = |utterances: &[usize]| utterances.chunks(size).map(<[usize]>::to_vec).collect::<Vec<_>>();
    if order == Order::Given {
        return cut(utterances);
    }
    let [of_utterances, of_batches] = streams;
    if order == Order::Replacement {
        let drawn = |place: usize| utterances[of_utterances.below(place as u64, utterances.len())];
        return (0..count).map(|batch| (batch * size..(batch + 1) * size).map(drawn).collect()).collect();
    }
    if order == Order::Balanced {
        let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        utterances.iter().for_each(|&utterance| classes.entry(class(utterance)).or_default().push(utterance));
        let classes: Vec<Vec<usize>> = classes.into_values().collect();
        let drawn = |place: usize| {
            let of = &classes[of_utterances.below(2 * place as u64, classes.len())];
            of[of_utterances.below(2 * place as u64 + 1, of.len())]
        };
        return (0..count).map(|batch| (batch * size..(batch + 1) * size).map(drawn).collect()).collect();
    }
    let mut shuffled: Vec<usize> = of_utterances.permutation(utterances.len()).into_iter().map(|place| utterances[place]).collect();
    if order == Order::Shuffled {
        return cut(&shuffled);
    }
    let window = (utterances.len().div_ceil(size) / WINDOWS).clamp(1, WINDOW);
    shuffled.chunks_mut(window * size).for_each(|window| window.sort_by_cached_key(|&utterance| length(utterance)));
    let mut batches = cut(&shuffled);
    of_batches.permutation(batches.len()).into_iter().map(|place| std::mem::take(&mut batches[place])).collect()
}

/// Shards whose utterances are shuffled together.
pub(crate) const SHARDS: usize = 4;

/// Some utterances in the order of [`Order::Shards`]: shards in a drawn order, of which so many at a time are read, and their utterances
/// shuffled. Of no more shards than those it is the order of [`Order::Shuffled`].
pub(crate) fn by_shards(utterances: &[usize], shards: &[Range<usize>], [of_utterances, of_shards]: [Stream; 2]) -> Vec<usize> {
    let mut own = vec![Vec::new(); shards.len().max(1)];
    for &utterance in utterances {
        let shard = shards.partition_point(|shard| shard.end <= utterance);
        own[shard.min(shards.len().saturating_sub(1))].push(utterance);
    }
    own.retain(|own| !own.is_empty());
    let mut order = of_shards.permutation(own.len());
    order.chunks_mut(SHARDS).for_each(<[usize]>::sort_unstable);
    let window = |(number, window): (usize, &[usize])| {
        let all: Vec<usize> = window.iter().flat_map(|&shard| own[shard].iter().copied()).collect();
        let stream = Stream { stream: of_utterances.stream | (number as u64) << 32, ..of_utterances };
        stream.permutation(all.len()).into_iter().map(|place| all[place]).collect::<Vec<_>>()
    };
    order.chunks(SHARDS).enumerate().flat_map(window).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAMS: [Stream; 2] = [Stream { seed: 3, stream: 1 }, Stream { seed: 3, stream: 2 }];

    proptest! {
        #[test]
        fn every_order_visits_every_utterance_once_in_batches_of_the_size(
            lengths in prop::collection::vec(1..2000usize, 1..300),
            size in 1..40usize,
            seed: u64,
        ) {
            // Indices into a data set that has others too.
            let utterances: Vec<usize> = (0..lengths.len()).map(|index| 2 * index + 7).collect();
            let streams = [1, 2].map(|stream| Stream { seed, stream });
            for order in [Order::Shuffled, Order::Grouped, Order::Given] {
                let batches = epoch_batches(&utterances, order, [0, size], streams, |utterance| lengths[(utterance - 7) / 2], |_| 0);
                let mut sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
                sizes.sort_unstable_by(|a, b| b.cmp(a));
                let (whole, rest) = (utterances.len() / size, utterances.len() % size);
                prop_assert!(sizes[..whole].iter().all(|&found| found == size), "{order:?}: {sizes:?}");
                prop_assert_eq!(&sizes[whole..], &[rest][..usize::from(rest > 0)]);
                let mut seen = batches.concat();
                seen.sort_unstable();
                prop_assert_eq!(&seen, &utterances);
            }
        }
    }

    #[test]
    fn a_shuffled_epoch_is_another_every_time_and_a_given_one_is_not() {
        let utterances: Vec<usize> = (0..100).map(|number| 3 * number).collect();
        let epoch = |order, stream| epoch_batches(&utterances, order, [0, 9], [Stream { seed: 1, stream }; 2], |_| 0, |_| 0).concat();
        assert_eq!(epoch(Order::Shuffled, 5), epoch(Order::Shuffled, 5));
        assert_ne!(epoch(Order::Shuffled, 5), epoch(Order::Shuffled, 6));
        assert_eq!(epoch(Order::Given, 5), utterances);
    }

    #[test]
    fn with_replacement_batches_are_whole_and_of_all_utterances() {
        let utterances: Vec<usize> = (0..10).map(|number| 3 * number).collect();
        let batches = |stream| epoch_batches(&utterances, Order::Replacement, [50, 4], [Stream { seed: 1, stream }; 2], |_| 0, |_| 0);
        let drawn = batches(5);
        assert!(drawn.len() == 50 && drawn.iter().all(|batch| batch.len() == 4));
        let times = utterances.iter().map(|of| drawn.iter().flatten().filter(|&utterance| utterance == of).count());
        let times: Vec<usize> = times.collect();
        assert!(times.iter().sum::<usize>() == 200 && times.iter().all(|&times| (5..40).contains(&times)), "{times:?}");
        assert!(drawn.iter().any(|batch| batch.iter().any(|one| batch.iter().filter(|other| one == *other).count() > 1)));
        assert_eq!(drawn, batches(5));
        assert_ne!(drawn, batches(6));
    }

    #[test]
    fn balanced_batches_have_each_class_that_there_is_as_often() {
        // Of 100 utterances 90 are of class 0, 9 of class 1, one of class 4.
        let utterances: Vec<usize> = (0..100).map(|number| 3 * number).collect();
        let class = |utterance| {
            if utterance < 270 {
                0
            } else if utterance < 297 {
                1
            } else {
                4
            }
        };
        let batches = |stream| epoch_batches(&utterances, Order::Balanced, [50, 6], [Stream { seed: 1, stream }; 2], |_| 0, class);
        let drawn = batches(5);
        assert!(drawn.len() == 50 && drawn.iter().all(|batch| batch.len() == 6));
        let drawn_of = |of| drawn.iter().flatten().filter(|&&utterance| class(utterance) == of).count();
        let counts = [0, 1, 4].map(drawn_of);
        assert!(counts.iter().sum::<usize>() == 300 && counts.iter().all(|count| (75..125).contains(count)), "{counts:?}");
        let mut seen: Vec<usize> = drawn.concat();
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 60, "{} utterances", seen.len());
        assert_eq!(drawn, batches(5));
        assert_ne!(drawn, batches(6));
    }

    /// Sum over the batches of the rows that a walk to each batch's longest takes.
    fn walked(batches: &[Vec<usize>], lengths: &[u32]) -> u32 {
        let longest = |batch: &Vec<usize>| batch.iter().map(|&utterance| lengths[utterance]).max().unwrap_or(0);
        batches.iter().map(|batch| batch.len() as u32 * longest(batch)).sum()
    }

    #[test]
    fn grouped_batches_are_of_like_length_and_others_every_epoch() {
        let lengths = crate::dataset::lengths(1000, 1000, 9, true);
        let utterances: Vec<usize> = (0..lengths.len()).collect();
        let batches = |order, epoch| {
            let streams = [epoch, 100 + epoch].map(|stream| Stream { seed: 3, stream });
            epoch_batches(&utterances, order, [0, 16], streams, |utterance| lengths[utterance], |_| 0)
        };
        let total: u32 = lengths.iter().sum();
        let [shuffled, grouped] = [Order::Shuffled, Order::Grouped].map(|order| walked(&batches(order, 0), &lengths));
        println!("{total} rows, walked {shuffled} shuffled and {grouped} grouped");
        assert!(grouped - total < (shuffled - total) / 4);

        let [mut first, mut second] = [0, 1].map(|epoch| batches(Order::Grouped, epoch));
        assert_eq!(first, batches(Order::Grouped, 0));
        let longest = |batch: &[usize]| batch.iter().map(|&utterance| lengths[utterance]).max();
        assert!(!first.is_sorted_by_key(|batch| longest(batch)), "batches are shuffled");
        first.iter_mut().chain(&mut second).for_each(|batch| batch.sort_unstable());
        assert!(first.iter().all(|batch| !second.contains(batch)), "no batch comes again");
    }

    #[test]
    fn shards_are_read_one_window_after_the_other_and_few_are_as_one_file() {
        let shards: Vec<Range<usize>> = (0..10).map(|shard| 20 * shard..20 * shard + 20).collect();
        let utterances: Vec<usize> = (0..200).filter(|utterance| utterance % 3 > 0).collect();
        let streams = |epoch| [1_u64 << 40, 1 << 41].map(|streams| Stream { seed: 7, stream: streams | epoch });
        let order = by_shards(&utterances, &shards, streams(0));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, utterances);
        assert!(
            order != utterances
                && order == by_shards(&utterances, &shards, streams(0))
                && order != by_shards(&utterances, &shards, streams(1))
        );
        // A shard is read from its first utterance to its last while at most so many are.
        let place = |shard: usize| {
            let places = || (0..order.len()).filter(|&place| shards[shard].contains(&order[place]));
            (places().min().unwrap(), places().max().unwrap())
        };
        let spans: Vec<(usize, usize)> = (0..10).map(place).collect();
        let open = |at: usize| spans.iter().filter(|(first, last)| (first..=last).contains(&&at)).count();
        assert!((0..order.len()).all(|at| open(at) <= SHARDS), "{spans:?}");
        let whole = epoch_batches(&utterances, Order::Shuffled, [0, 9], streams(3), |_| 0, |_| 0).concat();
        for few in [&[][..], &[0..120, 120..200][..], &[0..50, 50..90, 90..100, 100..200][..]] {
            assert_eq!(by_shards(&utterances, few, streams(3)), whole);
        }
    }

    #[test]
    fn a_small_epoch_is_still_left_to_chance() {
        // Two batches: one window of both would be the same two every epoch.
        let batches = epoch_batches(&[0, 1, 2, 3, 4, 5, 6, 7], Order::Grouped, [2, 4], STREAMS, |utterance| utterance, |_| 0);
        let mut first = batches[0].clone();
        first.sort_unstable();
        assert!(first != [0, 1, 2, 3] && first != [4, 5, 6, 7], "{batches:?}");
    }
}
