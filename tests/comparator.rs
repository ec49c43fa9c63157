//! The comparator sees what it is there to see, and the reference in float32 agrees with itself in float64.

use std::collections::HashMap;
use std::fmt;

use mcsan::backend::cpu::{Cpu, CpuTensor};
use mcsan::base::real::Real;
use mcsan::check::compare::{Agreement, Silence, Tolerance, compare};
use mcsan::check::model::check_model;
use mcsan::check::{
    Case, Evidence, Inputs, Kernel, Output, Prepared, Record, Recorded, SelectionError, Source, Subject, Values, check, dump, examine,
    fuzz, kernels_named, select,
};
use mcsan::config::Config;
use mcsan::dataset::BatchShape;
use proptest::prelude::*;

const TOLERANCE: Tolerance = Tolerance::of_rms(1e-5);

fn outputs(values: &[f64]) -> Vec<Output> {
    vec![Output { name: "output".into(), shape: [1, values.len()], values: values.to_vec() }]
}

fn compared(expected: &[f64], got: &[f64]) -> Agreement {
    compare(&outputs(expected), &outputs(got), TOLERANCE, Silence::Wrong)
}

fn numbers() -> Vec<f64> {
    (0..1000).map(|index| f64::from(index).sin()).collect()
}

fn corrupted(index: usize, value: f64) -> Vec<f64> {
    let mut values = numbers();
    values[index] = value;
    values
}

#[test]
fn equal_numbers_pass() {
    let agreement = compared(&numbers(), &numbers());
    assert!(agreement.pass && agreement.max_abs == 0.0 && agreement.rel_l2 == 0.0, "{agreement:?}");
}

#[test]
fn rounding_passes_and_is_measured() {
    let rounded: Vec<f64> = numbers().into_iter().map(|value| f64::from(value as f32)).collect();
    let agreement = compared(&numbers(), &rounded);
    assert!(agreement.pass && agreement.max_abs > 1e-9 && agreement.max_abs < 1e-7, "{agreement:?}");
}

#[test]
fn one_number_that_is_not_finite_fails_and_is_named() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let agreement = compared(&numbers(), &corrupted(431, value));
        assert!(!agreement.pass);
        assert_eq!(agreement.worst.unwrap().index, 431);
    }
}

#[test]
fn a_number_where_the_reference_has_none_fails() {
    assert!(!compared(&corrupted(5, f64::NAN), &numbers()).pass);
    assert!(!compared(&corrupted(5, f64::INFINITY), &corrupted(5, f64::NEG_INFINITY)).pass);
    assert!(compared(&corrupted(5, f64::NEG_INFINITY), &corrupted(5, f64::NEG_INFINITY)).pass);
}

#[test]
fn one_corrupted_element_fails_and_is_named() {
    let agreement = compared(&numbers(), &corrupted(999, numbers()[999] + 1e-4));
    assert!(!agreement.pass);
    let worst = agreement.worst.unwrap();
    assert_eq!((worst.output.as_str(), worst.index), ("output", 999));
}

#[test]
fn an_expectation_of_zeros_fails_unless_the_case_says_that_it_is_right() {
    let zeros = outputs(&[0.0; 20]);
    assert!(!compare(&zeros, &zeros, TOLERANCE, Silence::Wrong).pass);
    assert!(compare(&zeros, &zeros, TOLERANCE, Silence::Right).pass);
    assert!(!compare(&zeros, &outputs(&[1e-3; 20]), TOLERANCE, Silence::Right).pass);
}

#[test]
fn a_place_of_a_matrix_is_named_by_row_and_column_and_all_that_is_outside_is_counted() {
    let matrix = |values: Vec<f64>| vec![Output { name: "output".into(), shape: [20, 50], values }];
    let mut got = numbers();
    got[431] += 0.1;
    got[17] = f64::NAN;
    got[999] += 1e-3;
    let agreement = compare(&matrix(numbers()), &matrix(got), TOLERANCE, Silence::Wrong);
    let worst = agreement.worst.unwrap();
    assert_eq!((worst.index, worst.place, agreement.outside, agreement.elements), (17, Some([0, 17]), 3, 1000));
    let reason = agreement.reason.unwrap();
    assert!(reason.contains("output[17] = [row 0, column 17]: got NaN") && reason.contains("3 of 1000"), "{reason}");
}

