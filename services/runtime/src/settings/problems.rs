//! Collects what is wrong with the settings, so that one run shows all of it.

use std::{ffi::OsString, fmt};

/// What is wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It has no default and was not given.
    #[error("{setting} is not set; give {expected}, as {} or in the environment", flag(setting))]
    Missing {
        /// The environment variable.
        setting: String,
        /// What it should look like.
        expected: String,
    },
    /// It was given and cannot be used.
    #[error(
        "{setting} ({}) is {given:?}; expected {expected}{}{why}",
        flag(setting),
        if why.is_empty() { "" } else { ": " }
    )]
    Invalid {
        /// The environment variable.
        setting: String,
        /// What was given.
        given: String,
        /// What it should look like.
        expected: String,
        /// What the parser reported; empty when it adds nothing.
        why: String,
    },
    /// Two settings contradict each other.
    #[error("{}: {why}", named(setting))]
    Conflict {
        /// The environment variable, or the flag of a setting that has none.
        setting: &'static str,
        /// Why, and the fix.
        why: String,
    },
    /// A variable that this program has no use for.
    #[error("{setting} is set, and {why}; unset it")]
    Refused {
        /// The environment variable.
        setting: String,
        /// Why.
        why: &'static str,
    },
    /// There is no such setting.
    #[error("{given} is not a setting of this program{}", suggestion(nearest.as_ref()))]
    Unknown {
        /// The environment variable that was found.
        given: String,
        /// The setting that was probably meant.
        nearest: Option<String>,
    },
}

impl Problem {
    /// Whether a variable looks like a misspelt setting.
    pub fn is_typo(&self) -> bool {
        matches!(self, Self::Unknown { nearest: Some(_), .. })
    }
}

/// The flag of a setting: `BRIGADE_POLL_DEADLINE` is `--poll-deadline`.
fn flag(setting: &str) -> String {
    let name = setting.strip_prefix("BRIGADE_").unwrap_or(setting);
    format!("--{}", name.to_ascii_lowercase().replace('_', "-"))
}

/// The setting with its flag.
fn named(setting: &str) -> String {
    if setting.starts_with("--") {
        setting.to_owned()
    } else {
        format!("{setting} ({})", flag(setting))
    }
}

fn suggestion(nearest: Option<&String>) -> String {
    match nearest {
        Some(name) => format!("; did you mean {name}?"),
        None => "; remove it, or see --help for the settings there are".to_owned(),
    }
}

/// The problems so far, in the order they were met; as an error, every problem of the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Notes that a setting contradicts another.
    pub fn conflict(&mut self, setting: &'static str, why: impl Into<String>) {
        let why = why.into();
        self.push(Problem::Conflict { setting, why });
    }

    /// Notes each of these variables that is set and not blank.
    pub fn refuse<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
        why: &'static str,
        mut environment: impl FnMut(&str) -> Option<OsString>,
    ) {
        let is_set = |name: &&str| {
            environment(name).is_some_and(|value| !value.to_string_lossy().trim().is_empty())
        };
        let names = names.into_iter().filter(is_set);
        self.extend(names.map(|name| Problem::Refused { setting: name.to_owned(), why }));
    }

    /// The error, if there was any problem.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The settings, or the error, if there was any problem.
    ///
    /// # Panics
    /// If there are neither settings nor problems.
    pub fn into_settings<T>(self, settings: Option<T>) -> Result<T, Self> {
        self.into_result()?;
        Ok(settings.expect("a setting without a value notes its problem"))
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        self.0.extend(problems);
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [one] = self.0.as_slice() {
            return write!(f, "{one}");
        }
        write!(f, "{} settings are wrong:", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  - {problem}"))
    }
}

impl std::error::Error for Problems {}
