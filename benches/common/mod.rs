//! What the benches run on, and how large. Environment variables:
//!
//! - `MCSAN_DEVICE`: `auto` (the best adapter, the default), `cpu` (the reference), an index or a part of a name, as `--device`;
//! - `MCSAN_SCALE`: what part of the batches, and of the hour of audio, is computed, for slow devices: 1 by default.

#![allow(dead_code, reason = "each bench uses a part of it")]

use mcsan::backend::Storage;
use mcsan::backend::cpu::Cpu;
use mcsan::backend::gpu::{self, AdapterChoice, Checking, Gpu};

/// An open device.
pub enum Device {
    Cpu(Cpu<f32>),
    Gpu(Box<Gpu>),
}

impl Device {
    /// What `MCSAN_DEVICE` says; the reference where there is no adapter.
    fn open() -> Self {
        let wanted = std::env::var("MCSAN_DEVICE").unwrap_or_else(|_| "auto".into());
        let found = match wanted.as_str() {
            "cpu" => None,
            _ => pollster::block_on(gpu::find(&AdapterChoice { device: Some(wanted), backends: None })).unwrap(),
        };
        match found {
            None => Self::Cpu(Cpu::default()),
            Some(adapter) => Self::Gpu(Box::new(pollster::block_on(Gpu::open(&adapter, Checking::Off)).unwrap())),
        }
    }
}

thread_local! {
    /// Opened once, so that pipelines are compiled once.
    pub static DEVICE: Device = Device::open();
}

/// Runs an expression with `$backend` bound to the device.
#[macro_export]
macro_rules! on_the_device {
    (|$backend:ident| $body:expr) => {
        $crate::common::DEVICE.with(|device| match device {
            $crate::common::Device::Cpu($backend) => $body,
            $crate::common::Device::Gpu(gpu) => {
                let $backend = &**gpu;
                $body
            }
        })
    };
}

/// Says which device is measured.
pub fn announce() {
    println!("{}", on_the_device!(|backend| backend.device_name()));
}

/// `whole` times `MCSAN_SCALE`, at least 1.
pub fn scaled(whole: usize) -> usize {
    let scale = std::env::var("MCSAN_SCALE").map_or(1.0, |scale| scale.parse::<f64>().expect("MCSAN_SCALE is a number"));
    ((whole as f64 * scale).round() as usize).max(1)
}
