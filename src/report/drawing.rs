//! Inline SVG: coordinates, the room that texts take, and a drawing with its text alternative.
//!
//! Colours stand nowhere here: every shape has a class, and the page's style sheet gives it a colour for light and for
//! dark. A drawing is narrow ([`WIDTH`]), so that its letters are still readable where a phone makes it smaller.

use std::fmt::Write;

use crate::picture::svg::{self, Anchor};

/// Width of a drawing that may be scaled, in its own units; a little more than a phone has.
pub(crate) const WIDTH: f64 = 400.0;
/// Height of letters, in the same units.
pub(crate) const LETTERS: f64 = 13.0;
/// Colours of series in the style sheet: `c0` to `c5`.
pub(crate) const COLOURS: usize = 6;

/// Text as it may stand in HTML and in SVG there, in content and in attributes, whichever quotes they have.
pub(crate) fn escape(text: &str) -> String {
    svg::escape(text).replace('\'', "&#39;")
}

/// A coordinate with at most one decimal: a tenth of a unit is below what a screen shows.
pub(crate) fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    let short = text.strip_suffix(".0").unwrap_or(&text);
    if short == "-0" { "0".into() } else { short.into() }
}

/// About how wide a text is. The reader's font is not known, so this is on the wide side.
pub(crate) fn text_width(text: &str) -> f64 {
    let of_letter = |letter: char| match letter {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | ' ' | '.' | ',' | '\'' | ':' => 0.4,
        'm' | 'w' | 'M' | 'W' | '%' => 1.0,
        letter if letter.is_ascii_uppercase() => 0.75,
        letter if letter >= '\u{1100}' => 1.05,
        _ => 0.62,
    };
    LETTERS * text.chars().map(of_letter).sum::<f64>()
}

/// A text cut with … to a width.
pub(crate) fn shorten(text: &str, width: f64) -> String {
    if text_width(text) <= width {
        return text.into();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if text_width(&kept) + LETTERS > width {
            kept.pop();
            break;
        }
    }
    kept.trim_end().to_owned() + "…"
}

/// An SVG drawing with its text alternative.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawing {
    pub width: f64,
    pub height: f64,
    /// What it shows, in a few words.
    pub title: String,
    /// The same as text, for who cannot see it.
    pub description: String,
    body: String,
}

