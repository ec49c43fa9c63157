//! The settings that a sweep tries: lists of values, whose every combination is a point of a grid, and ranges, from which points are
//! drawn.

use toml::Value;

use super::SweepError;
use crate::base::philox::Stream;
use crate::base::setting::{Key, Kind, Section};
use crate::config::{Config, ConfigError, Execution, key_named, parse_value};

/// Random streams of drawn values start here, one more for each setting.
const SWEEP_STREAMS: u64 = 1 << 55;

/// Most points of a sweep: each is a folder of runs.
pub(super) const MOST: usize = 10_000;

/// Draws for a new point, beyond those that have been drawn, before it is taken that there is none.
const TRIES: u64 = 1000;

/// What a setting may be.
#[derive(Debug, Clone, PartialEq)]
enum Values {
    /// One of these.
    Listed(Vec<Value>),
    /// A number between these, both included; evenly, or by its logarithm.
    Range { from: f64, to: f64, is_log: bool, written: String },
}

/// A setting that is swept.
#[derive(Debug, Clone, PartialEq)]
struct Axis {
    key: &'static Key,
    values: Values,
}

/// A value for each setting that is swept, in their order.
pub type Point = Vec<(&'static Key, Value)>;

/// All settings that are swept.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Space {
    axes: Vec<Axis>,
}

impl Space {
    /// Reads `KEY=VALUE,VALUE,…` or `KEY=FROM..TO[:log]` of each setting; with `is_halved`, epochs are the budget.
    ///
    /// # Errors
    /// [`SweepError`], naming the setting.
    pub(crate) fn read(arguments: &[String], is_halved: bool) -> Result<Self, SweepError> {
        let mut axes: Vec<Axis> = Vec::new();
        for argument in arguments {
            let (name, text) = argument.split_once('=').ok_or_else(|| ConfigError::NoAssignment { argument: argument.clone() })?;
            let key = key_named(name.trim())?;
            if axes.iter().any(|axis| axis.key == key) {
                return Err(SweepError::KeyTwice { key: key.name });
            }
            if let Some(reason) = unsweepable(key, is_halved) {
                return Err(SweepError::Unsweepable { key: key.name, reason });
            }
            let values = match range(key, text.trim())? {
                Some(range) => range,
                None => Values::Listed(listed(key, text, argument)?),
            };
            axes.push(Axis { key, values });
        }
        Ok(Self { axes })
    }

    /// The settings, in the order in which they were given.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.axes.iter().map(|axis| axis.key)
    }

    /// Every combination of the listed values, the last setting's changing fastest.
    ///
    /// # Errors
    /// A range, or too many combinations.
    pub(crate) fn grid(&self) -> Result<Vec<Point>, SweepError> {
        let mut points: Vec<Point> = vec![Vec::new()];
        for Axis { key, values } in &self.axes {
            let values = match values {
                Values::Listed(values) => values,
                Values::Range { written, .. } => return Err(SweepError::RangeInGrid { key: key.name, range: written.clone() }),
            };
            if points.len().saturating_mul(values.len()) > MOST {
                return Err(SweepError::TooMany);
            }
            let with = |point: &Point| values.iter().map(|value| [point.clone(), vec![(*key, value.clone())]].concat()).collect::<Vec<_>>();
            points = points.iter().flat_map(with).collect();
        }
        Ok(points)
    }

    /// So many different combinations at random (Bergstra & Bengio, "Random search for hyper-parameter optimization", 2012); fewer are
    /// the first of more. Numbers from ranges have four digits.
    ///
    /// # Errors
    /// Fewer combinations than that.
    pub(crate) fn draw(&self, count: usize, seed: u64) -> Result<Vec<Point>, SweepError> {
        let mut points: Vec<Point> = Vec::new();
        let (mut index, mut last) = (0, 0);
        while points.len() < count {
            if index - last > TRIES {
                return Err(SweepError::TooFew { asked: count, found: points.len() });
            }
            let streams = (0..).map(|axis| Stream { seed, stream: SWEEP_STREAMS + axis });
            let point: Point = self.axes.iter().zip(streams).map(|(axis, stream)| (axis.key, axis.value(stream, index))).collect();
            index += 1;
            if !points.contains(&point) {
                points.push(point);
                last = index;
            }
        }
        Ok(points)
    }
}