#[test]
fn denormals_may_be_flushed_and_nothing_larger() {
    let exact = Tolerance::of_rms(0.0);
    let passes = |small: f64, got: f64| compare(&outputs(&[1.0, small]), &outputs(&[1.0, got]), exact, Silence::Wrong).pass;
    assert!(passes(1e-39, 0.0) && passes(0.0, -1e-39));
    assert!(!passes(1e-37, 0.0) && !passes(1e-39, f64::NAN));
}

#[test]
fn what_float32_cannot_hold_is_infinite() {
    assert!(compared(&corrupted(5, 1e39), &corrupted(5, f64::INFINITY)).pass);
    assert!(!compared(&corrupted(5, 1e39), &corrupted(5, f64::NEG_INFINITY)).pass);
    assert!(!compared(&corrupted(5, 1e37), &corrupted(5, f64::INFINITY)).pass);
}

#[test]
fn another_length_another_name_and_no_output_fail() {
    assert!(!compared(&numbers(), &numbers()[..999]).pass);
    let renamed = vec![Output { name: "gradient".into(), shape: [1, 1000], values: numbers() }];
    assert!(!compare(&outputs(&numbers()), &renamed, TOLERANCE, Silence::Wrong).pass);
    assert!(!compare(&outputs(&numbers()), &[], TOLERANCE, Silence::Wrong).pass);
    assert!(!compare(&[], &[], TOLERANCE, Silence::Wrong).pass);
}

#[test]
fn a_report_has_the_documented_fields() {
    let case = &Kernel::Linear.cases()[0];
    let report = pollster::block_on(check(&Cpu::<f32>::new(), case)).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((json["name"].as_str(), json["case"].as_str()), (Some("linear"), Some("rows=200,in=128,out=128")));
    assert!(json["pass"].as_bool().unwrap() && ["max_abs", "rel_l2", "bound"].iter().all(|&field| json[field].is_f64()), "{json}");
}

fn reference_in_float32(case: &Case) -> Result<(), String> {
    let report = pollster::block_on(check(&Cpu::<f32>::new(), case)).map_err(|error| format!("{case}: {error}"))?;
    report.agreement.reason.map_or(Ok(()), |reason| Err(format!("{case}: {reason}")))
}

