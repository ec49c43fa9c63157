//! Every kernel on every adapter: right on all cases, as users run it and with run-time checks, poisoned outputs and guard
//! words; and every check able to fail.

use std::collections::BTreeSet;

use crate::common::{gpus, listed};
use mcsan::backend::gpu::{Checking, Gpu, shader};
use mcsan::backend::ops::{Gru, GruWeights, SegmentSoftmax};
use mcsan::backend::{BackendError, Ragged, Storage};
use mcsan::base::numbers::Precision;
use mcsan::base::remedy::{Remedied, Remedy};
use mcsan::check::model::check_model;
use mcsan::check::{Case, CaseReport, Expected, Kernel, Sabotage, check, check_against, select};
use mcsan::config::{Config, Settings};
use mcsan::dataset::BatchShape;
use proptest::prelude::*;

fn checked(gpu: &Gpu, case: &Case) -> CaseReport {
    pollster::block_on(check(gpu, case)).expect("the device does its work")
}

fn checked_against(gpu: &Gpu, (case, expected): &(Case, Expected)) -> CaseReport {
    pollster::block_on(check_against(gpu, case, expected)).expect("the device does its work").0
}

#[test]
fn every_kernel_agrees_with_its_reference_on_every_case() {
    for (name, gpu) in &gpus("kernels", &[Checking::Off, Checking::All]) {
        let cases: Vec<&(Case, Expected)> = Kernel::ALL.iter().flat_map(|&kernel| listed(kernel)).collect();
        let failures: Vec<String> = cases
            .iter()
            .map(|listed| checked_against(gpu, listed))
            .filter(|report| !report.passed())
            .map(|report| format!("{} {}: {:?}", report.name, report.case, report.agreement))
            .collect();
        println!("{name}: {} cases", cases.len());
        assert!(failures.is_empty(), "{name}: {} of {} cases\n{}", failures.len(), cases.len(), failures.join("\n"));
    }
}

#[test]
fn random_shapes_agree_with_the_reference() {
    for (name, gpu) in &gpus("random shapes", &[Checking::All]) {
        let config = ProptestConfig { cases: 4, failure_persistence: None, ..Default::default() };
        for &kernel in Kernel::ALL {
            proptest!(config.clone(), |(seed: u64)| {
                let case = kernel.random_case(seed);
                let report = checked(gpu, &case);
                prop_assert!(report.passed(), "{name}: {} {} (seed {seed}): {:?}", report.name, report.case, report.agreement);
            });
        }
    }
}

/// Breaks every variant of a shader that holds the part.
fn break_shader(gpu: &mut Gpu, sabotage: Sabotage) {
    let broken = sabotage.broken();
    assert!(!broken.is_empty(), "{} no longer holds '{}'", sabotage.shader.name, sabotage.part);
    broken.into_iter().for_each(|(variant, source)| gpu.substitute(sabotage.shader, variant, source));
}

#[test]
fn every_variant_of_every_shader_is_broken_by_some_kernels_sabotage() {
    let all: Vec<&Sabotage> = Kernel::ALL.iter().flat_map(|kernel| kernel.sabotage()).collect();
    for Sabotage { shader, part, .. } in &all {
        assert!(shader.variants.iter().any(|variant| variant.source.contains(part)), "{} no longer holds '{part}'", shader.name);
    }
    for shader in shader::SHADERS {
        for variant in shader.variants {
            let broken = |sabotage: &&&Sabotage| sabotage.shader.name == shader.name && variant.source.contains(sabotage.part);
            assert!(all.iter().any(|sabotage| broken(&sabotage)), "{}.{}", shader.name, variant.name);
        }
    }
}

#[test]
fn a_broken_shader_fails_its_kernels_comparison() {
    for (name, mut gpu) in gpus("sabotage", &[Checking::Off]) {
        for &kernel in Kernel::ALL {
            // Which variants its own cases run shows as long as nothing is broken; what other kernels ran is forgotten.
            for Sabotage { shader, .. } in kernel.sabotage() {
                shader.variants.iter().for_each(|variant| gpu.substitute(shader, variant, variant.source.into()));
            }
            listed(kernel).iter().for_each(|listed| assert!(checked_against(&gpu, listed).passed()));
            let run = gpu.variants_run();
            every_sabotage_is_seen(&name, &mut gpu, kernel, &run);
        }
    }
}

