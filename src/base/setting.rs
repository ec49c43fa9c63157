//! How a setting is declared: once, by `settings!`, with its type, default, range and meaning, and its flag where it has one.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::choice::Choice;

/// What a list of settings, the command line and errors know of a setting.
#[derive(Debug)]
pub struct Key {
    /// `section.name`
    pub name: &'static str,
    /// What it is, in a phrase.
    pub meaning: &'static str,
    /// What kind of value it takes.
    pub kind: Kind,
    /// What holds of it besides.
    pub rule: Rule,
    /// Its default, where that is a number.
    pub default: fn() -> Option<f64>,
}

/// A setting is declared once, so that its name tells it from others.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Key {}

/// What kind of value a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Switch,
    /// One of these words, each with its meaning.
    Word(&'static [(&'static str, &'static str)]),
    /// What the setting's words say.
    Text,
}

/// A type that a setting can have.
pub(crate) trait SettingType {
    /// What kind of value that is.
    const KIND: Kind;

    /// The value where it is a number, the decimal one that it is written as.
    fn number(&self) -> Option<f64> {
        None
    }
}

impl<T: Choice> SettingType for T {
    const KIND: Kind = Kind::Word(T::WORDS);
}

macro_rules! numbers {
    ($($type:ty: $kind:ident),+) => { $(
        impl SettingType for $type {
            const KIND: Kind = Kind::$kind;

            fn number(&self) -> Option<f64> {
                self.to_string().parse().ok()
            }
        }
    )+ };
}
numbers!(usize: Integer, u64: Integer, f32: Number, f64: Number);

impl SettingType for bool {
    const KIND: Kind = Kind::Switch;
}

impl SettingType for String {
    const KIND: Kind = Kind::Text;
}

/// Numbers that are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// This and more.
    AtLeast(usize),
    /// More than this.
    Above(usize),
    /// From the first to the second.
    Within(usize, usize),
    /// From 0 to below this.
    Below(usize),
    /// Above 0 and at most this.
    PositiveTo(usize),
    /// Powers of two from the first to the second.
    PowerOfTwo(usize, usize),
}

impl Range {
    /// Whether a number is one of these.
    pub(crate) fn contains(self, number: f64) -> bool {
        match self {
            Self::AtLeast(least) => number >= least as f64,
            Self::Above(bound) => number > bound as f64,
            Self::Within(least, most) => (least as f64..=most as f64).contains(&number),
            Self::Below(bound) => (0.0..bound as f64).contains(&number),
            Self::PositiveTo(most) => number > 0.0 && number <= most as f64,
            Self::PowerOfTwo(least, most) => Self::Within(least, most).contains(number) && (number as usize).is_power_of_two(),
        }
    }

    /// Whether float32 has a number near this one that is one of these: neither an infinity, nor a zero in place of something
    /// small. Devices may take denormal numbers for zero.
    pub(crate) fn contains_single(self, number: f64) -> bool {
        let single = number as f32;
        let kept = single.is_normal() || number == 0.0;
        kept && self.contains(single.into())
    }

    /// Those of them that are at most `most`.
    fn up_to(self, most: usize) -> Self {
        match self {
            Self::AtLeast(least) => Self::Within(least, most),
            Self::Within(least, own) => Self::Within(least, own.min(most)),
            Self::PowerOfTwo(least, own) => Self::PowerOfTwo(least, own.min(most)),
            Self::Above(_) | Self::Below(_) | Self::PositiveTo(_) => self,
        }
    }
}

impl Display for Range {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(formatter, "at least {least}"),
            Self::Above(bound) => write!(formatter, "more than {bound}"),
            Self::Within(least, most) => write!(formatter, "{least} to {most}"),
            Self::Below(bound) => write!(formatter, "0 to below {bound}"),
            Self::PositiveTo(most) => write!(formatter, "more than 0, at most {most}"),
            Self::PowerOfTwo(least, most) => write!(formatter, "a power of two between {least} and {most}"),
        }
    }
}

