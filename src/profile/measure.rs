//! Runs a piece of work again and again: first untouched, for its wall time, then with every kernel timed.

use std::cell::RefCell;
use std::future::{Future, ready};
use std::rc::Rc;
use std::time::Instant;

use crate::backend::cpu::Cpu;
use crate::backend::gpu::{Counters, Gpu, Timing};
use crate::backend::{Backend, Clock, Executions, Result};

/// A backend whose kernels can be timed.
pub trait Profiled: Backend {
    /// Whether it has clocks of its own for [`Timing::Timestamps`].
    fn has_timestamps(&self) -> bool;

    /// Times the kernels from here to [`Profiled::finish`].
    fn start(&self, timing: Timing, clock: Clock);

    /// What ran since.
    fn finish(&self) -> impl Future<Output = Result<Executions>>;

    /// What it was asked for so far, where that is counted.
    fn counters(&self) -> Option<Counters>;

    /// Runs `rounds` rounds of the work that nothing but arithmetic bounds.
    fn record_arithmetic(&self, rounds: u32);

    /// Runs the work that nothing but memory bounds.
    fn record_copy(&self);
}

/// Numbers of a copy: 128 MiB, more than caches hold.
pub(crate) const COPIED: usize = 1 << 25;

/// By the caller's clock: each call once, whatever `timing` says.
impl Profiled for Cpu<f32> {
    fn has_timestamps(&self) -> bool {
        false
    }

    fn start(&self, _: Timing, clock: Clock) {
        self.start_profile(clock);
    }

    fn finish(&self) -> impl Future<Output = Result<Executions>> {
        ready(Ok(self.finish_profile()))
    }

    fn counters(&self) -> Option<Counters> {
        None
    }

    fn record_arithmetic(&self, rounds: u32) {
        self.record_multiply_adds(rounds);
    }

    fn record_copy(&self) {
        Cpu::record_copy(self, COPIED);
    }
}

impl Profiled for Gpu {
    fn has_timestamps(&self) -> bool {
        Gpu::has_timestamps(self)
    }

    fn start(&self, timing: Timing, clock: Clock) {
        self.start_profile(timing, clock);
    }

    fn finish(&self) -> impl Future<Output = Result<Executions>> {
        self.finish_profile()
    }

    fn counters(&self) -> Option<Counters> {
        Some(Gpu::counters(self))
    }

    fn record_arithmetic(&self, rounds: u32) {
        self.record_multiply_adds(rounds);
    }

    fn record_copy(&self) {
        Gpu::record_copy(self, COPIED);
    }
}

/// How often, and by which clock.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Steps that are not looked at: shaders are compiled, memory is found.
    pub warmup: usize,
    /// Steps by the wall clock.
    pub steps: usize,
    /// Whether as many again follow with their kernels timed.
    pub kernels: bool,
    /// How the kernels are timed.
    pub timing: Timing,
}

/// Runs of a dispatch that is timed by the wall clock.
pub(crate) const REPEATS: u32 = 5;

/// The wall clock, and what the host did when: spans in nanoseconds since it was made.
#[derive(Clone)]
pub(crate) struct Stopwatch {
    zero: Instant,
    phases: Rc<RefCell<Vec<Phase>>>,
}

/// Something that the host did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Phase {
    pub name: &'static str,
    pub span: [f64; 2],
}

impl Stopwatch {
    /// A clock that starts now, with nothing done yet.
    pub(crate) fn start() -> Self {
        Self { zero: Instant::now(), phases: Rc::default() }
    }

    /// Nanoseconds so far.
    pub(crate) fn now(&self) -> f64 {
        self.zero.elapsed().as_nanos() as f64
    }

    /// The same, for a backend.
    pub(crate) fn clock(&self) -> Clock {
        let zero = self.zero;
        Box::new(move || zero.elapsed().as_nanos() as f64)
    }

    /// Does something and keeps how long it took.
    pub(crate) fn time<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let begin = self.now();
        let result = work();
        self.phases.borrow_mut().push(Phase { name, span: [begin, self.now()] });
        result
    }

    /// Waits for something and keeps how long it took.
    pub(crate) async fn wait<T>(&self, name: &'static str, work: impl Future<Output = T>) -> T {
        let begin = self.now();
        let result = work.await;
        self.phases.borrow_mut().push(Phase { name, span: [begin, self.now()] });
        result
    }
}

/// One step with its kernels timed.
pub(crate) struct ProfiledStep {
    /// Nanoseconds.
    pub wall: f64,
    pub phases: Vec<Phase>,
    pub executions: Executions,
}

/// All steps.
pub(crate) struct Measurement {
    /// Nanoseconds of the very first step, which compiles the shaders and finds the memory.
    pub first: f64,
    /// Nanoseconds of each step that nobody looked into.
    pub walls: Vec<f64>,
    /// What one of them asked of the device.
    pub counters: Option<Counters>,
    pub steps: Vec<ProfiledStep>,
    /// The clock that was used in the end: where timestamps are missing, the wall clock.
    pub timing: Timing,
}

/// Runs `work` as planned.
///
/// # Errors
/// Those of the work and of the device.
pub(crate) async fn measure<B: Profiled, E: From<crate::backend::BackendError>>(
    backend: &B,
    plan: Plan,
    mut work: impl AsyncFnMut(&Stopwatch) -> std::result::Result<(), E>,
) -> std::result::Result<Measurement, E> {
    let watch = Stopwatch::start();
    let mut first = None;
    for _ in 0..plan.warmup {
        let begin = watch.now();
        work(&watch).await?;
        first.get_or_insert(watch.now() - begin);
    }
    let mut walls = Vec::with_capacity(plan.steps);
    let mut counters = None;
    for _ in 0..plan.steps {
        let before = backend.counters();
        let begin = watch.now();
        work(&watch).await?;
        walls.push(watch.now() - begin);
        first.get_or_insert(watch.now() - begin);
        counters = backend.counters().zip(before).map(|(after, before)| after.since(&before));
    }
    let mut timing = match plan.timing {
        Timing::Timestamps if !backend.has_timestamps() => Timing::Clock { repeats: REPEATS },
        timing => timing,
    };
    let timed = if plan.kernels { plan.steps } else { 0 };
    let mut steps = Vec::with_capacity(timed);
    while steps.len() < timed {
        watch.phases.borrow_mut().clear();
        backend.start(timing, watch.clock());
        let begin = watch.now();
        let done = work(&watch).await;
        let wall = watch.now() - begin;
        let executions = backend.finish().await?;
        done?;
        if timing == Timing::Timestamps && executions.runs.iter().any(|run| run.span.is_none()) {
            timing = Timing::Clock { repeats: REPEATS };
            steps.clear();
            continue;
        }
        steps.push(ProfiledStep { wall, phases: watch.phases.take(), executions });
    }
    Ok(Measurement { first: first.unwrap_or(0.0), walls, counters, steps, timing })
}
