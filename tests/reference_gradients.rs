//! Gradients of the reference against central differences in float64, of every kernel that has one.

use mcsan::check::{Gradient, Kernel, differences};

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
