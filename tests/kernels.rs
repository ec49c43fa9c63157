//! Every kernel on every adapter: right on all cases, as users run it and with run-time checks, poisoned outputs and guard
//! words; and every check able to fail.

use crate::common::gpus;
use mcsan::backend::gpu::{Checking, Gpu, shader};
use mcsan::backend::{BackendError, Storage};
use mcsan::check::model::check_model;
use mcsan::check::{Case, Kernel, Report, check, select};
use mcsan::config::{Config, Settings};
use mcsan::dataset::BatchShape;
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

/// What is broken in each shader of a kernel: a small change that the kernel's comparison must see in every variant that runs.
const SABOTAGE: [(Kernel, &shader::Shader, &str, &str); 26] = [
    (Kernel::Mfcc, &shader::mfcc::SHADER, "3.0102999566", "3.02"),
    (Kernel::Deltas, &shader::deltas::SHADER, "range.y - args.width) + k", "range.y - args.width + 1u) + k"),
    (Kernel::ZScore, &shader::z_score::SHADER, "- mean[statistic]", "- 1.001 * mean[statistic]"),
    (Kernel::Embedding, &shader::embedding::SHADER, "total += y_gradient[", "total += 1.001 * y_gradient["),
    (Kernel::PositionEmbedding, &shader::position_embedding::SHADER, "+ table[", "+ 1.001 * table["),
    (Kernel::Accumulate, &shader::accumulate::SHADER, "out[i] += x[i]", "out[i] = x[i]"),
    (Kernel::ConvPool, &shader::conv_pool::SHADER, "vec4<f32>(rows.y)", "vec4<f32>(rows.x)"),
    (Kernel::ConvPool, &shader::conv_pool::SHADER, "(2u - winner)", "(0u * winner)"),
    (Kernel::ConvPool, &shader::conv_pool_edges::SHADER, "(row - begin) %", "(row - begin + 1u) %"),
    (Kernel::Linear, &shader::linear::SHADER, "value += bias[output]", "value += 1.001 * bias[output]"),
    (Kernel::Linear, &shader::linear::SHADER, "values += bias_quad(output)", "values += 1.001 * bias_quad(output)"),
    (Kernel::Linear, &shader::linear::SHADER, "row[0] + first_bias", "row[0] + 1.001 * first_bias"),
    (Kernel::Linear, &shader::linear::SHADER, "sum += bias[output]", "sum += 1.001 * bias[output]"),
    (Kernel::Linear, &shader::slabs::SHADER, "total += partial[", "total += 1.001 * partial["),
    (Kernel::Bilstm, &shader::bilstm::SHADER, "(1.0 - squashed * squashed)", "(1.001 - squashed * squashed)"),
    (Kernel::Bilstm, &shader::bilstm_edges::SHADER, "= 0.5 * (hidden_states", "= 0.501 * (hidden_states"),
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

/// A shader, a part of it, and what stands there instead.
type Sabotage = (&'static shader::Shader, &'static str, &'static str);

/// The variants of a shader that hold a text, with another in its place.
fn broken(shader: &shader::Shader, from: &str, to: &str) -> Vec<(&'static shader::Variant, String)> {
    let variants = shader.variants.iter().filter(|variant| variant.source.contains(from));
    let sources: Vec<_> = variants.map(|variant| (variant, variant.source.replace(from, to))).collect();
    assert!(!sources.is_empty(), "{} no longer holds '{from}'", shader.name);
    sources
}

/// Breaks every variant of a shader that holds the text.
fn break_shader(gpu: &mut Gpu, shader: &'static shader::Shader, from: &str, to: &str) {
    broken(shader, from, to).into_iter().for_each(|(variant, source)| gpu.substitute(shader, variant, source));
}

#[test]
fn every_kernel_and_every_variant_of_every_shader_has_its_sabotage() {
    for kernel in Kernel::ALL {
        assert!(SABOTAGE.iter().any(|(sabotaged, ..)| sabotaged == kernel), "{}", kernel.name());
    }
    for shader in shader::SHADERS {
        let own: Vec<_> = SABOTAGE.iter().filter(|(_, sabotaged, ..)| sabotaged.name == shader.name).collect();
        for variant in shader.variants {
            assert!(own.iter().any(|(_, _, from, _)| variant.source.contains(from)), "{}.{}", shader.name, variant.name);
        }
    }
}

#[test]
fn a_broken_shader_fails_its_kernels_comparison() {
    for (name, mut gpu) in gpus("sabotage", &[Checking::Off]) {
        for (kernel, shader, from, to) in SABOTAGE {
            for (variant, source) in broken(shader, from, to) {
                gpu.substitute(shader, variant, source);
                let caught = kernel.cases().iter().any(|case| !checked(&gpu, case).passed());
                if !gpu.variants_run().contains(&(shader.name, variant.name)) {
                    println!("skipped: {name} never runs {}.{}", shader.name, variant.name);
                    continue;
                }
                // Where faster variants run, those without a need get what is left: too few cases to be sure.
                let judged = gpu.fast_paths().is_empty() || shader.variants.len() == 1 || !variant.requirements.is_empty();
                assert!(caught || !judged, "{name}: {}.{} with '{to}' for '{from}' passes all its cases", shader.name, variant.name);
                // The next cases must fail by their own fault.
                gpu.substitute(shader, variant, variant.source.into());
            }
        }
    }
}

#[test]
fn the_one_element_that_a_broken_shader_spoils_is_named() {
    for (name, mut gpu) in gpus("worst element", &[Checking::Off]) {
        let shader = &shader::position_embedding::SHADER;
        // The second of the four columns that number 9 of the case's variant, `vec4`, stands for.
        break_shader(&mut gpu, shader, "y[i] =", "y[i] = select(vec4<f32>(), vec4<f32>(0.0, 0.5, 0.0, 0.0), i == 9u) +");
        let case = select(&[Kernel::PositionEmbedding], Some("lengths=15+0+16+17,width=20")).unwrap().swap_remove(0);
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
    let sabotage: [(Sabotage, &str); 6] = [
        ((&shader::conv_pool::SHADER, "best + ", "best + 1.01 * "), "audio_encoder.conv1"),
        ((&shader::position_embedding::SHADER, "+ table[", "+ 1.001 * table["), "positions.audio"),
        ((&shader::residual_norm::SHADER, "EPSILON: f32 = 1e-5", "EPSILON: f32 = 1e-3"), "cross.0.audio.norm1"),
        ((&shader::global_max::SHADER, "value > best", "value < best"), "classifier.pooled"),
        ((&shader::cross_entropy::SHADER, "loss[0] = total / total_weight", "loss[0] = 1.001 * total / total_weight"), "loss"),
        (
            (&shader::bilstm::SHADER, "(1.0 - squashed * squashed)", "(1.02 - squashed * squashed)"),
            "gradient of text_encoder.lstm.weight_ih_l0",
        ),
    ];
    let settings = Config::default().load(None, &["model.hidden=32".into(), "model.heads=4".into()]).unwrap().settings;
    for ((shader, from, to), layer) in sabotage {
        for (name, mut gpu) in gpus("first wrong layer", &[Checking::Off]) {
            break_shader(&mut gpu, shader, from, to);
            let points = pollster::block_on(check_model(&gpu, &settings, small(), 0)).unwrap();
            let first = points.iter().find(|point| !point.agreement.pass).map(|point| point.name.as_str());
            assert_eq!(first, Some(layer), "{name}: {}", shader.name);
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
fn a_write_past_the_end_changes_a_guard_word() {
    for (name, mut gpu) in gpus("guard words", &[Checking::Guards]) {
        let shader = &shader::position_embedding::SHADER;
        let stray = "if (i + 2u >= args.rows * width) { y[i + 2u] = Element(0.25); } y[i] =";
        break_shader(&mut gpu, shader, "y[i] =", stray);
        let report = checked(&gpu, &Kernel::PositionEmbedding.cases()[0]);
        assert!(!report.passed(), "{name}: {:?}", report.agreement);
        assert!(format!("{:?}", report.agreement).contains("guard word"), "{name}: {:?}", report.agreement);
    }
}

#[test]
fn a_shader_that_needs_too_much_workgroup_memory_is_refused_before_it_runs() {
    use mcsan::backend::gpu::check_limits;
    let limits = wgpu::Limits { max_compute_workgroup_storage_size: 1024, ..wgpu::Limits::default() };
    let footprints = || shader::SHADERS.iter().flat_map(|shader| shader.variants).flat_map(|variant| variant.footprints);
    let large = footprints().find(|footprint| footprint.workgroup_memory > 1024);
    let refused = check_limits(large.expect("some kernel stages tiles"), &limits);
    assert!(matches!(refused, Err(BackendError::Limit { what: "workgroup memory in bytes", .. })), "{refused:?}");
    for footprint in footprints() {
        check_limits(footprint, &wgpu::Limits::default()).expect("every kernel fits WebGPU's default limits");
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
