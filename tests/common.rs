//! Which devices the tests run on: the CPU reference and every adapter found, with and without run-time checks.

use std::sync::OnceLock;

use mcsan::backend::Storage;
use mcsan::backend::gpu::{self, Capabilities, Checking, Feature, Gpu, Opening};
use mcsan::check::{Case, Expected, Kernel, Output};
use mcsan::dataset::{HostFrames, HostRows};

/// The adapters that there are, of those that the environment allows (`WGPU_BACKEND`, which `.ci/validation` sets).
pub fn adapters() -> Vec<wgpu::Adapter> {
    pollster::block_on(gpu::adapters(gpu::instance().with_env()))
}

/// Every adapter opened, and once more without any optional feature where a kernel uses one that it has; none where there is
/// none, which is said by name, or is a failure where `MCSAN_REQUIRE_ADAPTER` is set (as CI does). `MCSAN_WITHOUT` names
/// features that are never used.
pub fn gpus(test: &str, checkings: &[Checking]) -> Vec<(String, Gpu)> {
    let adapters = adapters();
    if adapters.is_empty() {
        assert!(std::env::var_os("MCSAN_REQUIRE_ADAPTER").is_none(), "{test}: no graphics adapter, but MCSAN_REQUIRE_ADAPTER is set");
        println!("skipped: no adapter: {test}");
    }
    let named = std::env::var("MCSAN_WITHOUT").unwrap_or_default();
    let named = named.split(',').filter(|name| !name.is_empty()).map(|name| name.parse().expect("MCSAN_WITHOUT names features"));
    let named: Vec<Feature> = named.collect();
    let mut opened = Vec::new();
    for adapter in &adapters {
        // Where a compiler takes minutes for naga's bounds checks the shaders run as users run them.
        let slow = gpu::slow_at_checks(adapter).is_some();
        for &checking in checkings {
            if slow && checking != Checking::Off {
                println!("skipped: {test}: {checking:?} on {}", gpu::describe(&adapter.get_info()));
                continue;
            }
            let mut ways = vec![named.clone()];
            if !Capabilities::of(adapter).without(&named).used().features.is_empty() {
                ways.push(Feature::ALL.to_vec());
            }
            for without in ways {
                let opening = Opening { checking, limits: None, without };
                let gpu = pollster::block_on(Gpu::open(adapter, opening)).expect("the adapter opens");
                let name = format!("{} [{checking:?}]", gpu.device_name());
                println!("{test}: on {name}");
                opened.push((name, gpu));
            }
        }
    }
    opened
}

/// The listed cases of a kernel with what the reference makes of them, which all tests compare with.
pub fn listed(kernel: Kernel) -> &'static [(Case, Expected)] {
    static LISTED: [OnceLock<Vec<(Case, Expected)>>; Kernel::ALL.len()] = [const { OnceLock::new() }; Kernel::ALL.len()];
    let expected = |case: Case| {
        let expected = pollster::block_on(Expected::of(&case)).expect("the reference runs every case");
        (case, expected)
    };
    LISTED[kernel as usize].get_or_init(|| kernel.cases().into_iter().map(expected).collect())
}

/// Runs a block with `$backend` bound to the CPU reference and then to every adapter, `$name` naming it.
macro_rules! on_every_device {
    ($test:expr, |$backend:ident, $name:ident| $body:block) => {{
        {
            let cpu = mcsan::backend::cpu::Cpu::<f32>::default();
            let ($backend, $name) = (&cpu, "cpu");
            $body
        }
        for (name, gpu) in &$crate::common::gpus($test, &[mcsan::backend::gpu::Checking::Off]) {
            let ($backend, $name) = (gpu, name.as_str());
            $body
        }
    }};
}

/// The frames that a batch brings.
pub fn frame_values(frames: &HostFrames) -> &[f32] {
    match &frames.rows {
        HostRows::Values(values) => values,
        HostRows::Kept(_) => panic!("no device keeps them"),
    }
}

/// What a kernel makes of a case.
pub fn outputs(gpu: &Gpu, case: &Case) -> Vec<Output> {
    pollster::block_on(case.run(gpu)).expect("the device does its work")
}

/// The same names and the same bits, of infinite numbers too, and NaN where NaN is: which bits a NaN made of two has is left to
/// the compiler, by WGSL as by IEEE 754.
pub fn assert_same(outputs: &[Output], expected: &[Output], what: &str) {
    let bits_of = |value: &f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
    let bits = |output: &Output| output.values.iter().map(bits_of).collect::<Vec<_>>();
    assert_eq!(outputs.len(), expected.len(), "{what}");
    for (output, expected) in outputs.iter().zip(expected) {
        assert!(bits(output) == bits(expected), "{what}: {}", output.name);
    }
}
