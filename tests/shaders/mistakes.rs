//! A missing barrier is found by no compiler: only by wrong results. Each barrier of each shader is taken out in turn, and the
//! kernel's comparison with its reference must see at least half of them on llvmpipe, which runs the invocations in vectors of eight,
//! one vector after another up to the next barrier. Those that it cannot see are printed: where readers and writers share a vector, or
//! where no case goes round a loop twice. On hardware nothing is promised, since more of a workgroup may run in step.

use mcsan::backend::gpu::shader::{SHADERS, Shader, Variant};
use mcsan::backend::gpu::{Checking, Gpu};
use mcsan::check::{Case, Kernel, check};

use super::common::gpus;

/// Shaders whose barriers lie between invocations that an adapter of eight (256 bits) runs in one vector: none can be missed.
const IN_STEP: [&str; 1] = ["residual_norm"];

const BARRIER: &str = "workgroupBarrier();";

/// A variant without its barrier of the given number.
fn without(variant: &Variant, number: usize) -> String {
    let (place, _) = variant.source.match_indices(BARRIER).nth(number).expect("the barrier is there");
    format!("{}{}", &variant.source[..place], &variant.source[place + BARRIER.len()..])
}

fn passes(gpu: &Gpu, case: &Case) -> bool {
    pollster::block_on(check(gpu, case)).is_ok_and(|report| report.passed())
}

/// Which of a variant's barriers may go without a case noticing.
fn unnoticed(gpu: &mut Gpu, shader: &'static Shader, variant: &Variant, kernel: Kernel) -> Vec<usize> {
    // A variant stands in for all of them, so only the cases that it can do by itself say anything.
    gpu.substitute(shader, variant.source.into());
    let cases: Vec<Case> = kernel.cases().into_iter().filter(|case| passes(gpu, case)).collect();
    assert!(!cases.is_empty(), "{}.{} passes no case", shader.name, variant.name);
    let count = variant.source.matches(BARRIER).count();
    (0..count)
        .filter(|&number| {
            gpu.substitute(shader, without(variant, number));
            cases.iter().all(|case| passes(gpu, case))
        })
        .collect()
}

#[test]
fn a_missing_barrier_fails_its_kernels_comparison() {
    for (name, mut gpu) in gpus("missing barriers", &[Checking::Off]) {
        for &shader in &SHADERS {
            for variant in shader.variants.iter().filter(|variant| variant.source.contains(BARRIER)) {
                let kernel = Kernel::ALL.iter().copied().find(|kernel| kernel.name() == shader.name).expect("a kernel of its name");
                let missed = unnoticed(&mut gpu, shader, variant, kernel);
                let count = variant.source.matches(BARRIER).count();
                println!(
                    "{name}: {}.{}: {} of {count} barriers are missed, not {missed:?}",
                    shader.name,
                    variant.name,
                    count - missed.len()
                );
                if gpu.info().name.contains("256 bits") {
                    let unseen = if IN_STEP.contains(&shader.name) { count..=count } else { 0..=count / 2 };
                    assert!(unseen.contains(&missed.len()), "{name}: {}.{} works without {missed:?}", shader.name, variant.name);
                }
            }
        }
    }
}
