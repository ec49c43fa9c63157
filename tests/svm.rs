//! Support vector machines on the host against scikit-learn's and SciPy's figures (`tests/pytorch/svm.py`), and by what must hold of them.

use std::cell::Cell;
use std::path::PathBuf;

use mcsan::base::memory::Bytes;
use mcsan::dataset::store::Store;
use mcsan::svm::{FitOptions, Gram, GramKernel, Interrupted, KernelFamily, Machine, Rows, Samples, Scaling, learn, room, select, solve};

/// The fixture: samples, and what scikit-learn makes of them.
struct Fixture {
    store: Store,
    features: Vec<f32>,
    labels: Vec<u32>,
    first: usize,
    second: usize,
    classes: usize,
}

impl Fixture {
    fn load() -> Self {
        let store = Store::open(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/svm.safetensors")).unwrap();
        let integers = |name: &str| store.tensor(name).unwrap().integers().unwrap();
        let sizes: Vec<usize> = integers("sizes").into_iter().map(|size| size as usize).collect();
        let labels = integers("labels").into_iter().map(|label| label as u32).collect();
        let features = store.tensor("features").unwrap().floats().unwrap();
        Self { features, labels, first: sizes[0], second: sizes[1], classes: sizes[2], store }
    }

    fn numbers(&self, name: &str) -> Vec<f64> {
        self.store.tensor(name).unwrap().doubles().unwrap()
    }

    fn samples(&self) -> Samples<'_> {
        Samples { features: &self.features, first: self.first, second: self.second, labels: &self.labels }
    }

    fn signs(&self) -> Vec<Vec<f64>> {
        let sign = |class: usize, label: u32| if label as usize == class { 1.0 } else { -1.0 };
        (0..self.classes).map(|class| self.labels.iter().map(|&label| sign(class, label)).collect()).collect()
    }

    fn scaled(&self, columns: impl Iterator<Item = usize> + Clone) -> Vec<f32> {
        Scaling::of(&self.features, self.first + self.second).apply(&self.features, columns)
    }

    fn chosen(&self) -> Vec<usize> {
        self.store.tensor("chosen").unwrap().integers().unwrap().into_iter().map(|place| place as usize).collect()
    }

    fn family(&self) -> KernelFamily {
        let chosen: Vec<usize> = self.chosen().into_iter().map(|place| self.first + place).collect();
        let second = Gram::of(&self.scaled(chosen.iter().copied()), chosen.len());
        KernelFamily::new(vec![Gram::of(&self.scaled(0..self.first), self.first), second])
    }
}

const ALWAYS: fn() -> bool = || true;
const C: [f64; 3] = [0.1, 1.0, 10.0];

/// The samples' decision values with a machine's α.
fn decisions(rows: &mut Rows<'_, mcsan::svm::KernelSum<'_>>, signs: &[f64], alpha: &[f64], bias: f64) -> Vec<f64> {
    let value = |sample: usize| {
        let row = rows.get(sample);
        alpha.iter().zip(signs).zip(row.iter()).map(|((alpha, sign), &k)| alpha * sign * f64::from(k)).sum::<f64>() + bias
    };
    (0..signs.len()).map(value).collect()
}

#[test]
fn machines_over_a_sum_of_kernels_are_scikit_learns() {
    let fixture = Fixture::load();
    let family = fixture.family();
    let count = fixture.labels.len();
    let sum = family.sum(&fixture.numbers("weights"));
    for c in C {
        let mut rows = Rows::of(&sum);
        let (expected, objectives) = (fixture.numbers(&format!("decisions.{c:?}")), fixture.numbers(&format!("objectives.{c:?}")));
        for (class, signs) in fixture.signs().iter().enumerate() {
            let solution = solve(&mut rows, signs, c, None, &ALWAYS).unwrap();
            let balance: f64 = solution.alpha.iter().zip(signs).map(|(alpha, sign)| alpha * sign).sum();
            assert!(balance.abs() < 1e-9 && solution.alpha.iter().all(|alpha| (0.0..=c).contains(alpha)), "C {c}, class {class}");
            assert!(
                (solution.objective - objectives[class]).abs() < 1e-3 * objectives[class],
                "C {c}: {} {objectives:?}",
                solution.objective
            );
            let got = decisions(&mut rows, signs, &solution.alpha, solution.bias);
            for (got, want) in got.iter().zip(&expected[class * count..]) {
                assert!((got - want).abs() < 1e-3, "C {c}, class {class}: {got} for {want}");
            }
            // From its own solution nothing is left to do.
            let again = solve(&mut rows, signs, c, Some(&solution.alpha), &ALWAYS).unwrap();
            assert_eq!(again.alpha, solution.alpha);
        }
    }
}

#[test]
fn columns_are_chosen_as_by_scikit_learns_linear_machines() {
    let fixture = Fixture::load();
    let scaled = fixture.scaled(fixture.first..fixture.first + fixture.second);
    let chosen = select(&scaled, fixture.second, &fixture.signs(), &ALWAYS).unwrap();
    assert_eq!(chosen, fixture.chosen());
    assert!(chosen.len() < fixture.second);
}

