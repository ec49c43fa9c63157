//! Pictures of cross-attention (8): words against time under the waveform, both ways, for each head or their mean.
//!
//! Every map has the time on its horizontal axis and the words on its vertical one. In *words to sound* a word's row sums
//! to 1 over time; in *sound to words* a moment's column sums to 1 over the words. An acoustic row stands for nine frames
//! (two pools of three), each of which is centred on its sample: row r spans the samples `(9r - ½)·hop .. (9r + 8½)·hop`.

#[cfg(feature = "picture")]
mod raster;
pub(crate) mod svg;

use std::path::Path;

#[cfg(feature = "picture")]
pub use raster::{PictureError, png};

use crate::audio::mfcc::SAMPLE_RATE;
use crate::base::columns::{shorten, width};
use crate::dataset::SHORTEST_UTTERANCE;
use crate::train::CrossAttention;
use svg::{Anchor, Svg};

/// What a picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines and letters, at any size.
    Svg,
    /// Pixels.
    Png,
}

impl Format {
    /// The format of a file's name.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "svg" => Some(Self::Svg),
            "png" => Some(Self::Png),
            _ => None,
        }
    }
}

/// Which heads a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heads {
    /// Their mean.
    Mean,
    /// Each.
    All,
}

/// What a picture is made of.
pub struct Picture<'a> {
    /// The weights, and what their rows and columns are.
    pub attention: &'a CrossAttention,
    /// The recording: mono, 16 kHz.
    pub samples: &'a [f32],
    /// What stands above.
    pub title: &'a str,
    /// Which heads are shown.
    pub heads: Heads,
}

/// Which way attention looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    TextToAudio,
    AudioToText,
}

/// Sizes in pixels.
const MARGIN: f64 = 16.0;
const WAVEFORM: f64 = 80.0;
const GAP: f64 = 14.0;
const CAPTION: f64 = 30.0;
const AXIS: f64 = 36.0;
const LABEL: f64 = 12.0;
const TITLE: f64 = 16.0;
/// Height of the scale's own line.
const SCALE: f64 = 16.0;
/// Width of a letter, in its height: all have one width.
const LETTER: f64 = 0.61;
/// Longest word that is written out, in columns.
const LONGEST_WORD: usize = 18;

const INK: &str = "#1d2530";
const FAINT: &str = "#8a94a3";
const PAPER: &str = "#ffffff";
const UNHEARD: &str = "#eceff3";
const WAVE: &str = "#4a5f7a";

/// Steps of the colour scale.
const SHADES: usize = 48;

/// The colour of a share of the largest weight: from nearly white over blue to dark blue, ever darker.
fn shade(level: usize) -> [u8; 3] {
    const STOPS: [[f64; 3]; 4] = [[246.0, 249.0, 253.0], [158.0, 197.0, 232.0], [45.0, 116.0, 190.0], [10.0, 32.0, 88.0]];
    let place = level as f64 / (SHADES - 1) as f64 * (STOPS.len() - 1) as f64;
    let stop = (place as usize).min(STOPS.len() - 2);
    let part = place - stop as f64;
    [0, 1, 2].map(|channel| (STOPS[stop][channel] * (1.0 - part) + STOPS[stop + 1][channel] * part).round() as u8)
}

