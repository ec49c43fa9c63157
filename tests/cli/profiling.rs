//! `profile`: what its numbers say of each other, on the CPU reference and on an adapter, by both clocks.

use serde_json::Value;

use crate::program::{default_adapter, mcsan};

const SHAPE: &str = "--shape batch=3,frames=60,words=5,ragged --set model.hidden=16 --set model.heads=2 --steps 2 --warmup 1";

/// Figures that follow from each other do, and sums are sums.
fn is_consistent(report: &Value) {
    let kernels = report["kernels"].as_array().expect("kernels");
    assert!(!kernels.is_empty());
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is a number"));
    let near = |a: f64, b: f64, what: &str| assert!((a - b).abs() <= 1e-6 * a.abs().max(b.abs()).max(1e-9), "{what}: {a} and {b}");
    for kernel in kernels {
        let name = kernel["name"].as_str().expect("a name");
        let ms = number(&kernel["ms"]);
        let spread = &kernel["spread"];
        assert!(number(&spread["min"]) <= number(&spread["q1"]) && number(&spread["q1"]) <= ms && ms <= number(&spread["q3"]), "{kernel}");
        if ms > 0.0 {
            near(number(&kernel["gflops"]) * ms, 1e3 * number(&kernel["gflop"]), name);
            near(number(&kernel["gbytes_per_s"]) * ms, 1e3 * number(&kernel["gbyte"]), name);
        }
        assert!(number(&kernel["gbyte"]) > 0.0 && number(&kernel["of_peak"]) >= 0.0, "{kernel}");
        assert_eq!(kernel["above_roof"], number(&kernel["of_peak"]) > 1.005, "{kernel}");
        assert!(["compute", "memory"].contains(&kernel["bound"].as_str().unwrap_or_default()), "{kernel}");
    }
    near(kernels.iter().map(|kernel| number(&kernel["ms"])).sum(), number(&report["gpu_ms"]), "gpu_ms");
    let dispatches: u64 = kernels.iter().map(|kernel| kernel["dispatches"].as_u64().expect("a count")).sum();
    if let Some(counted) = report["counters"]["dispatches"].as_u64() {
        assert_eq!(counted, dispatches, "dispatches counted and timed");
    }
    if let Some(each) = report["each"].as_array() {
        assert_eq!(each.len() as u64, dispatches);
        near(each.iter().map(|one| number(&one["gflop"])).sum(), kernels.iter().map(|one| number(&one["gflop"])).sum(), "FLOP");
    }
    assert!(number(&report["step_ms"]["min"]) <= number(&report["step_ms"]["median"]));
    assert!(number(&report["peaks"]["gflops"]) > 0.0 && number(&report["peaks"]["gbytes_per_s"]) > 0.0);
}

fn names(report: &Value) -> Vec<&str> {
    report["kernels"].as_array().into_iter().flatten().filter_map(|kernel| kernel["name"].as_str()).collect()
}

#[test]
fn a_profile_on_the_cpu_reference_is_consistent_and_can_be_shown_drawn_and_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let outcome = mcsan(folder, &format!("profile --device cpu {SHAPE} --each --json --trace trace.json --roofline roofline.svg"));
    let text = outcome.stdout.clone();
    let report = outcome.json();
    is_consistent(&report);
    assert_eq!((report["clock"].as_str(), report["device"]["name"].as_str()), (Some("wall"), Some("cpu")));
    assert_eq!((report["what"].as_str(), report["on"].as_str()), (Some("train"), Some("batch=3,frames=60,words=5,ragged")));
    for name in ["linear.forward", "bilstm.backward", "conv_pool.forward", "attention.backward", "adam.update", "cross_entropy.forward"] {
        assert!(names(&report).contains(&name), "{name} in {:?}", names(&report));
    }
    is_a_trace(folder, &report);
    is_a_roofline(folder, &report);

    std::fs::write(folder.join("base.json"), text).expect("a file");
    let compared = mcsan(folder, "profile --from base.json --compare base.json --json").json();
    let changes = compared["compared"].as_array().expect("changes");
    assert_eq!(changes.len(), names(&report).len() + 1);
    for change in changes {
        assert!(change["ratio"] == 1.0 && change["within_spread"] == true, "{change}");
    }
    let shown = mcsan(folder, "profile --from base.json --compare base.json").succeeds().stdout;
    let shares: Vec<f64> = shown.split(" % ").filter_map(|before| before.rsplit(' ').next()?.parse().ok()).collect();
    assert!(!shares.is_empty() && shares.iter().all(|&share| share <= 100.0), "a roof is a roof, or is said to be none: {shown}");
    assert!(shown.contains("linear.forward") && shown.contains("within the spread") && shown.contains("roofs, measured here"), "{shown}");
}

