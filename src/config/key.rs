//! How a setting is declared: once, by [`settings!`], with its type, default, range and meaning, and its flag where it has one.

use std::fmt::{self, Display, Formatter};

use crate::base::choice::Choice;

/// What `mcsan config`, the command line and errors know of a setting.
pub struct Key {
    /// `section.name`
    pub name: &'static str,
    /// What it is, in a phrase.
    pub meaning: &'static str,
    /// What kind of value it takes.
    pub kind: Kind,
    /// What holds of it besides.
    pub rule: Rule,
}

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
pub trait SettingType {
    /// What kind of value that is.
    const KIND: Kind;
}

impl<T: Choice> SettingType for T {
    const KIND: Kind = Kind::Word(T::WORDS);
}

macro_rules! kinds {
    ($($type:ty: $kind:ident),+) => { $( impl SettingType for $type { const KIND: Kind = Kind::$kind; } )+ };
}
kinds!(usize: Integer, u64: Integer, f32: Number, f64: Number, bool: Switch, String: Text);

/// Numbers that are allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Range {
    AtLeast(usize),
    Within(usize, usize),
    /// From 0.
    Below(usize),
}

/// What holds of a setting besides its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    range: Range,
    words: Option<&'static str>,
    /// What its flag on the command line calls the value, where it has one.
    pub flag: Option<&'static str>,
    /// Whether a run may be resumed with another value: how long it goes on, and what decides no more than rounding or speed.
    pub resumable: bool,
}

impl Rule {
    pub(super) const USUAL: Self = Self { range: Range::AtLeast(0), words: None, flag: None, resumable: false };

    pub(super) const fn at_least(mut self, least: usize) -> Self {
        self.range = Range::AtLeast(least);
        self
    }

    pub(super) const fn within(mut self, least: usize, most: usize) -> Self {
        self.range = Range::Within(least, most);
        self
    }

    pub(super) const fn below(mut self, bound: usize) -> Self {
        self.range = Range::Below(bound);
        self
    }

    /// What may be written, where type and range do not say it.
    pub(super) const fn words(mut self, words: &'static str) -> Self {
        self.words = Some(words);
        self
    }

    pub(super) const fn flag(mut self, value: &'static str) -> Self {
        self.flag = Some(value);
        self
    }

    pub(super) const fn resumable(mut self) -> Self {
        self.resumable = true;
        self
    }

    pub(super) fn contains(&self, number: f64) -> bool {
        match self.range {
            Range::AtLeast(least) => number >= least as f64,
            Range::Within(least, most) => (least as f64..=most as f64).contains(&number),
            Range::Below(bound) => (0.0..bound as f64).contains(&number),
        }
    }
}

impl Display for Range {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(formatter, ", at least {least}"),
            Self::Within(least, most) => write!(formatter, " from {least} to {most}"),
            Self::Below(bound) => write!(formatter, " from 0 to below {bound}"),
        }
    }
}

impl Key {
    /// What may be written, in words.
    pub fn allowed(&self) -> String {
        match (self.rule.words, self.kind) {
            (Some(words), _) => words.into(),
            (None, Kind::Integer) => format!("an integer{}", self.rule.range),
            (None, Kind::Number) => format!("a number{}", self.rule.range),
            (None, Kind::Switch) => "true or false".into(),
            (None, Kind::Word([first @ .., (last, _)])) => {
                let first: Vec<&str> = first.iter().map(|(word, _)| *word).collect();
                format!("{} or {last}", first.join(", "))
            }
            (None, Kind::Word([]) | Kind::Text) => "text in quotes".into(),
        }
    }

    /// `section` and `name`.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or((self.name, ""))
    }
}

/// Declares a section: its struct, the struct's [`Default`] and its keys. A field is written
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

        impl $name {
            pub(super) const KEYS: &'static [$crate::config::key::Key] = &[$( $crate::config::key::Key {
                name: concat!($section, ".", stringify!($field)),
                meaning: concat!($($meaning),+).trim_ascii(),
                kind: <$type as $crate::config::key::SettingType>::KIND,
                rule: $crate::config::key::Rule::USUAL $( .$rule($($($argument),+)?) )*,
            }, )+];
        }
    };
}
pub(super) use settings;