#[test]
fn the_reference_in_float32_passes_every_case() {
    let cases = Kernel::ALL.iter().flat_map(|kernel| kernel.cases());
    let failures: Vec<String> = cases.filter_map(|case| reference_in_float32(&case).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn cases_of_a_kernel_have_names_of_their_own() {
    for kernel in Kernel::ALL {
        let mut names: Vec<String> = kernel.cases().iter().map(Case::name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{kernel}");
    }
}

#[test]
fn every_name_reads_back_as_the_case_that_it_names() {
    for kernel in Kernel::ALL {
        let random = (0..200).map(|seed| kernel.random_case(seed));
        for case in kernel.cases().into_iter().chain(random) {
            let read = kernel.case(&case.name()).unwrap_or_else(|error| panic!("{case}: {error}"));
            // By their words: NaN is no obstacle.
            assert_eq!(format!("{:?}", read.shape), format!("{:?}", case.shape), "{case}");
            assert_eq!(read.name(), case.name());
        }
        for case in kernel.cases() {
            assert_eq!(kernel.case(&case.name()).unwrap().seed, case.seed, "{case}: other inputs than the list's");
        }
        let usual = kernel.case("").unwrap();
        assert_eq!(kernel.case(&usual.name()).unwrap().name(), usual.name());
    }
}

#[test]
fn a_batch_is_typed_by_its_longest_or_by_every_length() {
    let name = |kernel: Kernel, text: &str| kernel.case(text).unwrap().name();
    assert_eq!(name(Kernel::Bilstm, "batch=3,rows=7,inputs=5,hidden=8"), "lengths=7+7+7,in=5,hidden=8");
    assert_eq!(name(Kernel::Bilstm, "batch=5,lengths=20,ragged,in=5,hidden=8,mixed"), "lengths=2+12+5+20+8,in=5,hidden=8,mixed");
    assert_eq!(name(Kernel::ZScore, "lengths=3+0,columns=2"), "lengths=3+0,columns=2,groups=1");
    assert_eq!(name(Kernel::Attention, "batch=1,queries=2,keys=3"), "batch=1,queries=2,keys=3,width=128,heads=8");
    assert_eq!(name(Kernel::GlobalMax, "lengths=2+1,columns=3,lengths=1+7,columns=65"), "lengths=2+1,columns=3,lengths=1+7,columns=65");
    assert_eq!(name(Kernel::GradientNorm, "count=3,gradients=2"), "count=3,gradients=±2");
}

#[test]
fn shapes_that_a_kernel_does_not_take_are_refused_with_what_it_takes() {
    for (kernel, text, words) in [
        (Kernel::Linear, "rows=0", "rows: '0' is no number from 1 to"),
        (Kernel::Linear, "rows=1,rows=2", "'rows' is given twice"),
        (Kernel::Linear, "relu=1", "relu is a switch"),
        (
            Kernel::Linear,
            "ties",
            "'ties' is no size of linear, which has rows=N, in|inputs=N, out|outputs=N, relu, tanh, no_bias, not_finite",
        ),
        (Kernel::ConvPool, "ties,not_finite", "ties and not_finite exclude each other"),
        (Kernel::Bilstm, "hidden=513", "hidden: '513' is no number from 1 to 512"),
        (Kernel::Bilstm, "lengths=3+x", "lengths: '3+x' is no number from 0 to 16777216, nor several with + between them"),
        (Kernel::Bilstm, "lengths=3+4,batch=3", "2 lengths for a batch of 3"),
        (Kernel::Bilstm, "lengths=3+4,ragged", "ragged draws lengths"),
        (Kernel::Bilstm, "lengths=0+0", "no sequence has a row"),
        (Kernel::GlobalMax, "lengths=3+0", "'3+0' is no number from 1"),
        (Kernel::Attention, "queries=3+4,keys=1+2+3", "3 lengths for a batch of 2"),
        (Kernel::Attention, "width=130,heads=2", "width of a head is 65; kernels take at most 64"),
        (Kernel::Attention, "batch=1,keys=9,infinite_scores", "the first utterance and of the last"),
        (Kernel::Mfcc, "transform=500", "no power of two"),
        (Kernel::Deltas, "orders=1,filters=2", "filters: '2' is no number from 1 to 1"),
        (Kernel::Dropout, "rate=1", "rate: '1' is no number from 0 to below 1"),
        (Kernel::LossScale, "good=2000", "good: '2000' is no number from 0 to 1999"),
        (Kernel::Adam, "clip=0", "clip: '0' is no number above 0"),
    ] {
        let refused = kernel.case(text).map(|case| case.name()).expect_err(text).to_string();
        assert!(refused.contains(words), "{kernel} {text}: {refused}");
    }
}

fn examined(case: &Case) -> Evidence {
    pollster::block_on(examine(&Cpu::<f32>::new(), case)).unwrap().1
}

/// A kernel that this crate does not have: `y = x²`, on the reference and, wrongly by `off`, on another backend.
struct Square {
    count: usize,
    off: f32,
}

impl fmt::Display for Square {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={}", self.count)
    }
}

impl Subject for Square {
    fn tolerance(&self) -> Tolerance {
        Tolerance::ROUNDING
    }
}

impl Square {
    fn squared<'a, T: Real>(&self, source: &mut Source, inputs: &Inputs<'a, Cpu<T>>, factor: T) -> Prepared<'a, Cpu<T>> {
        let shape = [1, self.count];
        let x = inputs.matrix("x", shape, &source.uniform(self.count, 1.0));
        Box::new(move || {
            let y = x.values().iter().map(|&value| factor * value * value).collect();
            vec![Recorded::new("y", CpuTensor::new(y, shape))]
        })
    }
}

