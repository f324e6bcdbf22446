//! Parsers of single values, for [`setting`](super::setting), [`optional`](super::optional), and arguments of clap's own.

use std::{fmt, net::Ipv6Addr, ops::RangeInclusive, str::FromStr, time::Duration};

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

/// The emails of accounts, separated by commas; one at least.
pub fn emails(given: &str) -> Result<Vec<String>, String> {
    some(given)?.iter().map(|one| email(one)).collect()
}

/// The email of an account, as a token has it: a guard with any other name would start, and refuse every call.
pub fn email(given: &str) -> Result<String, String> {
    if let Some((kind, rest)) = given.split_once(':') {
        return Err(format!("{given:?} begins with {kind:?}; give the email alone: {rest}"));
    }
    let is_part = |part: &str| {
        let odd = |c: char| c.is_whitespace() || c.is_control() || "\"`,;<>()[]@".contains(c);
        !part.is_empty() && !part.contains(odd)
    };
    match given.split_once('@') {
        Some((name, domain)) if is_part(name) && is_part(domain) => {}
        _ => return Err(format!("{given:?} is not an email")),
    }
    // Another issuer's emails may have them.
    let lower = given.to_lowercase();
    if lower != given && lower.ends_with(".gserviceaccount.com") {
        return Err(format!("{given:?} has capitals, and no service account has; give {lower}"));
    }
    Ok(given.to_owned())
}

/// The audiences of tokens, separated by commas; one at least.
pub fn audiences(given: &str) -> Result<Vec<String>, String> {
    some(given)?.iter().map(|one| audience(one)).collect()
}

/// The audience of a token: a URL, or any other text that Cloud Run takes for a custom audience.
pub fn audience(given: &str) -> Result<String, String> {
    let given = unquoted(given)?;
    let bare = given.strip_suffix('/').unwrap_or(&given);
    let (scheme, rest) = bare.split_once("://").unwrap_or(("", bare));
    let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
    let lower = host.to_ascii_lowercase();
    let name = lower.trim_end_matches('.');
    let is_url =
        scheme == "https" && host == name && !rest.contains(['?', '#']) && !bare.ends_with('/');
    if name.ends_with(".run.app") && !is_url {
        return Err(format!("{given:?} is no URL of a service; give https://{name}"));
    }
    if bare.is_empty()
        || bare.ends_with([':', '/'])
        || (scheme.is_empty() && bare.starts_with("http") && bare.contains(":/"))
    {
        return Err(format!("{given:?} has no host"));
    }
    Ok(given)
}

/// A host by which a port may be called: `HOST` with any port, `HOST:PORT`, or `*.DOMAIN` for every host below it.
pub fn host(given: &str) -> Result<String, String> {
    let (domain, name) = match given.strip_prefix("*.") {
        Some(domain) => (true, domain),
        None => (false, without_port(given)),
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let is_ipv6 = || {
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        !domain && address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
    };
    if name.split('.').all(is_label) || is_ipv6() {
        Ok(given.to_owned())
    } else {
        Err(format!("{given:?} is no host; give HOST, HOST:PORT or *.DOMAIN"))
    }
}

/// A host without its port, if it has one.
pub(crate) fn without_port(given: &str) -> &str {
    match given.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => given,
    }
}

/// Hosts, separated by commas; there may be none.
pub fn hosts(given: &str) -> Result<Vec<String>, String> {
    list(given).iter().map(|one| host(one)).collect()
}

/// Identifiers, such as issuers: without blanks and quotes, separated by commas; there may be none.
pub fn identifiers(given: &str) -> Result<Vec<String>, String> {
    list(given).iter().map(|one| unquoted(one)).collect()
}

/// Quotes of a shell or of a file of variables stay in the value when nothing removes them.
fn unquoted(given: &str) -> Result<String, String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "\"'`".contains(c);
    if given.contains(odd) {
        return Err(format!("{given:?} has a blank or a quote; remove it"));
    }
    Ok(given.to_owned())
}

/// A list that is not empty.
fn some(given: &str) -> Result<Vec<String>, &'static str> {
    Some(list(given)).filter(|list| !list.is_empty()).ok_or("")
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
    fn an_email_that_no_token_has_is_refused() {
        for right in ["p@x.iam.gserviceaccount.com", "o'brien+x@y.example", "Alice@corp"] {
            assert_eq!(email(right).as_deref(), Ok(right));
        }
        let wrong = [
            "serviceAccount:p@x.example",
            "user:p@x.example",
            "\"p@x.example\"",
            "p@x.example`",
            "P@x.iam.gserviceaccount.com",
            "p@X.iam.gserviceaccount.com",
            "p @x.example",
            "p@x.example;q@x.example",
            "<p@x.example>",
            "p@x@y.example",
            "@x.example",
            "p@",
            "allUsers",
        ];
        let rows = wrong.map(|one| email(one).unwrap_err());
        insta::assert_snapshot!(rows.join("\n"));
    }

    #[test]
    fn an_audience_that_no_token_has_is_refused() {
        for right in [
            "https://p-abc.a.run.app",
            "https://p-abc.a.run.app/",
            "https://p-abc.a.run.app/events",
            "https://p-abc.a.run.app/Events",
            "http://127.0.0.1:8080",
            "poller",
            "123-abc.apps.googleusercontent.com",
            "/projects/1/global/backendServices/2",
        ] {
            assert_eq!(audience(right).as_deref(), Ok(right));
        }
        let wrong = [
            "\"https://p.example\"",
            "'https://p.example'",
            "https://p.example https://q.example",
            "p-abc.a.run.app",
            "p-abc.a.run.app/",
            "http://p-abc.a.run.app",
            "htps://p-abc.a.run.app",
            "https://P-abc.a.run.app",
            "https://p-abc.a.run.app:443 ",
            "https://p-abc.a.run.app//",
            "https://p-abc.a.run.app?x",
            "https://p-abc.a.run.app.",
            "https:/p.example",
            "https://",
            "/",
        ];
        let rows = wrong.map(|one| audience(one).unwrap_err());
        insta::assert_snapshot!(rows.join("\n"));
    }

    #[test]
    fn a_host_that_no_request_names_cannot_be_allowed() {
        for right in
            ["devbox", "devbox:8080", "10.0.0.7", "[fd00::1]:80", "*.corp.example", "a_b.c"]
        {
            assert_eq!(host(right).as_deref(), Ok(right));
        }
        for wrong in [
            "",
            "*",
            "*.",
            "*corp.example",
            "a.*.example",
            "http://devbox",
            "devbox/",
            "devbox:http",
            "*.corp.example:80",
            "fd00::1",
            "corp.example.",
            "\"devbox\"",
            "a b",
        ] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
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
