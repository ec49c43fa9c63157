//! Tint, the WGSL compiler of Chromium, and the limits of WebGPU as Dawn keeps them: a page on loopback compiles what it is
//! given on a device with WebGPU's default limits, and posts what was refused.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mcsan::backend::gpu::Requirement;
use serde_json::{Value, json};

use super::barriers::{BAD, GOOD, kernel};
use super::variants;
use crate::browser::Chromium;

const PAGE: &str = r#"<!DOCTYPE html><meta charset="utf-8"><script type="module">
const jobs = JOBS;
const compile = async (device, job) => {
  const module = device.createShaderModule({ code: job.code });
  const { messages } = await module.getCompilationInfo();
  const failures = messages.filter(m => m.type === 'error').map(m => `line ${m.lineNum}: ${m.message}`);
  if (failures.length) return failures;
  for (const entry of job.entries) {
    const visibility = GPUShaderStage.COMPUTE;
    const entries = entry.buffers.map(([binding, type]) => ({
      binding, visibility, buffer: { type, hasDynamicOffset: type === 'uniform' },
    }));
    const layout = device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ entries })] });
    try {
      const compute = { module, entryPoint: entry.name };
      await device.createComputePipelineAsync({ layout: entry.buffers.length ? layout : 'auto', compute });
    } catch (error) {
      failures.push(`${entry.name}: ${error.message}`);
    }
  }
  return failures;
};
const run = async () => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return { adapter: null };
  const optional = [...adapter.features];
  const device = await adapter.requestDevice({ requiredFeatures: ['shader-f16', 'subgroups'].filter(f => adapter.features.has(f)) });
  const results = [];
  for (const job of jobs) {
    const lacks = job.features.filter(f => !adapter.features.has(f));
    results.push(lacks.length ? { lacks } : { lacks, failures: await compile(device, job) });
  }
  const { vendor, architecture, description } = adapter.info;
  return { adapter: [vendor, architecture, description].join(' ').trim(), optional, results };
};
const answer = await run().catch(error => ({ error: String(error) }));
await fetch('/answer', { method: 'POST', body: JSON.stringify(answer) });
</script>"#;

/// What became of a job: the features that the adapter lacks for it, else what was refused.
enum Verdict {
    Lacks(Vec<String>),
    Refused(Vec<String>),
}

