//! What is said in a recording, from a text file of its own: UTF-8, its lines joined by spaces.

use std::path::Path;

use super::{CorpusError, Doubt, Utterance};
use crate::base::files::exists;
use crate::base::foreign::Foreign;
use crate::base::input;

/// The words of the file at `path`.
///
/// # Errors
/// [`CorpusError`]: a file that cannot be read, or is no text in UTF-8.
pub fn read(path: &Path) -> Result<String, CorpusError> {
    let bytes = input::bytes(path).map_err(|source| CorpusError::Read { path: path.into(), source })?;
    if let Some(what) = Foreign::of(&bytes) {
        return Err(CorpusError::Foreign { path: path.into(), what });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() as u64;
        CorpusError::NotUtf8 { path: path.into(), line }
    })?;
    Ok(text.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" "))
}

/// Those of a file that need not be there.
///
/// # Errors
/// Those of [`read`].
pub(super) fn read_if_there(path: &Path) -> Result<Option<String>, CorpusError> {
    if exists(path) { read(path).map(Some) } else { Ok(None) }
}

/// Says that some utterances have a transcript and others have none.
pub(super) fn doubt(root: &Path, utterances: &[Utterance]) -> Option<Doubt> {
    let without: Vec<&Utterance> = utterances.iter().filter(|utterance| utterance.text.is_empty()).collect();
    let first = without.first()?.id.clone();
    let (count, of) = (without.len(), utterances.len());
    (count < of).then(|| Doubt::WithoutTranscript { path: root.into(), utterances: count, of, first })
}