/// What holds of a setting besides its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Numbers that it takes.
    pub range: Range,
    /// The setting of the same section that it may not exceed.
    bound: Option<&'static str>,
    /// The most that it can be, far beyond what anybody wants: it is said only where it is passed.
    most: Option<usize>,
    /// What may be written, where type and range do not say it.
    pub words: Option<&'static str>,
    /// What its flag on the command line calls the value, where it has one.
    pub flag: Option<&'static str>,
    /// What its flag is called, where not as the setting.
    long: Option<&'static str>,
    /// Whether a run may be resumed with another value: how long it goes on, and what decides no more than rounding or speed.
    pub resumable: bool,
}

/// What a declaration says behind the default; together they are a [`Rule`].
impl Rule {
    /// No more than type and default.
    pub(crate) const USUAL: Self =
        Self { range: Range::AtLeast(0), bound: None, most: None, words: None, flag: None, long: None, resumable: false };

    pub(crate) const fn at_least(mut self, least: usize) -> Self {
        self.range = Range::AtLeast(least);
        self
    }

    pub(crate) const fn above(mut self, bound: usize) -> Self {
        self.range = Range::Above(bound);
        self
    }

    pub(crate) const fn within(mut self, least: usize, most: usize) -> Self {
        self.range = Range::Within(least, most);
        self
    }

    pub(crate) const fn below(mut self, bound: usize) -> Self {
        self.range = Range::Below(bound);
        self
    }

    pub(crate) const fn positive_to(mut self, most: usize) -> Self {
        self.range = Range::PositiveTo(most);
        self
    }

    pub(crate) const fn power_of_two(mut self, least: usize, most: usize) -> Self {
        self.range = Range::PowerOfTwo(least, most);
        self
    }

    /// At most what another setting of the section is.
    pub(crate) const fn up_to(mut self, setting: &'static str) -> Self {
        self.bound = Some(setting);
        self
    }

    /// Never more than this: what kernels count in 32 bits and what a network can have.
    pub(crate) const fn at_most(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }

    /// What may be written, where type and range do not say it.
    pub(crate) const fn words(mut self, words: &'static str) -> Self {
        self.words = Some(words);
        self
    }

    /// It has a flag, which calls its value so.
    pub(crate) const fn flag(mut self, value: &'static str) -> Self {
        self.flag = Some(value);
        self
    }

    /// The flag has a name of its own.
    pub(crate) const fn long(mut self, name: &'static str) -> Self {
        self.long = Some(name);
        self
    }

    pub(crate) const fn resumable(mut self) -> Self {
        self.resumable = true;
        self
    }
}

impl Key {
    /// What may be written, in words.
    pub(crate) fn allowed(&self) -> String {
        match (self.rule.words, self.kind) {
            (Some(words), _) => words.into(),
            (None, Kind::Integer) => format!("an integer{}", self.range()),
            (None, Kind::Number) => format!("a number{}", self.range()),
            (None, Kind::Switch) => "true or false".into(),
            (None, Kind::Word([first @ .., (last, _)])) => {
                let first: Vec<&str> = first.iter().map(|(word, _)| *word).collect();
                format!("{} or {last}", first.join(", "))
            }
            (None, Kind::Word([]) | Kind::Text) => "text in quotes".into(),
        }
    }

    /// The range behind the name of the type.
    fn range(&self) -> String {
        let range = behind(self.rule.range);
        self.rule.bound.map_or(range.clone(), |bound| format!("{range}, at most {bound}"))
    }

    /// `section` and `name`.
    pub(crate) fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or((self.name, ""))
    }

    /// The flag's name, for example `checkpoint-every`.
    pub(crate) fn long(&self) -> String {
        self.rule.long.map_or_else(|| self.parts().1.replace('_', "-"), str::to_owned)
    }
}

/// A range, to follow the name of a type.
fn behind(range: Range) -> String {
    match range {
        Range::Within(..) | Range::Below(_) => format!(" from {range}"),
        range => format!(", {range}"),
    }
}

