//! An open device: allocates, compiles, records dispatches, submits, reads back.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::adapter::describe;
use super::counters::Counters;
use super::dispatch::{Pipeline, PipelineKey};
use super::memory::{GUARD_WORDS, Lists, POISON, Pool, Storage, Tensor, Words, WrittenBy, binding_size};
use super::needs::{Feature, Offer};
use super::profiler::Profiler;
use super::shader::Shader;
use super::tiles::Tiles;
use crate::backend::error::SMALLER_BATCH;
use crate::backend::{BackendError, Result};

/// How shaders are compiled and buffers laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checking {
    /// As users run: no run-time checks in shaders, pooled buffers.
    #[default]
    Off,
    /// naga's loop bounds and index checks in every shader.
    Shaders,
    /// Outputs filled with NaN beforehand, and guard words after each of them.
    Guards,
    /// Both.
    All,
}

impl Checking {
    pub(super) fn shaders(self) -> bool {
        matches!(self, Self::Shaders | Self::All)
    }

    pub(super) fn guards(self) -> bool {
        matches!(self, Self::Guards | Self::All)
    }
}

/// How a device is opened.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    pub checking: Checking,
    /// Allows just these, whatever the adapter offers; else all that it offers of the limits used here.
    pub limits: Option<wgpu::Limits>,
    /// Opens the device as if its adapter lacked these.
    pub without: Vec<Feature>,
}

impl From<Checking> for Opening {
    fn from(checking: Checking) -> Self {
        Self { checking, ..Self::default() }
    }
}

/// The first failure of a device, shared with its callbacks.
#[derive(Clone, Default)]
pub(super) struct Fault(Arc<Mutex<Option<BackendError>>>);