impl Axis {
    fn value(&self, stream: Stream, index: u64) -> Value {
        match &self.values {
            Values::Listed(values) => values[stream.below(index, values.len())].clone(),
            Values::Range { from, to, is_log, .. } => {
                let share = f64::from(stream.uniform(index));
                let is_whole = self.key.kind == Kind::Integer;
                let drawn = match (is_log, is_whole) {
                    (true, _) => libm::exp(libm::log(*from) + share * (libm::log(*to) - libm::log(*from))),
                    (false, true) => (from + share * (to - from + 1.0)).floor(),
                    (false, false) => from + share * (to - from),
                };
                if is_whole {
                    return Value::Integer(drawn.round().clamp(*from, *to) as i64);
                }
                let rounded = format!("{drawn:.3e}").parse().unwrap_or(drawn);
                Value::Float(rounded.clamp(*from, *to))
            }
        }
    }
}

/// Why a setting is not swept.
fn unsweepable(key: &Key, is_halved: bool) -> Option<&'static str> {
    match key.name {
        "train.seed" => Some("each setting is tried with the same seeds"),
        "train.selection" => Some("it says what the settings are chosen by"),
        "cmkl.c" | "cmkl.subset" => Some("it decides the SVM on the trained network, of which the epochs' validation figures say nothing"),
        "train.epochs" | "train.steps" if is_halved => Some("epochs are the budget that is divided"),
        "run.from" => Some("the settings of the network follow from it"),
        "train.accumulate" | "train.checkpoint_every" => Some("it decides no result"),
        name if Execution::KEYS.iter().any(|key| key.name == name) => Some("it decides no result"),
        _ => None,
    }
}

/// `FROM..TO`, with `:log` or `:linear` behind it, where it is of numbers.
fn range(key: &'static Key, text: &str) -> Result<Option<Values>, SweepError> {
    let (ends, scale) = match text.rsplit_once(':') {
        Some((ends, scale)) if ends.contains("..") => (ends, Some(scale.trim())),
        _ => (text, None),
    };
    let Some((from, to)) = ends.split_once("..") else { return Ok(None) };
    let (Ok(from), Ok(to)) = (from.trim().parse::<f64>(), to.trim().parse::<f64>()) else { return Ok(None) };
    let refused = |problem| Err(SweepError::Range { key: key.name, range: text.into(), problem });
    let is_log = match scale {
        None | Some("linear") => false,
        Some("log") => true,
        Some(_) => return refused("behind a range stands :log or :linear"),
    };
    let is_whole = key.kind == Kind::Integer;
    match key.kind {
        Kind::Integer if from.fract() != 0.0 || to.fract() != 0.0 => return refused("its ends are no whole numbers"),
        Kind::Integer | Kind::Number => {}
        Kind::Switch | Kind::Word(_) | Kind::Text => return refused("the setting is no number, and has no range"),
    }
    if !(from.is_finite() && to.is_finite() && from < to) {
        return refused("its first end is not below its second");
    }
    if is_log && from <= 0.0 {
        return refused("a logarithm needs ends above 0");
    }
    // What lies between two values that a setting takes is one that it takes, but for rules beside the range, which every drawn
    // point is held against.
    for end in [from, to] {
        let value = if is_whole { Value::Integer(end as i64) } else { Value::Float(end) };
        canonical(key, &value)?;
    }
    Ok(Some(Values::Range { from, to, is_log, written: text.into() }))
}

/// The values of a list, all of which the setting can be.
fn listed(key: &'static Key, text: &str, argument: &str) -> Result<Vec<Value>, SweepError> {
    let mut values: Vec<(Value, String)> = Vec::new();
    for part in split(text) {
        if part.is_empty() {
            return Err(SweepError::NoValue { argument: argument.into() });
        }
        let value = parse_value(part);
        let shown = canonical(key, &value)?;
        if values.iter().any(|(_, other)| *other == shown) {
            return Err(SweepError::ValueTwice { key: key.name, value: shown });
        }
        values.push((value, shown));
    }
    Ok(values.into_iter().map(|(value, _)| value).collect())
}

/// A value as settings that hold it write it.
fn canonical(key: &Key, value: &Value) -> Result<String, SweepError> {
    let mut config = Config::default();
    config.set(key.name, value.clone())?;
    config.settings.validate_alone(key)?;
    Ok(config.value(key))
}

