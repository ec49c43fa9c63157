//! Hashes that tell names and data apart; none of them withstands an adversary.

/// FNV-1a's offset basis, 64 bits.
pub(crate) const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): a name as the number of a random stream, data as a fingerprint.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(BASIS, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// FNV-1a, a word instead of a byte at a time.
pub(crate) fn mix(hash: u64, word: u64) -> u64 {
    // The rotation brings high bits down, which words would never reach otherwise.
    (hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
}

/// Of numbers, by their bits.
pub(crate) fn of_words(words: &[u32]) -> u64 {
    more_words(words.len() as u64, words)
}

/// Goes on with a hash of numbers.
pub(crate) fn more_words(hash: u64, words: &[u32]) -> u64 {
    words.iter().fold(hash, |hash, &word| mix(hash, word.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the draft's appendix C.
    #[test]
    fn matches_the_published_vectors() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