impl Fault {
    fn set(&self, error: BackendError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn get(&self) -> Option<BackendError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A device with its queue, pipelines, free buffers and the work recorded since the last submission.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) info: wgpu::AdapterInfo,
    pub(super) limits: wgpu::Limits,
    pub(super) offer: Offer,
    /// Features that the device was opened without though its adapter has them.
    without: Vec<Feature>,
    pub(super) checking: Checking,
    pub(super) fault: Fault,
    pool: Rc<Pool>,
    /// Free buffers that results are copied to for the host.
    staging: Pool,
    pub(super) pipelines: RefCell<HashMap<PipelineKey, Rc<Pipeline>>>,
    pub(super) recording: RefCell<Recording>,
    /// Arguments of the dispatches of one submission, at multiples of the device's alignment.
    pub(super) arguments: wgpu::Buffer,
    /// Every guarded buffer and the words of it that kernels may touch.
    guarded: RefCell<Vec<(Rc<Storage>, usize)>>,
    /// Sources that stand in for the built-in ones, by shader and variant.
    pub(super) substitutes: HashMap<(&'static str, usize), String>,
    /// Tables that kernels read, by name and number of columns.
    pub(super) tables: RefCell<HashMap<(&'static str, usize), Tensor>>,
    counters: Cell<Counters>,
    /// There while a profile is made.
    pub(super) profiler: RefCell<Option<Profiler>>,
    pub(super) tiles: RefCell<Tiles>,
}

/// Work since the last submission.
#[derive(Default)]
pub(super) struct Recording {
    /// Ends when dropped; declared before the encoder that it belongs to.
    pub(super) pass: Option<wgpu::ComputePass<'static>>,
    pub(super) encoder: Option<wgpu::CommandEncoder>,
    pub(super) arguments: Vec<u8>,
    lists: Option<Lists>,
    /// Lists that follow from two others.
    derived: Vec<([Words; 2], Words)>,
    copies: Vec<Rc<HostCopy>>,
    pub(super) flop: f64,
}

/// A copy on its way to the host.
pub struct Readback {
    copy: Option<Rc<HostCopy>>,
    count: usize,
}

/// A copy for the host, recorded or sent.
struct HostCopy {
    staging: wgpu::Buffer,
    bytes: u64,
    mapped: super::readback::Mapped,
    /// That it was sent with.
    submission: OnceCell<wgpu::SubmissionIndex>,
}

impl HostCopy {
    fn sent(&self, submission: &wgpu::SubmissionIndex) {
        let done = self.mapped.clone();
        self.staging.map_async(wgpu::MapMode::Read, ..self.bytes, move |result| done.set(result.map_err(|error| error.to_string())));
        // It is recorded in one submission alone.
        let _ = self.submission.set(submission.clone());
    }
}

/// Width of the subgroups that the variants `lanes` are made for.
const LANES: u32 = 8;

/// Bytes of arguments in one submission.
pub(super) const ARGUMENT_BYTES: u64 = 1 << 18;

impl Gpu {
    /// Opens a device.
    ///
    /// # Errors
    /// [`BackendError::NoDevice`], also where the adapter offers less than the limits asked for.
    pub async fn open(adapter: &wgpu::Adapter, opening: impl Into<Opening>) -> Result<Self> {
        let Opening { checking, limits, mut without } = opening.into();
        let info = adapter.get_info();
        let limits = limits.unwrap_or_else(|| usual_limits(adapter));
        without.retain(|feature| adapter.features().intersects(feature.features()));
        let all = Offer::of(adapter).without(&without);
        let timestamps = all.features & Feature::Timestamps.features();
        let offer = all.used();
        let experimental = offer.features.intersects(wgpu::Features::all_experimental_mask());
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("mcsan"),
            required_features: offer.features | timestamps,
            // SAFETY: the only experimental feature that a shader may use is cooperative matrices, whose shapes are compared
            // with the adapter's before a pipeline exists.
            experimental_features: if experimental { unsafe { wgpu::ExperimentalFeatures::enabled() } } else { Default::default() },
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| BackendError::NoDevice { adapter: info.name.clone(), reason: one_line(&error.to_string()) })?;
        let fault = Fault::default();
        let uncaptured = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            uncaptured.set(match &error {
                wgpu::Error::OutOfMemory { .. } => BackendError::OutOfMemory { detail: one_line(&error.to_string()) },
                _ => BackendError::Refused { detail: one_line(&error.to_string()) },
            });
        }));
        let lost = fault.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                lost.set(BackendError::DeviceLost { detail: one_line(&message) });
            }
        });
        let arguments = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("arguments"),
            size: ARGUMENT_BYTES,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Ok(Self {
            device,
            queue,
            info,
            limits,
            offer,
            without,
            checking,
            fault,
            pool: Rc::default(),
            staging: Pool::default(),
            pipelines: RefCell::default(),
            recording: RefCell::default(),
            arguments,
            guarded: RefCell::default(),
            substitutes: HashMap::new(),
            tables: RefCell::default(),
            counters: Cell::default(),
            profiler: RefCell::default(),
            tiles: RefCell::default(),
        })
    }

    /// Whether subgroups are the eight invocations of a processor's vector, which the variants `lanes` are made for.
    pub(super) fn runs_lanes(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
            && self.offer.features.contains(wgpu::Features::SUBGROUP)
            && [self.info.subgroup_min_size, self.info.subgroup_max_size] == [LANES; 2]
    }

    /// The optional features that a kernel may use here.
    pub fn fast_paths(&self) -> Vec<Feature> {
        Feature::ALL.into_iter().filter(|feature| self.offer.features.contains(feature.features())).collect()
    }

    /// Features that the device was opened without though its adapter has them.
    pub fn without(&self) -> &[Feature] {
        &self.without
    }

    /// The variants (shader, number) that were compiled so far, which is those that were asked to run.
    pub fn variants_run(&self) -> BTreeSet<(&'static str, usize)> {
        self.pipelines.borrow().keys().map(|&(shader, _, variant)| (shader, variant)).collect()
    }

    /// One line that names the adapter with its interface and driver, and the features that it is used without.
    pub(super) fn describe(&self) -> String {
        let adapter = describe(&self.info);
        match &self.without[..] {
            [] => adapter,
            without => format!("{adapter} without {}", without.iter().map(|feature| feature.name()).collect::<Vec<_>>().join(", ")),
        }
    }

    /// The adapter's own description.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.info
    }

    /// What the device was asked for so far.
    pub fn counters(&self) -> Counters {
        self.counters.get()
    }

    pub(super) fn count(&self, add: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        add(&mut counters);
        self.counters.set(counters);
    }

    /// Compiles `source` in place of a variant of a shader: to try a change to a kernel, or to prove that a check sees a wrong
    /// one. Its bindings must be the variant's.
    pub fn substitute(&mut self, shader: &'static Shader, variant: usize, source: String) {
        self.substitutes.insert((shader.name, variant), source);
        self.pipelines.get_mut().retain(|key, _| (key.0, key.2) != (shader.name, variant));
    }

    /// Allows no buffer larger than so many bytes, as a smaller device would: to see what a program does there.
    pub fn restrict_buffers(&mut self, bytes: u64) {
        self.limits.max_buffer_size = bytes.min(self.limits.max_buffer_size);
    }

    /// Forgets the failure, and all that it may have left unfinished.
    pub(super) fn forget_failure(&self) {
        // Lists may belong to what outlives the failure.
        self.upload_lists();
        // Ends the pass before its encoder is dropped.
        self.recording.borrow_mut().pass = None;
        *self.recording.borrow_mut() = Recording::default();
        self.tables.borrow_mut().clear();
        let freed = self.pool.clear() + self.staging.clear();
        self.count(|counters| counters.held_bytes -= freed);
        // Memory is given back when the work that uses it is done.
        self.wait();
        self.fault.clear();
    }

    /// Waits for all that was sent; a failure of this wait shows in the next read.
    pub(super) fn wait(&self) {
        let _ = self.device.poll(wgpu::PollType::wait_indefinitely());
    }

    /// Keeps the first failure; the next read returns it.
    pub(super) fn fail(&self, error: BackendError) {
        self.fault.set(error);
    }

    /// Bytes of the largest buffer that a kernel can bind whole.
    fn largest_buffer(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size)
    }

    fn allocate(&self, words: usize, written_by: WrittenBy) -> Rc<Storage> {
        let guards = if self.checking.guards() { GUARD_WORDS } else { 0 };
        let mut bytes = binding_size(words) + (guards * 4) as u64;
        let limit = self.largest_buffer();
        if bytes > limit {
            self.fail(BackendError::Limit {
                kernel: "memory",
                what: "one buffer's size in bytes",
                needed: bytes,
                limit,
                mend: SMALLER_BATCH,
            });
            bytes = 256;
        }
        let class = Pool::class(bytes);
        if !self.checking.guards()
            && let Some(buffer) = self.pool.take(class, written_by)
        {
            return self.pool.storage(buffer);
        }
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: class,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.count(|counters| counters.allocated(class));
        if self.checking.guards() {
            self.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(&vec![POISON; (class / 4) as usize]));
            let storage = Pool::single_use(buffer);
            self.guarded.borrow_mut().push((storage.clone(), words));
            return storage;
        }
        self.pool.storage(buffer)
    }

    pub(super) fn new_tensor(&self, shape: [usize; 2]) -> Tensor {
        Tensor::new(self.allocate(shape[0] * shape[1], WrittenBy::Kernel), shape)
    }

    pub(super) fn new_words(&self, count: usize) -> Words {
        Words::new(self.allocate(count, WrittenBy::Kernel), 0, count)
    }

    pub(super) fn upload_tensor(&self, values: &[f32], shape: [usize; 2]) -> Tensor {
        Tensor::new(self.upload_bytes(bytemuck::cast_slice(values)), shape)
    }

    /// Uploads a list that kernels only read, together with the others of a submission.
    pub(super) fn upload_list(&self, words: &[u32]) -> Words {
        let capacity = Lists::capacity(self.largest_buffer());
        // A long list is uploaded by itself.
        if self.checking.guards() || words.len() > capacity / 4 {
            return Words::new(self.upload_bytes(bytemuck::cast_slice(words)), 0, words.len());
        }
        let added = self.recording.borrow_mut().lists.as_mut().and_then(|lists| lists.add(words));
        added.unwrap_or_else(|| {
            self.upload_lists();
            let mut lists = Lists::new(capacity, |count| self.allocate(count, WrittenBy::Host));
            let added = lists.add(words);
            self.recording.borrow_mut().lists = Some(lists);
            added.unwrap_or_else(|| self.new_words(words.len()))
        })
    }

    fn upload_lists(&self) {
        let lists = self.recording.borrow_mut().lists.take();
        if let Some(lists) = lists {
            let (buffer, bytes) = lists.upload();
            self.queue.write_buffer(buffer, 0, bytes);
            self.count(|counters| counters.uploaded(bytes.len()));
        }
    }

    /// A list that follows from two others, made once in a submission.
    pub(super) fn derive_list(&self, from: [&Words; 2], make: impl FnOnce() -> Vec<u32>) -> Words {
        let same = |(known, _): &&([Words; 2], Words)| known.iter().zip(from).all(|(known, from)| known.is(from));
        let found = self.recording.borrow().derived.iter().find(same).map(|(_, derived)| derived.clone());
        found.unwrap_or_else(|| {
            let derived = self.upload_list(&make());
            self.recording.borrow_mut().derived.push((from.map(Words::clone), derived.clone()));
            derived
        })
    }

    fn upload_bytes(&self, bytes: &[u8]) -> Rc<Storage> {
        let storage = self.allocate(bytes.len() / 4, WrittenBy::Host);
        if bytes.len() as u64 <= storage.buffer().size() {
            self.queue.write_buffer(storage.buffer(), 0, bytes);
            self.count(|counters| counters.uploaded(bytes.len()));
        }
        storage
    }

    /// Fills a matrix with zeros, in the order of the recorded work.
    pub(super) fn clear(&self, tensor: &Tensor) {
        let range = tensor.bytes();
        if range.end <= tensor.storage.buffer().size() && !range.is_empty() {
            self.outside_pass(|encoder| encoder.clear_buffer(tensor.storage.buffer(), range.start, Some(range.end - range.start)));
        }
    }

    pub(super) fn outside_pass(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
        let mut recording = self.recording.borrow_mut();
        recording.pass = None;
        record(recording.encoder.get_or_insert_with(|| self.device.create_command_encoder(&Default::default())));
    }

    /// Records into the pass that is open, or into a new one.
    pub(super) fn in_pass(&self, record: impl FnOnce(&mut wgpu::ComputePass<'static>)) {
        let mut recording = self.recording.borrow_mut();
        let Recording { pass, encoder, .. } = &mut *recording;
        let encoder = encoder.get_or_insert_with(|| self.device.create_command_encoder(&Default::default()));
        record(pass.get_or_insert_with(|| encoder.begin_compute_pass(&Default::default()).forget_lifetime()));
    }

    /// Sends the recorded work; returns its number where there was any.
    pub(super) fn send(&self) -> Option<wgpu::SubmissionIndex> {
        let mut recording = self.recording.borrow_mut();
        recording.pass = None;
        let encoder = recording.encoder.take()?;
        recording.derived.clear();
        drop(recording);
        let begin = self.profile_time();
        self.upload_lists();
        let mut recording = self.recording.borrow_mut();
        if !recording.arguments.is_empty() {
            let whole = recording.arguments.len().next_multiple_of(4);
            recording.arguments.resize(whole, 0);
            self.queue.write_buffer(&self.arguments, 0, &recording.arguments);
            self.count(|counters| counters.uploaded(whole));
            recording.arguments.clear();
        }
        recording.flop = 0.0;
        self.pool.submitted();
        let submission = self.queue.submit([encoder.finish()]);
        recording.copies.drain(..).for_each(|copy| copy.sent(&submission));
        self.count(|counters| counters.submissions += 1);
        self.note_submission(begin);
        Some(submission)
    }

    /// Records a copy for the host; it is sent with the work around it, at the latest when it is waited for.
    pub(super) fn start(&self, tensor: &Tensor) -> Readback {
        let count = crate::backend::Matrix::len(tensor);
        let range = tensor.bytes();
        if count == 0 || self.fault.get().is_some() || range.end > tensor.storage.buffer().size() {
            return Readback { copy: None, count };
        }
        let bytes = range.end - range.start;
        let staging = self.staging_buffer(bytes);
        self.outside_pass(|encoder| encoder.copy_buffer_to_buffer(tensor.storage.buffer(), range.start, &staging, 0, bytes));
        self.count(|counters| {
            counters.readbacks += 1;
            counters.read_bytes += bytes;
        });
        let copy = Rc::new(HostCopy { staging, bytes, mapped: Default::default(), submission: OnceCell::new() });
        self.recording.borrow_mut().copies.push(copy.clone());
        Readback { copy: Some(copy), count }
    }

    fn staging_buffer(&self, bytes: u64) -> wgpu::Buffer {
        let class = Pool::class(bytes);
        self.staging.take(class, WrittenBy::Kernel).unwrap_or_else(|| {
            self.count(|counters| counters.allocated(class));
            self.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("readback"),
                size: class,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
    }

    pub(super) async fn finish(&self, readback: Readback) -> Result<Vec<f32>> {
        if let Some(error) = self.fault.get() {
            return Err(error);
        }
        let Some(copy) = readback.copy else { return Ok(vec![0.0; readback.count]) };
        if copy.submission.get().is_none() {
            self.send();
        }
        let Some(submission) = copy.submission.get() else {
            return Err(BackendError::Refused { detail: "the result belongs to work that was given up".into() });
        };
        let wait = wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: None };
        if let Err(error) = self.device.poll(wait) {
            self.fail(BackendError::DeviceLost { detail: one_line(&error.to_string()) });
        }
        let mapped = match self.fault.get() {
            Some(error) => return Err(error),
            None => copy.mapped.clone().await,
        };
        mapped.map_err(|detail| self.fault.get().unwrap_or(BackendError::DeviceLost { detail: one_line(&detail) }))?;
        let view = copy.staging.get_mapped_range(..copy.bytes);
        let view = view.map_err(|error| BackendError::Refused { detail: one_line(&error.to_string()) })?;
        let values = bytemuck::cast_slice(&view).to_vec();
        drop(view);
        copy.staging.unmap();
        self.staging.put(copy.staging.clone());
        match self.fault.get() {
            Some(error) => Err(error),
            None => Ok(values),
        }
    }

    /// Reads the guard words of all buffers since the last call, and forgets those buffers.
    pub(super) async fn check_guards(&self) -> Result<()> {
        for (storage, words) in self.guarded.take() {
            let whole = (storage.buffer().size() / 4) as usize;
            let all = Tensor::new(storage, [1, whole]);
            let values = self.finish(self.start(&all)).await?;
            let own = (binding_size(words) / 4) as usize;
            let strayed = values[own..].iter().position(|value| value.to_bits() != POISON);
            if let Some(word) = strayed {
                return Err(BackendError::GuardOverwritten { words, word });
            }
        }
        Ok(())
    }
}

/// WebGPU's default limits, but as large buffers as there are; of GL what it has.
fn usual_limits(adapter: &wgpu::Adapter) -> wgpu::Limits {
    let offered = adapter.limits();
    if adapter.get_info().backend == wgpu::Backend::Gl {
        return offered;
    }
    wgpu::Limits {
        max_buffer_size: offered.max_buffer_size,
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        ..wgpu::Limits::default()
    }
}

/// An error's text without its line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
