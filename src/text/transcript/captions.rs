//! SubRip, which has no standard, and WebVTT (W3C, 2019, 4): a line with two times, and lines of text below it.

use super::{Cue, Flaw, LONGEST};

/// What stands between the times of a cue.
const ARROW: &str = "-->";

/// Reads SubRip. Text goes to the cue above it until the next line of times, for there are blank lines in cues; a number right above a
/// line of times counts the cues.
pub(super) fn srt(lines: &[(u64, &str)]) -> Result<Vec<Cue>, Flaw> {
    let mut cues: Vec<Cue> = Vec::new();
    for (place, &(line, text)) in lines.iter().enumerate() {
        let is_number = !text.trim().is_empty() && text.trim().bytes().all(|digit| digit.is_ascii_digit());
        let is_counted = is_number && lines.get(place + 1).is_some_and(|(_, next)| next.contains(ARROW));
        if text.contains(ARROW) {
            cues.push(cue(line, text)?);
        } else if text.trim().is_empty() || is_counted {
        } else {
            let cue = cues.last_mut().ok_or_else(|| (line, "stands before the first time".to_owned()))?;
            add(cue, text);
        }
    }
    Ok(cues)
}

/// Reads WebVTT: blocks between blank lines.
pub(super) fn vtt(lines: &[(u64, &str)]) -> Result<Vec<Cue>, Flaw> {
    let mut blocks = lines.split(|(_, text)| text.is_empty());
    let heads = |text: &str, word: &str| text.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
    match blocks.next().and_then(<[_]>::first) {
        Some((_, text)) if heads(text, "WEBVTT") => {}
        _ => return Err((1, "is not 'WEBVTT'".into())),
    }
    let mut cues = Vec::new();
    for block in blocks {
        let Some(&(line, first)) = block.first() else { continue };
        if ["NOTE", "STYLE", "REGION"].into_iter().any(|word| heads(first, word)) {
            continue;
        }
        let Some(place) = block.iter().take(2).position(|(_, text)| text.contains(ARROW)) else {
            return Err((line, "is no cue, which has a time in its first or second line".into()));
        };
        let (line, times) = block[place];
        let mut cue = cue(line, times)?;
        block[place + 1..].iter().for_each(|(_, text)| add(&mut cue, text));
        cues.push(cue);
    }
    Ok(cues)
}

/// A cue of a line of times, behind which settings may stand.
fn cue(line: u64, text: &str) -> Result<Cue, Flaw> {
    let (start, end) = text.split_once(ARROW).unwrap_or_default();
    let end = end.split_whitespace().next().unwrap_or_default();
    let time = |text: &str| seconds(text).ok_or_else(|| (line, format!("'{text}' is no time like 00:01:02,500")));
    let times = [time(start.trim())?, time(end)?];
    if times[1] < times[0] {
        return Err((line, format!("ends at {} s, before it begins at {} s", times[1], times[0])));
    }
    Ok(Cue { line, times, text: String::new(), recording: None, channel: None })
}

/// `hours:minutes:seconds,thousandths`, without hours too, and with a point.
fn seconds(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split(':').collect();
    let (hours, minutes, rest) = match parts[..] {
        [hours, minutes, rest] => (hours, minutes, rest),
        [minutes, rest] => ("0", minutes, rest),
        _ => return None,
    };
    let whole = |text: &str, digits: usize| {
        let is_number = (1..=digits).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| is_number)
    };
    let (rest, fraction) = rest.split_once([',', '.']).unwrap_or((rest, "0"));
    let (hours, minutes, seconds) = (whole(hours, 6)?, whole(minutes, 2)?, whole(rest, 2)?);
    let fraction = f64::from(whole(fraction, 9)?) / 10f64.powi(fraction.len() as i32);
    let sum = f64::from(hours) * 3600.0 + f64::from(60 * minutes + seconds) + fraction;
    (minutes < 60 && seconds < 60 && sum < LONGEST).then_some(sum)
}

fn add(cue: &mut Cue, text: &str) {
    cue.text.push(' ');
    cue.text.push_str(&unmarked(text));
}

/// A line without its tags and positions, and with what entities stand for.
fn unmarked(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let mark = match letter {
            '<' => tag(rest).map(|length| (length, "")),
            '{' => rest.starts_with("{\\").then(|| rest.find('}')).flatten().map(|end| (end + 1, "")),
            '&' => ENTITIES.into_iter().find(|(name, _)| rest.starts_with(name)).map(|(name, stands_for)| (name.len(), stands_for)),
            _ => None,
        };
        match mark {
            Some((length, stands_for)) => {
                plain.push_str(stands_for);
                rest = &rest[length..];
            }
            None => {
                plain.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    plain
}

const ENTITIES: [(&str, &str); 8] =
    [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&quot;", "\""), ("&apos;", "'"), ("&lrm;", ""), ("&rlm;", "")];

/// Bytes of the tag that a text begins with: of a name, or of a time within a cue.
fn tag(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('<')?;
    let name = inside.strip_prefix('/').unwrap_or(inside);
    let end = inside.find(['>', '<']).filter(|&end| inside[end..].starts_with('>'))?;
    let is_tag =
        name.starts_with(|letter: char| letter.is_ascii_alphabetic()) || name.starts_with('>') || seconds(&inside[..end]).is_some();
    is_tag.then_some(end + 2)
}
