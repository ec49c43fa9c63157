//! Settings on the command line: a file, assignments, and a flag for each setting that declares one.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use toml::Value;

use super::arguments::Common;
use crate::config::{Config, ConfigError, Key, Kind, keys};

/// Settings from a file and from the command line.
#[derive(Args)]
pub struct Configuration {
    /// Settings as TOML (see 'mcsan config')
    #[arg(long, value_name = "FILE.toml", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// One setting, over the file; may be given many times
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Settings")]
    pub set: Vec<String>,
}

/// The same, with the settings' own flags over them.
#[derive(Args)]
pub struct Training {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    flags: Flags,
}

impl Configuration {
    /// The settings over some defaults.
    pub fn load(&self, defaults: Config) -> Result<Config, ConfigError> {
        match &self.config {
            Some(path) => defaults.load(path, &self.set),
            None => defaults.assign(&self.set),
        }
    }
}

impl Training {
    /// The settings over some defaults, `--device` included.
    pub fn load(&self, common: &Common, defaults: Config) -> Result<Config, ConfigError> {
        let mut config = self.configuration.load(defaults)?;
        for (key, value) in &self.flags.0 {
            config.set(key.name, value.clone())?;
        }
        if let Some(device) = &common.device {
            config.execution.device.clone_from(device);
        }
        config.settings.validate()?;
        Ok(config)
    }
}

/// The flags that were given, with their values.
struct Flags(Vec<(&'static Key, Value)>);

/// The settings that have a flag.
fn flagged() -> impl Iterator<Item = &'static Key> {
    keys().filter(|key| key.rule.flag.is_some())
}

/// The flag of a setting, for example `--checkpoint-every STEPS`.
fn flag(key: &'static Key) -> Arg {
    let name = key.parts().1;
    let (first, rest) = key.meaning.split_at(key.meaning.chars().next().map_or(0, char::len_utf8));
    let parser = match key.kind {
        Kind::Integer => clap::value_parser!(i64).range(0..).into(),
        Kind::Number => clap::value_parser!(f64).into(),
        Kind::Switch => clap::value_parser!(bool),
        Kind::Word(words) => {
            ValueParser::from(PossibleValuesParser::new(words.iter().map(|(word, meaning)| PossibleValue::new(word).help(meaning))))
        }
        Kind::Text => ValueParser::string(),
    };
    Arg::new(name)
        .long(name.replace('_', "-"))
        .value_name(key.rule.flag.unwrap_or("VALUE"))
        .help(format!("{}{rest} ({})", first.to_uppercase(), key.name))
        .help_heading("Settings")
        .value_parser(parser)
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &'static Key| {
            let name = key.parts().1;
            let value = match key.kind {
                Kind::Integer => matches.get_one::<i64>(name).copied().map(Value::Integer),
                Kind::Number => matches.get_one::<f64>(name).copied().map(Value::Float),
                Kind::Switch => matches.get_one::<bool>(name).copied().map(Value::Boolean),
                Kind::Word(_) | Kind::Text => matches.get_one::<String>(name).cloned().map(Value::String),
            };
            value.map(|value| (key, value))
        };
        Ok(Self(flagged().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(flagged().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}
