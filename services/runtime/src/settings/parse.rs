//! Parsers of single values, for [`Problems`](super::Problems) and for whoever has a value of the same kind.

use std::{ops::RangeInclusive, time::Duration};

use url::{Host, Url};

/// How long one file, a poll, or a wait between two may take: less leaves no time for anything, so that each file would end in
/// `failed/` or none be asked about, and nobody waits for more.
pub const A_WHILE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(7 * 24);

/// How many files may be in flight in one process. More is a slip of the hand.
pub const AT_ONCE: RangeInclusive<usize> = 1..=10_000;

/// A length of time with its unit, such as `90s` or `10m`.
pub fn duration(given: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(given)
}

/// The same, of [`A_WHILE`].
pub fn a_while(given: &str) -> Result<Duration, String> {
    let time = duration(given).map_err(|error| error.to_string())?;
    if A_WHILE.contains(&time) {
        Ok(time)
    } else {
        Err("it takes 1s to 7days".to_owned())
    }
}

/// A list separated by commas; blanks around its items and empty items do not count.
pub fn list(given: &str) -> Vec<String> {
    given
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect()
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
    fn a_while_is_a_second_to_a_week() {
        assert_eq!(a_while("1s").unwrap(), Duration::from_secs(1));
        assert!(a_while("7days").is_ok());
        for wrong in ["0", "999ms", "5", "8days", "10000years"] {
            assert!(a_while(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_has_a_unit() {
        assert_eq!(duration("10m").unwrap(), Duration::from_mins(10));
        assert!(duration("10").is_err());
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
