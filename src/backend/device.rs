//! A device by name: the CPU reference or a graphics adapter.

use super::Result;
use super::cpu::Cpu;
use super::gpu::{self, Gpu, Opening};

/// An open device, for programs that learn which one only when they run; [`on_device!`](crate::on_device) computes on either.
pub enum Device {
    /// The reference in float32.
    Cpu(Cpu<f32>),
    /// A graphics adapter.
    Gpu(Box<Gpu>),
}

/// Evaluates an expression with `backend` bound to the [`Backend`](crate::backend::Backend) that a
/// [`Device`](crate::backend::Device) is: `on_device!(device, |backend| backend.zeros([1, 1]).shape())`. The expression is
/// compiled for both.
#[macro_export]
macro_rules! on_device {
    ($device:expr, |$backend:ident| $body:expr) => {
        match &$device {
            $crate::backend::Device::Cpu($backend) => $body,
            $crate::backend::Device::Gpu(gpu) => {
                let $backend = &**gpu;
                $body
            }
        }
    };
}

impl Device {
    /// Opens `auto` (the best graphics hardware; where there is none, the CPU reference, which is faster than software
    /// adapters), `cpu`, an adapter's number among [`gpu::adapters`], or a part of its name.
    ///
    /// # Errors
    /// [`BackendError::NoAdapter`](super::BackendError::NoAdapter) where nothing is called so,
    /// [`BackendError::NoDevice`](super::BackendError::NoDevice) where the adapter cannot be opened.
    pub async fn open(name: &str) -> Result<Self> {
        if name == "cpu" {
            return Ok(Self::Cpu(Cpu::default()));
        }
        let found = gpu::find(name, gpu::instance()).await?;
        match found.filter(|adapter| name != "auto" || !gpu::is_software(adapter)) {
            None => Ok(Self::Cpu(Cpu::default())),
            Some(adapter) => Ok(Self::Gpu(Box::new(Gpu::open(&adapter, Opening::default()).await?))),
        }
    }

    /// The device in one line.
    pub fn name(&self) -> String {
        use super::Storage;
        on_device!(*self, |backend| backend.device_name())
    }
}
