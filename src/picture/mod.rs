//! Pictures of attention: of MCSAN's cross-attention (8) words against time under the waveform, both ways, for each head or their mean;
//! of other systems what their queries find among words, sound or pictures. And pictures of what is predicted over a long recording.
//!
//! Every map has the time on its horizontal axis and the words on its vertical one. In *words to sound* a word's row sums
//! to 1 over time; in *sound to words* a moment's column sums to 1 over the words. An acoustic row of MCSAN's stands for n = 9 frames
//! (two pools of three), of others for n = 1, each of which is centred on its sample: row r spans the samples
//! `(n r - ½)·hop .. (n r + n - ½)·hop`.

mod map;
pub(crate) mod matrix;
#[cfg(feature = "picture")]
mod raster;
pub(crate) mod svg;
mod timeline;

use std::path::Path;

#[cfg(feature = "picture")]
pub use raster::{PictureError, png};
pub use timeline::TimelinePicture;

use crate::audio::mfcc::SAMPLE_RATE;
use crate::base::columns::{shorten, width};
use crate::base::streams::AUDIO;
use crate::model::layers::Asking;
use crate::train::Attention;
use map::{Map, Side};
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
    pub attention: &'a Attention,
    /// The recording: mono, 16 kHz.
    pub samples: &'a [f32],
    /// What stands above.
    pub title: &'a str,
    /// Which heads are shown.
    pub heads: Heads,
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
        let maps = Map::all(self.attention, self.heads);
        let columns = if self.heads == Heads::All { 2 } else { 1 };
        let most = maps.iter().map(|map| map.size[0]).max().unwrap_or(1);
        let row = if most <= 40 { 18.0 } else { (720.0 / most as f64).max(9.0) };
        let font = (row - 4.0).clamp(6.0, LABEL);
        let labels: Vec<_> = maps.iter().map(|map| map.labels(self.attention)).collect();
        let longest = labels.iter().flatten().map(|(label, _)| width(label)).max().unwrap_or(0);
        let left = MARGIN + (longest as f64 * font * LETTER).max(44.0) + 8.0;
        let panel = if columns == 1 { 820.0 } else { 430.0 };
        let top = MARGIN + 30.0;
        let whole = left + panel + (columns - 1) as f64 * (left + panel) + MARGIN;
        // Where a caption has no room beside the scale, this stands under it.
        let has_room = |map: &Map| width(&map.caption) as f64 * LABEL * LETTER + Scale::of(map).width() + GAP <= panel;
        let scale_line = if maps.iter().all(has_room) { 0.0 } else { SCALE };
        let caption_height = CAPTION + scale_line;
        // The time stands under the last map that has it, or under the waveform.
        let last_in_time = maps.chunks(columns).rposition(|line| line.iter().any(|map| map.horizontal == Side::Sound));
        let mut lines = Vec::new();
        let mut end = top + WAVEFORM + GAP + if last_in_time.is_none() { AXIS } else { 0.0 };
        for (number, line) in maps.chunks(columns).enumerate() {
            lines.push(end);
            let rows = line.iter().map(|map| map.size[0]).max().unwrap_or(0);
            let is_last = number * columns + line.len() == maps.len();
            end += caption_height + rows as f64 * row + GAP + if last_in_time == Some(number) && !is_last { AXIS } else { 0.0 };
        }

        let mut svg = Svg::new(whole, end + AXIS, PAPER);
        let title = shorten(self.title, ((whole - 2.0 * MARGIN) / (TITLE * LETTER)) as usize);
        svg.text([MARGIN, MARGIN + 14.0], TITLE, INK, Anchor::Start, &title);
        for column in 0..columns {
            let left = left + column as f64 * (left + panel);
            self.waveform(&mut svg, [left, top], panel);
            if last_in_time.is_none() {
                time_axis(&mut svg, [left, top + WAVEFORM], panel, self.duration());
            }
        }
        for (place, (map, labels)) in maps.iter().zip(&labels).enumerate() {
            let corner = [left + (place % columns) as f64 * (left + panel), lines[place / columns]];
            svg.text([corner[0], corner[1] + CAPTION - 8.0], LABEL, INK, Anchor::Start, &map.caption);
            Scale::of(map).draw(&mut svg, [corner[0] + panel, corner[1] + CAPTION + scale_line - 18.0]);
            let corner = [corner[0], corner[1] + caption_height];
            let height = map.size[0] as f64 * row;
            self.map(&mut svg, corner, [panel, height], map);
            for (word, (label, known)) in labels.iter().enumerate() {
                let at = [corner[0] - 8.0, corner[1] + (word as f64 + 0.5) * row + font * 0.35];
                svg.text(at, font, if *known { INK } else { FAINT }, Anchor::End, label);
            }
            let is_last_of_column = maps[place..].iter().step_by(columns).skip(1).all(|below| below.horizontal != Side::Sound);
            if map.horizontal == Side::Sound && is_last_of_column {
                time_axis(&mut svg, [corner[0], corner[1] + height], panel, self.duration());
            }
        }
        svg.finish()
    }

    /// Seconds at which acoustic row `step` begins.
    fn begin(&self, step: usize) -> f64 {
        let frames = (step * self.attention.frames) as f64 - 0.5;
        (frames * self.attention.hop as f64 / f64::from(SAMPLE_RATE)).max(0.0)
    }

    /// Seconds that the horizontal axis covers.
    fn duration(&self) -> f64 {
        let layers = self.attention.layers.iter();
        let steps = layers.flat_map(|layer| {
            let asking = if let Asking::Rows(AUDIO) = layer.by { layer.rows[0] } else { 0 };
            [asking, if layer.over == AUDIO { layer.rows[1] } else { 0 }]
        });
        (self.samples.len() as f64 / f64::from(SAMPLE_RATE)).max(self.begin(steps.max().unwrap_or(0)))
    }

    fn map(&self, svg: &mut Svg, [left, top]: [f64; 2], [width, height]: [f64; 2], map: &Map) {
        let [rows, columns] = map.size;
        let row = height / rows as f64;
        let x = |step: usize| match map.horizontal {
            Side::Sound => left + width * self.begin(step) / self.duration(),
            _ => left + width * step as f64 / columns as f64,
        };
        // What the pools leave over, or data.max_frames cuts off.
        svg.rectangle([left, top, width, height], UNHEARD);
        let mut cells: Vec<Vec<[f64; 4]>> = vec![Vec::new(); SHADES];
        for (place, weight) in map.weights.iter().enumerate() {
            let (word, step) = (place / columns, place % columns);
            let share = if map.largest > 0.0 { weight / map.largest } else { 0.0 };
            let (from, to) = (x(step), x(step + 1));
            cells[(share * (SHADES - 1) as f64).round() as usize].push([from, top + word as f64 * row, to - from, row]);
        }
        for (level, cells) in cells.iter().enumerate() {
            svg.cells(cells, &colour(level));
        }
    }

    /// The envelope of the samples: the lowest and the highest of each pixel column.
    fn waveform(&self, svg: &mut Svg, corner: [f64; 2], width: f64) {
        let columns = width as usize;
        let per_column = self.duration() * f64::from(SAMPLE_RATE) / columns as f64;
        let parts = (0..columns).map_while(|column| {
            let from = (column as f64 * per_column) as usize;
            let to = (((column + 1) as f64 * per_column).ceil() as usize).min(self.samples.len());
            let part = self.samples.get(from..to).filter(|part| !part.is_empty())?;
            Some([f32::min, f32::max].map(|choose| part.iter().copied().fold(part[0], choose)))
        });
        envelope(svg, corner, [width, 1.0], &parts.collect::<Vec<_>>());
    }
}

