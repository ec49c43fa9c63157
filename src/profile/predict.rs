//! What a step would take on a chip that is not here: a roofline with waves. Each dispatch takes as long as the longest of what binds
//! it, by its grid, its work and what compilers make of its kernel; then comes the next. A model, some third off at best, for
//! comparing one way of computing with another and for being compared with the first measurement.

use serde::Serialize;

use super::chips::Chip;
use super::report;
use crate::backend::gpu::PlannedDispatch;

/// What a dispatch takes its time for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BoundBy {
    /// Issuing instructions on the processor that has most workgroups.
    Issue,
    /// Traffic.
    Memory,
    /// Loads, each of which waits for the one before.
    Latency,
    /// Waiting for the dispatch before.
    Dispatch,
}

/// A kernel's entry point in a predicted step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PredictedKernel {
    pub name: String,
    pub dispatches: usize,
    pub ms: f64,
    /// By the chip's roofs alone.
    pub floor_ms: f64,
    /// What takes most of it.
    pub bound_by: BoundBy,
}

/// A predicted step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Prediction {
    pub chip: &'static str,
    pub title: &'static str,
    pub what: String,
    pub on: String,
    pub predicted_ms: f64,
    pub floor_ms: f64,
    /// Slowest first.
    pub kernels: Vec<PredictedKernel>,
}

/// Predicts what the dispatches of a step take on a chip, one after the other.
pub(crate) fn predict(chip: &Chip, [what, on]: [String; 2], dispatches: &[PlannedDispatch]) -> Prediction {
    let mut kernels: Vec<(PredictedKernel, [f64; 4])> = Vec::new();
    for dispatch in dispatches {
        let name = report::name(&dispatch.execution);
        let place = kernels.iter().position(|(kernel, _)| kernel.name == name).unwrap_or_else(|| {
            let kernel = PredictedKernel { name, dispatches: 0, ms: 0.0, floor_ms: 0.0, bound_by: BoundBy::Dispatch };
            kernels.push((kernel, [0.0; 4]));
            kernels.len() - 1
        });
        let (kernel, bounds) = &mut kernels[place];
        let (microseconds, bound_by) = time(chip, dispatch);
        kernel.dispatches += 1;
        kernel.ms += microseconds / 1e3;
        kernel.floor_ms += floor(chip, dispatch) / 1e3;
        bounds[bound_by as usize] += microseconds;
    }
    let settle = |(kernel, bounds): (PredictedKernel, [f64; 4])| {
        let all = [BoundBy::Issue, BoundBy::Memory, BoundBy::Latency, BoundBy::Dispatch];
        let bound_by = all.into_iter().max_by(|&a, &b| bounds[a as usize].total_cmp(&bounds[b as usize]));
        PredictedKernel { bound_by: bound_by.unwrap_or(kernel.bound_by), ..kernel }
    };
    let mut kernels: Vec<PredictedKernel> = kernels.into_iter().map(settle).collect();
    kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    let [predicted_ms, floor_ms] =
        [|kernel: &PredictedKernel| kernel.ms, |kernel: &PredictedKernel| kernel.floor_ms].map(|figure| kernels.iter().map(figure).sum());
    Prediction { chip: chip.name, title: chip.title, what, on, predicted_ms, floor_ms, kernels }
}

/// Microseconds that some dispatches take on a chip, one after the other.
pub(crate) fn microseconds(chip: &Chip, dispatches: &[PlannedDispatch]) -> f64 {
    dispatches.iter().map(|dispatch| time(chip, dispatch).0).sum()
}

/// Microseconds that the roofs allow.
fn floor(chip: &Chip, dispatch: &PlannedDispatch) -> f64 {
    (dispatch.execution.flop / chip.peak()).max(dispatch.execution.bytes / chip.traffic())
}

