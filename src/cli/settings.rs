//! Settings on the command line: a file, assignments, and a flag for each setting that declares one.

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};

use clap::builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, ValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory, FromArgMatches, value_parser};
use toml::{Table, Value};

use super::arguments::{Common, Options};
use super::effect::no_effect;
use super::notes::Note;
use super::tiles::TileSource;
use crate::audio::mfcc::{MfccError, MfccSettings, OF_CEPSTRA};
use crate::base::choice::Choice;
use crate::base::setting::{Key, Kind, Section};
use crate::config::{Config, ConfigError, Execution, Settings, System, TileRule};
use crate::experiment::against;
use crate::train::run::files;
use crate::train::source::{FROM, Source};
use crate::train::{RunFault, TrainError};

/// Settings from a file and from the command line.
#[derive(Args)]
pub(crate) struct Configuration {
    /// Settings as TOML (see 'mcsan config')
    #[arg(long, value_name = "FILE.toml", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// One setting, over the file; may be given many times
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Settings")]
    pub set: Vec<String>,
}

/// The same, with the settings' own flags over them.
#[derive(Args)]
pub(crate) struct Training {
    #[command(flatten)]
    configuration: Configuration,
    /// Begin with how the authors of the system (model.system) train it, under the file and what else is set
    #[arg(long, value_name = "RECIPE", help_heading = "Settings")]
    recipe: Option<Recipe>,
    #[command(flatten)]
    flags: Flags,
    /// The settings of the run that another starts from, once they were read.
    #[arg(skip)]
    source: OnceCell<Settings>,
    /// Whether it was said what has no effect among them.
    #[arg(skip)]
    told: Cell<bool>,
}

/// Defaults other than ours.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Recipe {
    /// As published, or as the authors' programs have it
    Paper,
}

impl Configuration {
    /// The settings over some defaults.
    pub(crate) fn load(&self, defaults: Config) -> Result<Config, ConfigError> {
        match &self.config {
            Some(path) => defaults.load(path, &self.set),
            None => defaults.assign(&self.set),
        }
    }
}

impl Training {
    /// The file that they are read from.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.configuration.config.as_deref()
    }

    /// The settings over some defaults, `--device` included; those of the network, and of the data, over those of the run that is started
    /// from, where there is one.
    ///
    /// # Errors
    /// What cannot be set, or a run that cannot be read.
    pub(crate) fn load(&self, common: &Common, defaults: Config) -> Result<Config, TrainError> {
        if let Some(folder) = self.from() {
            if let (false, Some(first)) = (folder.join(files::BEST).exists(), against::runs_in(&folder).first()) {
                return Err(TrainError::Run { path: folder, fault: RunFault::Several { first: first.clone() } });
            }
            let settings = Source::load(&folder)?.settings();
            self.source.get_or_init(|| settings);
        }
        let defaults = self.over_source(defaults);
        Ok(self.load_own(common, defaults)?)
    }

    /// The settings over those of a run that goes on, `--device` included.
    pub(crate) fn load_own(&self, common: &Common, own: Config) -> Result<Config, ConfigError> {
        if !own.settings.start.from.is_empty() {
            self.source.get_or_init(|| own.settings.clone());
        }
        let system = self.take(own.clone())?.settings.model.system;
        self.load_for(common, own, system)
    }

    /// As [`Training::load`], for this system whatever the settings choose; no run is started from.
    pub(crate) fn load_for(&self, common: &Common, defaults: Config, system: System) -> Result<Config, ConfigError> {
        self.note_replaced(common);
        let mut config = self.take(if self.recipe.is_some() { defaults.with_recipe(system)? } else { defaults })?;
        config.settings.model.system = system;
        if let Some(device) = &common.execution.device {
            config.execution.device.clone_from(device);
        }
        if let Some(sum) = &common.execution.sum {
            config.set(SUM, sum.clone())?;
        }
        config.settings.validate()?;
        Ok(config)
    }

    /// As [`Training::load`] has been, for this system whatever the settings choose.
    pub(crate) fn load_system(&self, common: &Common, system: System) -> Result<Config, ConfigError> {
        self.load_for(common, self.over_source(Config::default()), system)
    }

    /// What the settings of a system are where none is given.
    pub(crate) fn usual(&self, system: System) -> Result<Settings, ConfigError> {
        let defaults = self.over_source(Config::default());
        Ok(if self.recipe.is_some() { defaults.with_recipe(system)? } else { defaults }.settings)
    }

    /// The folder of the run that is started from, as it was said.
    fn from(&self) -> Option<PathBuf> {
        let flag = self.flags.0.iter().find(|(key, _)| key.name == FROM).map(|(_, value)| value.clone());
        let said = flag.or_else(|| Config::said(FROM, self.file(), &self.configuration.set));
        said.and_then(|value| value.as_str().map(PathBuf::from)).filter(|folder| !folder.as_os_str().is_empty())
    }

    fn over_source(&self, defaults: Config) -> Config {
        match self.source.get() {
            Some(source) => defaults.with_network_of(source),
            None => defaults,
        }
    }

    /// Says, once, which values of `--set` a flag of the same setting has replaced.
    fn note_replaced(&self, common: &Common) {
        if self.told.replace(true) {
            return;
        }
        for (key, value) in &self.flags.0 {
            let set = Config::said(key.name, None, &self.configuration.set).filter(|set| set.to_string() != value.to_string());
            if let Some(set) = set {
                let reason = format!("--{} {value} is given besides", key.long());
                common.note(Note::NoEffect { option: format!("--set {}={set}", key.name), reason });
            }
        }
    }

    fn take(&self, defaults: Config) -> Result<Config, ConfigError> {
        let mut config = self.configuration.load(defaults)?;
        for (key, value) in &self.flags.0 {
            config.set(key.name, value.clone())?;
        }
        Ok(config)
    }
}

