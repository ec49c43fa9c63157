//! A few shapes of SVG 1.1 as text.

use std::fmt::Write;

use crate::base::shown::is_order;

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// Its beginning.
    Start,
    /// The middle between both.
    Middle,
    /// Its end.
    End,
}

impl Anchor {
    /// As SVG calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A picture that grows shape by shape; later shapes lie over earlier ones.
pub(crate) struct Svg(String);

/// All letters are of one width, so that labels' widths are known: 0.6 of their size.
const FONTS: &str = "Hack, 'DejaVu Sans Mono', Menlo, Consolas, monospace";

impl Svg {
    pub(crate) fn new(width: f64, height: f64, paper: &str) -> Self {
        let mut svg = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             font-family=\"{FONTS}\">\n"
        ));
        svg.rectangle([0.0, 0.0, width, height], paper);
        svg
    }

    pub(crate) fn rectangle(&mut self, [x, y, width, height]: [f64; 4], fill: &str) {
        self.put(format_args!("<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\"/>"));
    }

    /// Rectangles `[x, y, width, height]` of one colour; neighbours meet without a seam.
    pub(crate) fn cells(&mut self, cells: &[[f64; 4]], fill: &str) {
        if cells.is_empty() {
            return;
        }
        let paths: String =
            cells.iter().map(|[x, y, width, height]| format!("M{x:.2} {y:.2}h{width:.2}v{height:.2}h-{width:.2}z")).collect();
        self.put(format_args!("<path shape-rendering=\"crispEdges\" fill=\"{fill}\" d=\"{paths}\"/>"));
    }

    pub(crate) fn line(&mut self, [x1, y1, x2, y2]: [f64; 4], stroke: &str) {
        self.put(format_args!("<line x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\" stroke=\"{stroke}\"/>"));
    }

    pub(crate) fn circle(&mut self, [x, y]: [f64; 2], radius: f64, fill: &str) {
        self.put(format_args!("<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius:.2}\" fill=\"{fill}\"/>"));
    }

    pub(crate) fn polygon(&mut self, points: &[[f64; 2]], fill: &str) {
        let points: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        self.put(format_args!("<polygon points=\"{}\" fill=\"{fill}\"/>", points.join(" ")));
    }

    pub(crate) fn text(&mut self, [x, y]: [f64; 2], size: f64, fill: &str, anchor: Anchor, text: &str) {
        let (anchor, text) = (anchor.name(), escape(text));
        self.put(format_args!(
            "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{size:.1}\" fill=\"{fill}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    fn put(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{shape}");
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

/// Text as it may stand in XML, in content and in attributes within double quotes; what XML cannot hold, and what would turn the
/// direction of what follows, becomes U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            character if is_order(character) => escaped.push('\u{FFFD}'),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_breaks_the_markup() {
        assert_eq!(escape("a<b>&\"c\"\u{0}\u{7}é\u{202e}"), "a&lt;b&gt;&amp;&quot;c&quot;\u{FFFD}\u{FFFD}é\u{FFFD}");
    }
}
