//! What a model costs: parameters and arithmetic of each module.
//!
//! Counted is the matrix work, a multiplication with its addition as two FLOP: convolutions, LSTMs, projections, attention,
//! feed-forward, classifier. The way back costs each product twice, for its input and for its weights; once where the
//! input needs no gradient (acoustic features, frozen word vectors).

use super::Dimensions;
use crate::base::numbers::POOL;
use crate::config::ModelSettings;

/// Parameters and work of one module.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleCost {
    /// How its parameters' names begin.
    pub name: &'static str,
    pub parameters: usize,
    /// FLOP of the way forward for one utterance.
    pub forward: f64,
    /// FLOP of a training step for one utterance: forward and back.
    pub step: f64,
}

/// Costs of the modules that a model has, for an utterance of so many acoustic frames and tokens.
pub fn modules(settings: &ModelSettings, dimensions: &Dimensions, frames: usize, tokens: usize) -> Vec<ModuleCost> {
    let all = super::parameters(settings, dimensions);
    let variant = settings.variant;
    let width = settings.hidden as f64;
    let pooled = frames / POOL as usize;
    let [audio, text] = [(pooled / POOL as usize) as f64, tokens as f64];
    let product = |rows: f64, inputs: f64, outputs: f64| 2.0 * rows * inputs * outputs;
    // Input and recurrent products of four gates in two directions.
    let lstm = |rows: f64, inputs: f64| product(rows, inputs + width, 8.0 * width);
    // Four projections and the feed-forward of one stream.
    let stream = |rows: f64| 4.0 * product(rows, width, width) + 2.0 * product(rows, width, settings.feed_forward as f64);
    // Scores and weighted sum.
    let attention = |queries: f64, keys: f64| 2.0 * product(queries, keys, width);
    let first_convolution = product(frames as f64, 3.0 * dimensions.coefficients as f64, width);
    let audio_encoder = first_convolution + product(pooled as f64, 3.0 * width, width) + lstm(audio, width);
    let text_encoder = lstm(text, dimensions.word_width as f64);
    let frozen = if dimensions.learned_words.is_none() { product(text, dimensions.word_width as f64, 8.0 * width) } else { 0.0 };
    let layers = settings.layers as f64;
    let cross = layers * (stream(audio) + stream(text) + 2.0 * attention(audio, text));
    let [self_audio, self_text] = [audio, text].map(|rows| layers * (stream(rows) + attention(rows, rows)));
    let classifier = product(1.0, variant.pooled() as f64 * width, width) + product(1.0, width, dimensions.classes as f64);
    // Name, FLOP forward, FLOP that the way back saves.
    let modules = [
        ("audio_encoder", audio_encoder, first_convolution),
        ("text_encoder", text_encoder, frozen),
        ("cross", cross, 0.0),
        ("self_audio", self_audio, 0.0),
        ("self_text", self_text, 0.0),
        ("classifier", classifier, 0.0),
    ];
    let cost = |(name, forward, saved): (&'static str, f64, f64)| {
        let own = all.iter().filter(|parameter| parameter.name.split('.').next() == Some(name));
        ModuleCost { name, parameters: own.map(|parameter| parameter.len()).sum(), forward, step: 3.0 * forward - saved }
    };
    modules.into_iter().map(cost).filter(|module| module.parameters > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Variant;

    const IEMOCAP: Dimensions = Dimensions { coefficients: 40, word_width: 300, learned_words: None, classes: 7 };

    /// Frames, tokens; MFLOP forward and of a step, counted by hand for the paper's sizes.
    #[test]
    fn the_work_of_the_papers_network_is_the_hand_count() {
        for (frames, tokens, forward, step) in [(1000, 50, 305.0, 855.0), (450, 15, 121.0, 341.0), (300, 11, 82.0, 229.0)] {
            let modules = modules(&ModelSettings::default(), &IEMOCAP, frames, tokens);
            let sum = |part: fn(&ModuleCost) -> f64| (modules.iter().map(part).sum::<f64>() / 1e6).round();
            assert_eq!((sum(|module| module.forward), sum(|module| module.step)), (forward, step), "{frames} frames, {tokens} tokens");
        }
    }

    #[test]
    fn every_parameter_belongs_to_a_module_and_a_variant_has_no_others() {
        let of = |variant| modules(&ModelSettings { variant, ..Default::default() }, &IEMOCAP, 450, 15);
        assert_eq!(of(Variant::Full).iter().map(|module| module.parameters).sum::<usize>(), 1_628_935);
        let names = |variant| of(variant).iter().map(|module| module.name).collect::<Vec<_>>();
        assert_eq!(names(Variant::NoText), ["audio_encoder", "self_audio", "classifier"]);
        assert_eq!(names(Variant::NoSelf), ["audio_encoder", "text_encoder", "cross", "classifier"]);
    }
}
