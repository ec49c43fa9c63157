//! What the benches run on, how large, and what of the work they state. Environment variables:
//!
//! - `MCSAN_DEVICE`: `auto` (the best adapter, the default), `cpu` (the reference), an index or a part of a name, as `--device`;
//! - `MCSAN_SCALE`: what part of the batches, and of the hour of audio, is computed, for slow devices: 1 by default.

#![allow(dead_code, reason = "each bench uses a part of it")]

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use mcsan::Device;
use mcsan::backend::Work;
use mcsan::backend::cpu::Cpu;
use mcsan::backend::gpu::{self, Checking, Gpu};

/// What `MCSAN_DEVICE` says; the reference where there is no adapter.
fn open() -> Device {
    let wanted = std::env::var("MCSAN_DEVICE").unwrap_or_else(|_| "auto".into());
    let found = match wanted.as_str() {
        "cpu" => None,
        _ => pollster::block_on(gpu::find(&wanted, gpu::instance().with_env())).unwrap(),
    };
    match found {
        None => Device::Cpu(Cpu::default()),
        Some(adapter) => Device::Gpu(Box::new(pollster::block_on(Gpu::open(&adapter, Checking::Off)).unwrap())),
    }
}

thread_local! {
    /// Opened once, so that pipelines are compiled once.
    pub static DEVICE: Device = open();
}

/// Runs an expression with `$backend` bound to the device.
#[macro_export]
macro_rules! on_the_device {
    (|$backend:ident| $body:expr) => {
        $crate::common::DEVICE.with(|device| mcsan::on_device!(*device, |$backend| $body))
    };
}

/// Says which device is measured, and in what.
pub fn announce() {
    println!("{}; an item is a FLOP", DEVICE.with(Device::name));
}

/// Has the bench show FLOP and bytes a second.
pub fn counting<'a, 'b>(bencher: Bencher<'a, 'b>, work: &Work) -> Bencher<'a, 'b> {
    bencher.counter(ItemsCount::new(work.flop() as u64)).counter(BytesCount::new(work.bytes as u64))
}

/// `whole` times `MCSAN_SCALE`, at least 1.
pub fn scaled(whole: usize) -> usize {
    let scale = std::env::var("MCSAN_SCALE").map_or(1.0, |scale| scale.parse::<f64>().expect("MCSAN_SCALE is a number"));
    ((whole as f64 * scale).round() as usize).max(1)
}