#[test]
fn a_learned_sum_of_kernels_is_as_near_to_the_least_objective_as_it_says() {
    let fixture = Fixture::load();
    let (family, signs) = (fixture.family(), fixture.signs());
    for c in C {
        let least = fixture.numbers(&format!("least.{c:?}"))[0];
        let learned = learn(&family, &signs, c, &ALWAYS).unwrap();
        let above = (learned.objective - least) / learned.objective;
        println!("C {c}: {above:.1e} above the least, at most {:.1e}; {:?}", learned.gap, learned.weights);
        assert!((learned.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && learned.weights.iter().all(|&weight| weight >= 0.0));
        assert!(above > -1e-3 && above <= learned.gap + 1e-3 && learned.gap < 0.01, "C {c}: {above} above, {} said", learned.gap);
    }
}

fn fit(fixture: &Fixture, c: Option<f64>) -> Machine {
    let options = FitOptions { classes: fixture.classes, c, subset: 60, going_on: &ALWAYS };
    Machine::fit(fixture.samples(), options, None).unwrap()
}

#[test]
fn a_machine_says_of_its_samples_what_it_was_solved_for_and_the_same_of_each_alone() {
    let fixture = Fixture::load();
    let machine = fit(&fixture, Some(1.0));
    assert_eq!(machine, fit(&fixture, None), "without a judge C is 1");
    let all = machine.decide(&fixture.features);
    let columns = machine.columns();
    let one_by_one: Vec<f32> = fixture.features.chunks_exact(columns).flat_map(|row| machine.decide(row)).collect();
    assert_eq!(all, one_by_one);

    let family = fixture.family();
    let sum = family.sum(&machine.weights);
    let mut rows = Rows::of(&sum);
    for (class, signs) in fixture.signs().iter().enumerate() {
        let solution = solve(&mut rows, signs, 1.0, None, &ALWAYS).unwrap();
        let expected = decisions(&mut rows, signs, &solution.alpha, solution.bias);
        for (sample, want) in expected.iter().enumerate() {
            let got = f64::from(all[sample * fixture.classes + class]);
            assert!((got - want).abs() < 1e-4, "class {class}, sample {sample}: {got} for {want}");
        }
    }
    let mut damaged = fixture.features.clone();
    damaged[3] = f32::INFINITY;
    let decided = machine.decide(&damaged);
    assert!(decided[..3].iter().all(|value| value.is_nan()) && decided[3..] == all[3..]);
}

#[test]
fn the_judge_chooses_c_the_first_of_equals() {
    let fixture = Fixture::load();
    for (figures, expected) in [([0.1, 0.4, 0.3], 1.0), ([0.2; 3], 0.1), ([0.0, 0.1, 0.2], 10.0)] {
        let asked = Cell::new(0);
        let mut judge = |_: &Machine| figures[asked.replace(asked.get() + 1)];
        let options = FitOptions { classes: fixture.classes, c: None, subset: 30, going_on: &ALWAYS };
        let machine = Machine::fit(fixture.samples(), options, Some(&mut judge)).unwrap();
        assert_eq!((machine.c, asked.get()), (expected, 3));
    }
}

#[test]
fn samples_of_one_class_are_of_that_class_and_a_wish_to_stop_is_heard() {
    let fixture = Fixture::load();
    let alike = vec![1; fixture.labels.len()];
    let options = FitOptions { classes: 3, c: Some(1.0), subset: 40, going_on: &ALWAYS };
    let machine = Machine::fit(Samples { labels: &alike, ..fixture.samples() }, options, None).unwrap();
    assert_eq!(machine.decide(&fixture.features[..machine.columns()]), [-1.0, 1.0, -1.0]);

    let stopped = Machine::fit(fixture.samples(), FitOptions { going_on: &|| false, ..options }, None);
    assert_eq!(stopped.unwrap_err(), Interrupted);
}

#[test]
fn a_fit_that_has_no_room_is_known_beforehand() {
    let square = |samples: u64| 4 * samples * samples;
    assert_eq!(room(100, 7, 10), Ok(Bytes(3 * square(100) + 2 * square(10) + 2 * 100 * 7 * 4)));
    let [needed, free] = room(10_000_000, 7000, 4000).unwrap_err();
    assert!(needed > Bytes(2 * square(10_000_000)) && free < needed, "{needed}, {free}");
}

#[test]
fn a_kernel_of_two_samples_is_solved_exactly() {
    // Far apart in one column: both are on their margin, α = 2 / |x - y|².
    let gram = Gram::of(&[0.0, 2.0], 1);
    let kernel = GramKernel(&gram);
    let solution = solve(&mut Rows::of(&kernel), &[-1.0, 1.0], 10.0, None, &ALWAYS).unwrap();
    assert!(solution.alpha.iter().all(|alpha| (alpha - 0.5).abs() < 1e-12), "{solution:?}");
    assert_eq!((solution.bias, solution.objective), (-1.0, 0.5));
}
