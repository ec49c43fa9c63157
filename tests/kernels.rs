//! Every kernel on every adapter: right on all cases, as users run it and with run-time checks, poisoned outputs and guard
//! words; and every check able to fail.

mod common;

use common::gpus;
use mcsan::backend::gpu::{Checking, Gpu, shader};
use mcsan::backend::{Backend, BackendError};
use mcsan::check::model::{BatchShape, check_model};
use mcsan::check::{Case, Kernel, Report, check, select};
use mcsan::config::Settings;
use proptest::prelude::*;

fn checked(gpu: &Gpu, case: &Case) -> Report {
    pollster::block_on(check(gpu, case)).expect("the device does its work")
}

#[test]
fn every_kernel_agrees_with_its_reference_on_every_case() {
    for (name, gpu) in &gpus("kernels", &[Checking::Off, Checking::All]) {
        let cases: Vec<Case> = Kernel::ALL.iter().flat_map(|kernel| kernel.cases()).collect();
        let failures: Vec<String> = cases
            .iter()
            .map(|case| checked(gpu, case))
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

/// What is broken in each kernel's shader: a small change that its comparison must see.
const SABOTAGE: [(Kernel, &shader::Shader, &str, &str); 19] = [
    (Kernel::Mfcc, &shader::mfcc::SHADER, "3.0102999566", "3.02"),
    (Kernel::Deltas, &shader::deltas::SHADER, "range.y - args.width) + k", "range.y - args.width + 1u) + k"),
    (Kernel::ZScore, &shader::z_score::SHADER, "- mean[statistic]", "- 1.001 * mean[statistic]"),
    (Kernel::Embedding, &shader::embedding::SHADER, "total += dy[", "total += 1.001 * dy["),
    (Kernel::PositionEmbedding, &shader::position_embedding::SHADER, "+ table[", "+ 1.001 * table["),
    (Kernel::Accumulate, &shader::accumulate::SHADER, "out[i] += x[i]", "out[i] = x[i]"),
    (Kernel::ConvPool, &shader::conv_pool::SHADER, "winner = r;", "winner = 0u;"),
    (Kernel::Linear, &shader::linear::SHADER, "value += bias[output]", "value += 1.001 * bias[output]"),
    (Kernel::Bilstm, &shader::bilstm::SHADER, "var dh = 0.5 *", "var dh = 0.501 *"),
    (Kernel::Attention, &shader::attention::SHADER, "highest = new_highest;", ""),
    (Kernel::AttentionWeights, &shader::attention_weights::SHADER, "/ total", "/ (1.001 * total)"),
    (Kernel::ResidualNorm, &shader::residual_norm::SHADER, "EPSILON: f32 = 1e-5", "EPSILON: f32 = 1e-3"),
    (Kernel::GlobalMax, &shader::global_max::SHADER, "value > best", "value >= best"),
    (Kernel::CrossEntropy, &shader::cross_entropy::SHADER, "loss[0] = total / total_weight", "loss[0] = 1.001 * total / total_weight"),
    (Kernel::Dropout, &shader::dropout::SHADER, "value = x[i] / (1.0 - args.rate)", "value = x[i]"),
    (Kernel::GradientNorm, &shader::gradient_norm::SHADER, "sqrt(total)", "1.001 * sqrt(total)"),
    (Kernel::LossScale, &shader::loss_scale::SHADER, "scale * 0.5", "scale * 0.25"),
    (Kernel::Adam, &shader::adam::SHADER, "args.rest2 * g * g", "args.rest2 * g"),
    (Kernel::Sgd, &shader::sgd::SHADER, "args.learning_rate * g", "1.001 * args.learning_rate * g"),
];

/// A shader's first variant with a part replaced.
fn broken(shader: &shader::Shader, from: &str, to: &str) -> String {
    let source = shader.variants.iter().find(|variant| variant.name != "head8").unwrap_or(&shader.variants[0]).source;
    assert!(source.contains(from), "{} no longer holds '{from}'", shader.name);
    source.replace(from, to)
}

#[test]
fn a_broken_shader_fails_its_kernels_comparison() {
    assert_eq!(SABOTAGE.map(|(kernel, ..)| kernel)[..], *Kernel::ALL, "every kernel has its sabotage");
    for (name, gpu) in gpus("sabotage", &[Checking::Off]) {
        let mut gpu = gpu;
        for (kernel, shader, from, to) in SABOTAGE {
            gpu.substitute(shader, broken(shader, from, to));
            let caught = kernel.cases().iter().any(|case| !checked(&gpu, case).passed());
            assert!(caught, "{name}: {} with '{to}' for '{from}' passes all its cases", kernel.name());
            // The next kernel's cases must fail by their own fault.
            gpu.substitute(shader, shader.variants[0].source.into());
            if shader.variants.len() > 1 {
                gpu = gpus("sabotage", &[Checking::Off]).into_iter().find(|(other, _)| *other == name).expect("still there").1;
            }
        }
    }
}

#[test]
fn the_one_element_that_a_broken_shader_spoils_is_named() {
    for (name, mut gpu) in gpus("worst element", &[Checking::Off]) {
        let shader = &shader::position_embedding::SHADER;
        gpu.substitute(shader, broken(shader, "y[i] =", "y[i] = select(0.0, 0.5, i == 37u) +"));
        let case = select(&[Kernel::PositionEmbedding], Some("lengths=15+0+16+17,width=20")).unwrap().swap_remove(0);
        let report = checked(&gpu, &case);
        let worst = report.agreement.worst.clone().expect("something is wrong");
        assert_eq!((worst.output.as_str(), worst.index, worst.place), ("output", 37, Some([1, 17])), "{name}: {report:?}");
        assert!((worst.got - worst.expected - 0.5).abs() < 1e-6, "{name}: {worst}");
        // In the output and in the output again.
        assert_eq!((report.agreement.outside, report.passed()), (2, false), "{name}: {report:?}");
    }
}

#[test]
fn a_pass_of_the_model_names_the_first_layer_that_a_broken_shader_spoils() {
    let sabotage = [
        (&shader::conv_pool::SHADER, "best + bias[output]", "best + 1.01 * bias[output]", "audio_encoder.conv1"),
        (&shader::position_embedding::SHADER, "+ table[", "+ 1.001 * table[", "positions.audio"),
        (&shader::residual_norm::SHADER, "EPSILON: f32 = 1e-5", "EPSILON: f32 = 1e-3", "cross.0.audio.norm1"),
        (&shader::global_max::SHADER, "value > best", "value < best", "classifier.pooled"),
        (&shader::cross_entropy::SHADER, "loss[0] = total / total_weight", "loss[0] = 1.001 * total / total_weight", "loss"),
        (&shader::bilstm::SHADER, "var dh = 0.5 *", "var dh = 0.51 *", "gradient of text_encoder.lstm.weight_ih_l0"),
    ];
    let settings = Settings::default().load(None, &["model.hidden=32".into(), "model.heads=4".into()]).unwrap();
    for (shader, from, to, layer) in sabotage {
        for (name, mut gpu) in gpus("first wrong layer", &[Checking::Off]) {
            gpu.substitute(shader, broken(shader, from, to));
            let points = pollster::block_on(check_model(&gpu, &settings, BatchShape::default(), 0)).unwrap();
            let first = points.iter().find(|point| !point.agreement.pass).map(|point| point.name.as_str());
            assert_eq!(first, Some(layer), "{name}: {}", shader.name);
        }
    }
}

#[test]
fn a_pass_of_the_model_departs_nowhere() {
    for (name, gpu) in &gpus("pass of the model", &[Checking::Off, Checking::All]) {
        let points = pollster::block_on(check_model(gpu, &Settings::default(), BatchShape::default(), 1)).unwrap();
        let wrong: Vec<_> = points.iter().filter(|point| !point.agreement.pass).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
}

#[test]
fn a_write_past_the_end_changes_a_guard_word() {
    for (name, mut gpu) in gpus("guard words", &[Checking::Guards]) {
        let shader = &shader::position_embedding::SHADER;
        let stray = "if (i + 8u >= args.rows * args.columns) { y[i + 8u] = 0.25; } y[i] =";
        gpu.substitute(shader, broken(shader, "y[i] =", stray));
        let report = checked(&gpu, &Kernel::PositionEmbedding.cases()[0]);
        assert!(!report.passed(), "{name}: {:?}", report.agreement);
        assert!(format!("{:?}", report.agreement).contains("guard word"), "{name}: {:?}", report.agreement);
    }
}

#[test]
fn a_shader_that_needs_too_much_workgroup_memory_is_refused_before_it_runs() {
    use mcsan::backend::gpu::check_limits;
    let limits = wgpu::Limits { max_compute_workgroup_storage_size: 1024, ..wgpu::Limits::default() };
    let entry = shader::SHADERS.iter().flat_map(|shader| shader.entries).find(|entry| entry.workgroup_memory[0] > 1024);
    let refused = check_limits(entry.expect("some kernel stages tiles"), 0, &limits);
    assert!(matches!(refused, Err(BackendError::Limit { what: "workgroup memory in bytes", .. })), "{refused:?}");
    for entry in shader::SHADERS.iter().flat_map(|shader| shader.entries) {
        for variant in 0..entry.workgroup_memory.len() {
            check_limits(entry, variant, &wgpu::Limits::default()).expect("every kernel fits WebGPU's default limits");
        }
    }
}

#[test]
fn a_buffer_beyond_the_limit_is_one_clear_error() {
    for (name, gpu) in &gpus("too large a buffer", &[Checking::Off]) {
        let huge = gpu.uninitialised([1 << 20, 1 << 14]);
        let error = pollster::block_on(gpu.read(&huge)).expect_err("64 GiB do not fit").to_string();
        assert!(error.contains("batch_size"), "{name}: {error}");
    }
}