/// Part of its bandwidth that memory gives to kernels that read and write rows.
const OF_BANDWIDTH: f64 = 0.87;
/// Invocations for each lane of a processor that hide how long an instruction takes, …
const HIDING: u32 = 4;
/// … and how much longer a workgroup takes where fewer are at work.
const EXPOSED: f64 = 1.25;
/// Cycles of a load that the next waits for, with what is done with it.
const LOAD: f64 = 1000.0;

/// Microseconds of a dispatch, and what they are spent on.
fn time(chip: &Chip, dispatch: &PlannedDispatch) -> (f64, BoundBy) {
    let PlannedDispatch { execution, invocations, workgroup_memory } = dispatch;
    let groups = execution.grid.map_or(1, |grid| grid.iter().map(|&size| u64::from(size)).product::<u64>()).max(1);
    let cycles = chip.gigahertz * 1e3;

    // The processor that has most workgroups decides; it holds so many at a time.
    let most = groups.div_ceil(chip.processors.into());
    let held = [chip.invocations / invocations.max(&1), chip.workgroup_memory / workgroup_memory.max(&1)].into_iter().min();
    let at_work = most.min(held.unwrap_or(1).max(1).into()) * u64::from(*invocations);
    let stretch = if at_work < u64::from(HIDING * chip.lanes) { EXPOSED } else { 1.0 };
    // Workgroups at work at a time share the lanes.
    let lanes = at_work.clamp(1, chip.lanes.into()) as f64;
    let issue = match execution.kernel {
        "bilstm" => recurrence(chip, dispatch, LSTM),
        "gru" => recurrence(chip, dispatch, GRU),
        _ => most as f64 * stretch * execution.flop / groups as f64 / 2.0 / lanes / multiply_adds(dispatch),
    };
    // Matrices are multiplied by units of their own, which may be slower than what feeds them.
    let by_matrices = match execution.variant {
        Some(variant) if variant.contains("matrices") => most as f64 * execution.flop / groups as f64 / 2.0 / f64::from(chip.by_matrices),
        _ => 0.0,
    };
    let issue = issue.max(by_matrices) / cycles;

    let memory = execution.bytes / chip.traffic() / OF_BANDWIDTH;
    let latency = serial_loads(dispatch) * LOAD / cycles;
    let bounds = [(issue, BoundBy::Issue), (memory, BoundBy::Memory), (latency, BoundBy::Latency)];
    let (longest, bound_by) = bounds.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, BoundBy::Dispatch));
    (longest + chip.between, if longest < chip.between { BoundBy::Dispatch } else { bound_by })
}

/// Share of a kernel's instructions that are multiply-adds which its FLOP count: of products, convolutions and recurrence what
/// `benches/offline.csv` says of their loops on the H100; of attention 32 for each pair of a query and a key, since exponentials count
/// for nothing and scores that are computed again neither. An instruction of matrices has several of each invocation: 65,536 of a subgroup
/// in a turn of a loop.
fn multiply_adds(dispatch: &PlannedDispatch) -> f64 {
    let variant = dispatch.execution.variant.unwrap_or_default();
    let [forward, input, weight] = match dispatch.execution.kernel {
        "linear" if variant.contains("matrices") => [188.0, 285.0, 540.0].map(|instructions| 65_536.0 / 32.0 / instructions),
        "linear" if variant.contains("rounded") => [0.54, 0.52, 0.52],
        "linear" if variant.contains("tile128x128") => [0.88, 0.87, 0.86],
        "linear" if variant.contains("tile128x64") => [0.86, 0.85, 0.85],
        "linear" if variant.contains("tile32x32") => [0.79, 0.78, 0.79],
        "linear" if variant.contains("narrow") => [0.80, 0.79, 0.78],
        "linear" => [0.83, 0.86, 0.86],
        "conv_pool" if variant.contains("narrow") => [0.77, 0.72, 0.75],
        "conv_pool" => [0.85, 0.82, 0.85],
        "bilstm" if variant.contains("hidden128") => [0.82; 3],
        "bilstm" if dispatch.execution.entry == "backward" => [0.48; 3],
        "bilstm" => [0.71; 3],
        "gru" if variant.contains("to128") => [0.60; 3],
        "gru" if dispatch.execution.entry == "backward" => [0.64; 3],
        "gru" => [0.70; 3],
        "attention" if variant.contains("matrices") => match dispatch.execution.entry {
            "backward_queries" => [32.0 * 16.0 / 546.0; 3],
            "backward_keys" => [32.0 * 16.0 / 722.0; 3],
            _ => [32.0 * 16.0 / 567.0; 3],
        },
        "attention" if variant.contains("rounded") => match dispatch.execution.entry {
            "backward_queries" => [32.0 / 84.0; 3],
            "backward_keys" => [32.0 / 109.0; 3],
            _ => [32.0 * 8.0 / 460.0; 3],
        },
        "attention" if dispatch.execution.entry == "backward_queries" => [32.0 / 69.0; 3],
        "attention" if dispatch.execution.entry == "backward_keys" => [32.0 / 87.0; 3],
        "attention" => [32.0 * 8.0 / 427.0; 3],
        // Sums, activations and addresses: of ten instructions one computes.
        _ => [0.10; 3],
    };
    match dispatch.execution.entry {
        "backward_input" => input,
        "backward_weight" => weight,
        _ => forward,
    }
}

