//! IEMOCAP (Busso et al. 2008) as its archive unpacks: `IEMOCAP_full_release/Session{1..5}/` with
//!
//! ```text
//! dialog/EmoEvaluation/DIALOG.txt      [6.2901 - 8.2357]<TAB>Ses01F_impro01_F000<TAB>neu<TAB>[2.5000, 2.5000, 2.5000]
//! dialog/transcriptions/DIALOG.txt     Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
//! sentences/wav/DIALOG/UTTERANCE.wav
//! sentences/ForcedAlignment/DIALOG/UTTERANCE.wdseg      0  54  -44123  <s>
//! ```
//!
//! The label files decide what an utterance is; transcripts hold more: ids that end in `XX` and a number, which nobody
//! labelled, and what other people say. Of a label file only lines that start with `[` count: the others are a heading
//! and what single raters said, as are the folders beside the files. The letter in a dialog's name is the side that wore
//! the markers; who speaks is the letter of the last field.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::folder::{Listing, Recordings, stem};
use super::{Corpus, CorpusError, LeftOut, Split, Utterance, gender, inner};
use crate::base::foreign::Foreign;
use crate::base::input;

/// Which emotions are the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IemocapClasses {
    /// Anger, excitement, frustration, happiness, neutral, sadness and surprise: the paper's, 7,487 utterances.
    #[default]
    Seven,
    /// Anger, happiness (with excitement), neutral and sadness: what most others report, 5,531 utterances.
    Four,
}

/// Sessions of the corpus; some may be absent.
const SESSIONS: std::ops::RangeInclusive<u32> = 1..=5;

/// Codes in the label files and what they stand for. The last is of utterances on which the raters did not agree.
const EMOTIONS: [(&str, &str); 11] = [
    ("ang", "anger"),
    ("dis", "disgust"),
    ("exc", "excitement"),
    ("fea", "fear"),
    ("fru", "frustration"),
    ("hap", "happiness"),
    ("neu", "neutral"),
    ("oth", "other"),
    ("sad", "sadness"),
    ("sur", "surprise"),
    ("xxx", "no agreement"),
];

impl IemocapClasses {
    /// Names of the classes, sorted.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Seven => &["anger", "excitement", "frustration", "happiness", "neutral", "sadness", "surprise"],
            Self::Four => &["anger", "happiness", "neutral", "sadness"],
        }
    }

    /// The class of an emotion; none where it belongs to no class.
    fn of(self, emotion: &'static str) -> Option<&'static str> {
        let class = if self == Self::Four && emotion == "excitement" { "happiness" } else { emotion };
        self.names().contains(&class).then_some(class)
    }
}

/// What becomes of utterances whose emotion is no class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OtherEmotions {
    /// They are counted and passed over.
    #[default]
    PassedOver,
    /// They are utterances without label.
    Unlabelled,
}

/// Reads the corpus at `path`, which is `IEMOCAP_full_release` or the folder that holds it.
///
/// Utterances come by session, dialog and id. One that has a label but no transcript or no recording is left out. A
/// transcript of tags alone (`[LAUGHTER]`) is a transcript, and empty. Absent sessions are passed over.
///
/// # Errors
/// [`CorpusError`]: no sessions, a label that cannot be understood, an utterance labelled twice, or nothing to use.
pub fn read(path: &Path, classes: IemocapClasses) -> Result<Corpus, CorpusError> {
    read_with(path, classes, OtherEmotions::PassedOver)
}