/// What stands under a flag: the setting's meaning as a sentence.
fn help(key: &Key) -> String {
    let (first, rest) = key.meaning.split_at(key.meaning.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

/// The flag of a setting, for example `--checkpoint-every STEPS`.
fn flag(key: &'static Key) -> Arg {
    let parser = match key.kind {
        Kind::Integer => value_parser!(i64).range(0..).into(),
        Kind::Number => value_parser!(f64).into(),
        Kind::Switch => value_parser!(bool),
        Kind::Word(words) => {
            ValueParser::from(PossibleValuesParser::new(words.iter().map(|(word, meaning)| PossibleValue::new(word).help(meaning))))
        }
        // What an unset variable of a shell leaves is not what was meant.
        Kind::Text => NonEmptyStringValueParser::new().into(),
    };
    let flag = Arg::new(key.parts().1).long(key.long()).value_name(key.rule.flag.unwrap_or("VALUE")).help(help(key)).value_parser(parser);
    // A switch by itself is on.
    if key.kind == Kind::Switch { flag.num_args(0..=1).require_equals(true).default_missing_value("true") } else { flag }
}

/// What a setting's flag was given.
fn given(matches: &ArgMatches, key: &Key) -> Option<Value> {
    let name = key.parts().1;
    match key.kind {
        Kind::Integer => matches.get_one::<i64>(name).copied().map(Value::Integer),
        Kind::Number => matches.get_one::<f64>(name).copied().map(Value::Float),
        Kind::Switch => matches.get_one::<bool>(name).copied().map(Value::Boolean),
        Kind::Word(_) | Kind::Text => matches.get_one::<String>(name).cloned().map(Value::String),
    }
}

/// Arguments that are read from the flags of settings: how they read them, and the flags.
macro_rules! flags {
    ($name:ident, |$matches:ident| $read:expr, $arguments:expr) => {
        impl FromArgMatches for $name {
            fn from_arg_matches($matches: &ArgMatches) -> Result<Self, clap::Error> {
                $read
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                command.args($arguments)
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }
    };
}

/// The flags of a run's settings that were given, with their values.
struct Flags(Vec<(&'static Key, Value)>);

/// The settings of a run that have a flag.
fn flagged() -> impl Iterator<Item = &'static Key> {
    Settings::keys().filter(|key| key.rule.flag.is_some())
}

flags!(
    Flags,
    |matches| Ok(Self(flagged().filter_map(|key| Some((key, given(matches, key)?))).collect())),
    flagged().map(|key| flag(key).help(format!("{} ({})", help(key), key.name)).help_heading("Settings"))
);

/// Where and how fast to compute, which every command can be told, over what its settings say.
pub(crate) struct ExecutionFlags {
    /// `--device`
    pub device: Option<String>,
    /// `--tiles`
    pub tiles: Option<TileSource>,
    /// `--sum`
    pub sum: Option<Value>,
}

/// The flag of a setting of [`Execution`]; that of the tiles takes a file besides.
fn execution_flag(key: &'static Key) -> Arg {
    let flag = flag(key).global(true);
    if key.parts().1 != TILES {
        return flag.help(format!("{} ({})", help(key), key.name));
    }
    let rules: Vec<&str> = TileRule::WORDS.iter().map(|(word, _)| *word).collect();
    let help = format!(
        "{}. A FILE keeps them instead of the cache folder; for 'train', 'crossval', 'ablate', 'compare', 'sweep' and 'profile' ({}) \
         [values: {}, FILE.toml]",
        help(key),
        key.name,
        rules.join(", ")
    );
    flag.help(help).value_parser(value_parser!(TileSource)).env("MCSAN_TILES").hide_env_values(true)
}

const DEVICE: &str = "device";
const TILES: &str = "tiles";
/// The setting that `--sum` sets.
const SUM: &str = "run.sum";

flags!(
    ExecutionFlags,
    |matches| Ok(Self {
        device: matches.get_one(DEVICE).cloned(),
        tiles: matches.get_one(TILES).cloned(),
        sum: Execution::KEYS.iter().find(|key| key.name == SUM).and_then(|key| given(matches, key)),
    }),
    Execution::KEYS.iter().map(execution_flag)
);

/// The acoustic front-end; what it was is written into the prepared file.
pub(crate) struct FrontEnd(MfccSettings);

impl FrontEnd {
    /// The settings that were asked for.
    ///
    /// # Errors
    /// Settings that no front-end can have.
    pub(crate) fn settings(&self) -> Result<&MfccSettings, MfccError> {
        self.0.validate().map(|()| &self.0)
    }

    fn read(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let values = MfccSettings::KEYS.iter().filter_map(|key| Some((key.parts().1.to_owned(), given(matches, key)?)));
        let settings = values.collect::<Table>().try_into();
        let settings: MfccSettings = settings.map_err(|error| Options::command().error(ErrorKind::InvalidValue, error))?;
        let is_typed = |key: &&Key| matches.value_source(key.parts().1) == Some(ValueSource::CommandLine);
        let of_cepstra = MfccSettings::KEYS.iter().filter(|key| OF_CEPSTRA.contains(&key.parts().1));
        match of_cepstra.filter(|_| settings.is_spectrum()).find(is_typed) {
            None => Ok(Self(settings)),
            Some(key) => Err(no_effect(format!("--{} is of MFCC, and --features spectrum computes none; leave it out", key.long()))),
        }
    }

    /// The flags with their defaults.
    fn flags() -> impl Iterator<Item = Arg> {
        let defaults = Table::try_from(MfccSettings::default()).unwrap_or_default();
        let written = move |key: &Key| match defaults.get(key.parts().1) {
            Some(Value::String(word)) => word.clone(),
            Some(Value::Float(number)) => number.to_string(),
            value => value.map(Value::to_string).unwrap_or_default(),
        };
        MfccSettings::KEYS.iter().map(move |key| flag(key).default_value(written(key)).help_heading("Features"))
    }
}

flags!(FrontEnd, |matches| Self::read(matches), Self::flags());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::mfcc::{Convention, Window};

    fn front_end(arguments: &[&str]) -> MfccSettings {
        let command = FrontEnd::augment_args(Command::new("features"));
        let matches = command.try_get_matches_from([&["features"], arguments].concat()).unwrap();
        FrontEnd::from_arg_matches(&matches).unwrap().0
    }

    #[test]
    fn the_front_ends_flags_are_its_settings() {
        assert_eq!(front_end(&[]), MfccSettings::default());
        let flags = "--features htk --coefficients 13 --deltas 2 --mel-bands 40 --window-length 200 --window hamming --transform 256 \
                     --hop 80 --top-db 20.5 --pre-emphasis 0.97 --lifter 22 --energy";
        let expected = MfccSettings {
            convention: Convention::Htk,
            coefficients: 13,
            deltas: 2,
            mel_bands: 40,
            window: 200,
            window_shape: Window::Hamming,
            transform: 256,
            hop: 80,
            top_db: 20.5,
            pre_emphasis: 0.97,
            lifter: 22,
            energy: true,
        };
        assert_eq!(front_end(&flags.split_whitespace().collect::<Vec<_>>()), expected);
    }

    /// However it is wrapped.
    fn in_one_line(mut command: Command) -> String {
        command.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_help_says_what_was_declared() {
        let help = in_one_line(FrontEnd::augment_args(Command::new("features")));
        for part in ["--window-length <SAMPLES>", "Factor c of the pre-emphasis", "[default: 80]", "[default: hann]", "HTK's mel scale"] {
            assert!(help.contains(part), "'{part}' is missing in\n{help}");
        }
        let help = in_one_line(ExecutionFlags::augment_args(Command::new("train")));
        for part in ["--device <DEVICE>", "Where to compute", "(run.tiles) [values: auto, timed, fixed, FILE.toml]"] {
            assert!(help.contains(part), "'{part}' is missing in\n{help}");
        }
    }
}
