//! A misspelt setting must not pass in silence.

use std::{collections::BTreeSet, ffi::OsString};

use clap::{Arg, Command};

use super::{names::IMPERSONATE, problems::Problem};

/// The most edits at which an unknown name counts as a misspelt one.
const TYPO: usize = 2;

/// The environment variables of a command and its subcommands, and the one that clients read themselves.
pub fn variables(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(Arg::get_env);
    let own = own.map(|name| name.to_string_lossy().into_owned());
    let mut all: BTreeSet<_> = own.chain([IMPERSONATE.to_owned()]).collect();
    all.extend(command.get_subcommands().flat_map(variables));
    all
}

/// A problem for each variable of this environment that begins with `BRIGADE_` and is none of the command's.
pub fn unknown(command: &Command, environment: impl IntoIterator<Item = OsString>) -> Vec<Problem> {
    let known = variables(command);
    let names = environment.into_iter().map(|name| name.to_string_lossy().into_owned());
    let unknown: BTreeSet<_> =
        names.filter(|name| name.starts_with("BRIGADE_") && !known.contains(name)).collect();
    unknown
        .into_iter()
        .map(|given| Problem::Unknown { nearest: nearest(&given, &known), given })
        .collect()
}

/// The known name that this one is most likely a misspelling of.
fn nearest(given: &str, known: &BTreeSet<String>) -> Option<String> {
    known
        .iter()
        .map(|known| (strsim::osa_distance(given, known), known))
        .min()
        .filter(|(distance, _)| *distance <= TYPO)
        .map(|(_, known)| known.clone())
}
