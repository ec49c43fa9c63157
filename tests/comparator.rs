//! The comparator sees what it is there to see, and the reference in float32 agrees with itself in float64.

use mcsan::backend::cpu::Cpu;
use mcsan::check::compare::{Agreement, Silence, Tolerance, compare};
use mcsan::check::{Case, Kernel, Output, check};
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