impl Record<Cpu<f64>> for Square {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, Cpu<f64>>) -> Prepared<'a, Cpu<f64>> {
        self.squared(source, inputs, 1.0)
    }
}

impl Record<Cpu<f32>> for Square {
    fn prepare<'a>(&self, source: &mut Source, inputs: &Inputs<'a, Cpu<f32>>) -> Prepared<'a, Cpu<f32>> {
        self.squared(source, inputs, 1.0 + self.off)
    }
}

#[test]
fn a_kernel_of_ones_own_is_compared_with_its_own_reference() {
    let report = |off| pollster::block_on(check(&Cpu::<f32>::new(), &Case::of("square", Square { count: 100, off }, 3))).unwrap();
    let right = report(0.0);
    assert_eq!((right.name, right.case.as_str(), right.passed()), ("square", "count=100", true), "{right:?}");
    let wrong = report(1e-3);
    assert!(!wrong.passed() && wrong.agreement.worst.is_some_and(|worst| worst.output == "y"));
}

#[test]
fn kernels_and_cases_are_chosen_by_name() {
    let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    assert_eq!(kernels_named(&[]).unwrap(), Kernel::ALL);
    assert_eq!(kernels_named(&names(&["linear", "mfcc"])).unwrap(), [Kernel::Mfcc, Kernel::Linear]);
    let unknown = SelectionError::UnknownKernel { name: "atention".into(), nearest: "attention" };
    assert_eq!(kernels_named(&names(&["linear", "atention"])), Err(unknown));
    let linear = [Kernel::Linear];
    let exact = select(&linear, "rows=200,in=128,out=128").unwrap();
    assert_eq!(exact.iter().map(Case::name).collect::<Vec<_>>(), ["rows=200,in=128,out=128"]);
    assert!(select(&linear, "rows=200,in=128,out").unwrap().len() > 1);
    assert_eq!(select(&linear, "").unwrap().len(), Kernel::Linear.cases().len());
    let named = |text| select(&linear, text).unwrap().iter().map(Case::name).collect::<Vec<_>>();
    assert_eq!(named("rows=7,"), ["rows=7,in=128,out=128"]);
    // A whole name means that case, though listed ones begin like it.
    assert_eq!(named("rows=33,in=129,out=1"), ["rows=33,in=129,out=1"]);
    assert_eq!(named("rows=33,in=1,out=12"), ["rows=33,in=1,out=12"]);
    let refused = select(&linear, "row=7").unwrap_err().to_string();
    assert!(refused.contains("'row=7'") && refused.contains("rows=N, in|inputs=N"), "{refused}");
    assert!(matches!(select(Kernel::ALL, "row=7"), Err(SelectionError::NoCase { .. })));
}

#[test]
fn fuzzed_cases_are_made_again_by_their_seeds_alone() {
    let cases: Vec<Case> = fuzz(Kernel::ALL, 41).take(2 * Kernel::ALL.len()).collect();
    assert_eq!(cases.iter().map(Case::kernel).collect::<Vec<_>>(), [Kernel::ALL, Kernel::ALL].concat());
    for case in &cases {
        let again = case.kernel().random_case(case.seed);
        assert_eq!(case.name(), again.name());
        // By their bits: NaN is no obstacle.
        assert_eq!(format!("{:?}", examined(case)), format!("{:?}", examined(&again)), "{case}");
    }
    let others: Vec<String> = fuzz(Kernel::ALL, 42).take(cases.len()).map(|case| case.name()).collect();
    assert_ne!(cases.iter().map(Case::name).collect::<Vec<_>>(), others);
}

#[test]
fn other_inputs_are_drawn_from_another_seed() {
    let case = &Kernel::Linear.cases()[0];
    let [own, other] = [case.clone(), case.clone().reseeded(77)].map(|case| examined(&case));
    assert_eq!(own.inputs[0].shape, other.inputs[0].shape);
    assert_ne!(own.inputs[0].values, other.inputs[0].values);
}