/// Events of one track follow one another; the device's are those of the report, in each step.
fn is_a_trace(folder: &std::path::Path, report: &Value) {
    let trace: Value = serde_json::from_slice(&std::fs::read(folder.join("trace.json")).expect("a trace")).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let number = |event: &Value, key: &str| event[key].as_f64().unwrap_or_else(|| panic!("{key} of {event}"));
    for track in 1..=3 {
        let mut spans: Vec<[f64; 2]> = events
            .iter()
            .filter(|event| event["ph"] == "X" && event["tid"] == track)
            .map(|event| [number(event, "ts"), number(event, "ts") + number(event, "dur")])
            .collect();
        spans.sort_by(|a, b| a[0].total_cmp(&b[0]));
        assert!(spans.iter().all(|[begin, end]| begin <= end));
        for pair in spans.windows(2) {
            assert!(pair[0][1] <= pair[1][0] + 1e-3, "track {track}: {pair:?} overlap");
        }
    }
    let device = events.iter().filter(|event| event["ph"] == "X" && event["tid"] == 3).count();
    assert_eq!(device, 2 * report["each"].as_array().map_or(0, Vec::len));
    for name in ["batch", "record", "wait"] {
        assert!(events.iter().any(|event| event["tid"] == 1 && event["name"] == name), "{name}");
    }
}

fn is_a_roofline(folder: &std::path::Path, report: &Value) {
    let svg = std::fs::read_to_string(folder.join("roofline.svg")).expect("a picture");
    resvg::usvg::Tree::from_str(&svg, &Default::default()).expect("SVG");
    let drawn = svg.matches("<circle").count();
    let counted = report["kernels"].as_array().into_iter().flatten().filter(|kernel| kernel["gflop"].as_f64() > Some(0.0)).count();
    assert_eq!(drawn, counted);
}

#[test]
fn both_clocks_of_an_adapter_time_the_same_dispatches() {
    let Some(_) = default_adapter("both_clocks_of_an_adapter_time_the_same_dispatches") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let profile = |more: &str| mcsan(folder, &format!("profile --device 0 {SHAPE} --each --json {more}")).json();
    let (auto, wall) = (profile("--trace trace.json --roofline roofline.svg"), profile("--clock wall"));
    for report in [&auto, &wall] {
        is_consistent(report);
        let counters = &report["counters"];
        for counter in ["submissions", "uploads", "uploaded_bytes", "readbacks", "read_bytes", "peak_bytes"] {
            assert!(counters[counter].as_u64() > Some(0), "{counter} of {counters}");
        }
    }
    assert_eq!(wall["clock"], "wall");
    println!("the adapter's clock: {}", auto["clock"]);
    is_a_trace(folder, &auto);
    is_a_roofline(folder, &auto);
    let dispatches = |report: &Value| -> Vec<(String, String)> {
        let each = report["each"].as_array().cloned().unwrap_or_default();
        each.iter().map(|one| (one["name"].to_string(), one["sizes"].to_string())).collect()
    };
    assert_eq!(dispatches(&auto), dispatches(&wall));
    let sum =
        |report: &Value, key: &str| report["kernels"].as_array().into_iter().flatten().filter_map(|one| one[key].as_f64()).sum::<f64>();
    // The rows come in the order of their times, which is another each time, and so does their sum's last bit.
    assert!((sum(&auto, "gbyte") / sum(&wall, "gbyte") - 1.0).abs() < 1e-12);
    // The products of both backends are the same, though one counts them by call and the other by dispatch.
    let cpu = mcsan(folder, &format!("profile --device cpu {SHAPE} --json")).json();
    let ratio = sum(&auto, "gflop") / sum(&cpu, "gflop");
    assert!((0.8..1.6).contains(&ratio), "FLOP on the adapter over those on the CPU reference: {ratio}");
}

