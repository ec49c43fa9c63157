//! How a device is opened.

use super::requirements::Feature;

/// How shaders are compiled and buffers laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checking {
    /// As users run: no run-time checks in shaders, pooled buffers.
    #[default]
    Off,
    /// naga's loop bounds and index checks in every shader.
    Shaders,
    /// Outputs filled with NaN beforehand, and guard words after each of them.
    Guards,
    /// Both.
    All,
}

impl Checking {
    pub(super) fn shaders(self) -> bool {
        matches!(self, Self::Shaders | Self::All)
    }

    pub(super) fn guards(self) -> bool {
        matches!(self, Self::Guards | Self::All)
    }
}

/// How a device is opened.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// Which checks run beside the work.
    pub checking: Checking,
    /// Allows just these, whatever the adapter offers; else all that it offers of the limits used here.
    pub limits: Option<wgpu::Limits>,
    /// Opens the device as if its adapter lacked these.
    pub without: Vec<Feature>,
}

impl From<Checking> for Opening {
    fn from(checking: Checking) -> Self {
        Self { checking, ..Self::default() }
    }
}
