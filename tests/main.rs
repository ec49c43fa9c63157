//! The suite: one program, so that the library is linked once and all tests share the threads. A module is run by its
//! name, `cargo test --test suite kernels::`; what reads the sources alone is `tests/house.rs`.

#[macro_use]
mod common;
mod browser;
mod program;

mod augmenting;
mod checkpoints;
mod cli;
mod comparator;
mod corpora;
mod cpu_reference;
mod data_audio;
mod data_corpus;
mod data_dataset;
mod data_headers;
mod data_text;
mod demo;
mod faults;
mod features;
mod front_end;
mod guide;
#[cfg(unix)]
mod jobs;
mod kernels;
#[cfg(unix)]
mod measure;
mod mixed;
mod mixup;
mod offline;
mod onnx;
mod own_kernel;
mod page;
mod prosody;
mod pytorch;
mod reference_gradients;
#[cfg(unix)]
mod releasing;
mod report;
mod reproducible;
mod shaders;
mod soak;
mod streams;
mod svm;
mod systems;
mod tiles;
mod together;
mod validation;
mod work;
