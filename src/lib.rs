//! MCSAN (Sun, Liu, Tao, Lian: "Multimodal Cross- and Self-Attention Network for Speech Emotion Recognition", ICASSP
//! 2021) trained and run in WGSL compute shaders on wgpu: Vulkan, Metal, DX12 or GL, no CUDA; without an adapter the same
//! program computes with the CPU reference.
//!
//! A corpus on disk becomes one prepared file; a batch of it becomes one ragged matrix per modality; a model, written
//! once, sends it through fused kernels; each kernel exists twice, as a WGSL shader and as plain Rust that says
//! what the shader must compute.
//!
//! # The house, top floor first
//!
//! A module imports what stands below it or to its right, and nothing else; `tests/house.rs` holds the imports against this.
//!
//! ```text
//! main.rs        arguments in, exit code out
//! web/           what a page calls, in place of cli where the library is compiled to WebAssembly
//! cli/           one file per command; the only place that prints
//! experiment/    folds, seeds, cross-validation, ablation, comparison of systems and of two runs, sweeps, their statistics and tables
//! profile/ report/ picture/ onnx/ check/   what is made of a run, a model, a device: every kernel of a step timed, under the
//!                device's roofs; report.html, model cards; attention weights and confusions as SVG and PNG; a trained model for
//!                onnxruntime; every kernel's cases, and the comparison with the float64 reference
//! train/         what is set up (session), options (run), epochs (epoch), who observes them (observe): files and resuming
//!                (run_folder, claim), a run in one file (packed); one step (trainer), batches, checkpoints, TensorBoard; metrics,
//!                their intervals (bootstrap), of groups, calibration; predictions from streams (inference) and from speech
//!                (predict); the overfit check; ranks that train together (group): threads, processes of an MPI launcher
//! model/         trait Model; parameters in one buffer and how they start, layers/; mcsan, mdre, mha, xu, amh, can, cmkl, liang: a
//!                system is one page; loss: what is made small; mixing: mixup; network: a model with its weights; cost: parameters and FLOP
//! svm/           on the host, over a trained network's features: SMO, a learned sum of kernels, the columns that count
//! tape/          records kernels on the way forward, runs their gradients on the way back; what stands side by side at once
//! demo.rs prepare.rs   the embedded corpus; a corpus → features on the device → a data set, nothing held whole
//! backend/       trait Backend: memory and every kernel of the one list (list.rs); Counting, a backend without numbers
//!     ops/           one file per kernel: equation, operands, what the way back needs, its work
//!     cpu/           the reference: one file per kernel, same names, in f32 or f64; an observer of its calls
//!     gpu/           layers with private state: device, memory, recording, pipelines, timing; engine/ puts them together;
//!                    kernels/: one launch file per kernel
//! dataset/       the prepared file, normalisation, batches on the host
//! text/ corpus/ audio/ config/   tokens, word vectors; a corpus → utterances; decoding, resampling, MFCC settings, prosody; settings
//! base/          random numbers, hashes, number types, word tables, tile choices, what can be read, how a setting is declared,
//!                remedies: imports nothing
//! ```
//!
//! Beside `src`: `shaders/` has one WGSL file per kernel, or a folder where its variants have texts of their own: `interface.wgsl`,
//! what all are launched with, then `graphics.wgsl`, `software.wgsl` for software adapters and others; `shared/` is what they import,
//! `peaks/` what shows a device's roofs. `build/` expands, validates and reflects them into typed launches and variants, and finds
//! barriers that not all reach and the features that a variant requires; `build/web` makes of the library what a page loads.
//!
//! A kernel `name` is a line in `backend/list.rs`, `backend/ops/name.rs` (equation, operands, work), `backend/cpu/name.rs`,
//! `backend/gpu/kernels/name.rs`, `shaders/name.wgsl` or `shaders/name/`, and `check/cases/name.rs`; forgetting one does not
//! compile. A layer runs it by [`tape::Tape::apply`].
//!
//! # Where the paper's equations are
//!
//! | equation | what | where |
//! | --- | --- | --- |
//! | (1) | ConvBlock | `conv_pool`, [`model::layers::ConvBlock`] |
//! | (2–5) | BiLSTM and the mean of its directions | `bilstm`, [`model::layers::BiLstm`] |
//! | (6–14) | cross-attention layer | `attention`, `residual_norm`, `linear`, [`model::layers::AttentionLayer`] |
//! | (15–17) | self-attention layer | the same |
//! | (18, 19) | global maximum over time, classifier | `global_max`, [`model::layers::Classifier`] |
//! | (20) | cross-entropy | `cross_entropy` |
//!
//! # Features
//!
//! All but the last are on by default. Without any (`default-features = false`) what is left is the core, which touches no file, thread or
//! clock and is built for WebAssembly, as it is with `codecs` and `report`: [`base`], [`config`], [`backend`], [`tape`], [`svm`],
//! [`model`], data sets in memory ([`dataset`]), the training step ([`train`]) and [`check`].
//!
//! | feature | what comes with it |
//! | --- | --- |
//! | `threads` | the CPU reference on all cores, shaders compiled at once |
//! | `files` | corpora, WAV, word vectors, prepared data sets, run folders, attention as SVG; for WebAssembly they lie in memory |
//! | `codecs` | recordings in every other format, and the embedded corpus, whose recordings are FLAC; with `report` what a page calls |
//! | `report` | experiments with their statistics, profiles, and the pages and plots of both |
//! | `picture` | attention as PNG |
//! | `onnx` | trained models for onnxruntime |
//! | `cli` | the program, with all of the above but `codecs` |
//! | `mpi` | training by the processes of an MPI launcher; off, as it takes an MPI library and libclang to build |
//!
//! # Example
//!
//! Prepares the embedded corpus, trains for an epoch and predicts a clip, on the best device that there is.
//!
//! ```
//! use mcsan::train::{Predictor, Training};
//! use mcsan::{Device, audio, config::Settings, corpus::manifest, on_device, prepare::prepare_held, text::TextTable};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # pollster::block_on(example())
//! # }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Device::open("auto").await?;
//!
//! let folder = tempfile::tempdir()?;
//! mcsan::demo::unpack(folder.path())?;
//! let mut corpus = manifest::read(&folder.path().join("manifest.csv"))?;
//! # corpus.utterances.retain(|utterance| utterance.id.contains("01"));
//! let text = TextTable::learned(&corpus.utterances);
//! let data = on_device!(device, |backend| prepare_held(backend, corpus.clone(), text, &Default::default()).await)?;
//!
//! let mut settings = Settings::default();
//! settings.train.epochs = 1;
//! let run = folder.path().join("run");
//! Training { settings, out: Some(run.clone()), ..Training::of(&data) }.run(&device).await?;
//!
//! let clip = &corpus.utterances[0];
//! let probabilities = Predictor::load(&run)?.predict(&device, &audio::decode(&clip.audio)?, &clip.text).await?;
//! println!("{:?}", corpus.classes.iter().zip(&probabilities).collect::<Vec<_>>());
//! # assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
//! # Ok(())
//! # }
//! ```

#![deny(missing_docs)]
// What only the program uses of a floor is private; without the program some of it has no use.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]

pub mod audio;
pub mod backend;
pub mod base;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
#[cfg(feature = "files")]
pub mod corpus;
pub mod dataset;
#[cfg(all(feature = "codecs", not(target_arch = "wasm32")))]
pub mod demo;
#[cfg(feature = "report")]
pub mod experiment;
pub mod model;
#[cfg(feature = "onnx")]
pub mod onnx;
#[cfg(feature = "files")]
pub mod picture;
#[cfg(feature = "files")]
pub mod prepare;
#[cfg(feature = "report")]
pub mod profile;
#[cfg(feature = "report")]
pub mod report;
pub mod svm;
pub mod tape;
#[cfg(feature = "files")]
pub mod text;
pub mod train;
#[cfg(all(target_arch = "wasm32", feature = "codecs", feature = "report"))]
pub mod web;

pub use backend::Device;
