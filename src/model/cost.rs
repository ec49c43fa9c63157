//! What a model costs: parameters and arithmetic of each module, counted by running the model on a backend without numbers.
//!
//! Counted are matrix products, a multiplication with its addition as two FLOP, as the operations state them
//! (`crate::backend::Work::products`): a gradient that nobody wants (of acoustic features, of frozen word vectors and parameters) costs
//! nothing.

use std::collections::BTreeMap;

use super::batch::{BatchStream, FrameInput, TokenInput, VectorInput, pooled_rows};
use super::layers::Pass;
use super::{Batch, Dimensions, Trained};
use crate::backend::ops::{GroupStatistics, Shape, Tokens};
use crate::backend::{Counting, Ragged, Work, Write};
use crate::base::memory::Bytes;
use crate::base::streams::{Reading, StreamKind};
use crate::base::words::OUT_OF_VOCABULARY;
use crate::config::Settings;
use crate::tape::{Mode, Tape, Way};

/// Parameters and work of one module.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleCost {
    /// How the names of its parameters and values begin.
    pub name: String,
    /// Elements of its parameters.
    pub parameters: usize,
    /// FLOP of the way forward for one utterance.
    pub forward: f64,
    /// FLOP of a training step for one utterance: forward and back.
    pub step: f64,
}

/// Costs of the modules that a model has, for an utterance of so many acoustic frames and tokens.
pub fn modules(settings: &Settings, dimensions: &Dimensions, frames: usize, tokens: usize) -> Vec<ModuleCost> {
    let model = super::build::<Counting>(settings, dimensions);
    let mut modules: Vec<ModuleCost> = Vec::new();
    for parameter in model.parameters() {
        let name = module_of(&parameter.name);
        if modules.last().is_none_or(|module| module.name != name) {
            modules.push(ModuleCost { name: name.into(), parameters: 0, forward: 0.0, step: 0.0 });
        }
        if let Some(module) = modules.last_mut() {
            module.parameters += parameter.len();
        }
    }

    let backend = Counting::default();
    let parameters = Shape([1, model.parameters().len()]);
    let batch = batch(&backend, dimensions, &model.reads(), &[frames as u32], &[tokens as u32]);
    let trained = Trained::of(&settings.train, model.parameters());
    // What inference does, then what a step does, whose terms of the loss may need more.
    for trains in [false, true] {
        let mut tape = Tape::watched(&backend);
        let bound = model.parameters().bind_trained(&mut tape, [&parameters; 2], Write::Set, &trained);
        let terms = trains.then(Vec::new);
        let mut pass = Pass { tape: &mut tape, parameters: &bound, dropout: None, watched: None, terms, mixing: None };
        let mut before = backend.work();
        let logits = model.forward(&mut pass, &batch);
        let terms = pass.terms.take().unwrap_or_default();
        let forward = backend.work();
        let starts = terms.iter().flat_map(|(_, term)| term.starts()).chain([&logits]);
        let seen = tape.backward(starts.map(|start| (start, start.value)).collect()).into_seen();
        let mut add = |name: &str, work: Work| {
            // What no module owns, as position embeddings, has no product.
            if let Some(module) = modules.iter_mut().find(|module| module.name == module_of(name)) {
                *(if trains { &mut module.step } else { &mut module.forward }) += work.products;
            }
        };
        // A value is seen when it is computed, its gradient before the way back goes on from it.
        for value in seen.iter().filter(|value| value.way == Way::Forward) {
            add(&value.name, value.readback - before);
            before = value.readback;
        }
        debug_assert_eq!(before, forward, "the last value of the way forward has a name");
        let mut after = backend.work();
        for gradient in seen.iter().rev().filter(|gradient| trains && gradient.way == Way::Back) {
            add(&gradient.name, after - gradient.readback);
            after = gradient.readback;
        }
    }
    modules
}

