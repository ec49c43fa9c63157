//! The classes over the time of a recording, under its waveform: the darker, the likelier, and nothing where no segment lies.

use super::svg::{Anchor, Svg};
use super::{AXIS, CAPTION, FAINT, GAP, INK, LABEL, LETTER, LONGEST_WORD, MARGIN, PAPER, SHADES, Scale, TITLE, UNHEARD, WAVEFORM, colour};
use super::{envelope, time_axis};
use crate::base::columns::{shorten, width};
use crate::train::Timeline;

/// Columns of the time axis, in pixels: what is drawn does not follow the number of segments.
const COLUMNS: usize = 820;
const ROW: f64 = 18.0;

/// What a picture of a timeline is made of.
pub struct TimelinePicture<'a> {
    /// What was predicted.
    pub timeline: &'a Timeline,
    /// In the order of the probabilities.
    pub classes: &'a [String],
    /// What stands above.
    pub title: &'a str,
}

impl TimelinePicture<'_> {
    /// The picture as a self-contained SVG.
    pub fn svg(&self) -> String {
        let names: Vec<String> = self.classes.iter().map(|name| shorten(name, LONGEST_WORD)).collect();
        let longest = names.iter().map(|name| width(name)).max().unwrap_or(0);
        let left = MARGIN + (longest as f64 * LABEL * LETTER).max(44.0) + 8.0;
        let (panel, top) = (COLUMNS as f64, MARGIN + 30.0);
        let whole = left + panel + MARGIN;
        let map = top + WAVEFORM + GAP + CAPTION;
        let height = names.len() as f64 * ROW;

        let mut svg = Svg::new(whole, map + height + AXIS + GAP, PAPER);
        let title = shorten(self.title, ((whole - 2.0 * MARGIN) / (TITLE * LETTER)) as usize);
        svg.text([MARGIN, MARGIN + 14.0], TITLE, INK, Anchor::Start, &title);
        let parts = self.timeline.envelope.parts();
        envelope(&mut svg, [left, top], [panel, panel / parts.len().max(1) as f64], parts);
        svg.text([left, map - 8.0], LABEL, INK, Anchor::Start, "probability of each class, segment by segment");
        Scale { largest: "1".into() }.draw(&mut svg, [left + panel, map - 18.0]);
        svg.rectangle([left, map, panel, height], UNHEARD);
        let means = self.means();
        let mut cells: Vec<Vec<[f64; 4]>> = vec![Vec::new(); SHADES];
        for (class, name) in names.iter().enumerate() {
            let row = map + class as f64 * ROW;
            let level = |column: usize| Some((means[column].as_ref()?[class] * (SHADES - 1) as f64).round() as usize);
            let mut from = 0;
            for column in 1..=COLUMNS {
                // One cell for neighbours of one shade.
                if column == COLUMNS || level(column) != level(from) {
                    if let Some(level) = level(from) {
                        cells[level].push([left + from as f64, row, (column - from) as f64, ROW]);
                    }
                    from = column;
                }
            }
            svg.text([left - 8.0, row + 0.5 * ROW + LABEL * 0.35], LABEL, INK, Anchor::End, name);
        }
        for (level, cells) in cells.iter().enumerate() {
            svg.cells(cells, &colour(level));
        }
        for row in 1..names.len() {
            let y = map + row as f64 * ROW;
            svg.line([left, y, left + panel, y], PAPER);
        }
        time_axis(&mut svg, [left, map + height], panel, self.timeline.seconds);
        if self.timeline.segments.is_empty() {
            svg.text([left + panel / 2.0, map + height / 2.0 + 4.0], LABEL, FAINT, Anchor::Middle, "(no segment)");
        }
        svg.finish()
    }

    /// Of each column the mean of the segments that lie in it, by how much of it they fill; none where there is none.
    fn means(&self) -> Vec<Option<Vec<f64>>> {
        let each = self.timeline.seconds / COLUMNS as f64;
        let mut sums = vec![(0.0, vec![0.0; self.classes.len()]); COLUMNS];
        for segment in &self.timeline.segments {
            let first = (segment.start / each) as usize;
            for (place, (filled, sum)) in sums.iter_mut().enumerate().skip(first) {
                let (from, to) = (place as f64 * each, (place + 1) as f64 * each);
                if from >= segment.end {
                    break;
                }
                let share = (segment.end.min(to) - segment.start.max(from)).max(0.0);
                *filled += share;
                sum.iter_mut().zip(&segment.probabilities).for_each(|(sum, probability)| *sum += share * probability);
            }
        }
        // What only touches a column is not seen in it.
        let mean = |(filled, sum): (f64, Vec<f64>)| (filled > 0.02 * each).then(|| sum.iter().map(|sum| sum / filled).collect());
        sums.into_iter().map(mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::segment::Envelope;
    use crate::train::TimedPrediction;

    fn picture(segments: &[([f64; 2], [f64; 2])], seconds: f64) -> String {
        let segment = |&([start, end], probabilities): &([f64; 2], [f64; 2])| TimedPrediction {
            start,
            end,
            text: None,
            probabilities: probabilities.into(),
        };
        let mut envelope = Envelope::default();
        envelope.push(&[0.1, -0.2, 0.3, 0.0]);
        let timeline = Timeline { seconds, segments: segments.iter().map(segment).collect(), envelope, unread: Vec::new() };
        let classes = ["calm".to_owned(), "<glad>".to_owned()];
        TimelinePicture { timeline: &timeline, classes: &classes, title: "a.wav" }.svg()
    }

    #[test]
    fn a_segment_stands_at_its_time_in_the_row_of_its_class() {
        let svg = picture(&[([2.0, 4.0], [1.0, 0.0]), ([6.0, 7.0], [0.0, 1.0])], 8.0);
        let path =
            svg.lines().rfind(|line| line.contains(&format!("fill=\"{}\" d=\"", colour(SHADES - 1))) && line.contains("v18.00")).unwrap();
        let left = MARGIN + (6.0f64 * LABEL * LETTER).max(44.0) + 8.0;
        let top = MARGIN + 30.0 + WAVEFORM + GAP + CAPTION;
        for (start, row) in [(205.0, 0.0), (615.0, 1.0)] {
            let place = format!("M{:.2} {:.2}h{:.2}v18.00", left + start, top + ROW * row, if row == 0.0 { 205.0 } else { 103.0 });
            assert!(path.contains(&place), "{place}: {path}");
        }
        assert!(svg.contains(">&lt;glad&gt;</text>") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn segments_that_overlap_share_their_columns_and_none_is_drawn_where_there_is_none() {
        let svg = picture(&[([0.0, 8.0], [1.0, 0.0]), ([0.0, 8.0], [0.0, 1.0])], 8.0);
        assert_eq!(svg.matches("h820.00v18.00").count(), 2, "{svg}");
        let none = picture(&[], 1.0);
        assert!(none.contains("(no segment)") && !none.contains("NaN"), "{none}");
    }
}
