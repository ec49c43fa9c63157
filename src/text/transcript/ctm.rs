//! CTM (NIST's SCTK, `ctm(5)`): recording, channel, start, duration, word, and what else an aligner or recogniser knows of it. Silences and
//! noises (`<eps>`, `<s>`, `++BREATH++`) are no words.

use super::{Cue, Flaw, LONGEST};

/// Reads CTM; lines that begin with two semicolons are comments.
pub(super) fn read(lines: &[(u64, &str)]) -> Result<Vec<Cue>, Flaw> {
    let lines = lines.iter().filter(|(_, text)| !text.trim().is_empty() && !text.starts_with(";;"));
    lines.map(|&(line, text)| cue(line, text)).collect()
}

fn cue(line: u64, text: &str) -> Result<Cue, Flaw> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [recording, channel, start, duration, word, ..] = fields[..] else {
        return Err((line, "is not 'recording channel start duration word'".into()));
    };
    let seconds = |name: &str, field: &str| {
        let number = field.parse().ok().filter(|seconds: &f64| (0.0..LONGEST).contains(seconds));
        number.ok_or_else(|| (line, format!("{name} '{field}' is no number of seconds from 0")))
    };
    let (start, duration) = (seconds("start", start)?, seconds("duration", duration)?);
    Ok(Cue {
        line,
        times: [start, start + duration],
        text: if is_noise(word) { String::new() } else { word.into() },
        recording: Some(recording.into()),
        channel: Some(channel.into()),
    })
}

fn is_noise(word: &str) -> bool {
    word.starts_with('<') && word.ends_with('>') || word.starts_with("++") && word.ends_with("++")
}
