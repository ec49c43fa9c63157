//! Which parameters a training changes, and how fast: by what their names begin with.

use std::ops::Range;

use super::parameters::{Parameter, Parameters};
use crate::config::{ConfigError, TrainSettings};

/// Which parameters of a model are trained, and by which factor of the learning rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Of each block, in the order of the buffer; 0: it stays as it is.
    factors: Vec<f64>,
}

impl Trained {
    /// As the settings say; names that are of no parameter change nothing.
    pub fn of(settings: &TrainSettings, parameters: &Parameters) -> Self {
        let (frozen, rates) = (settings.frozen(), settings.factors().unwrap_or_default());
        let factor = |parameter: &Parameter| {
            if frozen.iter().any(|name| begins(&parameter.name, name)) {
                return 0.0;
            }
            // The longest name is the most exact one.
            let own = rates.iter().filter(|(name, _)| begins(&parameter.name, name)).max_by_key(|(name, _)| name.len());
            own.map_or(1.0, |&(_, factor)| factor)
        };
        Self { factors: parameters.blocks().map(|of| of.iter().map(factor).fold(0.0, f64::max)).collect() }
    }

    /// Whether a block is trained.
    pub(super) fn is_trained(&self, block: usize) -> bool {
        self.factors.get(block).is_none_or(|&factor| factor > 0.0)
    }

    /// Stretches of the buffer that are trained alike, with the factor of the learning rate; those that stay as they are are left out.
    pub(crate) fn stretches(&self, parameters: &Parameters) -> Vec<(Range<usize>, f64)> {
        let mut stretches: Vec<(Range<usize>, f64)> = Vec::new();
        for (range, &factor) in parameters.block_ranges().into_iter().zip(&self.factors) {
            match stretches.last_mut() {
                Some((last, of)) if *of == factor && last.end == range.start => last.end = range.end,
                _ => stretches.push((range, factor)),
            }
        }
        stretches.retain(|(range, factor)| *factor > 0.0 && !range.is_empty());
        stretches
    }

    /// The parameters that are trained.
    pub(crate) fn parameters<'p>(&self, parameters: &'p Parameters) -> impl Iterator<Item = &'p Parameter> {
        parameters.blocks().enumerate().filter(|(block, _)| self.is_trained(*block)).flat_map(|(_, of)| of)
    }
}

/// Whether a parameter's name begins with another; a number in it does not go on behind: `cross.1` is none of `cross.10`.
fn begins(parameter: &str, name: &str) -> bool {
    let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
    parameter.strip_prefix(name).is_some_and(|rest| !(digit(name.chars().next_back()) && digit(rest.chars().next())))
}

/// Compares the names that settings freeze, or give a rate of their own, with those of a model's parameters.
///
/// # Errors
/// [`ConfigError::Value`]: a name of no parameter, a rate of what is frozen, no parameter that is left, a name of one direction of a
/// recurrent layer alone.
pub(crate) fn check(settings: &TrainSettings, parameters: &Parameters) -> Result<(), ConfigError> {
    let (frozen, rates) = (settings.frozen(), settings.factors()?);
    let refused = |key: &str, value: &str, allowed: String| Err(ConfigError::Value { key: key.into(), value: value.into(), allowed });
    let named = frozen.iter().map(|name| ("train.freeze", *name)).chain(rates.iter().map(|(name, _)| ("train.rates", *name)));
    for (key, name) in named {
        let of_parameter = |parameter: &Parameter| begins(&parameter.name, name);
        if !parameters.iter().any(of_parameter) {
            return refused(key, name, format!("how a parameter's name begins: {}", modules(parameters).join(", ")));
        }
        if let Some(block) = parameters.blocks().find(|block| block.iter().any(of_parameter) && !block.iter().all(of_parameter)) {
            let both = block.iter().map(|parameter| parameter.name.as_str()).collect::<Vec<_>>().join(" and ");
            return refused(key, name, format!("both directions of a recurrent layer, {both}, which lie in one matrix"));
        }
    }
    let is_frozen = |parameter: &Parameter| frozen.iter().any(|name| begins(&parameter.name, name));
    let of_frozen = |name: &str| parameters.iter().filter(|parameter| begins(&parameter.name, name)).all(is_frozen);
    if let Some((name, _)) = rates.iter().find(|(name, _)| of_frozen(name)) {
        return refused("train.rates", name, "parameters that train.freeze leaves to be trained".into());
    }
    match parameters.iter().all(is_frozen) {
        true => refused("train.freeze", &settings.freeze, "a parameter that is left to be trained".into()),
        false => Ok(()),
    }
}

/// What the names of a model's parameters begin with.
fn modules(parameters: &Parameters) -> Vec<&str> {
    let mut modules: Vec<&str> = parameters.iter().filter_map(|parameter| parameter.name.split('.').next()).collect();
    let mut seen = std::collections::BTreeSet::new();
    modules.retain(|module| seen.insert(*module));
    modules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parameters::Initial;

    fn parameters() -> Parameters {
        let mut parameters = Parameters::default();
        for name in ["audio.conv.weight", "cross.1.weight", "cross.10.weight", "head.weight"] {
            parameters.add(name.into(), &[3], Initial::Constant(1.0));
        }
        parameters.add_joined(["lstm.weight".into(), "lstm.weight_reverse".into()], &[40], Initial::Constant(1.0));
        parameters
    }

    fn settings(freeze: &str, rates: &str) -> TrainSettings {
        TrainSettings { freeze: freeze.into(), rates: rates.into(), ..Default::default() }
    }

    #[test]
    fn stretches_are_as_long_as_they_can_be_and_leave_out_what_is_frozen() {
        let stretches = |freeze, rates| Trained::of(&settings(freeze, rates), &parameters()).stretches(&parameters());
        assert_eq!(stretches("", ""), [(0..384, 1.0)]);
        assert_eq!(stretches("cross.1", ""), [(0..64, 1.0), (128..384, 1.0)]);
        assert_eq!(stretches("audio", "cross=0.5,cross.10=2"), [(64..128, 0.5), (128..192, 2.0), (192..384, 1.0)]);
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for (freeze, rates, said) in [
            ("video", "", "train.freeze = video: expected how a parameter's name begins: audio, cross, head, lstm"),
            ("", "cross.2=3", "train.rates = cross.2: expected how a parameter's name begins"),
            ("cross", "cross.1=3", "train.rates = cross.1: expected parameters that train.freeze leaves"),
            ("audio,cross,head,lstm", "", "train.freeze = audio,cross,head,lstm: expected a parameter that is left"),
            (
                "lstm.weight_reverse",
                "",
                "train.freeze = lstm.weight_reverse: expected both directions of a recurrent layer, lstm.weight and",
            ),
        ] {
            let line = check(&settings(freeze, rates), &parameters()).unwrap_err().to_string();
            assert!(line.starts_with(said), "{line}");
        }
        check(&settings("audio, cross.1", "cross=3,head=0.1"), &parameters()).unwrap();
    }
}