impl Drawing {
    /// Widest drawing that is scaled: a phone shows its letters some 10 pixels high.
    pub(crate) const SCALED: f64 = 1.1 * WIDTH;

    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        Self { width, height, title: title.into(), description: String::new(), body: String::new() }
    }

    /// Adds markup, whose texts must be escaped.
    pub(crate) fn push(&mut self, markup: &str) {
        self.body.push_str(markup);
    }

    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(coordinate);
        let _ = write!(self.body, r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#);
    }

    pub(crate) fn circle(&mut self, class: &str, centre: (f64, f64), radius: f64) {
        let [x, y, radius] = [centre.0, centre.1, radius].map(coordinate);
        let _ = write!(self.body, r#"<circle class="{class}" cx="{x}" cy="{y}" r="{radius}"/>"#);
    }

    /// A line through points; it breaks where a value is not finite, and a point alone becomes a dot.
    pub(crate) fn curve(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut path = String::new();
        for run in points.split(|(x, y)| !(x.is_finite() && y.is_finite())).filter(|run| !run.is_empty()) {
            if let [alone] = run {
                self.circle(&format!("dot {class}"), *alone, 2.5);
                continue;
            }
            for (place, &(x, y)) in reduce(run).iter().enumerate() {
                let command = if place == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{command}{} {}", coordinate(x), coordinate(y));
            }
        }
        if !path.is_empty() {
            let _ = write!(self.body, r#"<path class="curve {class}" d="{path}"/>"#);
        }
    }

    /// A text whose base line begins, has its middle or ends at a point. `dir=auto` of HTML does not reach into SVG;
    /// bidirectional text is laid out by the letters themselves.
    pub(crate) fn text(&mut self, class: &str, anchor: Anchor, (x, y): (f64, f64), text: &str) {
        self.rotated(class, anchor, (x, y), 0.0, text);
    }

    /// As [`Drawing::text`], turned about its point by an angle in degrees.
    pub(crate) fn rotated(&mut self, class: &str, anchor: Anchor, (x, y): (f64, f64), angle: f64, text: &str) {
        let [x, y, angle] = [x, y, angle].map(coordinate);
        let turned = if angle == "0" { String::new() } else { format!(r#" transform="rotate({angle} {x} {y})""#) };
        let anchor = if anchor == Anchor::Start { String::new() } else { format!(r#" text-anchor="{}""#, anchor.name()) };
        let class = if class.is_empty() { String::new() } else { format!(r#" class="{class}""#) };
        let _ = write!(self.body, r#"<text{class} x="{x}" y="{y}"{anchor}{turned}>{}</text>"#, escape(text));
    }

    /// The element; `id` must be its own on the page. Up to [`Drawing::SCALED`] it grows and shrinks with its column; a wider one
    /// keeps its size and is scrolled.
    pub(crate) fn svg(&self, id: &str) -> String {
        let [width, height] = [self.width, self.height].map(coordinate);
        let class = if self.width <= Self::SCALED { "plot" } else { "plot large" };
        let size = format!(r#"viewBox="0 0 {width} {height}" width="{width}" height="{height}""#);
        let labels =
            format!(r#"<title id="{id}-title">{}</title><desc id="{id}-desc">{}</desc>"#, escape(&self.title), escape(&self.description));
        let body = &self.body;
        format!(r#"<svg class="{class}" role="img" aria-labelledby="{id}-title {id}-desc" {size}>{labels}{body}</svg>"#)
    }
}

/// Points that look the same: of each half unit of width the first, the lowest, the highest and the last, so that peaks stay.
fn reduce(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const MANY: usize = 4 * WIDTH as usize;
    if points.len() <= MANY {
        return points.to_vec();
    }
    let mut kept = Vec::new();
    for group in points.chunk_by(|a, b| (a.0 * 2.0).floor() == (b.0 * 2.0).floor()) {
        let place = |better: fn(f64, f64) -> bool| {
            (1..group.len()).fold(0, |best, point| if better(group[point].1, group[best].1) { point } else { best })
        };
        let mut places = [0, place(|a, b| a < b), place(|a, b| a > b), group.len() - 1];
        places.sort_unstable();
        kept.extend(places.chunk_by(|a, b| a == b).map(|same| group[same[0]]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            escape("<script>alert('a & \"b\"')</script>\u{0}"),
            "&lt;script&gt;alert(&#39;a &amp; &quot;b&quot;&#39;)&lt;/script&gt;\u{fffd}"
        );
    }

    #[test]
    fn a_curve_breaks_at_what_is_not_a_number() {
        let mut drawing = Drawing::new(10.0, 10.0, "");
        drawing.curve("c0", &[(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0), (4.0, f64::INFINITY), (5.0, 0.0), (6.0, 1.5)]);
        let svg = drawing.svg("x");
        assert!(svg.contains(r#"d="M0 1L1 2M5 0L6 1.5""#), "{svg}");
        assert!(svg.contains(r#"<circle class="dot c0" cx="3" cy="4""#), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn many_points_are_thinned_and_their_peaks_stay() {
        let points: Vec<(f64, f64)> =
            (0..100_000).map(|place| (place as f64 / 250.0, if place == 54_321 { 99.0 } else { (place % 7) as f64 })).collect();
        let thinned = reduce(&points);
        assert!(thinned.len() < 4 * 2 * 401, "{}", thinned.len());
        assert!(thinned.contains(&points[54_321]));
        assert_eq!((thinned[0], thinned[thinned.len() - 1]), (points[0], points[99_999]));
        assert!(thinned.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn long_labels_are_cut_to_their_room() {
        let cut = shorten(&"frustrated ".repeat(9), 100.0);
        assert!(cut.ends_with('…') && text_width(&cut) <= 101.0, "{cut}");
        assert_eq!(shorten("sad", 100.0), "sad");
    }
}