/// Breaks what a kernel's cases run in each of its ways; they must fail.
fn every_sabotage_is_seen(name: &str, gpu: &mut Gpu, kernel: Kernel, run: &BTreeSet<(&str, &str)>) {
    for sabotage in kernel.sabotage() {
        let Sabotage { shader, part, instead } = *sabotage;
        for (variant, source) in sabotage.broken() {
            if !run.contains(&(shader.name, variant.name)) {
                println!("skipped: {name} never runs {}.{}", shader.name, variant.name);
                continue;
            }
            gpu.substitute(shader, variant, source);
            let caught = listed(kernel).iter().any(|listed| !checked_against(gpu, listed).passed());
            // Where faster variants run, those without a need get what is left: too few cases to be sure.
            let judged = gpu.fast_paths().is_empty() || shader.variants.len() == 1 || !variant.requirements.is_empty();
            let broken = format!("{}.{} with '{instead}' for '{part}'", shader.name, variant.name);
            assert!(caught || !judged, "{name}: {broken} passes all its cases");
            // The next cases must fail by their own fault.
            gpu.substitute(shader, variant, variant.source.into());
        }
    }
}

/// Subgroups of 64 and 128 invocations, which no adapter here has, are four and two of a workgroup; a smaller workgroup has as few.
#[test]
fn products_by_matrices_are_right_by_however_few_subgroups() {
    let shader = &shader::linear::SHADER;
    let whole = "const WORKGROUP: u32 = 256";
    let by_matrices = || shader.variants.iter().filter(|variant| variant.name.starts_with("matrices"));
    let names = ["rows=200,in=128,out=128,mixed", "rows=65,in=40,out=128,relu,mixed", "rows=77,in=20,out=60,relu,no_bias,mixed"];
    let cases = || listed(Kernel::Linear).iter().filter(|(case, _)| names.contains(&case.name().as_str()));
    assert_eq!(cases().count(), names.len());
    for (name, mut gpu) in gpus("few subgroups", &[Checking::Off]) {
        cases().for_each(|listed| assert!(checked_against(&gpu, listed).passed()));
        if !by_matrices().any(|variant| gpu.variants_run().contains(&(shader.name, variant.name))) {
            println!("skipped: {name} has no matrices of these sizes");
            continue;
        }
        for workgroup in [64, 32, 16] {
            for variant in by_matrices() {
                assert!(variant.source.contains(whole), "{}", variant.name);
                gpu.substitute(shader, variant, variant.source.replace(whole, &format!("const WORKGROUP: u32 = {workgroup}")));
            }
            for listed in cases() {
                let report = checked_against(&gpu, listed);
                assert!(report.passed(), "{name}: {} by {workgroup} invocations: {:?}", report.case, report.agreement);
            }
        }
    }
}

/// Where few weights may be rounded otherwise, none of them being rounded must still be seen.
#[test]
fn attention_that_rounds_no_weights_in_mixed_precision_is_seen() {
    let shader = &shader::attention::SHADER;
    let (rounds, exact) = ("round_fraction(exp2(x))", "exp2(x)");
    let name = "queries=15+33+7,keys=110+65+30,width=128,heads=8,mixed";
    let case = listed(Kernel::Attention).iter().find(|(case, _)| case.name() == name).expect("a case of mixed precision");
    for (name, mut gpu) in gpus("rounded weights", &[Checking::Off]) {
        assert!(checked_against(&gpu, case).passed(), "{name}");
        for variant in shader.variants.iter().filter(|variant| variant.source.contains(rounds)) {
            gpu.substitute(shader, variant, variant.source.replace(rounds, exact));
        }
        let report = checked_against(&gpu, case);
        assert!(!report.passed(), "{name}: {:?}", report.agreement);
    }
}

/// The same of states and gradients of gates on their way into a recurrence's products; matrices take no others.
#[test]
fn a_recurrence_that_rounds_no_factors_in_mixed_precision_is_seen() {
    let shader = &shader::bilstm::SHADER;
    let (rounds, exact) = ("vec2<f32>(round_normal_to_f16(values.x), round_normal_to_f16(values.y))", "values");
    let rounded = || shader.variants.iter().filter(|variant| variant.name.starts_with("rounded"));
    assert!(rounded().all(|variant| variant.source.contains(rounds)));
    let names = ["lengths=20+13+7+1,in=300,hidden=128,mixed", "lengths=9+4,in=16,hidden=160,mixed"];
    for (name, mut gpu) in gpus("rounded states", &[Checking::Off]) {
        for case in listed(Kernel::Bilstm).iter().filter(|(case, _)| names.contains(&case.name().as_str())) {
            assert!(checked_against(&gpu, case).passed(), "{name}");
            let ran = gpu.variants_run();
            let run: Vec<_> = rounded().filter(|variant| ran.contains(&(shader.name, variant.name))).collect();
            if run.is_empty() {
                println!("skipped: {name} rounds nothing of {} by itself", case.0.name());
                continue;
            }
            run.iter().for_each(|variant| gpu.substitute(shader, variant, variant.source.replace(rounds, exact)));
            let report = checked_against(&gpu, case);
            assert!(!report.passed(), "{name}: {:?}", report.agreement);
            run.iter().for_each(|variant| gpu.substitute(shader, variant, variant.source.into()));
        }
    }
}

