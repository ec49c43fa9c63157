//! The ground floor: what every other module may import, and what imports none of them.
//!
//! | module | what |
//! | --- | --- |
//! | [`philox`] | counter-based random numbers |
//! | `hash` | hashes of names and data |
//! | `foreign` | what stands in place of a file that was asked for |
//! | [`real`] | the number types of the reference |
//! | `clock` | times |
//! | `contents` | what a folder holds that is to be written to |
//! | `files` | the system's, or in memory where there are none |
//! | `half` | half-precision numbers |
//! | [`format`](mod@format) | versions of the files that are written and read again |
//! | `input` | what can be read: files, and streams that are asked for |
//! | [`memory`] | how much memory there is |
//! | `parallel` | all cores, where there are threads |
//! | [`numbers`] | number formats, activations, sizes |
//! | `choice` | types of a few named values |
//! | [`remedy`] | what may help against a failure |
//! | [`setting`] | how a setting is declared |
//! | `shown`, `columns` | texts of others where people read them; tables in letters of one width |
//! | [`sizes`] | sizes as they are typed |
//! | [`streams`] | streams' names and shapes, what a model reads |
//! | [`tiles`] | tile choices of matrix products |
//! | `turn` | in a page, what else it has to do |
//! | `utterances` | splits |
//! | [`words`] | word vectors |

pub(crate) mod choice;
pub(crate) mod clock;
#[cfg(feature = "files")]
pub(crate) mod columns;
pub(crate) mod contents;
mod elementary;
pub(crate) mod files;
#[cfg(feature = "files")]
pub mod foreign;
pub mod format;
pub(crate) mod half;
pub(crate) mod hash;
pub(crate) mod input;
pub mod memory;
pub mod numbers;
pub(crate) mod parallel;
pub mod philox;
pub mod real;
pub mod remedy;
pub mod setting;
pub(crate) mod shown;
pub mod sizes;
pub mod streams;
pub mod tiles;
#[cfg(target_arch = "wasm32")]
pub(crate) mod turn;
pub(crate) mod utterances;
pub mod words;