/// As [`read`]; `others` says what becomes of utterances whose emotion is no class.
///
/// # Errors
/// Those of [`read`].
pub fn read_with(path: &Path, classes: IemocapClasses, others: OtherEmotions) -> Result<Corpus, CorpusError> {
    Listing::of(path)?;
    let root = inner(path, "IEMOCAP_full_release");
    let sessions: Vec<(u32, PathBuf)> =
        SESSIONS.map(|session| (session, root.join(format!("Session{session}")))).filter(|(_, folder)| folder.is_dir()).collect();
    if sessions.is_empty() {
        return Err(CorpusError::NoSessions { path: path.into() });
    }
    let mut corpus = Corpus::with_classes("iemocap", &root, classes.names(), Vec::new());
    let mut labelled: HashMap<String, (PathBuf, u64)> = HashMap::new();
    for (session, folder) in &sessions {
        let files = Listing::of(&folder.join("dialog/EmoEvaluation"))?.files;
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "txt")) {
            let labels = read_labels(file)?;
            for label in &labels {
                if let Some((first, first_line)) = labelled.insert(label.id.clone(), (file.clone(), label.line)) {
                    let (path, id) = (file.clone(), label.id.clone());
                    return Err(CorpusError::LabelledTwice { path, line: label.line, id, first, first_line });
                }
            }
            add_dialog(&mut corpus, classes, others, Dialog::read(*session, folder, stem(file))?, labels);
        }
    }
    if labelled.is_empty() {
        return Err(CorpusError::NoLabels { path: root.join("Session1..5/dialog/EmoEvaluation") });
    }
    // The side that speaks is a man's or a woman's.
    let of = |speaker: &str| speaker.chars().last().map(|side| gender(&side.to_string()));
    Ok(corpus.unless_empty()?.with_genders(|utterance| of(utterance.speaker.as_deref()?)))
}

fn add_dialog(corpus: &mut Corpus, classes: IemocapClasses, others: OtherEmotions, dialog: Dialog, labels: Vec<Label>) {
    for label in labels {
        let class = classes.of(label.emotion);
        if class.is_none() && others == OtherEmotions::PassedOver {
            *corpus.other_labels.entry(label.emotion.into()).or_insert(0) += 1;
            continue;
        }
        match dialog.transcript(&label.id).and_then(|text| Ok((text, dialog.recording(&label.id)?))) {
            Ok((text, audio)) => {
                corpus.alignments.extend(dialog.alignment(&label.id).map(|file| (label.id.clone(), file)));
                corpus.utterances.push(Utterance {
                    audio,
                    text,
                    label: class.unwrap_or_default().into(),
                    split: class.is_none().then_some(Split::Unlabelled),
                    speaker: Some(format!("Ses{:02}{}", dialog.session, label.side)),
                    session: Some(dialog.session.to_string()),
                    dialogue: Some(dialog.name.clone()),
                    id: label.id,
                });
            }
            Err(reason) => corpus.left_out.push(LeftOut { id: label.id, reason }),
        }
    }
}

/// An utterance that a label file names.
struct Label {
    id: String,
    /// The emotion in words, not the code.
    emotion: &'static str,
    /// Who speaks: F or M.
    side: char,
    line: u64,
}

/// The labels of one dialog, by id.
fn read_labels(path: &Path) -> Result<Vec<Label>, CorpusError> {
    let bytes = input::bytes(path).map_err(|source| CorpusError::Read { path: path.into(), source })?;
    refuse_foreign(path, &bytes)?;
    let mut labels = Vec::new();
    for (line, text) in lines(&bytes).filter(|(_, text)| text.starts_with('[')) {
        let mut fields = text.split('\t').map(str::trim);
        let (_time, Some(id), Some(code)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(CorpusError::NotALabelLine { path: path.into(), line });
        };
        let Some(&(_, emotion)) = EMOTIONS.iter().find(|(known, _)| *known == code) else {
            let known = EMOTIONS.map(|(code, _)| code).join(", ");
            return Err(CorpusError::UnknownEmotion { path: path.into(), line, label: code.into(), known });
        };
        let side = id.rsplit_once('_').and_then(|(_, last)| last.chars().next()).filter(|side| ['F', 'M'].contains(side));
        let side = side.ok_or_else(|| CorpusError::NoSpeakerInId { path: path.into(), line, id: id.into() })?;
        labels.push(Label { id: id.into(), emotion, side, line });
    }
    labels.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(labels)
}

/// What was said in a dialog, and its recordings.
struct Dialog {
    session: u32,
    name: String,
    transcripts: Transcripts,
    /// `None` where there is no folder.
    recordings: Option<Recordings>,
    recordings_folder: PathBuf,
    alignments_folder: PathBuf,
}

