//! Gradients of the reference against central differences in float64, of every kernel that has one.

use mcsan::backend::cpu::Cpu;
use mcsan::backend::ops::Tokens;
use mcsan::backend::{Ragged, Storage};
use mcsan::check::{Gradient, Kernel, differences};
use mcsan::tape::{Mode, Tape};

#[test]
fn every_gradient_is_that_of_central_differences() {
    let mut failures = Vec::new();
    for kernel in Kernel::ALL {
        match kernel.gradient() {
            Gradient::Proved(objectives) => {
                assert!(!objectives.is_empty(), "{kernel} has a gradient and no shape to prove it on");
                for mut objective in objectives {
                    failures.extend(differences(&mut *objective).into_iter().map(|difference| format!("{kernel}: {difference}")));
                }
            }
            Gradient::None(reason) => println!("{kernel} has none: {reason}"),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_kernel_with_a_way_back_has_a_gradient_to_prove() {
    for kernel in Kernel::ALL.iter().filter(|kernel| kernel.has_way_back()) {
        assert!(matches!(kernel.gradient(), Gradient::Proved(_)), "{kernel}");
    }
    assert!(Kernel::Linear.has_way_back() && !Kernel::Mfcc.has_way_back());
}

#[test]
fn a_sum_hands_its_gradient_to_both_and_a_detached_value_hands_on_none() {
    let cpu = Cpu::<f64>::new();
    let mut tape = Tape::new(&cpu, Mode::Train);
    let [a, b] = [[1.0, 2.0], [10.0, 20.0]].map(|values| tape.leaf(cpu.upload(&values, [1, 2])));
    let once = tape.add(&a, &b);
    let twice = tape.add(&once, &once);
    let detached = tape.detach(&a);
    let sum = tape.add(&detached, &twice);
    assert_eq!(*sum.value.values(), [23.0, 46.0]);
    let gradients = tape.backward(vec![(&sum, cpu.upload(&[1.0, -3.0], [1, 2]))]);
    for var in [&a, &b] {
        assert_eq!(*gradients.get(var).unwrap().values(), [2.0, -6.0]);
    }
    assert!(gradients.get(&detached).is_none());
}

#[test]
fn the_first_and_the_last_row_of_each_utterance_are_taken_and_get_its_gradient() {
    let cpu = Cpu::<f64>::new();
    let rows = Ragged::new(&cpu, &[3, 0, 1, 2]);
    let mut tape = Tape::new(&cpu, Mode::Train);
    let x = tape.leaf(cpu.upload(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [6, 1]));
    let [first, last] = [Tokens::first_rows(&cpu, &rows), Tokens::last_rows(&cpu, &rows)].map(|rows| tape.embedding(&x, &rows));
    assert_eq!(*first.value.values(), [1.0, 0.0, 4.0, 5.0]);
    assert_eq!(*last.value.values(), [3.0, 0.0, 4.0, 6.0]);
    let seeds = [[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]].map(|seed| cpu.upload(&seed, [4, 1]));
    let gradients = tape.backward([&first, &last].into_iter().zip(seeds).collect());
    assert_eq!(*gradients.get(&x).unwrap().values(), [1.0, 0.0, 10.0, 33.0, 4.0, 40.0]);
}