#[test]
fn a_dump_holds_all_that_went_in_and_came_out() {
    let folder = tempfile::tempdir().unwrap();
    for case in Kernel::ALL.iter().map(|kernel| kernel.cases().swap_remove(0)) {
        let evidence = examined(&case);
        let path = folder.path().join(dump::file_name(&case, ""));
        dump::write(&path, &case, &evidence, "cpu", "none").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        for input in &evidence.inputs {
            let tensor = file.tensor(&format!("input.{}", input.name)).unwrap();
            let same: &[u8] = match &input.values {
                Values::Numbers(values) => bytemuck::cast_slice(values),
                Values::Words(words) => bytemuck::cast_slice(words),
            };
            assert!(tensor.data() == same && tensor.shape() == input.shape, "{case}: {}", input.name);
        }
        for (expected, got) in evidence.expected.iter().zip(&evidence.got) {
            let tensor = file.tensor(&format!("expected.{}", expected.name)).unwrap();
            assert!(tensor.data() == bytemuck::cast_slice::<f64, u8>(&expected.values) && tensor.shape() == expected.shape);
            let values: Vec<f32> = got.values.iter().map(|&value| value as f32).collect();
            assert_eq!(file.tensor(&format!("got.{}", got.name)).unwrap().data(), bytemuck::cast_slice::<f32, u8>(&values));
        }
        assert_eq!(file.len(), evidence.inputs.len() + 2 * evidence.expected.len(), "{case}: names occur twice");
        let metadata: HashMap<String, String> = safetensors::SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone().unwrap();
        assert_eq!((metadata["kernel"].as_str(), &metadata["case"]), (case.kernel().name(), &case.name()));
        assert_eq!((metadata["seed"].clone(), metadata["device"].as_str()), (case.seed.to_string(), "cpu"));
    }
}

#[test]
fn another_program_can_compute_from_a_dump_what_is_expected() {
    let case = select(&[Kernel::Linear], "rows=33,in=5,out=20").unwrap().swap_remove(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("linear.safetensors");
    dump::write(&path, &case, &examined(&case), "cpu", "none").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |name: &str| -> Vec<f64> {
        let read = |bytes: &[u8]| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()));
        file.tensor(name).unwrap().data().chunks_exact(4).map(read).collect()
    };
    let [x, weight, bias] = ["input.x", "input.weight", "input.bias"].map(numbers);
    let expected = file.tensor("expected.output").unwrap();
    let expected = expected.data().chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
    for (place, expected) in expected.enumerate() {
        let (row, column) = (place / 20, place % 20);
        let product: f64 = (0..5).map(|k| x[row * 5 + k] * weight[column * 5 + k]).sum();
        assert!((product + bias[column] - expected).abs() < 1e-12, "[{row}, {column}]");
    }
}

#[test]
fn a_pass_of_every_variant_in_float32_departs_nowhere() {
    for variant in ["full", "no_audio", "no_text", "no_self", "no_cross", "cross_self", "self_cross"] {
        let set = [format!("model.variant={variant}"), "model.hidden=32".into(), "model.heads=4".into(), "model.dropout=0.2".into()];
        let settings = Config::default().assign(&set).unwrap().settings;
        let shape: BatchShape = "batch=3,frames=40,words=5,ragged".parse().unwrap();
        let points = pollster::block_on(check_model(&Cpu::<f32>::new(), &settings, shape, 6)).unwrap();
        let wrong: Vec<_> = points.iter().filter(|point| !point.agreement.pass).collect();
        assert!(wrong.is_empty(), "{variant}: {wrong:?}");
        let mut names: Vec<&str> = points.iter().map(|point| point.name.as_str()).collect();
        let count = names.len();
        assert!(names.contains(&"loss") && names.contains(&"gradient of classifier.2.bias"), "{names:?}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "{variant}: a name occurs twice");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn the_reference_in_float32_passes_random_cases(seed in any::<u64>()) {
        for kernel in Kernel::ALL {
            if let Err(failure) = reference_in_float32(&kernel.random_case(seed)) {
                prop_assert!(false, "{}", failure);
            }
        }
    }
}
