//! The page's colours, for light and for dark, as custom properties of its style sheet.
//!
//! Letters have a contrast of at least 4.5 : 1 to what is under them and lines one of 3 : 1 (WCAG 2.2, 1.4.3 and 1.4.11);
//! that holds of the heat map's cells too, whose letters are black or white, whichever is clearer.

use std::fmt::Write;

use super::confusion::LEVELS;
use super::drawing::COLOURS;

/// Red, green, blue from 0 to 255.
type Colour = [u8; 3];

/// One of the page's two faces.
struct Palette {
    /// Behind everything; behind figures and tables.
    paper: Colour,
    card: Colour,
    /// Letters; letters of less weight and axes.
    ink: Colour,
    faint: Colour,
    /// Borders and grid lines.
    rule: Colour,
    /// Series, told apart by the colour-blind too, by their lightness and blue against orange.
    series: [Colour; COLOURS],
    /// A full cell of the heat map; an empty one is as the card.
    heat: Colour,
}

const LIGHT: Palette = Palette {
    paper: [250, 250, 248],
    card: [255, 255, 255],
    ink: [27, 31, 36],
    faint: [87, 96, 108],
    rule: [216, 220, 226],
    series: [[29, 95, 168], [190, 66, 8], [23, 122, 62], [122, 50, 168], [140, 100, 0], [80, 80, 80]],
    heat: [16, 68, 140],
};

const DARK: Palette = Palette {
    paper: [18, 21, 25],
    card: [26, 30, 36],
    ink: [232, 234, 237],
    faint: [163, 172, 184],
    rule: [58, 65, 75],
    series: [[122, 178, 245], [247, 158, 96], [108, 208, 150], [202, 158, 244], [226, 196, 92], [190, 190, 190]],
    heat: [150, 200, 255],
};

/// The custom properties: light, and dark where the reader's system is.
pub(crate) fn css() -> String {
    format!(
        ":root{{color-scheme:light dark;{}}}@media (prefers-color-scheme:dark){{:root{{{}}}}}{}",
        LIGHT.properties(),
        DARK.properties(),
        classes()
    )
}

/// What uses the properties by number.
fn classes() -> String {
    let mut css = String::new();
    for colour in 0..COLOURS {
        let _ = write!(css, "svg .c{colour}{{stroke:var(--c{colour})}}svg .dot.c{colour}{{fill:var(--c{colour})}}");
    }
    for level in 0..=LEVELS {
        let _ = write!(css, "svg .h{level}{{fill:var(--h{level})}}svg .i{level}{{fill:var(--i{level})}}");
    }
    css
}

impl Palette {
    fn properties(&self) -> String {
        let hex = |[r, g, b]: Colour| format!("#{r:02x}{g:02x}{b:02x}");
        let named = [("paper", self.paper), ("card", self.card), ("ink", self.ink), ("faint", self.faint), ("rule", self.rule)];
        let mut css = String::new();
        for (name, colour) in named {
            let _ = write!(css, "--{name}:{};", hex(colour));
        }
        for (place, &colour) in self.series.iter().enumerate() {
            let _ = write!(css, "--c{place}:{};", hex(colour));
        }
        for level in 0..=LEVELS {
            let _ = write!(css, "--h{level}:{};--i{level}:{};", hex(self.cell(level)), hex(letters_on(self.cell(level))));
        }
        css
    }

    /// Colour of a cell of the heat map. An empty one differs from the card a little, so that the matrix is seen as a grid.
    fn cell(&self, level: usize) -> Colour {
        let part = 0.06 + 0.94 * level as f64 / LEVELS as f64;
        [0, 1, 2].map(|channel| {
            let (from, to) = (f64::from(self.card[channel]), f64::from(self.heat[channel]));
            (from + part * (to - from)).round() as u8
        })
    }
}

/// Black or white.
fn letters_on(ground: Colour) -> Colour {
    [[0; 3], [255; 3]].into_iter().max_by(|&a, &b| contrast(a, ground).total_cmp(&contrast(b, ground))).unwrap_or_default()
}

/// Ratio of contrast of WCAG: `(lighter + 0.05) / (darker + 0.05)` of the relative luminances.
fn contrast(a: Colour, b: Colour) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    (a / b).max(b / a)
}

fn luminance(colour: Colour) -> f64 {
    let linear = colour.map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        assert!((contrast([119; 3], [255; 3]) - 4.478).abs() < 1e-3);
    }

    #[test]
    fn the_browser_page_has_the_colours_of_reports() {
        assert_eq!(include_str!("../../assets/web/palette.css").trim_end(), css());
    }

    #[test]
    fn letters_and_lines_are_clear_in_light_and_in_dark() {
        for palette in [LIGHT, DARK] {
            for ground in [palette.paper, palette.card] {
                for letters in [palette.ink, palette.faint] {
                    assert!(contrast(letters, ground) >= 4.5, "{letters:?} on {ground:?}: {}", contrast(letters, ground));
                }
                for series in palette.series {
                    assert!(contrast(series, ground) >= 3.0, "{series:?} on {ground:?}: {}", contrast(series, ground));
                }
            }
            for level in 0..=LEVELS {
                let cell = palette.cell(level);
                assert!(contrast(letters_on(cell), cell) >= 4.5, "level {level}: {}", contrast(letters_on(cell), cell));
            }
        }
    }
}
