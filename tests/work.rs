//! The work that an operation states is what each backend says it has done.

use mcsan::backend::cpu::Cpu;
use mcsan::backend::gpu::{Checking, Timing};
use mcsan::backend::ops::Accumulate;
use mcsan::backend::{Clock, Executions, Storage, Write};
use mcsan::check::{Case, Kernel};

use crate::common::gpus;

/// The kernels' first cases, forward and back.
fn cases() -> impl Iterator<Item = Case> {
    Kernel::ALL.iter().filter_map(|kernel| kernel.cases().into_iter().next())
}

/// FLOP and bytes of all that ran.
fn sums(executions: &Executions) -> [f64; 2] {
    [executions.runs.iter().map(|run| run.flop).sum(), executions.runs.iter().map(|run| run.bytes).sum()]
}

fn is_near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs()
}

/// No test here asks when something was.
fn clock() -> Clock {
    Box::new(|| 0.0)
}

#[test]
fn the_observer_of_the_reference_is_told_the_work_of_every_call() {
    let cpu = Cpu::<f32>::new();
    for case in cases() {
        cpu.start_profile(clock());
        case.prepare(&cpu)();
        let executions = cpu.finish_profile();
        let (work, [flop, bytes]) = (case.work(), sums(&executions));
        assert!(is_near(work.flop(), flop) && is_near(work.bytes, bytes) && bytes > 0.0, "{case}: {executions:?}");
        assert!(executions.runs.iter().any(|run| run.kernel == case.kernel().name()), "{case}: {executions:?}");
    }
}

#[test]
fn a_plan_has_no_dispatch_that_is_not_made_because_its_grid_is_empty() {
    let Some((name, gpu)) = gpus("plans", &[Checking::Off]).into_iter().next() else { return };
    let [none, some] = [0, 3].map(|rows| gpu.zeros([rows, 4]));
    let work = || {
        for matrix in [&none, &some] {
            Storage::run(&gpu, &Accumulate { x: matrix.clone(), sum: matrix.clone(), write: Write::Set });
        }
    };
    let ((), planned) = pollster::block_on(gpu.plan(async { work() }));
    let before = gpu.counters().dispatches;
    work();
    assert_eq!((planned.len(), gpu.counters().dispatches - before), (1, 1), "{name}: {planned:?}");
}

/// Bytes are more than stated: dispatches move numbers between them.
#[test]
fn the_dispatches_of_a_kernel_declare_the_flop_that_its_operation_states() {
    for (name, gpu) in &gpus("work", &[Checking::Off]) {
        for case in cases() {
            gpu.start_profile(Timing::Clock { repeats: 1 }, clock());
            case.prepare(gpu)();
            gpu.submit();
            let executions = pollster::block_on(gpu.finish_profile()).unwrap();
            let (work, [flop, bytes]) = (case.work(), sums(&executions));
            assert!(is_near(work.flop(), flop), "{name}, {case}: {work:?} stated, {flop} FLOP declared by {executions:?}");
            assert!(bytes >= work.bytes, "{name}, {case}: {work:?} stated, {bytes} bytes declared by {executions:?}");
        }
    }
}