/// A number that its setting does not take, or not beside the others.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfRange {
    /// Which setting.
    pub key: &'static Key,
    /// What it is.
    pub value: f64,
    /// What it may be, the others being what they are.
    pub range: Range,
}

impl OutOfRange {
    /// The number as it was written, and what becomes of it where it is to be a float32 that is none near it.
    pub(crate) fn shown(&self) -> String {
        let Self { key, value, .. } = *self;
        match key.kind {
            Kind::Number if value.is_finite() && key.rule.range.contains(value) => {
                let single = Some(value as f32).filter(|single| !single.is_subnormal()).unwrap_or_default();
                format!("{value:?} ({single} in float32)")
            }
            _ => value.to_string(),
        }
    }

    /// What may be written instead, in words.
    pub(crate) fn allowed(&self) -> String {
        let Self { key, value, range } = *self;
        if range != key.rule.range && key.rule.range.contains(value) {
            return format!("an integer{}", behind(range));
        }
        key.allowed()
    }
}

/// A struct that `settings!` declares.
pub(crate) trait Section: Default + Serialize + DeserializeOwned {
    /// Its settings, in the order of the fields.
    const KEYS: &'static [Key];

    /// The settings that are numbers, with their values.
    fn numbers(&self) -> Vec<(&'static Key, f64)>;

    /// The first number that is out of its range: of its own, as it is written and as devices take it, and then of what another
    /// setting or the most that there can be leaves of it.
    fn out_of_range(&self) -> Option<OutOfRange> {
        let numbers = self.numbers();
        let bound = |key: &Key| numbers.iter().find(|(other, _)| Some(other.parts().1) == key.rule.bound);
        let beside = |key: &Key| bound(key).map_or(key.rule.range, |&(_, most)| key.rule.range.up_to(most as usize));
        let in_all = |key: &Key| key.rule.most.map_or(beside(key), |most| beside(key).up_to(most));
        let is_taken = |range: Range, key: &Key, value| range.contains(value) && (key.kind != Kind::Number || range.contains_single(value));
        let outside = |range: &dyn Fn(&Key) -> Range| numbers.iter().find(|&&(key, value)| !is_taken(range(key), key, value));
        if let Some(&(key, value)) = outside(&|key| key.rule.range) {
            return Some(OutOfRange { key, value, range: beside(key) });
        }
        let &(key, value) = outside(&in_all)?;
        Some(OutOfRange { key, value, range: in_all(key) })
    }
}

/// Declares a section: its struct, the struct's [`Default`] and its keys, as a [`Section`]. A field is written
/// `/// meaning`, `name: type = default; rule(…), rule;`, the rules being functions of [`Rule`].
macro_rules! settings {
    (
        $(#[$attribute:meta])*
        pub struct $name:ident in $section:literal {
            $( $(#[doc = $meaning:literal])+ $field:ident: $type:ty = $default:expr; $( $rule:ident $(($($argument:expr),+))? ),* $(;)? )+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $( $(#[doc = $meaning])+ pub $field: $type, )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )+ }
            }
        }

        impl $crate::base::setting::Section for $name {
            const KEYS: &'static [$crate::base::setting::Key] = &[$( $crate::base::setting::Key {
                name: concat!($section, ".", stringify!($field)),
                meaning: concat!($($meaning),+).trim_ascii(),
                kind: <$type as $crate::base::setting::SettingType>::KIND,
                rule: $crate::base::setting::Rule::USUAL $( .$rule($($($argument),+)?) )*,
                default: || $crate::base::setting::SettingType::number(&Self::default().$field),
            }, )+];

            fn numbers(&self) -> Vec<(&'static $crate::base::setting::Key, f64)> {
                let numbers = [$( $crate::base::setting::SettingType::number(&self.$field), )+];
                Self::KEYS.iter().zip(numbers).filter_map(|(key, number)| Some((key, number?))).collect()
            }
        }
    };
}
pub(crate) use settings;