impl Dialog {
    fn read(session: u32, folder: &Path, name: String) -> Result<Self, CorpusError> {
        let transcripts = Transcripts::read(folder.join("dialog/transcriptions").join(format!("{name}.txt")))?;
        let recordings_folder = folder.join("sentences/wav").join(&name);
        let there = recordings_folder.is_dir();
        let recordings = there.then(|| Recordings::in_folders(std::slice::from_ref(&recordings_folder))).transpose()?;
        let alignments_folder = folder.join("sentences/ForcedAlignment").join(&name);
        Ok(Self { session, name, transcripts, recordings, recordings_folder, alignments_folder })
    }

    /// The transcript of an utterance, or why there is none.
    fn transcript(&self, id: &str) -> Result<String, String> {
        let path = self.transcripts.path.display();
        let Some(said) = &self.transcripts.said else {
            return Err(format!("{path}: no such file; unpack it from the archive"));
        };
        match said.get(id).map(Vec::as_slice) {
            None => Err(format!("{path}: has no line '{id} [start-end]: text'; restore it from the archive")),
            Some([(first, _), others @ ..]) if !others.is_empty() => {
                Err(format!("{path}, line {}: says other words for {id} than line {first}; remove one of the two lines", others[0].0))
            }
            Some(lines) => Ok(lines.iter().map(|(_, text)| text.as_str()).collect()),
        }
    }

    /// When the words of an utterance are said, where that is known.
    fn alignment(&self, id: &str) -> Option<PathBuf> {
        Some(self.alignments_folder.join(format!("{id}.wdseg"))).filter(|file| file.is_file())
    }

    /// The recording of an utterance, or why there is none.
    fn recording(&self, id: &str) -> Result<PathBuf, String> {
        let folder = self.recordings_folder.display();
        let recordings = self.recordings.as_ref().ok_or_else(|| format!("{folder}: no such folder; unpack it from the archive"))?;
        let recording = recordings.get(id).map(Path::to_path_buf);
        recording.ok_or_else(|| {
            format!("{}: no such file; unpack it from the archive", self.recordings_folder.join(format!("{id}.wav")).display())
        })
    }
}

/// A transcript file.
struct Transcripts {
    path: PathBuf,
    /// By id: the lines that differ, each with its number. `None` where there is no file.
    said: Option<BTreeMap<String, Vec<(u64, String)>>>,
}

impl Transcripts {
    fn read(path: PathBuf) -> Result<Self, CorpusError> {
        let bytes = match input::bytes(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self { path, said: None }),
            Err(source) => return Err(CorpusError::Read { path, source }),
        };
        refuse_foreign(&path, &bytes)?;
        let mut said: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        // Lines such as 'M: sorry' stand for what has no id.
        for (line, text) in lines(&bytes).filter(|(_, text)| text.starts_with("Ses")) {
            // Once, since people say the time and quote each other.
            let Some((head, text)) = text.split_once("]:") else { continue };
            let id = head.split_whitespace().next().unwrap_or_default();
            let (lines, text) = (said.entry(id.into()).or_default(), without_tags(text));
            // Two that differ are too many.
            if lines.len() < 2 && lines.iter().all(|(_, known)| *known != text) {
                lines.push((line, text));
            }
        }
        Ok(Self { path, said: Some(said) })
    }
}

/// What stands in place of a file of labels or transcripts has no line of them.
fn refuse_foreign(path: &Path, bytes: &[u8]) -> Result<(), CorpusError> {
    Foreign::of(bytes).map_or(Ok(()), |what| Err(CorpusError::Foreign { path: path.into(), what }))
}

/// A transcript without what the transcribers put in brackets, `[LAUGHTER]`, and with single spaces.
fn without_tags(text: &str) -> String {
    let mut words = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((_tag, after)) = after.split_once(']') else { break };
        words.push_str(before);
        words.push(' ');
        rest = after;
    }
    words.push_str(rest);
    // In old encodings U+0085 is no white space but an ellipsis.
    words.split(|letter: char| letter.is_whitespace() && letter != '\u{85}').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The lines of a file with their numbers. A line that is not UTF-8 is Latin-1, as some transcripts are.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (u64, String)> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let decode = |line: &[u8]| match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => line.iter().map(|&byte| char::from(byte)).collect(),
    };
    (1..).zip(bytes.split(|&byte| byte == b'\n').map(move |line| decode(line.strip_suffix(b"\r").unwrap_or(line))))
}
