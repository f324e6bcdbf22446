//! Collects what is wrong with the settings, so that one run shows all of it.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use super::parse;

/// What is wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It has no default and was not given.
    #[error(
        "{setting} is not set; give {form}, as {} or in the environment",
        flag(setting)
    )]
    Missing {
        /// The environment variable.
        setting: &'static str,
        /// What it should look like.
        form: &'static str,
    },
    /// It was given and cannot be used.
    #[error(
        "{setting} ({}) is {given:?}, which is not {form}{}",
        flag(setting),
        because(why)
    )]
    Invalid {
        /// The environment variable.
        setting: &'static str,
        /// What was given.
        given: String,
        /// What it should look like.
        form: &'static str,
        /// What the parser said; empty when it said nothing of use.
        why: String,
    },
    /// It was given, and is too little or too much.
    #[error(
        "{setting} ({}) is {given:?}, and takes {least} to {most}",
        flag(setting)
    )]
    OutOfRange {
        /// The environment variable.
        setting: &'static str,
        /// What was given.
        given: String,
        /// The least that it takes.
        least: String,
        /// The most that it takes.
        most: String,
    },
    /// Two settings do not go together.
    #[error("{setting} ({}): {why}", flag(setting))]
    Conflict {
        /// The environment variable.
        setting: &'static str,
        /// Why, and what to do.
        why: String,
    },
    /// There is no such setting.
    #[error("{given} is not a setting of this program{}", suggestion(*nearest))]
    Unknown {
        /// The environment variable that was found.
        given: String,
        /// The setting that was probably meant.
        nearest: Option<&'static str>,
    },
}

/// The flag of a setting: `BRIGADE_POLL_DEADLINE` is `--poll-deadline`.
fn flag(setting: &str) -> String {
    let name = setting.strip_prefix("BRIGADE_").unwrap_or(setting);
    format!("--{}", name.to_ascii_lowercase().replace('_', "-"))
}

fn because(why: &str) -> String {
    if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    }
}

fn suggestion(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(
        || "; remove it, or see --help for those there are".to_owned(),
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

    /// The error, if there was any problem.
    pub fn into_result(self) -> Result<(), SettingsError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(SettingsError(self.0))
        }
    }

    /// A setting that must be given.
    pub fn required<T, E: fmt::Display>(
        &mut self,
        setting: &'static str,
        given: Option<&str>,
        form: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(given) = nonempty(given) else {
            self.push(Problem::Missing { setting, form });
            return None;
        };
        self.parsed(setting, given, form, parse)
    }

    /// A setting that may be left out. The outer option is empty when it was given and is wrong.
    #[allow(clippy::option_option, reason = "left out and wrong are two things")]
    pub fn optional<T, E: fmt::Display>(
        &mut self,
        setting: &'static str,
        given: Option<&str>,
        form: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        match nonempty(given) {
            None => Some(None),
            Some(given) => self.parsed(setting, given, form, parse).map(Some),
        }
    }

    /// A setting with a default.
    pub fn or<T, E: fmt::Display>(
        &mut self,
        setting: &'static str,
        given: Option<&str>,
        default: T,
        form: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        Some(
            self.optional(setting, given, form, parse)?
                .unwrap_or(default),
        )
    }

    /// A length of time with its unit, such as `90s` or `10m`, that lies in `range`.
    pub fn duration(
        &mut self,
        setting: &'static str,
        given: Option<&str>,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        const FORM: &str = "a time with its unit, such as 90s or 10m";
        let time = self.or(setting, given, default, FORM, parse::duration)?;
        let shown = |time| humantime::format_duration(time).to_string();
        self.within(setting, given, time, range, shown)
    }

    /// A whole number that lies in `range`.
    pub fn count<N: FromStr<Err: fmt::Display> + PartialOrd + fmt::Display>(
        &mut self,
        setting: &'static str,
        given: Option<&str>,
        default: N,
        range: RangeInclusive<N>,
    ) -> Option<N> {
        let count = self.or(setting, given, default, "a whole number", str::parse)?;
        self.within(setting, given, count, range, |count| count.to_string())
    }

    /// A value that was read, if it lies in `range`. `shown` writes its ends as a person would.
    pub fn within<T: PartialOrd>(
        &mut self,
        setting: &'static str,
        given: Option<&str>,
        value: T,
        range: RangeInclusive<T>,
        shown: impl Fn(T) -> String,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        let (least, most) = range.into_inner();
        self.push(Problem::OutOfRange {
            setting,
            given: given.unwrap_or_default().trim().to_owned(),
            least: shown(least),
            most: shown(most),
        });
        None
    }

    fn parsed<T, E: fmt::Display>(
        &mut self,
        setting: &'static str,
        given: &str,
        form: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(given)
            .map_err(|error| {
                self.push(Problem::Invalid {
                    setting,
                    given: given.to_owned(),
                    form,
                    why: error.to_string(),
                });
            })
            .ok()
    }
}

fn nonempty(given: Option<&str>) -> Option<&str> {
    given.map(str::trim).filter(|given| !given.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: RangeInclusive<Duration> = Duration::ZERO..=Duration::MAX;
    const SECONDS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24);

    #[test]
    fn messages_of_each_kind_of_problem() {
        let mut problems = Problems::default();
        let none: Option<u16> = problems.required("BRIGADE_INBOX", Some(" "), "a URI", str::parse);
        assert_eq!(none, None);
        for given in ["soon", "10"] {
            let time = problems.duration("BRIGADE_MIN_AGE", Some(given), Duration::ZERO, ANY);
            assert_eq!(time, None);
        }
        for given in ["0", "0s", "999ms", "1day 1s"] {
            let time = problems.duration(
                "BRIGADE_PROCESS_TIMEOUT",
                Some(given),
                Duration::ZERO,
                SECONDS,
            );
            assert_eq!(time, None);
        }
        for given in ["many", "0", " 10 ", "-1"] {
            assert_eq!(
                problems.count("BRIGADE_BREAKER", Some(given), 1, 1..=9),
                None
            );
        }
        problems.push(Problem::Conflict {
            setting: "WORKER_URL",
            why: "it is this service itself".into(),
        });
        insta::assert_snapshot!(problems.into_result().unwrap_err());
    }

    #[test]
    fn an_empty_value_counts_as_not_given() {
        let mut problems = Problems::default();
        let default = Duration::from_secs(5);
        for (given, wanted) in [
            ("", default),
            (" ", default),
            ("2m", Duration::from_mins(2)),
        ] {
            let time = problems.duration("BRIGADE_MIN_AGE", Some(given), default, ANY);
            assert_eq!(time, Some(wanted));
        }
        for given in ["1s", "24h", "1000ms"] {
            let time = problems.duration("BRIGADE_MIN_AGE", Some(given), default, SECONDS);
            assert!(time.is_some(), "{given}");
        }
        problems.into_result().unwrap();
    }
}
