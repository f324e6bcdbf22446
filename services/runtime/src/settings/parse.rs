//! Parsers of single values, for [`Problems`](super::Problems) and for whoever has a value of the same kind.

use std::{fmt, num::NonZeroUsize, str::FromStr, time::Duration};

use url::{Host, Url};

/// A length of time with its unit, such as `90s` or `10m`.
pub fn duration(given: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(given)
}

/// A whole number of at least 1.
pub fn count(given: &str) -> Result<NonZeroUsize, std::num::ParseIntError> {
    given.parse()
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

/// A bucket, and a prefix that is empty or ends with a slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GsUri {
    /// The bucket's name.
    pub bucket: String,
    /// What names begin with.
    pub prefix: String,
}

/// `gs://bucket/prefix/`, the last slash of which may be left out.
pub fn gs_uri(given: &str) -> Result<GsUri, String> {
    given.parse()
}

impl FromStr for GsUri {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let rest = given
            .strip_prefix("gs://")
            .ok_or("it does not begin with gs://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // https://cloud.google.com/storage/docs/buckets#naming
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if !(3..=222).contains(&bucket.len()) || !bucket.bytes().all(allowed) {
            return Err(format!("{bucket:?} is not a bucket's name"));
        }
        if prefix.contains(['\r', '\n']) {
            return Err("no object's name has a line break".to_owned());
        }
        let slash = if prefix.is_empty() || prefix.ends_with('/') {
            ""
        } else {
            "/"
        };
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: format!("{prefix}{slash}"),
        })
    }
}

impl fmt::Display for GsUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, self.prefix)
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
    fn a_gs_uri_ends_with_a_slash_given_or_not() {
        for given in ["gs://data/in", "gs://data/in/"] {
            assert_eq!(gs_uri(given).unwrap().to_string(), "gs://data/in/");
        }
        for given in ["gs://data", "gs://data/"] {
            assert_eq!(
                gs_uri(given).unwrap(),
                GsUri {
                    bucket: "data".into(),
                    prefix: String::new()
                }
            );
        }
    }

    #[test]
    fn what_is_no_gs_uri_is_refused_with_the_reason() {
        assert!(gs_uri("s3://data/in/").unwrap_err().contains("gs://"));
        assert!(gs_uri("gs:///in/").unwrap_err().contains("bucket"));
        assert!(
            gs_uri("gs://My Data/in/")
                .unwrap_err()
                .contains("\"My Data\"")
        );
        assert!(gs_uri("gs://data/a\nb").unwrap_err().contains("line break"));
    }

    #[test]
    fn a_count_is_at_least_one() {
        assert_eq!(count("1").unwrap().get(), 1);
        assert!(count("0").is_err() && count("-1").is_err() && count("1.5").is_err());
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
