//! Transcripts that say when something is said: SubRip (`.srt`), WebVTT (`.vtt`), and NIST's CTM (`.ctm`), a line a word.
//!
//! Words of a cue are spread evenly over its time; CTM has a time for each. Marks of form are no words: tags (`<i>`, `<v Ann>`),
//! positions (`{\an8}`), entities are what they stand for. All else is: `[laughs]`, `(music)`, `- `.

mod captions;
mod ctm;

use std::path::{Path, PathBuf};

use super::TextError;
use crate::base::foreign::Foreign;
use crate::base::input;

/// Extensions of the files that are read.
pub const EXTENSIONS: [&str; 3] = ["srt", "vtt", "ctm"];

/// Longest time that is one, in seconds: that of a float32 without whole seconds lost.
const LONGEST: f64 = (1 << 24) as f64;

/// What is said in a recording, or in several, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The file.
    pub path: PathBuf,
    cues: Vec<Cue>,
    /// By the middle of their times.
    words: Vec<Word>,
}

/// What is said at a time.
#[derive(Debug, Clone, PartialEq)]
struct Cue {
    line: u64,
    /// Start and end in seconds.
    times: [f64; 2],
    text: String,
    /// Which recording it is of, where the format says that.
    recording: Option<String>,
    /// Which of its channels.
    channel: Option<String>,
}

/// A word of a transcript.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// As it is written.
    pub text: String,
    /// The line of its cue in the file, from 1.
    pub line: u64,
    /// Start and end in seconds.
    pub times: [f64; 2],
    /// Place of its cue among those that begin before.
    cue: usize,
}

impl Word {
    /// When it is said, in seconds: the middle of its time.
    pub fn middle(&self) -> f64 {
        (self.times[0] + self.times[1]) / 2.0
    }
}

impl Transcript {
    /// Reads a file; its extension says which format it is.
    ///
    /// # Errors
    /// [`TextError`]: a file or a line that cannot be understood, another extension, or no word in it.
    pub fn read(path: &Path) -> Result<Self, TextError> {
        let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
        let read = match extension.as_str() {
            "srt" => captions::srt,
            "vtt" => captions::vtt,
            "ctm" => ctm::read,
            _ => return Err(TextError::NoTranscript { path: path.into() }),
        };
        let bytes = input::bytes(path).map_err(|source| TextError::Read { path: path.into(), source })?;
        if let Some(what) = Foreign::of(&bytes) {
            return Err(TextError::Foreign { path: path.into(), what });
        }
        let failed = |(line, problem)| TextError::Cue { path: path.into(), line, problem };
        let transcript = Self::of(path, read(&lines(path, &bytes)?).map_err(failed)?);
        if transcript.words.is_empty() {
            return Err(TextError::NoWords { path: path.into() });
        }
        Ok(transcript)
    }

    fn of(path: &Path, mut cues: Vec<Cue>) -> Self {
        cues.sort_by(|a, b| a.times[0].total_cmp(&b.times[0]));
        let mut words: Vec<Word> = cues.iter().enumerate().flat_map(|(place, cue)| cue.words(place)).collect();
        words.sort_by(|a, b| a.middle().total_cmp(&b.middle()));
        Self { path: path.into(), cues, words }
    }

    /// What is said in the recording of that name, without its extension; all where the format names no recordings.
    ///
    /// # Errors
    /// [`TextError::OtherRecordings`]
    pub fn of_recording(&self, name: &str) -> Result<Self, TextError> {
        let names: Vec<&str> = self.cues.iter().filter_map(|cue| cue.recording.as_deref()).collect();
        if names.is_empty() {
            return Ok(self.clone());
        }
        let own: Vec<Cue> = self.cues.iter().filter(|cue| cue.recording.as_deref() == Some(name)).cloned().collect();
        if own.is_empty() {
            let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            names.sort();
            names.dedup();
            return Err(TextError::OtherRecordings { path: self.path.clone(), recording: name.into(), names });
        }
        Ok(Self::of(&self.path, own))
    }

    /// Whether the format says of which recording words are.
    pub fn names_recordings(&self) -> bool {
        self.cues.iter().any(|cue| cue.recording.is_some())
    }

    /// The channels whose words it has, where the format names some.
    pub fn channels(&self) -> Vec<&str> {
        let mut channels: Vec<&str> = self.cues.iter().filter_map(|cue| cue.channel.as_deref()).collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }

    /// The words by the middle of their times.
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// Which of the words are said from `start` to before `end`, in seconds.
    pub fn between(&self, start: f64, end: f64) -> std::ops::Range<usize> {
        let before = |time: f64| self.words.partition_point(|word| word.middle() < time);
        before(start)..before(end).max(before(start))
    }

    /// Some of the words cue by cue, in the order in which these begin, so that those who speak at a time are not mixed.
    pub(crate) fn in_order(&self, words: std::ops::Range<usize>) -> Vec<&Word> {
        let mut words: Vec<&Word> = self.words[words].iter().collect();
        // Those of one cue stay in their order.
        words.sort_by_key(|word| word.cue);
        words
    }

    /// What some of the words are together, cue by cue in the order in which these begin.
    pub fn text(&self, words: std::ops::Range<usize>) -> String {
        self.in_order(words).iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl Cue {
    fn words(&self, cue: usize) -> impl Iterator<Item = Word> {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        let ([start, end], count) = (self.times, words.len());
        let moment = move |place: usize| if place == count { end } else { start + (end - start) * (place as f64 / count as f64) };
        let word =
            |(place, text): (usize, &str)| Word { text: text.into(), line: self.line, times: [moment(place), moment(place + 1)], cue };
        words.into_iter().enumerate().map(word).collect::<Vec<_>>().into_iter()
    }
}

/// Lines with their numbers, from 1, without what ends them.
fn lines<'t>(path: &Path, bytes: &'t [u8]) -> Result<Vec<(u64, &'t str)>, TextError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Old Macintoshes end lines with carriage returns alone.
    let end = if bytes.contains(&b'\n') { b'\n' } else { b'\r' };
    let read = |(place, line): (usize, &'t [u8])| {
        let line_number = place as u64 + 1;
        let text = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok().filter(|text| !text.contains('\0'));
        text.map(|text| (line_number, text)).ok_or_else(|| TextError::LineNotUtf8 { path: path.into(), line: line_number })
    };
    bytes.split(|&byte| byte == end).enumerate().map(read).collect()
}

/// A line that cannot be understood, and why.
type Flaw = (u64, String);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::remedy::line;

