//! Where Cloud Storage is, and with which credentials.

/// Points every storage client at an emulator's JSON API: `host:port` or a URL.
const JSON_HOST: &str = "STORAGE_EMULATOR_HOST";
/// The same for gRPC; the JSON one's address when unset.
const GRPC_HOST: &str = "STORAGE_EMULATOR_HOST_GRPC";
/// The metadata server, when it is not Google's.
const METADATA_HOST: &str = "GCE_METADATA_HOST";

/// Where Cloud Storage is, and with which credentials. The default is Google's own service with the environment's
/// credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcsSettings {
    /// URL of the gRPC API; Google's own when `None`.
    pub grpc_endpoint: Option<String>,
    /// URL of the JSON API; Google's own when `None`.
    pub json_endpoint: Option<String>,
    /// The credentials.
    pub credentials: Credentials,
}

/// The credentials of calls to Cloud Storage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// From the environment, as every Google client reads it.
    #[default]
    Environment,
    /// Without credentials: for emulators.
    Anonymous,
    /// The account of the metadata server at this origin: for an emulator that is one itself.
    Metadata(String),
}

impl GcsSettings {
    /// Both APIs at one address, such as `http://127.0.0.1:9000`, without credentials: an emulator.
    pub fn emulator(endpoint: impl Into<String>) -> Self {
        let endpoint = Some(endpoint.into());
        Self {
            grpc_endpoint: endpoint.clone(),
            json_endpoint: endpoint,
            credentials: Credentials::Anonymous,
        }
    }

    /// Reads `STORAGE_EMULATOR_HOST` and `STORAGE_EMULATOR_HOST_GRPC`, with or without a scheme, through `lookup`.
    ///
    /// One of them serves for both APIs when the other is unset, so that no call of a program that is pointed at an
    /// emulator ever reaches the real service. With either set no credentials are sent, unless `GCE_METADATA_HOST` is the
    /// very same host: then its own access tokens are, and only the emulator that issued them receives them.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let host = |name| lookup(name).and_then(|host| endpoint(&host));
        let (json, grpc) = (host(JSON_HOST), host(GRPC_HOST));
        let grpc_endpoint = grpc.clone().or_else(|| json.clone());
        let json_endpoint = json.or(grpc);
        let credentials = match host(METADATA_HOST) {
            _ if grpc_endpoint.is_none() => Credentials::Environment,
            Some(own) if [grpc_endpoint.as_ref(), json_endpoint.as_ref()] == [Some(&own); 2] => {
                Credentials::Metadata(own)
            }
            Some(_) | None => Credentials::Anonymous,
        };
        Self { grpc_endpoint, json_endpoint, credentials }
    }
}

/// A URL without a path; plain HTTP when no scheme is given, as every storage client reads the variable.
fn endpoint(host: &str) -> Option<String> {
    let host = host.trim().trim_end_matches('/');
    if host.is_empty() {
        None
    } else if host.contains("://") {
        Some(host.to_owned())
    } else {
        Some(format!("http://{host}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)]) -> GcsSettings {
        GcsSettings::from_env(|name| {
            vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn at(grpc: &str, json: &str) -> GcsSettings {
        GcsSettings {
            grpc_endpoint: Some(grpc.into()),
            json_endpoint: Some(json.into()),
            credentials: Credentials::Anonymous,
        }
    }

    #[test]
    fn an_empty_environment_means_google_with_credentials() {
        assert_eq!(from(&[]), GcsSettings::default());
        assert_eq!(from(&[(JSON_HOST, " ")]), GcsSettings::default());
    }

    #[test]
    fn the_json_address_serves_for_grpc_too() {
        let want = at("http://localhost:9000", "http://localhost:9000");
        assert_eq!(from(&[(JSON_HOST, "localhost:9000")]), want);
        assert_eq!(from(&[(JSON_HOST, "http://localhost:9000/")]), want);
    }

    #[test]
    fn the_grpc_address_alone_never_leaves_json_with_google() {
        let want = at("http://[::1]:9001", "http://[::1]:9001");
        assert_eq!(from(&[(GRPC_HOST, "[::1]:9001")]), want);
    }

    #[test]
    fn two_addresses_are_kept_apart() {
        let got = from(&[(JSON_HOST, "https://a.test"), (GRPC_HOST, "b.test:1")]);
        assert_eq!(got, at("http://b.test:1", "https://a.test"));
    }

    #[test]
    fn an_emulator_gets_the_tokens_that_it_gave_and_no_others() {
        let own = "127.0.0.1:9000";
        let env = |json: &str, grpc: &str, metadata: &str| {
            let vars = [(JSON_HOST, json), (GRPC_HOST, grpc), (METADATA_HOST, metadata)];
            from(&vars).credentials
        };
        assert_eq!(
            env("http://127.0.0.1:9000", own, own),
            Credentials::Metadata("http://127.0.0.1:9000".into())
        );
        for (json, grpc, metadata) in [
            (own, own, "metadata.google.internal"),
            (own, own, ""),
            (own, own, "127.0.0.1:9001"),
            (own, "127.0.0.1:9001", own),
            ("127.0.0.1:9001", own, own),
            ("https://127.0.0.1:9000", own, own),
        ] {
            let got = env(json, grpc, metadata);
            assert_eq!(got, Credentials::Anonymous, "{json} {grpc} {metadata}");
        }
        assert_eq!(env("", "", own), Credentials::Environment);
    }
}