#[test]
fn an_adapters_bytes_are_those_counted_by_hand() {
    let Some(_) = default_adapter("an_adapters_bytes_are_those_counted_by_hand") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = |kernel: &str, shape: &str, entry: &str| {
        let report = mcsan(folder.path(), &format!("profile --device 0 --kernel {kernel} --shape {shape} --steps 1 --json")).json();
        let row = report["kernels"].as_array().and_then(|rows| rows.iter().find(|row| row["name"] == entry)).cloned();
        (row.expect(entry)["gbyte"].as_f64().expect("bytes") * 1e9).round()
    };
    // One dispatch reads and writes a hundred numbers, another also reads what it adds to.
    assert_eq!(bytes("accumulate", "count=100", "accumulate"), 4.0 * (200.0 + 300.0));
    // x, W, b and y, twice.
    assert_eq!(bytes("linear", "rows=30,inputs=8,outputs=4", "linear.forward"), 2.0 * 4.0 * (240.0 + 32.0 + 4.0 + 120.0));
    // Tokens, as many rows of the table, and the result, twice; the rest of the table is not touched.
    assert_eq!(bytes("embedding", "rows=8,words=50,width=6", "embedding.forward"), 2.0 * 4.0 * (8.0 + 2.0 * 48.0));
}

#[test]
fn inference_the_front_end_and_every_kernel_alone_can_be_profiled() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let inference = mcsan(folder, &format!("profile --device cpu {SHAPE} --what inference --json")).json();
    is_consistent(&inference);
    assert!(names(&inference).iter().all(|name| !name.contains("backward") && *name != "adam.update"), "{:?}", names(&inference));
    let front_end = mcsan(folder, "profile --device cpu --what prepare --seconds 2 --steps 2 --json").json();
    is_consistent(&front_end);
    assert_eq!(names(&front_end), ["mfcc.forward"]);
    for (kernel, shape) in [
        ("mfcc", "batch=2,samples=1600"),
        ("deltas", "batch=2,frames=30"),
        ("z_score", "batch=2,frames=30,columns=5"),
        ("embedding", "rows=9,words=4,width=6"),
        ("position_embedding", "batch=2,rows=8,width=6"),
        ("accumulate", "count=100"),
        ("conv_pool", "batch=2,frames=30,inputs=4,outputs=8,relu"),
        ("linear", "rows=30,inputs=8,outputs=4"),
        ("bilstm", "batch=2,rows=7,inputs=5,hidden=8,ragged"),
        ("attention", "batch=2,queries=5,keys=9,width=8,heads=2"),
        ("attention_weights", "batch=2,queries=5,keys=9,width=8,heads=2,ragged"),
        ("residual_norm", "rows=9,width=16"),
        ("global_max", "batch=3,rows=9,columns=4"),
        ("cross_entropy", "batch=5,classes=3"),
        ("dropout", "rows=9,columns=4"),
        ("gradient_norm", "count=100"),
        ("adam", "count=100"),
        ("sgd", "count=100"),
    ] {
        let report = mcsan(folder, &format!("profile --device cpu --kernel {kernel} --shape {shape} --steps 2 --json")).json();
        is_consistent(&report);
        assert!(names(&report).iter().any(|name| name.split('.').next() == Some(kernel)), "{kernel}: {:?}", names(&report));
    }
    let line =
        "profile --device cpu --kernel linear --shape rows=30,inputs=8,outputs=4 --shape rows=60,inputs=8,outputs=4 --steps 2 --json";
    let two = mcsan(folder, line).json();
    let flop = |place: usize| {
        let kernels = two["profiles"][place]["kernels"].as_array().expect("kernels");
        let forward = kernels.iter().find(|kernel| kernel["name"] == "linear.forward").expect("the way forward");
        forward["gflop"].as_f64().expect("work")
    };
    assert_eq!(flop(1), 2.0 * flop(0));
}

