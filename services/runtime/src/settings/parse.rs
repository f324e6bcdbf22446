//! Parsers of single values, for [`setting`](super::setting), [`optional`](super::optional), and arguments of clap's own.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use clap::ValueEnum;
use url::{Host, Url};

/// How long one file, a poll, or the interval between two may take. Less leaves no time for any work, so that each file
/// would fail; more is a typing error.
pub const TIME_RANGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_hours(7 * 24);

/// How many files may be in flight in one process. More is a typing error.
pub const CONCURRENCY_RANGE: RangeInclusive<usize> = 1..=10_000;

/// Reads a value, or reports what was expected in its place.
pub trait Parse<T>: Fn(&str) -> Result<T, Unfit> + Clone + Send + Sync + 'static {}

impl<T, F: Fn(&str) -> Result<T, Unfit> + Clone + Send + Sync + 'static> Parse<T> for F {}

/// Why a value cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}{}{why}", if why.is_empty() { "" } else { ": " })]
pub struct Unfit {
    /// What the value should look like.
    pub expected: String,
    /// What the parser reported; empty when it adds nothing.
    pub why: String,
}

impl Unfit {
    /// A value of another kind than this.
    pub fn new(expected: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { expected: expected.into(), why: why.to_string() }
    }
}

/// What `parse` reads; `expected` describes it to a user.
pub fn form<T, E: fmt::Display>(
    expected: &'static str,
    parse: impl Fn(&str) -> Result<T, E> + Clone + Send + Sync + 'static,
) -> impl Parse<T> {
    move |given: &str| parse(given).map_err(|why| Unfit::new(expected, why))
}

/// One of the values of an enum.
///
/// # Panics
///
/// For an enum without values.
pub fn choice<E: ValueEnum>(given: &str) -> Result<E, Unfit> {
    E::from_str(given, false).map_err(|_| {
        let values = E::value_variants().iter().filter_map(E::to_possible_value);
        let names: Vec<_> = values.map(|value| value.get_name().to_owned()).collect();
        let names = names.join(", ");
        let (others, last) = names.rsplit_once(", ").unwrap_or_default();
        Unfit::new(format!("{others} or {last}"), "")
    })
}

/// `true` or `false`.
pub fn boolean(given: &str) -> Result<bool, Unfit> {
    given.parse().map_err(|_| Unfit::new("true or false", ""))
}

/// A whole number in `range`.
pub fn count<N>(range: RangeInclusive<N>) -> impl Parse<N>
where
    N: FromStr + PartialOrd + fmt::Display + Clone + Send + Sync + 'static,
{
    move |given: &str| {
        let (least, most) = (range.start(), range.end());
        let number = given
            .parse()
            .map_err(|_| Unfit::new(format!("a whole number, {least} to {most}"), ""))?;
        within(&range, number, N::to_string)
    }
}

/// A time with its unit, such as `90s` or `10m`, in `range`.
pub fn time(range: RangeInclusive<Duration>) -> impl Parse<Duration> {
    let form = form("a time with its unit, such as 90s or 10m", humantime::parse_duration);
    move |given: &str| {
        let shown = |time: &Duration| humantime::format_duration(*time).to_string();
        within(&range, form(given)?, shown)
    }
}

/// A value, if it is in `range`. `shown` writes its ends for a user.
pub fn within<T: PartialOrd>(
    range: &RangeInclusive<T>,
    value: T,
    shown: impl Fn(&T) -> String,
) -> Result<T, Unfit> {
    if range.contains(&value) {
        return Ok(value);
    }
    let (least, most) = (shown(range.start()), shown(range.end()));
    Err(Unfit::new(format!("{least} to {most}"), ""))
}

/// A list separated by commas; blanks around its items and empty items do not count.
pub fn list(given: &str) -> Vec<String> {
    given.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// An `http` or `https` URL with a host.
pub fn url(given: &str) -> Result<Url, String> {
    let url = Url::parse(given).map_err(|error| error.to_string())?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err("it begins with neither https:// nor http://".to_owned())
    }
}

/// Whether a URL names this machine and nothing else: such a host needs no TLS.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_forgives_blanks() {
        assert_eq!(list(" a@x , ,b@y,"), ["a@x", "b@y"]);
        assert!(list("").is_empty());
    }

    #[test]
    fn a_time_has_a_unit_and_is_in_its_range() {
        let parse = time(TIME_RANGE);
        assert_eq!(parse("1s").unwrap(), Duration::from_secs(1));
        assert_eq!(parse("10m").unwrap(), Duration::from_mins(10));
        assert!(parse("7days").is_ok() && parse("1000ms").is_ok());
        for wrong in ["0", "10", "999ms", "5", "8days", "10000years"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let loopback = |given: &str| is_loopback(&url(given).unwrap());
        assert!(
            loopback("http://127.0.0.1:8080/x")
                && loopback("http://[::1]/")
                && loopback("http://LOCALHOST")
        );
        for other in [
            "http://10.0.0.1",
            "http://localhost.evil.example",
            "http://127.0.0.1.example",
            "http://0.0.0.0",
        ] {
            assert!(!loopback(other), "{other}");
        }
        assert!(url("file:///etc").is_err() && url("worker:8080").is_err() && url("").is_err());
    }
}