/// Compiles jobs `{code, features, entries: [{name, buffers: [[binding, type]]}]}` in the browser.
fn compile(chromium: &Chromium, jobs: &[Value]) -> Vec<Verdict> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let page = PAGE.replace("JOBS", &Value::from(jobs).to_string().replace('<', "\\u003c"));
    let folder = tempfile::tempdir().unwrap();
    let mut browser = chromium
        .command(folder.path())
        .args(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--remote-debugging-port=0"])
        .arg(format!("http://{address}/"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the browser starts");
    let answer = serve(&listener, &page, Duration::from_secs(300));
    browser.kill().unwrap();
    browser.wait().unwrap();
    let answer = answer.expect("the page answers within five minutes");
    println!("WebGPU adapter: {}", answer["adapter"]);
    let results = answer["results"].as_array().unwrap_or_else(|| panic!("no WebGPU in the browser: {answer}"));
    let texts = |value: &Value| value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let verdict = |result: &Value| match texts(&result["lacks"]) {
        none if none.is_empty() => Verdict::Refused(texts(&result["failures"])),
        lacks => Verdict::Lacks(lacks),
    };
    assert_eq!(results.len(), jobs.len());
    results.iter().map(verdict).collect()
}

/// Gives the page to whoever asks, until somebody posts an answer.
fn serve(listener: &TcpListener, page: &str, patience: Duration) -> Option<Value> {
    listener.set_nonblocking(true).unwrap();
    let start = Instant::now();
    while start.elapsed() < patience {
        match listener.accept() {
            Ok((stream, _)) => {
                // A browser may open a connection that it never uses.
                let answer = answer(stream, page).ok().flatten();
                if answer.is_some() {
                    return answer;
                }
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    None
}

fn answer(stream: TcpStream, page: &str) -> std::io::Result<Option<Value>> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, text) = if request.starts_with("GET / ") { ("200 OK", page) } else { ("404 Not Found", "") };
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    reader.get_mut().write_all((head + text).as_bytes())?;
    Ok(if request.starts_with("POST /answer ") { serde_json::from_slice(&body).ok() } else { None })
}

/// WebGPU's name for what a variant needs, and what the WGSL has to say so; `None` where WebGPU has no such feature.
fn webgpu_feature(need: Requirement) -> Option<(&'static str, &'static str)> {
    match need {
        // naga too wants it said.
        Requirement::F16 => Some(("shader-f16", "")),
        // naga does not.
        Requirement::Subgroups => Some(("subgroups", "enable subgroups;\n")),
        Requirement::Int64 | Requirement::CooperativeMatrix { .. } => None,
    }
}

#[test]
fn every_variant_compiles_in_tint_and_fits_webgpus_default_limits() {
    let Some(chromium) = Chromium::find("every_variant_compiles_in_tint_and_fits_webgpus_default_limits") else { return };
    let (mut names, mut jobs) = (Vec::new(), Vec::new());
    for (shader, variant) in variants() {
        let name = format!("{}.{}", shader.name, variant.name);
        let Some(needs) = variant.requirements.iter().map(|&need| webgpu_feature(need)).collect::<Option<Vec<_>>>() else {
            println!("skipped: {name} needs what WebGPU has not: {:?}", variant.requirements);
            continue;
        };
        let buffer = |binding: &mcsan::backend::gpu::shader::Binding| {
            json!([binding.index, if binding.writable { "storage" } else { "read-only-storage" }])
        };
        let entry = |entry: &&mcsan::backend::gpu::shader::Entry| {
            let buffers = entry.bindings.iter().map(buffer).chain([json!([0, "uniform"])]).collect::<Vec<_>>();
            json!({ "name": entry.name, "buffers": buffers })
        };
        names.push(name);
        jobs.push(json!({
            "code": needs.iter().map(|(_, enable)| *enable).collect::<String>() + variant.source,
            "features": needs.iter().map(|(feature, _)| *feature).collect::<Vec<_>>(),
            "entries": shader.entries.iter().map(entry).collect::<Vec<_>>(),
        }));
    }
    for (name, verdict) in names.iter().zip(compile(&chromium, &jobs)) {
        match verdict {
            Verdict::Lacks(features) => println!("skipped: {name}: the WebGPU adapter lacks {features:?}"),
            Verdict::Refused(failures) => assert!(failures.is_empty(), "{name}: {}", failures.join("\n")),
        }
    }
    println!("{} variants", names.len());
}

/// A job that lays its bindings out by itself.
fn plain(code: &str) -> Value {
    json!({ "code": code, "features": [], "entries": [{ "name": "main", "buffers": [] }] })
}

/// Where our rule is stricter than Tint's: it follows no pointers.
const STRICTER: [&str; 1] = ["a variable passed on"];

#[test]
fn tint_judges_barriers_as_our_own_rule_does() {
    let Some(chromium) = Chromium::find("tint_judges_barriers_as_our_own_rule_does") else { return };
    let jobs: Vec<Value> = GOOD.iter().chain(&BAD).map(|(_, body)| plain(&kernel(body))).collect();
    let verdicts = compile(&chromium, &jobs);
    let mut wrong = Vec::new();
    for (index, ((name, body), verdict)) in GOOD.iter().chain(&BAD).zip(verdicts).enumerate() {
        let Verdict::Refused(failures) = verdict else { panic!("{name}: an optional feature") };
        let good = index < GOOD.len() || STRICTER.contains(name);
        let uniformity = failures.iter().any(|failure| failure.contains("uniform"));
        if failures.is_empty() != good || uniformity == good {
            wrong.push(format!("{name}: {body}: {failures:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tint_refuses_workgroup_memory_beyond_webgpus_default() {
    let Some(chromium) = Chromium::find("tint_refuses_workgroup_memory_beyond_webgpus_default") else { return };
    let source = |words: u32| {
        format!(
            "var<workgroup> tile: array<f32, {words}>;
            @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) lane: u32) {{ tile[lane] = 1.0; }}"
        )
    };
    let verdicts = compile(&chromium, &[plain(&source(4096)), plain(&source(4097))]);
    let [Verdict::Refused(fits), Verdict::Refused(beyond)] = &verdicts[..] else { panic!("optional features") };
    assert!(fits.is_empty(), "{fits:?}");
    assert!(beyond.len() == 1 && beyond[0].contains("16384"), "{beyond:?}");
}
