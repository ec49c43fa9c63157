//! An example: a kernel that this crate does not have, proved by its comparator. Its WGSL, the same in plain Rust, and cases;
//! then what the comparator says of it, and of shaders that are wrong in three ways.

use std::fmt;

use mcsan::backend::Storage;
use mcsan::backend::cpu::{Cpu, CpuTensor};
use mcsan::backend::gpu::{Checking, Gpu};
use mcsan::check::compare::Tolerance;
use mcsan::check::{Case, CaseReport, Inputs, Prepared, Record, Recorded, Source, Subject, check, dump, examine};

use crate::common::gpus;

/// `y = x · σ(x)` (Ramachandran, Zoph, Le: "Searching for Activation Functions", 2017).
const SWISH: &str = "
@group(0) @binding(0) var<storage, read> size: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3u) {
    if id.x < size[0] {
        y[id.x] = x[id.x] / (1.0 + exp(-x[id.x]));
    }
}";

/// A case: so many numbers, by this WGSL. What `Display` writes is its name.
struct Swish {
    count: usize,
    wgsl: String,
}

impl fmt::Display for Swish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={}", self.count)
    }
}

impl Subject for Swish {
    /// WGSL allows exp(x) 3 + 2 |x| units in the last place, 7e-7 at 4.
    fn tolerance(&self) -> Tolerance {
        Tolerance::of_rms(2e-6)
    }
}

/// What is to be proved: the shader, on the device's memory.
impl Record<Gpu> for Swish {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, Gpu>) -> Prepared<'a, Gpu> {
        let (gpu, shape) = (inputs.backend, [1, self.count]);
        let size = inputs.words("size", &[self.count as u32]);
        let x = inputs.matrix("x", shape, &source.uniform(self.count, 4.0));
        let shader = gpu.compile(&self.wgsl, "forward");
        Box::new(move || {
            let y = gpu.uninitialised(shape);
            gpu.run(&shader, &[size.buffer(), x.buffer(), y.buffer()], [shape[1].div_ceil(64) as u32, 1, 1]);
            vec![Recorded::new("y", y)]
        })
    }
}

/// What it must compute: the reference, in float64.
impl Record<Cpu<f64>> for Swish {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, Cpu<f64>>) -> Prepared<'a, Cpu<f64>> {
        let shape = [1, self.count];
        inputs.words("size", &[self.count as u32]);
        let x = inputs.matrix("x", shape, &source.uniform(self.count, 4.0));
        Box::new(move || {
            let y = x.values().iter().map(|&x| x / (1.0 + (-x).exp())).collect();
            vec![Recorded::new("y", CpuTensor::new(y, shape))]
        })
    }
}

fn case(wgsl: &str, count: usize, seed: u64) -> Case<Swish> {
    Case::of("swish", Swish { count, wgsl: wgsl.into() }, seed)
}

fn checked(gpu: &Gpu, case: &Case<Swish>) -> CaseReport {
    pollster::block_on(check(gpu, case)).unwrap()
}

#[test]
fn a_kernel_of_ones_own_agrees_with_its_reference_on_cases_and_on_random_shapes() {
    // Outputs are filled with NaN beforehand and end in guard words.
    for (name, gpu) in gpus("a kernel of one's own", &[Checking::All]) {
        for count in [1, 63, 64, 65, 5000] {
            let report = checked(&gpu, &case(SWISH, count, 1));
            assert!(report.passed(), "{name}: {report:?}");
        }
        for seed in 0..20 {
            let count = Source::new(!seed).size(1, 5000);
            let report = checked(&gpu, &case(SWISH, count, seed));
            assert!(report.passed(), "{name}: {report:?}");
        }
    }
}

#[test]
fn a_wrong_shader_of_ones_own_is_found_out_and_its_evidence_kept() {
    let mistakes = [
        ("exp(-x[id.x])", "exp(-1.001 * x[id.x])", "outside their bound"),
        ("id.x < size[0]", "id.x + 1 < size[0]", "got NaN"),
        ("if id.x < size[0] {", "if id.x == size[0] { y[id.x] = 1.0; } else {", "guard"),
    ];
    let devices = gpus("a wrong shader of one's own", &[Checking::All]);
    for ((name, gpu), (mistake, instead, reason)) in devices.iter().flat_map(|device| mistakes.map(|mistake| (device, mistake))) {
        assert!(SWISH.contains(mistake));
        let case = case(&SWISH.replace(mistake, instead), 100, 1);
        let (report, evidence) = pollster::block_on(examine(gpu, &case)).unwrap();
        let said = report.agreement.reason.clone().unwrap_or_default();
        assert!(!report.passed() && said.contains(reason), "{name}: {instead}: {report:?}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(dump::file_name(&case, ""));
        dump::write(&path, &case, &evidence, &gpu.device_name(), "own").unwrap();
        let kept = mcsan::dataset::store::Store::open(&path).unwrap();
        assert_eq!(kept.names(), ["expected.y", "got.y", "input.size", "input.x"]);
    }
}

#[test]
fn a_shader_that_does_not_compile_says_so() {
    for (name, gpu) in gpus("a shader that does not compile", &[Checking::All]) {
        let failure = pollster::block_on(check(&gpu, &case("fn forward(", 8, 1))).unwrap_err();
        assert!(failure.to_string().contains("forward"), "{name}: {failure}");
    }
}
