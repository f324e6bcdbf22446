//! What goes through no proxy, whatever the environment says.

use url::Url;

use crate::settings::list;

/// The variables that name a proxy.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// This machine, and the metadata server of Google Cloud by name and address. Some programs take no ranges, so one address of
/// the range is there too.
const DIRECT: [&str; 6] =
    ["localhost", "127.0.0.1", "127.0.0.0/8", "::1", "metadata.google.internal", "169.254.169.254"];

/// The `NO_PROXY` that this process needs, if it has a proxy and its own `NO_PROXY` lacks this machine or the metadata server.
/// `lookup` returns a variable's value.
///
/// Google's client for Cloud Storage makes its HTTP clients itself, and they read that variable and nothing else.
pub fn missing_no_proxy(lookup: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_proxy = |name: &str| lookup(name).is_some_and(|value| !value.trim().is_empty());
    if !PROXIES.into_iter().any(is_proxy) {
        return None;
    }
    let given = lookup("NO_PROXY").or_else(|| lookup("no_proxy"));
    let mut entries = list(&given.unwrap_or_default());
    if entries.iter().any(|entry| entry == "*") {
        return None;
    }
    let before = entries.len();
    let metadata = lookup("GCE_METADATA_HOST").and_then(|host| bare(&host));
    for host in DIRECT.map(str::to_owned).into_iter().chain(metadata) {
        if !entries.contains(&host) {
            entries.push(host);
        }
    }
    (entries.len() > before).then(|| entries.join(","))
}

/// A host without its port.
fn bare(host: &str) -> Option<String> {
    let host = host.strip_prefix("http://").unwrap_or(host);
    let url = Url::parse(&format!("http://{host}")).ok()?;
    Some(url.host_str()?.trim_matches(['[', ']']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(environment: &[(&str, &str)]) -> Option<String> {
        missing_no_proxy(|name| {
            let found = environment.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn this_machine_and_the_metadata_server_are_added_to_no_proxy_where_there_is_a_proxy() {
        let all = DIRECT.join(",");
        let proxy = ("https_proxy", "http://proxy.example:3128");
        for (environment, expected) in [
            (&[][..], None),
            (&[("HTTP_PROXY", " ")], None),
            (&[("NO_PROXY", "x.example")], None),
            (&[proxy], Some(all.clone())),
            (&[proxy, ("NO_PROXY", "")], Some(all.clone())),
            (&[proxy, ("NO_PROXY", "*")], None),
            (&[proxy, ("NO_PROXY", &all)], None),
            (&[proxy, ("no_proxy", &all)], None),
            (&[proxy, ("NO_PROXY", "x.example, ::1")], Some("x.example,::1,localhost,127.0.0.1,127.0.0.0/8,metadata.google.internal,169.254.169.254".to_owned())),
            (&[proxy, ("GCE_METADATA_HOST", "127.0.0.1:8080")], Some(all.clone())),
            (&[proxy, ("GCE_METADATA_HOST", "http://[fd00::1]:80")], Some(format!("{all},fd00::1"))),
            (&[proxy, ("NO_PROXY", &all), ("GCE_METADATA_HOST", "metadata")], Some(format!("{all},metadata"))),
        ] {
            assert_eq!(missing(environment), expected, "{environment:?}");
        }
        // The process that has it needs no other one.
        assert_eq!(missing(&[proxy, ("NO_PROXY", &all)]), None);
    }
}
