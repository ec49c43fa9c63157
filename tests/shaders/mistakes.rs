//! A missing barrier is found by no compiler: only by wrong results. Each barrier of each shader is taken out in turn, and the
//! kernel's comparison with its reference must see at least half of them on llvmpipe, which runs the invocations in vectors of eight,
//! one vector after another up to the next barrier. Those that it cannot see are printed: where readers and writers share a vector, or
//! where no case goes round a loop twice. On hardware nothing is promised, since more of a workgroup may run in step. A variant with
//! a need is tried on the device as it is, one without on the device without optional features, where it is the one that runs.

use mcsan::backend::gpu::shader::{SHADERS, Shader, ShaderVariant};
use mcsan::backend::gpu::{Checking, Gpu};
use mcsan::check::{Case, Expected, Kernel, check_against};

use crate::common::{gpus, listed};

/// Invocations that llvmpipe with vectors of 256 bits runs in step.
const VECTOR: u32 = 8;

/// Shaders of larger workgroups whose barriers lie between invocations of one such vector: none can be missed.
const IN_STEP: [&str; 2] = ["residual_norm", "row_scores"];

const BARRIER: &str = "workgroupBarrier();";

/// A variant without its barrier of the given number.
fn without(variant: &ShaderVariant, number: usize) -> String {
    let (place, _) = variant.source.match_indices(BARRIER).nth(number).expect("the barrier is there");
    format!("{}{}", &variant.source[..place], &variant.source[place + BARRIER.len()..])
}

fn passes(gpu: &Gpu, (case, expected): &(Case, Expected)) -> bool {
    pollster::block_on(check_against(gpu, case, expected)).is_ok_and(|(report, _)| report.passed())
}

/// Which of a variant's barriers may go without a case noticing.
fn unnoticed(gpu: &mut Gpu, shader: &'static Shader, variant: &'static ShaderVariant, cases: &[(Case, Expected)]) -> Vec<usize> {
    let count = variant.source.matches(BARRIER).count();
    let missed = (0..count).filter(|&barrier| {
        gpu.substitute(shader, variant, without(variant, barrier));
        cases.iter().all(|case| passes(gpu, case))
    });
    let missed = missed.collect();
    gpu.substitute(shader, variant, variant.source.into());
    missed
}

/// Whether no workgroup of a variant is wider than a vector.
fn is_one_vector(variant: &ShaderVariant) -> bool {
    variant.footprints.iter().all(|footprint| footprint.workgroup_size.iter().product::<u32>() <= VECTOR)
}

#[test]
fn a_missing_barrier_fails_its_kernels_comparison() {
    let gpus = gpus("missing barriers", &[Checking::Off]);
    let is_gl = |gpu: &Gpu| gpu.info().backend == wgpu::Backend::Gl;
    let others = gpus.iter().any(|(_, gpu)| !is_gl(gpu));
    for (name, mut gpu) in gpus {
        if is_gl(&gpu) && others {
            println!("skipped: {name} runs the shaders that other devices without optional features do, ten times slower");
            continue;
        }
        let plain = gpu.fast_paths().is_empty();
        for &shader in &SHADERS {
            for variant in shader.variants {
                let count = variant.source.matches(BARRIER).count();
                if count == 0 || variant.requirements.is_empty() != plain {
                    continue;
                }
                let kernel = Kernel::ALL.iter().find(|kernel| kernel.name() == shader.name).expect("a kernel of its name");
                let cases = listed(*kernel);
                let label = format!("{name}: {}.{}", shader.name, variant.name);
                // What other kernels ran of it is forgotten.
                gpu.substitute(shader, variant, variant.source.into());
                if !cases.iter().any(|case| runs(&gpu, case, shader, variant)) {
                    println!("skipped: {label} never runs");
                    continue;
                }
                let missed = unnoticed(&mut gpu, shader, variant, cases);
                println!("{label}: {} of {count} barriers are missed, not {missed:?}", count - missed.len());
                if gpu.info().name.contains("256 bits") {
                    let in_step = IN_STEP.contains(&shader.name) || is_one_vector(variant);
                    let unseen = if in_step { count..=count } else { 0..=count / 2 };
                    assert!(unseen.contains(&missed.len()), "{label} works without {missed:?}");
                }
            }
        }
    }
}

/// Whether a case runs a variant.
fn runs(gpu: &Gpu, case: &(Case, Expected), shader: &Shader, variant: &ShaderVariant) -> bool {
    passes(gpu, case) && gpu.variants_run().contains(&(shader.name, variant.name))
}
