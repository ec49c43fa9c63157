//! When each word of an utterance is said, as an aligner found it: a CSV with the columns `word`, `start` and `end`, in seconds, or Sphinx's
//! `.wdseg`, which IEMOCAP has: first frame, last frame, of 10 ms each, score and word between spaces, below a heading and above a sum.
//!
//! Silences and noises (`<s>`, `<sil>`, `++BREATH++`) are no words, and `WORD(2)` is another pronunciation of `WORD`. What an aligner
//! calls a word need not be a token: of both only letters and digits count, in lower case, and tokens within a word share its time.

use std::path::{Path, PathBuf};

use super::CorpusError;
use super::iemocap::lines;
use super::table::{Row, Table};
use crate::base::foreign::Foreign;
use crate::base::input;

/// Seconds of a frame of `.wdseg`.
const FRAME: f64 = 0.01;

/// Seconds that a word may begin behind the frames of its recording, whose ends front-ends cut and pad.
const BEHIND: f64 = 0.25;

/// The words of an utterance, as they follow each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment {
    path: PathBuf,
    words: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq)]
struct Word {
    line: u64,
    /// Letters and digits, in lower case.
    letters: Vec<char>,
    /// Start and end, in seconds.
    times: [f32; 2],
}

impl Alignment {
    /// Reads a file; its name says whether it is Sphinx's.
    ///
    /// # Errors
    /// [`CorpusError`]: a file or a line that cannot be understood, a word that ends before it begins, or begins before the one before
    /// it.
    pub fn read(path: &Path) -> Result<Self, CorpusError> {
        let is_sphinx = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wdseg"));
        let spoken = if is_sphinx { sphinx(path)? } else { table(path)? };
        let mut words: Vec<Word> = Vec::new();
        for (line, word, [start, end]) in spoken {
            let failed = |problem: String| Err(CorpusError::Alignment { path: path.into(), line, problem });
            if end < start {
                return failed(format!("'{word}' ends at {end} s, before it begins at {start} s"));
            }
            let letters = letters(spelt(&word));
            if letters.is_empty() {
                continue;
            }
            let times = [start, end].map(|seconds| seconds as f32);
            if let Some(last) = words.last().filter(|last| times[0] < last.times[0]) {
                return failed(format!("'{word}' begins at {start} s, before the word in line {} does", last.line));
            }
            words.push(Word { line, letters, times });
        }
        Ok(Self { path: path.into(), words })
    }

    /// Words of a transcript that was read already: line, word, start and end in seconds.
    pub(crate) fn of_words<'w>(path: &Path, words: impl Iterator<Item = (u64, &'w str, [f64; 2])>) -> Self {
        let word = |(line, word, times): (u64, &str, [f64; 2])| {
            let letters = letters(word);
            (!letters.is_empty()).then(|| Word { line, letters, times: times.map(|seconds| seconds as f32) })
        };
        Self { path: path.into(), words: words.filter_map(word).collect() }
    }

    /// Refuses a word that begins after the end of a recording of so many seconds.
    ///
    /// # Errors
    /// [`CorpusError::Alignment`]
    pub(crate) fn check_within(&self, seconds: f64) -> Result<(), CorpusError> {
        match self.words.iter().find(|word| f64::from(word.times[0]) > seconds + BEHIND) {
            None => Ok(()),
            Some(Word { line, times: [start, _], .. }) => Err(CorpusError::Alignment {
                path: self.path.clone(),
                line: *line,
                problem: format!("begins at {start} s, and the recording's frames end at {seconds:.2} s"),
            }),
        }
    }

    /// Start and end of each token, in seconds; none where the tokens are other words. One without letters, as a comma, is where the
    /// token before it ends.
    pub fn times(&self, tokens: &[String]) -> Option<Vec<[f32; 2]>> {
        let mut spoken = self.words.iter().flat_map(Word::moments);
        let mut end = self.words.first()?.times[0];
        let mut times = Vec::with_capacity(tokens.len());
        for token in tokens {
            let mut start = None;
            for letter in letters(token) {
                let (_, [from, to]) = spoken.next().filter(|(spoken, _)| *spoken == letter)?;
                start.get_or_insert(from);
                end = to;
            }
            times.push([start.unwrap_or(end), end]);
        }
        spoken.next().is_none().then_some(times)
    }

    /// Start and end of each of so many rows that no words are known of; none where there are more or fewer words.
    pub(crate) fn times_of_rows(&self, rows: usize) -> Option<Vec<[f32; 2]>> {
        (rows == self.words.len()).then(|| self.words.iter().map(|word| word.times).collect())
    }
}

impl Word {
    /// Each letter, with its share of the word's time.
    fn moments(&self) -> impl Iterator<Item = (char, [f32; 2])> {
        let ([start, end], count) = (self.times, self.letters.len());
        let moment = move |place: usize| if place == count { end } else { start + (end - start) * (place as f32 / count as f32) };
        self.letters.iter().enumerate().map(move |(place, &letter)| (letter, [moment(place), moment(place + 1)]))
    }
}

fn letters(word: &str) -> Vec<char> {
    word.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A word without the number of its pronunciation; nothing of what is no word.
fn spelt(word: &str) -> &str {
    if word.starts_with('<') && word.ends_with('>') || word.starts_with("++") {
        return "";
    }
    let variant = word.strip_suffix(')').and_then(|word| word.rsplit_once('('));
    variant.filter(|(_, number)| number.bytes().all(|digit| digit.is_ascii_digit())).map_or(word, |(word, _)| word)
}

/// Line, word, start and end in seconds.
type Spoken = (u64, String, [f64; 2]);

fn table(path: &Path) -> Result<Vec<Spoken>, CorpusError> {
    let table = Table::read(path, &["word", "start", "end"], &[])?;
    let seconds = |row: Row<'_>, column: &'static str| {
        let field = row.field(column)?.unwrap_or_default();
        let number = field.trim().parse().ok().filter(|seconds: &f64| (0.0..f64::from(f32::MAX)).contains(seconds));
        let problem = || format!("{column} '{}' is no number of seconds from 0", field.trim());
        number.ok_or_else(|| CorpusError::Alignment { path: path.into(), line: row.line(), problem: problem() })
    };
    table
        .rows()
        .map(|row| Ok((row.line(), row.name("word")?.unwrap_or_default(), [seconds(row, "start")?, seconds(row, "end")?])))
        .collect()
}

fn sphinx(path: &Path) -> Result<Vec<Spoken>, CorpusError> {
    let bytes = input::bytes(path).map_err(|source| CorpusError::Read { path: path.into(), source })?;
    if let Some(what) = Foreign::of(&bytes) {
        return Err(CorpusError::Foreign { path: path.into(), what });
    }
    let mut spoken = Vec::new();
    for (line, text) in lines(&bytes) {
        let fields: Vec<&str> = text.split_whitespace().collect();
        match fields[..] {
            [] | ["SFrm", ..] | ["Total", ..] => {}
            [first, last, score, word] if score.parse::<f64>().is_ok() => {
                let frames = [first, last].map(|frame| frame.parse::<u32>().ok());
                let [Some(first), Some(last)] = frames else { return Err(no_word(path, line)) };
                spoken.push((line, word.to_owned(), [f64::from(first) * FRAME, (f64::from(last) + 1.0) * FRAME]));
            }
            _ => return Err(no_word(path, line)),
        }
    }
    Ok(spoken)
}

fn no_word(path: &Path, line: u64) -> CorpusError {
    CorpusError::Alignment { path: path.into(), line, problem: "is not 'first frame, last frame, score, word'".into() }
}