/// What a step of a recurrence takes.
struct RecurrentStep {
    /// Gates of a unit, each with a sum over all units.
    gates: f64,
    /// Instructions beside the products, of one invocation on the way forward and back: gates, states, addresses, sums of parts …
    beside: [f64; 2],
    /// … those that round factors …
    rounding: [f64; 2],
    /// … and those that would be issued while the workgroup waits at the step's barriers.
    barriers: f64,
    /// All instructions of a step by matrices, whose units multiply after what is issued …
    by_matrices: [f64; 2],
    /// … and those before the first step that bring the weights into registers, with what would be issued at their barriers.
    holding: [f64; 2],
}

const LSTM: RecurrentStep = RecurrentStep {
    gates: 4.0,
    beside: [384.0, 335.0],
    rounding: [40.0, 72.0],
    barriers: 200.0,
    by_matrices: [433.0, 390.0],
    holding: [719.0 + 3200.0, 888.0 + 3200.0],
};
/// Of its two products the second waits for the first.
const GRU: RecurrentStep =
    RecurrentStep { gates: 3.0, beside: [570.0, 450.0], rounding: [0.0; 2], barriers: 400.0, by_matrices: [0.0; 2], holding: [0.0; 2] };

/// Cycles of a recurrence, whose workgroups are taken from the longest to the shortest: as long as the longest sequence needs, or as all
/// workgroups' steps need of all processors.
fn recurrence(chip: &Chip, dispatch: &PlannedDispatch, of: RecurrentStep) -> f64 {
    let [hidden, sequences] = ["hidden", "sequences"].map(|name| size(dispatch, name));
    let slices = f64::from(dispatch.execution.grid.map_or(1, |grid| grid[1]));
    let terms = of.gates * hidden * hidden * (sequences / slices).ceil();
    let back = usize::from(dispatch.execution.entry == "backward");
    let invocations = f64::from(dispatch.invocations);
    let lanes = f64::from(dispatch.invocations.min(chip.lanes));
    let variant = dispatch.execution.variant.unwrap_or_default();
    // Cycles of a workgroup's step, and those before its first: what all invocations issue, and matrices with rows that are no sequence's.
    let [step, before] = if variant.contains("matrices") {
        let multiplied = f64::from(Chip::MATRICES) * of.gates * hidden * hidden / f64::from(chip.by_matrices);
        [(of.by_matrices[back] + of.barriers) * invocations / lanes + multiplied, of.holding[back] * invocations / lanes]
    } else {
        let rounding = if variant.contains("rounded") { of.rounding[back] } else { 0.0 };
        [(terms / multiply_adds(dispatch) + (of.beside[back] + rounding + of.barriers) * invocations) / lanes, 0.0]
    };
    let longest = size(dispatch, "end_step") - size(dispatch, "first_step");
    let all = dispatch.execution.flop / 2.0 / terms;
    let groups = f64::from(dispatch.execution.grid.map_or(1, |[x, y, _]| x * y));
    (longest * step + before).max((all * step + groups * before) / f64::from(chip.processors))
}