    fn read(name: &str, text: impl AsRef<[u8]>) -> Result<Transcript, TextError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Transcript::read(&path)
    }

    fn spoken(transcript: &Transcript) -> Vec<(&str, [f64; 2])> {
        transcript.words().iter().map(|word| (word.text.as_str(), word.times)).collect()
    }

    fn refused(name: &str, text: impl AsRef<[u8]>) -> String {
        let line = line(&read(name, text).unwrap_err());
        line.split_once(name).unwrap().1.to_owned()
    }

    #[test]
    fn subrip_is_read_with_its_marks_and_oddities() {
        let text = "\u{feff}1\r\n00:00:01,000 --> 00:00:03,000 X1:0 Y1:0\r\n{\\an8}<i>Go <b>away</b></i>\r\n\r\n<font color=\"red\">now</font> &amp; \
                    i <3 1 < 2\r\n\r\n2\r\n0:01:00.5 --> 00:01:01,5\r\n\r\n3\r\n01:00:00,000 --> 01:00:01,000\r\nlast";
        let transcript = read("a.srt", text).unwrap();
        // A blank line within a cue ends nothing, and a cue without words has none.
        assert_eq!(transcript.text(0..transcript.words().len()), "Go away now & i <3 1 < 2 last");
        let words = spoken(&transcript);
        assert_eq!(
            (words[0], words[8], words[9]),
            (("Go", [1.0, 1.0 + 2.0 / 9.0]), ("2", [1.0 + 2.0 * 8.0 / 9.0, 3.0]), ("last", [3600.0, 3601.0]))
        );
        assert_eq!(transcript.words()[0].line, 2);
        assert_eq!(spoken(&read("b.SRT", "1\r00:00:01,000 --> 00:00:02,000\rOld\r").unwrap()), [("Old", [1.0, 2.0])]);
        // A number that is said is no cue's number.
        let numbers = read("c.srt", "00:00:01,000 --> 00:00:02,000\n42\n\n7\n00:00:02,000 --> 00:00:03,000\nyes\n").unwrap();
        assert_eq!(numbers.text(0..2), "42 yes");
    }

    #[test]
    fn webvtt_is_read_with_its_blocks_and_voices() {
        let text = "WEBVTT - a title\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE\nnot said\n\nintro\n01:02.000 --> 01:03.000 align:start\n\
                    <v Ann Lee>Hello <00:01:02.500><c.loud>there</c>&nbsp;you\n\n00:01:02.000 --> 00:01:04.000\n&lt;no&gt;\n";
        let transcript = read("a.vtt", text).unwrap();
        assert_eq!(transcript.text(0..transcript.words().len()), "Hello there you <no>");
        assert_eq!(spoken(&transcript).last().unwrap(), &("<no>", [62.0, 64.0]));
    }

    #[test]
    fn ctm_has_a_time_for_each_word_of_each_recording_and_channel() {
        let text = ";; made by hand\na A 0.5 0.25 go 0.9\nb 1 0.0 1 other\na B 0.4 0.1 no 0.5 lex spk1\na A 0.8 0 away\na A 0.9 1 <eps>\na A 2 1 ++BREATH++\n\n";
        let transcript = read("a.ctm", text).unwrap();
        let own = transcript.of_recording("a").unwrap();
        assert_eq!(spoken(&own), [("no", [0.4, 0.5]), ("go", [0.5, 0.75]), ("away", [0.8, 0.8])]);
        assert_eq!(own.channels(), ["A", "B"]);
        let line = line(&transcript.of_recording("c").unwrap_err());
        assert!(line.contains("a.ctm: has no words of 'c', but of a, b; name the recording as it is there"), "{line}");
    }

    #[test]
    fn words_are_found_by_the_middle_of_their_time_and_cues_are_not_mixed() {
        let text = "00:00:00,000 --> 00:00:04,000\na b c d\n\n00:00:01,000 --> 00:00:03,000\nx y\n";
        let transcript = read("a.srt", text).unwrap();
        let said = |start, end| transcript.text(transcript.between(start, end));
        assert_eq!(said(0.0, 9.0), "a b c d x y");
        assert_eq!(said(1.0, 3.0), "b c x y");
        assert_eq!(said(0.6, 1.6), "b x");
        assert_eq!([said(0.5, 0.5), said(9.0, 1.0), said(4.0, 9.0)], ["", "", ""]);
    }

    #[test]
    fn what_is_no_transcript_is_refused_by_its_line() {
        for (name, text, told) in [
            ("a.txt", "hello", ": is neither .srt, .vtt nor .ctm; give a transcript as SubRip, WebVTT or CTM"),
            ("a.srt", "", ": holds no words; give a transcript in which something is said"),
            ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n", ": holds no words; give a transcript in which something is said"),
            ("a.srt", "hello\n", ", line 1: stands before the first time; mend the line"),
            ("a.srt", "1\n00:00:01,000 --> 00:00:61,000\na\n", ", line 2: '00:00:61,000' is no time like 00:01:02,500; mend the line"),
            ("a.srt", "1\n-0:00:01,000 --> 00:00:02,000\na\n", ", line 2: '-0:00:01,000' is no time like 00:01:02,500; mend the line"),
            ("a.srt", "1\n00:00:NaN --> 00:00:02,000\na\n", ", line 2: '00:00:NaN' is no time like 00:01:02,500; mend the line"),
            ("a.srt", "1\n00:00:01,000 -->\na\n", ", line 2: '' is no time like 00:01:02,500; mend the line"),
            ("a.srt", "1\n99999999:00:00 --> 00:00:02,000\na\n", ", line 2: '99999999:00:00' is no time like 00:01:02,500; mend the line"),
            ("a.srt", "1\n00:00:03,000 --> 00:00:02,000\na\n", ", line 2: ends at 2 s, before it begins at 3 s; mend the line"),
            ("a.vtt", "1\n00:00:01.000 --> 00:00:02.000\na\n", ", line 1: is not 'WEBVTT'; mend the line"),
            ("a.vtt", "WEBVTT\n\nhello\nyou\n", ", line 3: is no cue, which has a time in its first or second line; mend the line"),
            ("a.ctm", "a A 0.5 go\n", ", line 1: is not 'recording channel start duration word'; mend the line"),
            ("a.ctm", "a A nan 0.5 go\n", ", line 1: start 'nan' is no number of seconds from 0; mend the line"),
            ("a.ctm", "a A -1 0.5 go\n", ", line 1: start '-1' is no number of seconds from 0; mend the line"),
            ("a.ctm", "a A 1 inf go\n", ", line 1: duration 'inf' is no number of seconds from 0; mend the line"),
        ] {
            assert_eq!(refused(name, text), told, "{text}");
        }
        assert_eq!(refused("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\ncaf\xe9\n"), ", line 3: is not UTF-8; save the file as UTF-8");
        assert_eq!(refused("a.srt", b"\xff\xfe1\0\n\0"), ", line 1: is not UTF-8; save the file as UTF-8");
    }
}