/// Here a workgroup has more subgroups than blocks of a product; devices whose subgroups are wide have as few as one or two.
#[test]
fn recurrences_by_matrices_are_right_by_however_few_subgroups() {
    let shader = &shader::bilstm::SHADER;
    let jobs = "job < BLOCKS; job += subgroups";
    let by_matrices = || shader.variants.iter().filter(|variant| variant.name == "matrices+size8");
    let names = ["lengths=5+1+7+3+2+9+4+6+8+1+2,in=12,hidden=128,mixed", "lengths=20+13+7+1,in=300,hidden=128,mixed"];
    let cases = || listed(Kernel::Bilstm).iter().filter(|(case, _)| names.contains(&case.name().as_str()));
    assert_eq!(cases().count(), names.len());
    for (name, mut gpu) in gpus("few subgroups of a recurrence", &[Checking::Off]) {
        cases().for_each(|listed| assert!(checked_against(&gpu, listed).passed()));
        if !by_matrices().any(|variant| gpu.variants_run().contains(&(shader.name, variant.name))) {
            println!("skipped: {name} has no matrices of these sizes");
            continue;
        }
        for subgroups in [8, 3, 1] {
            for variant in by_matrices() {
                assert!(variant.source.contains(jobs), "{}", variant.name);
                let fewer = format!("job < select(0u, BLOCKS, subgroup < {subgroups}u); job += {subgroups}u");
                gpu.substitute(shader, variant, variant.source.replace(jobs, &fewer));
            }
            for listed in cases() {
                let report = checked_against(&gpu, listed);
                assert!(report.passed(), "{name}: {} by {subgroups} subgroups: {:?}", report.case, report.agreement);
            }
        }
    }
}

#[test]
fn the_one_element_that_a_broken_shader_spoils_is_named() {
    for (name, mut gpu) in gpus("worst element", &[Checking::Off]) {
        let shader = &shader::position_embedding::SHADER;
        // The second of the four columns that number 9 of the case's variant, `vec4`, stands for.
        break_shader(&mut gpu, Sabotage::new(shader, "y[i] =", "y[i] = select(vec4<f32>(), vec4<f32>(0.0, 0.5, 0.0, 0.0), i == 9u) +"));
        let case = select(&[Kernel::PositionEmbedding], "lengths=15+0+16+17,width=20").unwrap().swap_remove(0);
        let report = checked(&gpu, &case);
        let worst = report.agreement.worst.clone().expect("something is wrong");
        assert_eq!((worst.output.as_str(), worst.index, worst.place), ("output", 37, Some([1, 17])), "{name}: {report:?}");
        assert!((worst.got - worst.expected - 0.5).abs() < 1e-6, "{name}: {worst}");
        // In the output and in the output again.
        assert_eq!((report.agreement.outside, report.passed()), (2, false), "{name}: {report:?}");
    }
}

/// A batch whose pass takes the reference well below a second.
fn small() -> BatchShape {
    "batch=4,frames=90,words=12,ragged".parse().unwrap()
}

#[test]
fn a_pass_of_the_model_names_the_first_layer_that_a_broken_shader_spoils() {
    let sabotage = [
        (Sabotage::new(&shader::conv_pool::SHADER, "best + ", "best + 1.01 * "), "audio_encoder.conv1"),
        (Sabotage::new(&shader::position_embedding::SHADER, "+ table[", "+ 1.001 * table["), "positions.audio"),
        (Sabotage::new(&shader::residual_norm::SHADER, "EPSILON: f32 = 1e-5", "EPSILON: f32 = 1e-3"), "cross.0.audio.norm1"),
        (Sabotage::new(&shader::global_max::SHADER, "value > best", "value < best"), "classifier.pooled"),
        (Sabotage::new(&shader::cross_entropy::SHADER, "loss[0] = total / total_weight", "loss[0] = 1.001 * total / total_weight"), "loss"),
        (
            Sabotage::new(&shader::bilstm::SHADER, "(1.0 - squashed * squashed)", "(1.02 - squashed * squashed)"),
            "gradient of text_encoder.lstm.weight_ih_l0",
        ),
    ];
    let settings = Config::default().assign(&["model.hidden=32".into(), "model.heads=4".into()]).unwrap().settings;
    for (sabotage, layer) in sabotage {
        for (name, mut gpu) in gpus("first wrong layer", &[Checking::Off]) {
            break_shader(&mut gpu, sabotage);
            let points = pollster::block_on(check_model(&gpu, &settings, small(), 0)).unwrap();
            let first = points.iter().find(|point| !point.agreement.pass).map(|point| point.name.as_str());
            assert_eq!(first, Some(layer), "{name}: {}", sabotage.shader.name);
        }
    }
}

