//! Settings: each declared once, as an argument of clap with its variable, default, parser and help; parsed before
//! anything starts, with all problems reported at once.
//!
//! A setting as given is a [`Given`] of a clap struct, from a flag or the environment; a blank value counts as not
//! given. Resolving takes its value, or notes its [`Problem`].

mod given;
pub mod names;
mod parse;
mod problems;
mod server;
mod unknown;

pub use given::{Given, SettingParser, from_flags, optional, setting};
pub(crate) use parse::without_port;
pub use parse::{
    CONCURRENCY_RANGE, Parse, TIME_RANGE, Unfit, audience, audiences, boolean, choice, count,
    email, emails, form, host, hosts, identifiers, is_loopback, list, time, url, within,
};
pub use problems::{Problem, Problems};
pub use server::ServerArgs;
pub use unknown::{unknown, variables};

#[cfg(test)]
mod tests;
