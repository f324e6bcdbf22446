//! One subject's recording: `day,reaction_ms`, a line a day.

use std::{collections::BTreeMap, str::FromStr};

/// Fewer days than this have no trend.
const MIN_DAYS: usize = 3;
/// No reaction takes an hour; and numbers of this size can be summed up.
const MAX_REACTION: f64 = 3_600_000.0;

/// Days without sleep and the mean reaction time on each, in milliseconds, in the file's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Day and reaction time.
    pub points: Vec<(u32, f64)>,
}

/// Why a file is no recording. Lines count from 1, the header included.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Malformed {
    /// It is not text.
    #[error("line {line}: it is not UTF-8")]
    NotText {
        /// The line.
        line: usize,
    },
    /// The first line does not name this column.
    #[error("line 1: the column {0} is missing; the header must be day,reaction_ms")]
    NoColumn(&'static str),
    /// A line has more or fewer values than the header has columns.
    #[error("line {line}: {found} values where the header has {wanted} columns")]
    Width {
        /// The line.
        line: usize,
        /// Its values.
        found: usize,
        /// The header's columns.
        wanted: usize,
    },
    /// A value is not what its column holds.
    #[error("line {line}, column {column}: {value:?} is not {wanted}")]
    Value {
        /// The line.
        line: usize,
        /// The column's name.
        column: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        wanted: &'static str,
    },
    /// A day stands there twice.
    #[error("line {line}, column day: day {day} stands on line {first} already")]
    Twice {
        /// The second line.
        line: usize,
        /// The day.
        day: u32,
        /// The first line.
        first: usize,
    },
    /// Too few days for a trend.
    #[error("{0} days, and at least {MIN_DAYS} are needed for a trend")]
    TooShort(usize),
}

impl Recording {
    /// The recording of a file.
    pub fn read(content: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(content).map_err(|error| {
            let before = &content[..error.valid_up_to()];
            Malformed::NotText { line: before.split(|byte| *byte == b'\n').count() }
        })?;
        text.parse()
    }
}

impl FromStr for Recording {
    type Err = Malformed;

    /// A byte-order mark, Windows line ends and empty lines at the end are forgiven; nothing else is.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end();
        let mut lines = (1..).zip(text.lines());
        let columns: Vec<&str> = lines
            .next()
            .map_or(Vec::new(), |(_, header)| header.split(',').map(str::trim).collect());
        let at = |name| {
            let at = columns.iter().position(|column| *column == name);
            at.ok_or(Malformed::NoColumn(name))
        };
        let (day_at, reaction_at) = (at("day")?, at("reaction_ms")?);
        let mut points: Vec<(u32, f64)> = Vec::new();
        let mut days = BTreeMap::new();
        for (line, row) in lines {
            let values: Vec<&str> = row.split(',').map(str::trim).collect();
            if values.len() != columns.len() {
                return Err(Malformed::Width { line, found: values.len(), wanted: columns.len() });
            }
            let day = day(values[day_at], line)?;
            if let Some(first) = days.insert(day, line) {
                return Err(Malformed::Twice { line, day, first });
            }
            points.push((day, reaction(values[reaction_at], line)?));
        }
        if points.len() < MIN_DAYS {
            return Err(Malformed::TooShort(points.len()));
        }
        Ok(Self { points })
    }
}

fn day(value: &str, line: usize) -> Result<u32, Malformed> {
    let day = value.parse().ok();
    day.ok_or_else(|| wrong(line, "day", value, "a whole number of days"))
}

/// `inf` and `nan` parse as numbers, and are none.
fn reaction(value: &str, line: usize) -> Result<f64, Malformed> {
    let in_range = |ms: &f64| *ms > 0.0 && *ms < MAX_REACTION;
    let wanted = "a number of milliseconds above 0 and below an hour";
    let reaction = value.parse().ok().filter(in_range);
    reaction.ok_or_else(|| wrong(line, "reaction_ms", value, wanted))
}

fn wrong(line: usize, column: &'static str, value: &str, wanted: &'static str) -> Malformed {
    Malformed::Value { line, column, value: value.to_owned(), wanted }
}
