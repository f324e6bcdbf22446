//! Settings: parsed before anything starts, with all problems reported at once.
//!
//! A setting as given is an `Option<String>` of a clap struct, from a flag or the environment. Resolving it parses it,
//! and notes a [`Problem`] when that fails; an empty string counts as not given.

mod guard;
pub mod names;
mod parse;
mod problems;
mod server;
mod unknown;

pub use guard::GuardArgs;
pub use parse::{A_WHILE, AT_ONCE, a_while, duration, is_loopback, list, url};
pub use problems::{Problem, Problems, SettingsError};
pub use server::{ServerArgs, ServerSettings};
pub use unknown::check_unknown;

#[cfg(test)]
mod tests;