/// The module that a parameter or a value belongs to.
fn module_of(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Bytes that the way forward of a training step leaves to the way back, in float32, for a batch of so many acoustic frames and tokens:
/// features, results, and what kernels keep beside them.
pub(crate) fn activations(settings: &Settings, dimensions: &Dimensions, frames: &[u32], tokens: &[u32]) -> Bytes {
    let model = super::build::<Counting>(settings, dimensions);
    let backend = Counting::default();
    let parameters = Shape([1, model.parameters().len()]);
    let batch = batch(&backend, dimensions, &model.reads(), frames, tokens);
    let mut tape = Tape::new(&backend, Mode::Train);
    let trained = Trained::of(&settings.train, model.parameters());
    let bound = model.parameters().bind_trained(&mut tape, [&parameters; 2], Write::Set, &trained);
    let terms = Some(Vec::new());
    model.forward(&mut Pass { tape: &mut tape, parameters: &bound, dropout: None, watched: None, terms, mixing: None }, &batch);
    Bytes(backend.elements().saturating_mul(size_of::<f32>() as u64))
}

/// Utterances, as the network reads them: of so many frames and tokens of each such stream.
fn batch(backend: &Counting, dimensions: &Dimensions, reads: &[Reading], frames: &[u32], tokens: &[u32]) -> Batch<Counting> {
    let sum = |lengths: &[u32]| lengths.iter().map(|&length| length as usize).sum::<usize>();
    let utterances = frames.len();
    let normalisation = |columns| {
        let statistics = Shape([1, columns]);
        GroupStatistics { groups: (), mean: statistics, reciprocal_deviation: statistics }
    };
    let input = |reading: &Reading| {
        let columns = dimensions.columns(reading.stream);
        let (width, learned) = dimensions.words(reading.stream);
        let input = match reading.kind {
            StreamKind::Frames { pools, .. } => {
                let rows = pooled_rows(backend, frames, pools);
                BatchStream::Frames(FrameInput::new(Shape([sum(frames), columns]), rows, normalisation(columns)))
            }
            StreamKind::Tokens => BatchStream::Tokens(TokenInput {
                tokens: Tokens::new(backend, &vec![OUT_OF_VOCABULARY; sum(tokens)], 0),
                rows: Ragged::new(backend, tokens),
                vectors: Shape(if learned.is_none() { [1, width] } else { [0, 0] }),
            }),
            StreamKind::Vector => BatchStream::Vector(VectorInput {
                values: Shape([utterances, columns]),
                rows: Ragged::new(backend, &vec![1; utterances]),
                normalisation: normalisation(columns),
            }),
        };
        (reading.stream, input)
    };
    Batch { streams: reads.iter().map(input).collect(), labels: Some(()), covered: BTreeMap::new(), mixing: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::streams::{AUDIO, StreamShape, TEXT};
    use crate::config::{ModelSettings, ModelVariant};

    fn iemocap() -> Dimensions {
        let (audio, text) = (StreamShape::Frames { columns: 40 }, StreamShape::Tokens { width: 300, learned: None });
        Dimensions { streams: [(AUDIO.into(), audio), (TEXT.into(), text)].into(), classes: 7 }
    }

    /// Frames, tokens; MFLOP forward and of a step, counted by hand for the paper's sizes.
    #[test]
    fn the_work_of_the_papers_network_is_the_hand_count() {
        for (frames, tokens, forward, step) in [(1000, 50, 305.0, 855.0), (450, 15, 121.0, 341.0), (300, 11, 82.0, 229.0)] {
            let modules = modules(&Settings::default(), &iemocap(), frames, tokens);
            let sum = |part: fn(&ModuleCost) -> f64| (modules.iter().map(part).sum::<f64>() / 1e6).round();
            assert_eq!((sum(|module| module.forward), sum(|module| module.step)), (forward, step), "{frames} frames, {tokens} tokens");
        }
    }

    #[test]
    fn a_module_costs_its_products_three_times_but_for_gradients_that_nobody_wants() {
        let modules = modules(&Settings::default(), &iemocap(), 450, 15);
        let saved: Vec<f64> = modules.iter().map(|module| 3.0 * module.forward - module.step).collect();
        let [convolution, frozen] = [2.0 * 450.0 * 120.0 * 128.0, 2.0 * 15.0 * 300.0 * 1024.0];
        assert_eq!(saved, [convolution, frozen, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn every_parameter_belongs_to_a_module_and_a_variant_has_no_others() {
        let of = |variant| {
            let model = ModelSettings { variant, ..Default::default() };
            modules(&Settings { model, ..Default::default() }, &iemocap(), 450, 15)
        };
        assert_eq!(of(ModelVariant::Full).iter().map(|module| module.parameters).sum::<usize>(), 1_628_935);
        let names = |variant| of(variant).into_iter().map(|module| module.name).collect::<Vec<_>>();
        assert_eq!(names(ModelVariant::NoText), ["audio_encoder", "self_audio", "classifier"]);
        assert_eq!(names(ModelVariant::NoSelf), ["audio_encoder", "text_encoder", "cross", "classifier"]);
    }
}
