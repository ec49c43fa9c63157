//! A measurement as trace events for Perfetto and `chrome://tracing`: what the host did, when it handed work over, and what
//! the device ran.

use serde_json::{Value, json};

use super::measure::{Measurement, ProfiledStep};
use super::report::{name, sizes};
use crate::backend::gpu::Timing;

/// Tracks, as threads of one process.
const TRACKS: [(u32, &str); 3] = [(1, "host"), (2, "submissions"), (3, "device")];

/// All steps, in microseconds.
///
/// The device's timestamps have a zero of their own; its first dispatch is put where the first submission begins.
pub(crate) fn trace(measured: &Measurement) -> Value {
    let track =
        |&(number, name): &(u32, &str)| json!({ "name": "thread_name", "ph": "M", "pid": 1, "tid": number, "args": { "name": name } });
    let mut events: Vec<Value> = TRACKS.iter().map(track).collect();
    let shift = match measured.timing {
        Timing::Timestamps => measured.steps.first().and_then(offset).unwrap_or(0.0),
        Timing::Clock { .. } => 0.0,
    };
    for step in &measured.steps {
        events.extend(step.phases.iter().map(|phase| event(1, phase.name, phase.span, json!({}))));
        events.extend(step.executions.submissions.iter().map(|submission| event(2, "submit", submission.span, json!({}))));
        events.extend(step.executions.runs.iter().filter_map(|run| {
            let about =
                json!({ "variant": run.variant, "grid": run.grid, "sizes": sizes(&run.sizes), "flop": run.flop, "bytes": run.bytes });
            Some(event(3, &name(run), run.span?.map(|time| time + shift), about))
        }));
    }
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}

/// From the device's zero to the host's.
fn offset(step: &ProfiledStep) -> Option<f64> {
    let first = step.executions.runs.first()?.span?;
    Some(step.executions.submissions.first()?.span[0] - first[0])
}

fn event(track: u32, name: &str, [begin, end]: [f64; 2], about: Value) -> Value {
    json!({ "name": name, "ph": "X", "pid": 1, "tid": track, "ts": begin / 1e3, "dur": (end - begin) / 1e3, "args": about })
}