#[test]
fn wrong_sizes_and_files_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    for (line, words) in [
        ("profile --kernel linar", "there is no kernel 'linar', the nearest is 'linear'"),
        ("profile --kernel linear --shape row=3", "'row' is no size of linear, which has rows=N, in|inputs=N"),
        ("profile --kernel attention --shape width=10,heads=3", "does not divide into 3 heads"),
        ("profile --shape batch=0", "batch: '0' is no number from 1"),
        ("profile --shape batch=2 --shape batch=3", "several --shape need --kernel"),
    ] {
        let outcome = mcsan(folder.path(), line);
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{line}: {}", outcome.stderr);
    }
    std::fs::write(folder.path().join("other.json"), "{}").expect("a file");
    assert!(mcsan(folder.path(), "profile --from other.json").fails().contains("other.json: is no profile"));
    assert!(mcsan(folder.path(), "profile --from none.json").fails().contains("give what 'mcsan profile --json' has written"));
}

#[test]
fn a_sweep_shows_how_a_steps_cost_grows_and_is_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = "--set model.hidden=16 --set model.heads=2 --steps 2 --warmup 1";
    let sweep = |device: &str, plot: &str| {
        let shape = "--shape batch=3,words=5,ragged --sweep frames=90,30,60";
        mcsan(folder.path(), &format!("profile --device {device} {shape} {small} --plot {plot} --json")).json()
    };
    let report = sweep("cpu", "cpu.svg");
    let values = |key: &str| report["points"].as_array().into_iter().flatten().map(|point| point[key].clone()).collect::<Vec<_>>();
    assert_eq!(values("value"), [30, 60, 90]);
    assert!(
        values("frames").is_sorted_by_key(|frames| frames.as_u64()) && values("words").iter().all(|words| *words == values("words")[0])
    );
    assert!(values("step_ms").iter().all(|spread| spread["median"].as_f64() > Some(0.0)));
    assert!(report["milliseconds"]["largest_deviation"].as_f64() >= Some(0.0) && report["bytes"].is_null(), "{report}");
    let drawn = std::fs::read_to_string(folder.path().join("cpu.svg")).expect("a plot");
    assert_eq!((drawn.matches("<circle").count(), drawn.matches("largest deviation").count()), (3, 1), "{drawn}");

    if default_adapter("a_sweep_shows_how_a_steps_cost_grows_and_is_drawn").is_some() {
        let report = sweep("0", "gpu.svg");
        let held: Vec<Option<u64>> = report["points"].as_array().into_iter().flatten().map(|point| point["held_bytes"].as_u64()).collect();
        assert!(held.len() == 3 && held.iter().all(|bytes| *bytes > Some(0)) && held.is_sorted(), "{held:?}");
        let drawn = std::fs::read_to_string(folder.path().join("gpu.svg")).expect("a plot");
        assert_eq!((drawn.matches("<circle").count(), drawn.matches("largest deviation").count()), (6, 2), "time and memory");
    }
    for arguments in [
        "--sweep rows=1,2,3",
        "--sweep frames=100,200",
        "--sweep frames=9,10,11 --what prepare",
        "--plot a.svg",
        "--sweep batch=1,2,3 --kernel linear",
    ] {
        assert_eq!(mcsan(folder.path(), &format!("profile {arguments}")).code, Some(2), "{arguments}");
    }
}

#[test]
fn a_sweep_ends_where_the_device_has_no_room_and_shows_what_it_has() {
    if default_adapter("a_sweep_ends_where_the_device_has_no_room_and_shows_what_it_has").is_none() {
        return;
    }
    use mcsan::backend::gpu::{self, Checking, Gpu, Timing};
    use mcsan::profile::{Plan, sweep};
    use mcsan::tape::Mode;
    let settings = mcsan::config::Config::default().assign(&["model.hidden=16", "model.heads=2"].map(String::from)).unwrap().settings;
    let adapter = pollster::block_on(gpu::find("auto", gpu::instance().with_env())).unwrap().unwrap();
    // The features of a batch, 1000 frames of 40 coefficients an utterance: 160 KB each.
    let run = |over: &str| {
        let mut gpu = pollster::block_on(Gpu::open(&adapter, Checking::Off)).unwrap();
        gpu.restrict_buffers(8_000_000);
        let plan = Plan { warmup: 0, steps: 1, kernels: false, timing: Timing::Timestamps };
        let shape = "batch=1,frames=1000,words=5".parse().unwrap();
        pollster::block_on(sweep(&gpu, Value::Null, plan, ("train".into(), Mode::Train), shape, &over.parse().unwrap(), &settings))
    };
    let report = run("batch=1,2,3,64,65").unwrap();
    assert_eq!(report.points.iter().map(|point| point.value).collect::<Vec<_>>(), [1, 2, 3]);
    let ended = report.ended.expect("an end");
    assert!(ended.starts_with("batch=64: ") && ended.contains("the device allows 8000000"), "{ended}");
    // Two values make no line.
    assert!(run("batch=1,2,64").is_err());
}