/// A waveform: the lowest and the highest sample of each part, `each` pixels wide.
fn envelope(svg: &mut Svg, [left, top]: [f64; 2], [width, each]: [f64; 2], parts: &[[f32; 2]]) {
    let middle = top + WAVEFORM / 2.0;
    svg.line([left, middle, left + width, middle], "#d5dae1");
    let loudest = parts.iter().flatten().fold(0f32, |loudest, sample| loudest.max(sample.abs()));
    if loudest == 0.0 {
        return;
    }
    let x = |part: usize| left + part as f64 * each;
    let y = |sample: f32| middle - f64::from(sample / loudest) * (WAVEFORM / 2.0 - 2.0);
    let upper = parts.iter().enumerate().map(|(part, [_, high])| [x(part), y(*high) - 0.4]);
    let lower = parts.iter().enumerate().map(|(part, [low, _])| [x(part), y(*low) + 0.4]);
    svg.polygon(&upper.chain(lower.rev()).collect::<Vec<_>>(), WAVE);
}

/// The seconds under a panel.
fn time_axis(svg: &mut Svg, [left, top]: [f64; 2], width: f64, duration: f64) {
    let steps = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];
    let step = steps.into_iter().find(|step| duration / step <= 10.0).unwrap_or(7200.0);
    let digits = if step < 0.1 { 2 } else { usize::from(step < 1.0) };
    for tick in 0..=(duration / step + 1e-9) as usize {
        let seconds = tick as f64 * step;
        let x = left + width * seconds / duration;
        svg.line([x, top, x, top + 5.0], FAINT);
        svg.text([x, top + 17.0], 10.0, INK, Anchor::Middle, &format!("{seconds:.digits$}"));
    }
    svg.text([left + width, top + 32.0], 10.0, FAINT, Anchor::End, "seconds");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::streams::{TEXT, VISUAL};
    use crate::model::layers::Attended;

    /// Words to sound and sound to words.
    fn both_ways(rows: [usize; 2], heads: usize, weights: [Vec<f32>; 2]) -> Vec<Attended<Vec<f32>>> {
        let ways = [(TEXT, AUDIO, rows), (AUDIO, TEXT, [rows[1], rows[0]])];
        let layer = |((by, over, rows), weights)| Attended { by: Asking::Rows(by), over, heads, rows, weights };
        ways.into_iter().zip(weights).map(layer).collect()
    }

    /// Two heads that put all of word 1's weight on step 2, and all of step 2's on word 1.
    fn attention() -> Attention {
        let (words, steps) = (3, 5);
        let mut text_to_audio = vec![0.0; 2 * words * steps];
        let mut audio_to_text = text_to_audio.clone();
        for head in 0..2 {
            text_to_audio[(head * words + 1) * steps + 2] = 1.0;
            audio_to_text[(head * steps + 2) * words + 1] = 1.0;
        }
        let layers = both_ways([words, steps], 2, [text_to_audio, audio_to_text]);
        let words = ["one", "two", "three"].map(str::to_owned).into();
        Attention { words, known: vec![true; 3], hop: 160, frames: 9, layers }
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
        let layers = both_ways([1, 1], 1, [vec![1.0], vec![1.0]]);
        let attention = Attention { words: Vec::new(), known: Vec::new(), hop: 160, frames: 9, layers };
        let picture = Picture { attention: &attention, samples: &[], title: "calm", heads: Heads::Mean };
        let svg = picture.svg();
        assert!(svg.contains("(no word)") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(png(&svg).unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn what_a_query_finds_stands_beside_the_words_or_over_the_time() {
        let query = |over, rows: usize, weights| Attended { by: Asking::Query("hop 1".into()), over, heads: 1, rows: [1, rows], weights };
        let layers = vec![query(TEXT, 3, vec![0.5, 0.25, 0.25]), query(AUDIO, 50, vec![0.02; 50]), query(VISUAL, 4, vec![0.25; 4])];
        let attention = Attention { frames: 1, layers, ..attention() };
        for heads in [Heads::Mean, Heads::All] {
            let svg = Picture { attention: &attention, samples: &[0.1; 8000], title: "", heads }.svg();
            for over in ["words", "sound", "pictures"] {
                assert!(svg.contains(&format!(">hop 1 over the {over}: sums to 1</text>")), "{svg}");
            }
            assert_eq!(svg.matches(">seconds</text>").count(), 1);
        }
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
