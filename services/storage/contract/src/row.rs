//! What was found of one promise.

use super::check::Broken;

/// One promise, and what was found.
#[derive(Debug)]
pub struct Row {
    /// What it is about.
    pub subject: &'static str,
    /// Its name.
    pub promise: &'static str,
    /// What was found.
    pub finding: Finding,
}

/// Whether a promise is kept.
#[derive(Debug)]
pub enum Finding {
    /// It is.
    Kept,
    /// It is not.
    Broken(Broken),
    /// It was not tried, for this reason.
    NotTried(&'static str),
}
