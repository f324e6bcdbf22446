//! One setting of a command line, parsed where it is declared.

use std::ffi::OsStr;

use clap::{
    Arg, Command,
    builder::{Resettable, TypedValueParser},
};

use super::{
    parse::{Parse, Unfit},
    problems::{Problem, Problems},
};

/// A setting as given: its value, or what is wrong with it.
///
/// A wrong value is no error to clap, so that one run reports the problems of all settings.
#[derive(Clone, Debug)]
pub struct Given<T> {
    value: Result<T, Problem>,
    is_blank: bool,
}

/// Parses a setting of clap's; see [`setting`].
#[derive(Clone, Copy, Debug)]
pub struct SettingParser<F>(F);

/// A setting that must have a value. A blank one counts as not given: the default of the argument takes its place, and
/// an argument without a default is missing.
pub fn setting<T>(parse: impl Parse<T>) -> SettingParser<impl Parse<T>> {
    SettingParser(parse)
}

/// A setting that may be left out.
pub fn optional<T>(parse: impl Parse<T>) -> SettingParser<impl Parse<Option<T>>> {
    SettingParser(move |given: &str| match given {
        "" => Ok(None),
        given => parse(given).map(Some),
    })
}

// === impl Given ===

impl<T> Given<T> {
    /// Whether there is no text at all, right or wrong.
    pub fn is_blank(&self) -> bool {
        self.is_blank
    }
}

impl<T: Clone> Given<T> {
    /// The value. Notes the problem when there is none.
    pub fn get(&self, problems: &mut Problems) -> Option<T> {
        let value = self.value.clone();
        value.map_err(|problem| problems.push(problem)).ok()
    }
}

// === impl SettingParser ===

impl<T, F> TypedValueParser for SettingParser<F>
where
    F: Fn(&str) -> Result<T, Unfit> + Clone + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    type Value = Given<T>;

    fn parse_ref(
        &self,
        _: &Command,
        arg: Option<&Arg>,
        given: &OsStr,
    ) -> Result<Given<T>, clap::Error> {
        let given = given.to_string_lossy();
        let default = arg.and_then(|arg| arg.get_default_values().first());
        let default = default.map_or("".into(), |default| default.to_string_lossy());
        let given = match given.trim() {
            "" => &default,
            given => given,
        };
        let problem = |unfit| problem(name(arg), given, unfit);
        Ok(Given { value: (self.0)(given).map_err(problem), is_blank: given.is_empty() })
    }
}

fn problem(setting: String, given: &str, unfit: Unfit) -> Problem {
    let Unfit { expected, why } = unfit;
    if given.is_empty() {
        return Problem::Missing { setting, expected };
    }
    Problem::Invalid { setting, given: given.to_owned(), expected, why }
}

/// The environment variable of an argument.
fn name(arg: Option<&Arg>) -> String {
    let name = arg.and_then(Arg::get_env).unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Arguments by these flags and the defaults alone, whatever the environment has.
pub fn from_flags<A: clap::Args>(flags: &[&str]) -> Result<A, clap::Error> {
    let command = A::augment_args(Command::new("flags").no_binary_name(true));
    let command = command.mut_args(|arg| arg.env(Resettable::Reset));
    A::from_arg_matches(&command.try_get_matches_from(flags)?)
}