#[test]
fn a_pass_of_the_model_departs_nowhere() {
    for (name, gpu) in &gpus("pass of the model", &[Checking::Off, Checking::All]) {
        let points = pollster::block_on(check_model(gpu, &Settings::default(), small(), 1)).unwrap();
        let wrong: Vec<_> = points.iter().filter(|point| !point.agreement.pass).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
}

#[test]
fn the_weight_of_an_only_row_is_exactly_one_whatever_its_score() {
    for (name, gpu) in &gpus("only rows", &[Checking::Off]) {
        let rows = Ragged::new(gpu, &[1, 2, 1, 1]);
        let x = gpu.upload(&[-3.3e38, 3.3e38, -3.3e38, 0.7, 3.3e38], [5, 1]);
        let weights = pollster::block_on(gpu.read(&Storage::run(gpu, &SegmentSoftmax { x, rows }))).unwrap();
        assert_eq!(weights, [1.0, 1.0, 0.0, 1.0, 1.0], "{name}");
    }
}

#[test]
fn a_write_past_the_end_changes_a_guard_word() {
    for (name, mut gpu) in gpus("guard words", &[Checking::Guards]) {
        let shader = &shader::position_embedding::SHADER;
        let stray = "if (i + 2u >= args.rows * width) { y[i + 2u] = Element(0.25); } y[i] =";
        break_shader(&mut gpu, Sabotage::new(shader, "y[i] =", stray));
        let report = checked(&gpu, &Kernel::PositionEmbedding.cases()[0]);
        assert!(!report.passed(), "{name}: {:?}", report.agreement);
        assert!(format!("{:?}", report.agreement).contains("guard word"), "{name}: {:?}", report.agreement);
    }
}

#[test]
fn a_shader_that_needs_too_much_workgroup_memory_is_refused_before_it_runs() {
    use mcsan::backend::gpu::check_limits;
    let limits = wgpu::Limits { max_compute_workgroup_storage_size: 1024, ..wgpu::Limits::default() };
    // What multiplies matrices has more memory, and runs where there is.
    let usual = |variant: &&shader::ShaderVariant| !variant.name.starts_with("matrices");
    let footprints = || shader::SHADERS.iter().flat_map(|shader| shader.variants).filter(usual).flat_map(|variant| variant.footprints);
    let large = footprints().find(|footprint| footprint.workgroup_memory > 1024);
    let refused = check_limits(large.expect("some kernel stages tiles"), &limits);
    assert!(matches!(refused, Err(BackendError::Limit { what: "workgroup memory in bytes", .. })), "{refused:?}");
    for footprint in footprints() {
        check_limits(footprint, &wgpu::Limits::default()).expect("every kernel fits WebGPU's default limits");
    }
}

#[test]
fn a_recurrence_wider_than_its_kernel_is_one_clear_error() {
    for (name, gpu) in &gpus("too wide a recurrence", &[Checking::Off]) {
        let hidden = 516;
        let [input, recurrent, bias] = [[3 * hidden, 2], [3 * hidden, hidden], [1, 3 * hidden]].map(|shape| gpu.zeros(shape));
        let weights = GruWeights { input, recurrent, bias };
        let gru = Gru { x: gpu.zeros([2, 2]), weights, rows: Ragged::new(gpu, &[2]), precision: Precision::F32 };
        let y = Storage::run(gpu, &gru);
        let error = pollster::block_on(gpu.read(&y)).expect_err("states of 512 units fit");
        assert!(error.to_string().contains("the hidden size"), "{name}: {error}");
    }
}

#[test]
fn a_buffer_beyond_the_limit_is_one_clear_error() {
    for (name, gpu) in &gpus("too large a buffer", &[Checking::Off]) {
        let huge = gpu.uninitialised([1 << 20, 1 << 14]);
        let error = pollster::block_on(gpu.read(&huge)).expect_err("64 GiB do not fit");
        assert!(error.remedies().contains(&Remedy::SmallerBatch), "{name}: {error}");
    }
}