fn colour(level: usize) -> String {
    let [red, green, blue] = shade(level);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A map `[words, steps]` and its largest weight.
struct Map {
    weights: Vec<f64>,
    largest: f64,
}

/// The colours from 0 to the largest weight, between both in figures.
struct Scale {
    largest: String,
}

impl Scale {
    /// Height of its letters and its colours; width of the colours, and of the 0 before them with its gap.
    const LETTERS: f64 = 10.0;
    const COLOURS: f64 = 72.0;
    const ZERO: f64 = 6.0 + Self::LETTERS * LETTER;

    fn of(map: &Map) -> Self {
        Self { largest: format!("{:.3}", map.largest) }
    }

    /// Of the largest weight in figures, with the gap before it.
    fn label_width(&self) -> f64 {
        self.largest.len() as f64 * Self::LETTERS * LETTER + 6.0
    }

    fn width(&self) -> f64 {
        Self::ZERO + Self::COLOURS + self.label_width()
    }

    /// Draws it; it ends at `right`.
    fn draw(&self, svg: &mut Svg, [right, top]: [f64; 2]) {
        let end = right - self.label_width();
        svg.text([right, top + 10.0], Self::LETTERS, FAINT, Anchor::End, &self.largest);
        let width = Self::COLOURS / SHADES as f64;
        for level in 0..SHADES {
            svg.cells(&[[end - Self::COLOURS + level as f64 * width, top + 1.0, width, Self::LETTERS]], &colour(level));
        }
        svg.text([end - Self::COLOURS - 6.0, top + 10.0], Self::LETTERS, FAINT, Anchor::End, "0");
    }
}

impl Picture<'_> {
    /// The picture as a self-contained SVG.
    pub fn svg(&self) -> String {
        let maps = self.maps();
        let columns = if self.heads == Heads::All { 2 } else { 1 };
        let words = self.attention.rows();
        let row = if words <= 40 { 18.0 } else { (720.0 / words as f64).max(9.0) };
        let font = (row - 4.0).clamp(6.0, LABEL);
        let longest = self.labels().iter().map(|(label, _)| width(label)).max().unwrap_or(0);
        let left = MARGIN + (longest as f64 * font * LETTER).max(44.0) + 8.0;
        let panel = if columns == 1 { 820.0 } else { 430.0 };
        let height = words as f64 * row;
        let top = MARGIN + 30.0;
        let whole = left + panel + (columns - 1) as f64 * (left + panel) + MARGIN;
        let lines = maps.len().div_ceil(columns);
        let first = top + WAVEFORM + GAP;
        // Where a caption has no room beside the scale, this stands under it.
        let has_room = |(caption, map): &(String, Map)| width(caption) as f64 * LABEL * LETTER + Scale::of(map).width() + GAP <= panel;
        let scale_line = if maps.iter().all(has_room) { 0.0 } else { SCALE };
        let caption_height = CAPTION + scale_line;
        let total = first + lines as f64 * (caption_height + height + GAP) + AXIS;

        let mut svg = Svg::new(whole, total, PAPER);
        let title = shorten(self.title, ((whole - 2.0 * MARGIN) / (TITLE * LETTER)) as usize);
        svg.text([MARGIN, MARGIN + 14.0], TITLE, INK, Anchor::Start, &title);
        for column in 0..columns {
            self.waveform(&mut svg, [left + column as f64 * (left + panel), top], panel);
        }
        for (place, (caption, map)) in maps.iter().enumerate() {
            let column = left + (place % columns) as f64 * (left + panel);
            let corner = [column, first + (place / columns) as f64 * (caption_height + height + GAP)];
            svg.text([corner[0], corner[1] + CAPTION - 8.0], LABEL, INK, Anchor::Start, caption);
            Scale::of(map).draw(&mut svg, [corner[0] + panel, corner[1] + CAPTION + scale_line - 18.0]);
            let corner = [corner[0], corner[1] + caption_height];
            self.map(&mut svg, corner, [panel, height], map);
            for (word, (label, known)) in self.labels().iter().enumerate() {
                let at = [corner[0] - 8.0, corner[1] + (word as f64 + 0.5) * row + font * 0.35];
                svg.text(at, font, if *known { INK } else { FAINT }, Anchor::End, label);
            }
            if place + columns >= maps.len() {
                self.time_axis(&mut svg, [corner[0], corner[1] + height], panel);
            }
        }
        svg.finish()
    }

    /// The words as they are written beside the maps, and whether the model has a vector for them.
    fn labels(&self) -> Vec<(String, bool)> {
        let CrossAttention { words, known, .. } = self.attention;
        if words.is_empty() {
            return vec![("(no word)".to_owned(), false)];
        }
        words.iter().map(|word| shorten(word, LONGEST_WORD)).zip(known.iter().copied()).collect()
    }

    /// Every map with its caption; both ways side by side or one under the other.
    fn maps(&self) -> Vec<(String, Map)> {
        let heads = self.attention.heads;
        let groups: Vec<(String, Vec<usize>)> = match self.heads {
            Heads::Mean => vec![(format!("mean of {heads} heads"), (0..heads).collect())],
            Heads::All => (0..heads).map(|head| (format!("head {}", head + 1), vec![head])).collect(),
        };
        let both = groups.iter().flat_map(|(name, group)| [(Way::TextToAudio, name, group), (Way::AudioToText, name, group)]);
        both.map(|(way, name, group)| {
            let (what, sums) = match way {
                Way::TextToAudio => ("words to sound", "each row sums to 1"),
                Way::AudioToText => ("sound to words", "each column sums to 1"),
            };
            (format!("{what}, {name}: {sums}"), self.mean(way, group))
        })
        .collect()
    }

    /// The mean of some heads, `[words, steps]` whichever way.
    fn mean(&self, way: Way, heads: &[usize]) -> Map {
        let (words, steps) = (self.attention.rows(), self.attention.steps());
        let weight = |head: usize, word: usize, step: usize| match way {
            Way::TextToAudio => self.attention.text_to_audio[(head * words + word) * steps + step],
            Way::AudioToText => self.attention.audio_to_text[(head * steps + step) * words + word],
        };
        let mean = |word, step| heads.iter().map(|&head| f64::from(weight(head, word, step))).sum::<f64>() / heads.len() as f64;
        let weights: Vec<f64> =
            (0..words).flat_map(|word| (0..steps).map(move |step| (word, step))).map(|(word, step)| mean(word, step)).collect();
        let largest = weights.iter().copied().fold(0.0, f64::max);
        Map { weights, largest }
    }

    /// Seconds at which acoustic row `step` begins.
    fn begin(&self, step: usize) -> f64 {
        let frames = (step * SHORTEST_UTTERANCE) as f64 - 0.5;
        (frames * self.attention.hop as f64 / f64::from(SAMPLE_RATE)).max(0.0)
    }

    /// Seconds that the horizontal axis covers.
    fn duration(&self) -> f64 {
        (self.samples.len() as f64 / f64::from(SAMPLE_RATE)).max(self.begin(self.attention.steps()))
    }

    fn map(&self, svg: &mut Svg, [left, top]: [f64; 2], [width, height]: [f64; 2], map: &Map) {
        let (words, steps) = (self.attention.rows(), self.attention.steps());
        let x = |seconds: f64| left + width * seconds / self.duration();
        let row = height / words as f64;
        // What the pools leave over, or data.max_frames cuts off.
        svg.rectangle([left, top, width, height], UNHEARD);
        let mut cells: Vec<Vec<[f64; 4]>> = vec![Vec::new(); SHADES];
        for (place, weight) in map.weights.iter().enumerate() {
            let (word, step) = (place / steps, place % steps);
            let share = if map.largest > 0.0 { weight / map.largest } else { 0.0 };
            let (from, to) = (x(self.begin(step)), x(self.begin(step + 1)));
            cells[(share * (SHADES - 1) as f64).round() as usize].push([from, top + word as f64 * row, to - from, row]);
        }
        for (level, cells) in cells.iter().enumerate() {
            svg.cells(cells, &colour(level));
        }
    }

    /// The envelope of the samples: the lowest and the highest of each pixel column.
    fn waveform(&self, svg: &mut Svg, [left, top]: [f64; 2], width: f64) {
        let middle = top + WAVEFORM / 2.0;
        svg.line([left, middle, left + width, middle], "#d5dae1");
        let loudest = self.samples.iter().fold(0f32, |loudest, sample| loudest.max(sample.abs()));
        if loudest == 0.0 {
            return;
        }
        let columns = width as usize;
        let per_column = self.duration() * f64::from(SAMPLE_RATE) / columns as f64;
        let mut upper = Vec::new();
        let mut lower = Vec::new();
        for column in 0..columns {
            let from = (column as f64 * per_column) as usize;
            let to = (((column + 1) as f64 * per_column).ceil() as usize).min(self.samples.len());
            if from >= to {
                break;
            }
            let part = &self.samples[from..to];
            let [low, high] = [f32::min, f32::max].map(|choose| part.iter().copied().fold(part[0], choose));
            let y = |sample: f32| middle - f64::from(sample / loudest) * (WAVEFORM / 2.0 - 2.0);
            upper.push([left + column as f64, y(high) - 0.4]);
            lower.push([left + column as f64, y(low) + 0.4]);
        }
        upper.extend(lower.into_iter().rev());
        svg.polygon(&upper, WAVE);
    }

    fn time_axis(&self, svg: &mut Svg, [left, top]: [f64; 2], width: f64) {
        let duration = self.duration();
        let steps = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0];
        let step = steps.into_iter().find(|step| duration / step <= 10.0).unwrap_or(300.0);
        let digits = if step < 0.1 { 2 } else { usize::from(step < 1.0) };
        for tick in 0..=(duration / step + 1e-9) as usize {
            let seconds = tick as f64 * step;
            let x = left + width * seconds / duration;
            svg.line([x, top, x, top + 5.0], FAINT);
            svg.text([x, top + 17.0], 10.0, INK, Anchor::Middle, &format!("{seconds:.digits$}"));
        }
        svg.text([left + width, top + 32.0], 10.0, FAINT, Anchor::End, "seconds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two heads that put all of word 1's weight on step 2, and all of step 2's on word 1.
    fn attention() -> CrossAttention {
        let (words, steps) = (3, 5);
        let mut text_to_audio = vec![0.0; 2 * words * steps];
        let mut audio_to_text = text_to_audio.clone();
        for head in 0..2 {
            text_to_audio[(head * words + 1) * steps + 2] = 1.0;
            audio_to_text[(head * steps + 2) * words + 1] = 1.0;
        }
        let words = ["one", "two", "three"].map(str::to_owned).into();
        CrossAttention { heads: 2, words, known: vec![true; 3], hop: 160, text_to_audio, audio_to_text }
    }

    #[test]
    fn a_cell_stands_at_its_word_and_over_its_nine_frames_whichever_way() {
        let attention = attention();
        // Frames 18 to 26, each centred on its sample: 17.5 to 26.5 hops of 10 ms of half a second.
        let samples = vec![0.1; 8000];
        for heads in [Heads::Mean, Heads::All] {
            let picture = Picture { attention: &attention, samples: &samples, title: "", heads };
            let svg = picture.svg();
            let darkest = format!("fill=\"{}\" d=\"", colour(SHADES - 1));
            // Those of the scales are ten pixels high.
            let cells = svg.lines().filter_map(|line| Some(line.split_once(&darkest)?.1)).filter(|path| path.contains("v18.00"));
            let places: Vec<[f64; 3]> = cells.map(place).collect();
            assert_eq!(places.len(), if heads == Heads::Mean { 2 } else { 4 });
            let width = if heads == Heads::Mean { 820.0 } else { 430.0 };
            let left = MARGIN + (44.0f64).max(5.0 * LABEL * 0.61) + 8.0;
            for (number, [x, _, cell]) in places.iter().enumerate() {
                let panel = if heads == Heads::All { (number % 2) as f64 * (left + width) } else { 0.0 };
                assert!((x - (left + panel + width * 0.175 / 0.5)).abs() < 0.02, "{places:?}");
                assert!((cell - width * 0.09 / 0.5).abs() < 0.02, "{places:?}");
            }
            let scale_line = if heads == Heads::All { SCALE } else { 0.0 };
            let word = MARGIN + 30.0 + WAVEFORM + GAP + CAPTION + scale_line + 18.0;
            assert!((places[0][1] - word).abs() < 0.02, "{places:?}");
        }
    }

    /// Left, top and width of a path's first rectangle.
    fn place(path: &str) -> [f64; 3] {
        let (corner, rest) = path[1..].split_once('h').unwrap();
        let (x, y) = corner.split_once(' ').unwrap();
        [x, y, rest.split_once('v').unwrap().0].map(|number| number.parse().unwrap())
    }

    #[test]
    fn an_utterance_of_no_word_and_one_step_has_its_picture_too() {
        let attention =
            CrossAttention { heads: 1, words: Vec::new(), known: Vec::new(), hop: 160, text_to_audio: vec![1.0], audio_to_text: vec![1.0] };
        let picture = Picture { attention: &attention, samples: &[], title: "calm", heads: Heads::Mean };
        let svg = picture.svg();
        assert!(svg.contains("(no word)") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(png(&svg).unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn no_caption_runs_into_its_scale() {
        for heads in [Heads::Mean, Heads::All] {
            let svg = Picture { attention: &attention(), samples: &[0.1; 8000], title: &"long ".repeat(99), heads }.svg();
            let number = |line: &str, name: &str| -> f64 { line.split(name).nth(1).unwrap().split('"').next().unwrap().parse().unwrap() };
            let texts: Vec<(&str, [f64; 3])> = svg
                .lines()
                .filter(|line| line.starts_with("<text"))
                .map(|line| (line, [number(line, " x=\""), number(line, " y=\""), number(line, "font-size=\"")]))
                .collect();
            let letters = |line: &str| line.split('>').nth(1).unwrap().split('<').next().unwrap().chars().count() as f64;
            let captions = texts.iter().filter(|(line, _)| line.contains(": each"));
            let mut count = 0;
            for (caption, [left, base, size]) in captions {
                count += 1;
                let right = left + letters(caption) * size * LETTER;
                let zero = texts.iter().filter(|(line, [x, y, _])| line.ends_with(">0</text>") && x > left && (y - base).abs() < 30.0);
                let (_, [x, y, _]) = zero.min_by(|a, b| a.1[0].total_cmp(&b.1[0])).unwrap();
                assert!(right < x - 7.0 || (y - base).abs() >= 12.0, "{heads:?}: {caption}");
            }
            assert_eq!(count, if heads == Heads::Mean { 2 } else { 4 });
            let (title, [left, _, size]) = texts[0];
            let width = number(&svg, "width=\"");
            assert!(title.contains('…') && left + letters(title) * size * LETTER <= width, "{title}");
        }
    }

    #[test]
    fn colours_grow_darker_from_step_to_step() {
        let brightness = |level| shade(level).iter().map(|&channel| u32::from(channel)).sum::<u32>();
        assert!((1..SHADES).all(|level| brightness(level) < brightness(level - 1)));
    }

    #[test]
    fn a_long_word_is_shortened_and_an_unknown_one_is_faint() {
        let mut attention = attention();
        attention.words[0] = "Donaudampfschifffahrtsgesellschaft".into();
        attention.known[1] = false;
        let svg = Picture { attention: &attention, samples: &[0.0; 4000], title: "", heads: Heads::Mean }.svg();
        assert!(svg.contains(">Donaudampfschifff…</text>"), "{svg}");
        let faint = svg.lines().filter(|line| line.contains(FAINT) && line.ends_with(">two</text>")).count();
        assert_eq!(faint, 2);
    }
}
