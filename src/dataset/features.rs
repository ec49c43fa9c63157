//! The acoustic features of a data set, which may be larger than memory: values that are held, or a file's, mapped.

use std::ops::Deref;
#[cfg(feature = "files")]
use std::ops::Range;
use std::sync::Arc;

#[cfg(feature = "files")]
use memmap2::Mmap;

/// `[frames · coefficients]`: features, row by row; copies share them.
#[derive(Debug, Clone)]
pub struct FeatureRows(Source);

#[derive(Debug, Clone)]
enum Source {
    Held(Arc<Vec<f32>>),
    /// These bytes of the file, which are aligned numbers of the machine's own kind.
    #[cfg(feature = "files")]
    Mapped(Arc<Mmap>, Range<usize>),
}

#[cfg(feature = "files")]
impl FeatureRows {
    /// The bytes `range` of a mapped file, where they can be read in place; else `None`.
    pub(super) fn mapped(map: &Arc<Mmap>, range: Range<usize>) -> Option<Self> {
        bytemuck::try_cast_slice::<u8, f32>(&map[range.clone()]).ok()?;
        Some(Self(Source::Mapped(Arc::clone(map), range)))
    }
}

impl Deref for FeatureRows {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.0 {
            Source::Held(values) => values,
            #[cfg(feature = "files")]
            Source::Mapped(map, range) => bytemuck::cast_slice(&map[range.clone()]),
        }
    }
}

impl From<Vec<f32>> for FeatureRows {
    fn from(values: Vec<f32>) -> Self {
        Self(Source::Held(Arc::new(values)))
    }
}

impl Default for FeatureRows {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl PartialEq for FeatureRows {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