#[test]
fn a_step_is_predicted_for_a_chip_that_is_not_here() {
    if default_adapter("a predicted step").is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let profile = |arguments: &str| mcsan(folder.path(), &format!("profile --predict {arguments}"));
    let [h100, igpu] = ["h100", "igpu"].map(|chip| profile(&format!("{chip} --json --shape batch=256,frames=1000,words=50,ragged")).json());
    for report in [&h100, &igpu] {
        let number = |key: &str| report[key].as_f64().expect("a number");
        assert!(number("floor_ms") > 0.0 && number("predicted_ms") > number("floor_ms"), "{report}");
        // The paper's step, as graphics hardware is asked for it.
        let dispatches =
            report["kernels"].as_array().expect("kernels").iter().map(|kernel| kernel["dispatches"].as_u64().expect("a count"));
        assert!(dispatches.sum::<u64>() <= 60, "{report}");
    }
    assert!(igpu["predicted_ms"].as_f64() > h100["predicted_ms"].as_f64());
    let shape = "--what inference --shape batch=2,frames=30,words=4";
    let amh = profile(&format!("m1 {shape} --set model.system=amh --json")).json();
    assert!(names(&amh).contains(&"gru.forward"), "a drawn batch has the pictures that a system reads: {amh}");
    let text = profile(&format!("m1 {shape}")).stdout;
    assert!(text.starts_with("inference of batch=2,frames=30,words=4 on Apple M1 (8 cores), predicted"), "{text}");
    let measured = mcsan(folder.path(), &format!("profile --device 0 {shape} --steps 1 --json")).succeeds().stdout;
    std::fs::write(folder.path().join("measured.json"), &measured).expect("a file");
    let beside = profile(&format!("m1 {shape} --compare measured.json --json")).json();
    let measured: Value = serde_json::from_str(&measured).expect("JSON");
    let compared = beside["compared"].as_array().expect("a line a kernel");
    let of = |report: &Value, name: &str| report["kernels"].as_array()?.iter().find(|kernel| kernel["name"] == name)?["ms"].as_f64();
    for line in compared {
        let name = line["name"].as_str().expect("a name");
        let [predicted, ms] = match name {
            "step" => [beside["predicted_ms"].as_f64(), measured["step_ms"]["median"].as_f64()],
            _ => [of(&beside, name), of(&measured, name)],
        };
        let ratio = predicted.zip(ms).map(|(predicted, ms)| ms / predicted);
        assert_eq!([&line["base_ms"], &line["ms"], &line["ratio"]].map(Value::as_f64), [predicted, ms, ratio], "{line}");
    }
    assert!(compared.iter().filter(|line| line["ratio"].is_number()).count() > 8, "kernels have the same names: {beside}");
    let text = profile(&format!("m1 {shape} --compare measured.json")).stdout;
    assert!(text.contains("\nheld against llvmpipe") || !measured["device"]["name"].to_string().contains("llvmpipe"), "{text}");
    assert!(text.contains("predicted, ms  measured, ms   ratio"), "{text}");
    for (arguments, said) in [
        ("m1 --shape batch=3 --compare measured.json", "measured.json: is a profile of inference of batch=2,frames=30,words=4, not of"),
        ("h200", "'h200' is no chip that there are figures of: h100, rx7900, m1, arc, igpu"),
        ("h100 --kernel adam", "cannot be used with"),
        ("h100 --what prepare", "--predict takes --what train or inference"),
        ("h100 --device cpu", "--predict lays a step out on an adapter, and the reference is none"),
    ] {
        let refused = profile(arguments);
        assert!(refused.code != Some(0) && refused.stderr.contains(said), "{arguments}: {}", refused.stderr);
    }
}