fn size(dispatch: &PlannedDispatch, name: &str) -> f64 {
    dispatch.execution.sizes.iter().find(|(own, _)| *own == name).map_or(0.0, |&(_, size)| f64::from(size))
}

/// Loads of an invocation that wait for each other; a compiler has some eight under way where their places are known.
fn serial_loads(dispatch: &PlannedDispatch) -> f64 {
    let size = |name| size(dispatch, name);
    match (dispatch.execution.kernel, dispatch.execution.entry) {
        ("slabs", _) => (size("slabs") / 8.0).ceil(),
        ("residual_norm", "backward_parameters") => (size("slab_rows") / 4.0).ceil(),
        ("global_max", "forward") => 25.0,
        ("cross_entropy" | "sigmoid_cross_entropy", _) => 32.0,
        // Sixteen rows an invocation.
        ("z_score" | "bilstm_edges" | "embedding" | "position_embedding" | "columns" | "windows", _) => 16.0,
        ("row_scores", "spread") | ("segment_mean", "backward") => 16.0,
        // Of a slab's rows, four at a time.
        ("weighted_sum", "forward") => 16.0,
        ("global_max", _) => 8.0,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Execution;
    use crate::profile::CHIPS;

    fn dispatch(kernel: &'static str, groups: u32, flop: f64, bytes: f64) -> PlannedDispatch {
        let execution = Execution {
            kernel,
            entry: "forward",
            variant: None,
            grid: Some([groups, 1, 1]),
            sizes: vec![("slabs", 64)],
            flop,
            bytes,
            span: None,
        };
        PlannedDispatch { execution, invocations: 256, workgroup_memory: 16 << 10 }
    }

    fn chip(name: &str) -> Chip {
        CHIPS.into_iter().find(|chip| chip.name == name).unwrap()
    }

    #[test]
    fn a_dispatch_is_bound_by_what_takes_it_longest() {
        let h100 = chip("h100");
        // 100 GFLOP in many workgroups: 1.7 ms at the peak of 59 TFLOP/s, of which a product's loop reaches 83 %.
        let (time_of_product, bound) = time(&h100, &dispatch("linear", 132 * 64, 100e9, 1e6));
        assert_eq!(bound, BoundBy::Issue);
        assert!((2000.0..2100.0).contains(&time_of_product), "{time_of_product}");
        // A gigabyte takes 0.3 ms.
        let (time_of_copy, bound) = time(&h100, &dispatch("residual_norm", 10_000, 1e6, 1e9));
        assert_eq!(bound, BoundBy::Memory);
        assert!((340.0..350.0).contains(&time_of_copy), "{time_of_copy}");
        assert_eq!(time(&h100, &dispatch("slabs", 8, 1e4, 1e5)).1, BoundBy::Latency);
        assert_eq!(time(&h100, &dispatch("adam", 8, 1e3, 1e4)).1, BoundBy::Dispatch);
    }

    #[test]
    fn matrices_take_a_products_time_where_a_chip_has_them() {
        let of = |variant| {
            let mut dispatch = dispatch("linear", 132 * 64, 100e9, 1e6);
            dispatch.execution.variant = Some(variant);
            time(&chip("h100"), &dispatch).0
        };
        assert!(5.0 * of("matrices+size16") < of("vec4+tile128x128"), "{}", of("matrices+size16"));
        assert!(of("rounded+tile64x64+narrow") > of("vec4+tile64x64+narrow"));
    }

    #[test]
    fn attention_by_matrices_takes_less_than_by_numbers_and_that_rounded_more() {
        for entry in ["forward", "backward_queries", "backward_keys"] {
            let of = |variant| {
                let mut dispatch = dispatch("attention", 132 * 64, 100e9, 1e6);
                (dispatch.execution.variant, dispatch.execution.entry) = (Some(variant), entry);
                time(&chip("h100"), &dispatch).0
            };
            assert!(of("matrices+size16") < of("head16") && of("head16") < of("rounded+head16"), "{entry}");
        }
    }

    #[test]
    fn a_recurrence_by_matrices_takes_less_than_by_numbers_and_that_rounded_more() {
        for entry in ["forward", "backward"] {
            let of = |variant| {
                let mut dispatch = dispatch("bilstm", 2, 1e9, 0.0);
                (dispatch.execution.variant, dispatch.execution.entry) = (Some(variant), entry);
                dispatch.execution.grid = Some([2, 64, 1]);
                dispatch.execution.sizes = vec![("sequences", 256), ("hidden", 128), ("first_step", 0), ("end_step", 100)];
                time(&chip("h100"), &dispatch).0
            };
            let [numbers, rounded] = [of("graphics+hidden128+held"), of("rounded+hidden128+held")];
            assert!(of("matrices+size16") < numbers && numbers < rounded && rounded < 1.1 * numbers, "{entry}");
        }
    }

    #[test]
    fn a_round_that_is_not_full_takes_as_long_as_a_full_one() {
        let (h100, flop) = (chip("h100"), |groups: u32| 1e9 * f64::from(groups));
        let [one, full, more] = [8, 132 * 8, 132 * 8 + 1].map(|groups| time(&h100, &dispatch("linear", groups, flop(groups), 0.0)).0);
        assert!(full > 6.0 * one && full < 8.0 * one, "eight workgroups a processor keep it busier than one: {one}, {full}");
        assert!((more - full - (full - 3.0) / 8.0).abs() < 1e-6 * more, "{full}, {more}");
    }

    #[test]
    fn a_recurrence_takes_as_long_as_its_longest_sequence() {
        let sizes = |end_step| vec![("sequences", 256), ("hidden", 128), ("first_step", 0), ("end_step", end_step)];
        let of = |end_step, flop| {
            let mut dispatch = dispatch("bilstm", 2, flop, 0.0);
            dispatch.execution.grid = Some([2, 64, 1]);
            dispatch.execution.sizes = sizes(end_step);
            time(&chip("h100"), &dispatch).0
        };
        assert_eq!(of(100, 1e9), of(100, 2e9), "whatever the others' lengths");
        assert!((of(100, 1e9) - 3.0 - 2.0 * (of(50, 1e9) - 3.0)).abs() < 1e-6);
        assert!(of(100, 1e11) > of(100, 1e9), "more steps than processors take meanwhile");
    }

    #[test]
    fn a_step_is_the_sum_of_its_dispatches_slowest_kernel_first() {
        let dispatches = [dispatch("adam", 8, 1e3, 1e4), dispatch("linear", 1000, 1e10, 1e6), dispatch("adam", 8, 1e3, 1e4)];
        let prediction = predict(&chip("igpu"), ["train".into(), "x".into()], &dispatches);
        let names: Vec<_> = prediction.kernels.iter().map(|kernel| (kernel.name.as_str(), kernel.dispatches)).collect();
        assert_eq!(names, [("linear.forward", 1), ("adam.forward", 2)]);
        let sum: f64 = dispatches.iter().map(|dispatch| time(&chip("igpu"), dispatch).0 / 1e3).sum();
        assert!((prediction.predicted_ms - sum).abs() < 1e-9);
        assert!(prediction.floor_ms < prediction.predicted_ms);
    }
}