/// What stands between commas, those within brackets and quotes apart.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quote) = (Vec::new(), 0, 0usize, None);
    for (place, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(text[start..place].trim());
                start = place + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::remedy::line;

    fn read(arguments: &[&str]) -> Result<Space, SweepError> {
        Space::read(&arguments.iter().map(|argument| argument.to_string()).collect::<Vec<_>>(), false)
    }

    fn shown(points: &[Point]) -> Vec<String> {
        let value = |(key, value): &(&Key, Value)| format!("{}={value}", key.parts().1);
        points.iter().map(|point| point.iter().map(value).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_grid_has_every_combination() {
        let space = read(&["train.lr=1e-3,3e-4", "model.system=mcsan,mdre", "train.class_weights=[1, 2],balanced"]).unwrap();
        let points = space.grid().unwrap();
        assert_eq!(points.len(), 8);
        assert_eq!(
            shown(&points)[..3],
            [
                r#"lr=0.001 system="mcsan" class_weights=[1, 2]"#,
                r#"lr=0.001 system="mcsan" class_weights="balanced""#,
                r#"lr=0.001 system="mdre" class_weights=[1, 2]"#,
            ]
        );
    }

    #[test]
    fn drawn_points_are_different_within_their_ranges_and_the_first_of_more() {
        let space = read(&["train.lr=1e-4..1e-2:log", "model.layers=1..3", "train.weight_decay=0..0.1"]).unwrap();
        let points = space.draw(40, 7).unwrap();
        assert_eq!(space.draw(9, 7).unwrap(), points[..9]);
        assert_ne!(space.draw(9, 8).unwrap(), points[..9]);
        let lr: Vec<f64> = points.iter().map(|point| point[0].1.as_float().unwrap()).collect();
        assert!(lr.iter().all(|lr| (1e-4..=1e-2).contains(lr)));
        let below = lr.iter().filter(|lr| **lr < 1e-3).count();
        assert!((10..=30).contains(&below), "a logarithm has half of them in the lower decade: {below}");
        for layers in 1..=3 {
            assert!(points.iter().any(|point| point[1].1.as_integer() == Some(layers)));
        }
        assert_eq!(read(&["model.layers=1..3"]).unwrap().draw(3, 0).unwrap().len(), 3);
    }

    #[test]
    fn what_cannot_be_swept_is_named_with_the_remedy() {
        for (arguments, told) in [
            (&["train.lrr=1"][..], "unknown setting 'train.lrr' (nearest: train.lr"),
            (&["train.lr"], "'train.lr' is not KEY=VALUE"),
            (&["train.lr=1e-3,,1"], "'train.lr=1e-3,,1' lists an empty value"),
            (&["train.lr=1e-3,0.001"], "train.lr = 0.001 is listed twice; leave one of them out"),
            (&["train.lr=1", "train.lr=2"], "train.lr is named twice; give all its values at once"),
            (&["train.lr=1e-2..1e-4"], "train.lr = 1e-2..1e-4: its first end is not below its second"),
            (&["train.lr=0..1:log"], "train.lr = 0..1:log: a logarithm needs ends above 0"),
            (&["train.lr=1e-4..1:ln"], "train.lr = 1e-4..1:ln: behind a range stands :log or :linear"),
            (&["model.layers=1..2.5"], "model.layers = 1..2.5: its ends are no whole numbers"),
            (&["model.variant=1..2"], "model.variant = 1..2: the setting is no number"),
            (&["model.layers=0,1"], "model.layers = 0: expected an integer, at least 1"),
            (&["model.layers=1..2000"], "model.layers = 2000: expected an integer from 1 to 1000"),
            (&["model.variant=half"], "model.variant = \"half\": expected full,"),
            (&["train.seed=1,2"], "train.seed is not swept: each setting is tried with the same seeds; train several seeds"),
            (&["run.device=cpu"], "run.device is not swept: it decides no result; leave run.device out"),
        ] {
            let line = line(&read(arguments).unwrap_err());
            assert!(line.starts_with(told), "{arguments:?}: {line}");
        }
        let grid = read(&["train.lr=1e-4..1e-2:log"]).unwrap().grid().unwrap_err();
        assert_eq!(line(&grid), "train.lr = 1e-4..1e-2:log is a range, of which a grid has no values; draw some of them, or list values");
        let few = read(&["model.layers=1,2", "train.lr=1,2"]).unwrap().draw(5, 0).unwrap_err();
        assert_eq!(line(&few), "5 different combinations cannot be drawn of 4; draw at most 4");
        let halved = Space::read(&["train.epochs=1,2".into()], true).unwrap_err();
        assert!(line(&halved).starts_with("train.epochs is not swept: epochs are the budget"), "{halved}");
    }
}
