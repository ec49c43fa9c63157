//! Damage to a file: what is drawn is a list of edits, so that what fails can be made smaller.

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One thing that happens to a file.
#[derive(Debug, Clone)]
pub enum Edit {
    /// A bit changes.
    Flip(Index, u8),
    /// A byte becomes another.
    Set(Index, u8),
    /// A number takes the place of what is there, as wide as it says, least or most significant byte first.
    Number(Index, u64, usize, bool),
    /// A float takes the place of one that may be there, in four bytes or in eight: finite, and too large to be computed with.
    Float(Index, f64, bool),
    /// A digit becomes another, or much more.
    Digits(Index, String),
    /// Bytes go.
    Remove(Index, Index),
    /// A word comes in between.
    Word(Index, Index),
    /// Any bytes come in between.
    Insert(Index, Vec<u8>),
    /// Bytes come again where they are, so many times.
    Repeat(Index, Index, usize),
    /// All that is behind goes.
    Cut(Index),
    /// Bytes of another file come in between: which, from, how many.
    Graft(Index, Index, Index, Index),
}

/// Longest piece that an edit moves, unless it cuts.
const PIECE: usize = 256;
/// Longest file that comes of it.
const LONGEST: usize = 1 << 17;

/// A few edits, and which file they are made to: one that is right, or one that was kept.
#[derive(Debug, Clone)]
pub struct Damage {
    is_kept: bool,
    file: Index,
    edits: Vec<Edit>,
}

/// Draws damage.
pub fn damage() -> impl Strategy<Value = Damage> {
    let numbers = select(vec![
        0,
        1,
        2,
        0x7F,
        0x80,
        0xFF,
        0x7FFF,
        0x8000,
        0xFFFF,
        0x7FFF_FFFF,
        0x8000_0000,
        0xFFFF_FFFF,
        1 << 40,
        1 << 62,
        1 << 63,
        u64::MAX,
    ]);
    let digits = select(
        [
            "0",
            "-1",
            "1e999",
            "1e38",
            "-3e38",
            "1e300",
            "1e-45",
            "-0.0",
            "4294967296",
            "18446744073709551615",
            "9223372036854775808",
            "NaN",
            "",
            "000000001",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    let floats = select(vec![1e38, -1e38, 3.4e38, 1e20, -1e-38, 1e-45, 1e300, f64::MAX, f64::INFINITY, f64::NAN]);
    let edit = prop_oneof![
        3 => (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        3 => any::<(Index, u8)>().prop_map(|(at, byte)| Edit::Set(at, byte)),
        3 => (any::<Index>(), numbers, select(vec![1usize, 2, 4, 8]), any::<bool>())
            .prop_map(|(at, number, width, big)| Edit::Number(at, number, width, big)),
        3 => (any::<Index>(), floats, any::<bool>()).prop_map(|(at, float, is_wide)| Edit::Float(at, float, is_wide)),
        3 => (any::<Index>(), digits).prop_map(|(at, digits)| Edit::Digits(at, digits)),
        2 => any::<(Index, Index)>().prop_map(|(at, length)| Edit::Remove(at, length)),
        3 => any::<(Index, Index)>().prop_map(|(at, word)| Edit::Word(at, word)),
        1 => (any::<Index>(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        2 => (any::<Index>(), any::<Index>(), 1usize..200).prop_map(|(at, length, times)| Edit::Repeat(at, length, times)),
        1 => any::<Index>().prop_map(Edit::Cut),
        1 => any::<(Index, Index, Index, Index)>().prop_map(|(at, file, from, length)| Edit::Graft(at, file, from, length)),
    ];
    (weighted(0.3), any::<Index>(), vec(edit, 1..5)).prop_map(|(is_kept, file, edits)| Damage { is_kept, file, edits })
}

impl Damage {
    /// The file that comes of it.
    pub fn done(&self, right: &[Vec<u8>], kept: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
        let files = if self.is_kept && !kept.is_empty() { kept } else { right };
        let mut bytes = self.file.get(files).clone();
        for edit in &self.edits {
            edit.make(&mut bytes, files, words);
            bytes.truncate(LONGEST);
        }
        bytes
    }
}

impl Edit {
    fn make(&self, bytes: &mut Vec<u8>, files: &[Vec<u8>], words: &[&str]) {
        let end = bytes.len();
        // A place in the file, and of a piece its length.
        let place = |at: &Index| at.index(end + 1);
        let piece = |at: &Index, length: &Index| place(at)..(place(at) + 1 + length.index(PIECE)).min(end).max(place(at));
        match self {
            Self::Flip(at, bit) if end > 0 => bytes[at.index(end)] ^= 1 << bit,
            Self::Set(at, byte) if end > 0 => bytes[at.index(end)] = *byte,
            Self::Flip(..) | Self::Set(..) => (),
            Self::Number(at, number, width, big) => {
                let number = if *big { number.to_be_bytes()[8 - width..].to_vec() } else { number.to_le_bytes()[..*width].to_vec() };
                let at = place(at);
                bytes.splice(at..(at + width).min(end), number);
            }
            Self::Float(at, float, is_wide) => {
                let float = if *is_wide { float.to_le_bytes().to_vec() } else { (*float as f32).to_le_bytes().to_vec() };
                // Where files of numbers have them.
                let at = at.index(end / 4 + 1) * 4;
                bytes.splice(at..(at + float.len()).min(end), float);
            }
            Self::Digits(at, digits) => {
                let from = place(at);
                if let Some(found) = bytes[from..].iter().position(u8::is_ascii_digit) {
                    let at = from + found;
                    let length = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    bytes.splice(at..at + length, digits.bytes());
                }
            }
            Self::Remove(at, length) => drop(bytes.drain(piece(at, length))),
            Self::Word(at, word) => {
                if !words.is_empty() {
                    let at = place(at);
                    bytes.splice(at..at, word.get(words).bytes());
                }
            }
            Self::Insert(at, new) => drop(bytes.splice(place(at)..place(at), new.iter().copied())),
            Self::Repeat(at, length, times) => {
                let piece = piece(at, length);
                let again = bytes[piece.clone()].repeat(*times);
                bytes.splice(piece.end..piece.end, again);
            }
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Graft(at, file, from, length) => {
                let other = file.get(files);
                let from = from.index(other.len() + 1);
                let piece = &other[from..(from + length.index(PIECE)).min(other.len())];
                bytes.splice(place(at)..place(at), piece.iter().copied());
            }
        }
    }
}
