//! Types of a few named values, whose words settings, files and the command line share.

/// A value out of a few, each with a word and a meaning.
pub(crate) trait Choice: Copy + 'static {
    /// The values.
    const ALL: &'static [Self];
    /// Word and meaning of each value, in the order of the values.
    const WORDS: &'static [(&'static str, &'static str)];

    /// The word that stands for it.
    fn word(self) -> &'static str;
}

/// Declares an enum, its words (in Rust, in files, in print) and, as its first value, its default.
macro_rules! choices {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident { $( $(#[doc = $meaning:literal])+ $variant:ident = $word:literal ),+ $(,)? }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[doc = $meaning])+ #[serde(rename = $word)] $variant, )+
        }

        impl $crate::base::choice::Choice for $name {
            const ALL: &'static [Self] = &[$( Self::$variant ),+];
            const WORDS: &'static [(&'static str, &'static str)] = &[$( ($word, concat!($($meaning),+).trim_ascii()) ),+];

            fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                $crate::base::choice::Choice::ALL[0]
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str($crate::base::choice::Choice::word(*self))
            }
        }
    };
}
pub(crate) use choices;
