//! Audiences, and where a token may go.

use url::{Host, Url};

/// The audience that Cloud Run expects of a call to this URL: scheme, host, and a port that is not the scheme's own.
/// Path, query, user and the root's trailing dot do not belong to it.
pub fn origin(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host);
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// Whether a token cannot be read on its way there: https, or this machine.
pub fn is_confidential(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

/// Whether calls to this URL go through no proxy: those that stay on this machine, and plain HTTP, which goes nowhere else
/// with a token.
pub(crate) fn is_direct(url: &Url) -> bool {
    url.scheme() == "http" || is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
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
    fn an_audience_is_the_origin_alone() {
        for (url, audience) in [
            ("https://worker-x.a.run.app", "https://worker-x.a.run.app"),
            ("https://worker-x.a.run.app/", "https://worker-x.a.run.app"),
            ("https://u:p@worker.run.app./a/b?c#d", "https://worker.run.app"),
            ("https://worker.run.app:443/", "https://worker.run.app"),
            ("https://worker.run.app:8443/", "https://worker.run.app:8443"),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ] {
            assert_eq!(origin(&Url::parse(url).unwrap()), audience);
        }
    }

    #[test]
    fn a_token_goes_over_https_or_to_this_machine() {
        for (url, goes) in [
            ("https://worker.run.app", true),
            ("http://localhost:1", true),
            ("http://127.1.2.3:1", true),
            ("http://[::1]:1", true),
            ("http://worker.run.app", false),
            ("http://10.0.0.1", false),
            ("http://localhost.evil.example", false),
        ] {
            assert_eq!(is_confidential(&Url::parse(url).unwrap()), goes, "{url}");
        }
    }
}
