//! Collects what is wrong with the settings, so that one run shows all of it.

use std::fmt;

/// What is wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It has no default and was not given.
    #[error(
        "{setting} is not set; give {expected}, as {} or in the environment",
        flag(setting)
    )]
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
    #[error("{setting} ({}): {why}", flag(setting))]
    Conflict {
        /// The environment variable.
        setting: &'static str,
        /// Why, and the fix.
        why: String,
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
        let Self::Unknown { nearest, .. } = self else {
            return false;
        };
        nearest.is_some()
    }
}

/// The flag of a setting: `BRIGADE_POLL_DEADLINE` is `--poll-deadline`.
fn flag(setting: &str) -> String {
    let name = setting.strip_prefix("BRIGADE_").unwrap_or(setting);
    format!("--{}", name.to_ascii_lowercase().replace('_', "-"))
}

fn suggestion(nearest: Option<&String>) -> String {
    nearest.map_or_else(
        || "; remove it, or see --help for the settings there are".to_owned(),
        |name| format!("; did you mean {name}?"),
    )
}

/// The problems so far.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

/// Every problem of the settings. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(Vec<Problem>);

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

    /// The error, if there was any problem.
    pub fn into_result(self) -> Result<(), SettingsError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(SettingsError(self.0))
        }
    }
}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        self.0.extend(problems);
    }
}

impl SettingsError {
    /// The problems, in the order they were met.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "{one}"),
            all => {
                write!(f, "{} settings are wrong:", all.len())?;
                for problem in all {
                    write!(f, "\n  - {problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for SettingsError {}
