//! An SVG of this house as PNG, twice its size for sharp letters.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};
use thiserror::Error;

use crate::base::remedy::{Remedied, Remedy};

/// Why there is no PNG.
#[derive(Debug, Error)]
pub enum PictureError {
    /// A picture that the renderer or the encoder refuses, and what it says.
    #[error("the picture cannot be drawn ({0})")]
    Draw(String),
    /// More pixels than there can be memory for.
    #[error("a picture of {width} x {height} pixels is too large to draw")]
    Size {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
}

impl Remedied for PictureError {
    fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::Draw(..) | Self::Size { .. } => vec![Remedy::DrawSvg],
        }
    }
}

/// Pixels for one of the SVG's.
const SCALE: f32 = 2.0;

/// Draws an SVG. Letters are those of the embedded font, so that every machine draws them; writing systems that it lacks
/// are looked for among the system's fonts.
///
/// # Errors
/// [`PictureError`], where the picture is too large.
pub fn png(svg: &str) -> Result<Vec<u8>, PictureError> {
    let draw = |reason: &dyn std::fmt::Display| PictureError::Draw(reason.to_string());
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(epaint_default_fonts::HACK_REGULAR.to_vec());
    if !svg.is_ascii() {
        fonts.load_system_fonts();
    }
    fonts.set_monospace_family("Hack");
    let options = Options { fontdb: Arc::new(fonts), font_family: "Hack".into(), ..Default::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| draw(&error))?;
    let [width, height] = [tree.size().width(), tree.size().height()].map(|size| (size * SCALE).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).ok_or(PictureError::Size { width, height })?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| draw(&error))
}
