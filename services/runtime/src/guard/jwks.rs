//! The issuer's signing keys: fetched when needed, by one caller for all, and kept while they can be had again.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jsonwebtoken::DecodingKey;
use reqwest::{Client, header::CACHE_CONTROL, redirect::Policy};
use serde::Deserialize;
use tokio::{
    sync::{Mutex, RwLock},
    time::Instant,
};
use url::Url;

use super::error::Refusal;

/// A key set has about 2 KiB.
const MAX_BODY: usize = 256 * 1024;
const FETCH_TIME: Duration = Duration::from_secs(10);
/// At most one fetch in this time for a key id that nobody knows, or after a failure with keys in hand.
const BETWEEN: Duration = Duration::from_secs(60);
/// After a failure without any key in hand, the next call may try soon.
const BETWEEN_FIRST: Duration = Duration::from_secs(1);
/// When the answer does not say how long it may be kept.
const DEFAULT_AGE: Duration = Duration::from_secs(3600);
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Jwks {
    url: Url,
    client: Client,
    held: RwLock<Held>,
    /// Whoever has it fetches; the others wait and find what was fetched.
    fetching: Mutex<()>,
}

#[derive(Debug, Default)]
struct Held {
    keys: Arc<HashMap<String, DecodingKeyHolder>>,
    fresh_until: Option<Instant>,
    tried: Option<Instant>,
}

/// A key without its bytes in `Debug`.
pub(super) struct DecodingKeyHolder(pub(super) DecodingKey);

impl std::fmt::Debug for DecodingKeyHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DecodingKey")
    }
}

impl Jwks {
    pub(super) fn new(url: Url) -> Result<Self, reqwest::Error> {
        let client = Client::builder().redirect(Policy::none()).timeout(FETCH_TIME).build()?;
        Ok(Self { url, client, held: RwLock::default(), fetching: Mutex::default() })
    }

    /// Whether a key is published, as far as is known without asking.
    pub(super) fn published(&self, kid: &str) -> bool {
        // Held only for a moment by a writer; then the slow way asks properly.
        self.held.try_read().is_ok_and(|held| held.is_fresh() && held.keys.contains_key(kid))
    }

    /// Runs `check` with the key of this id, after fetching when the keys are old or do not have it.
    pub(super) async fn with<T>(
        &self,
        kid: &str,
        check: impl FnOnce(&DecodingKey) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut keys = self.current(|held| held.is_fresh() && held.keys.contains_key(kid)).await;
        if keys.is_none() {
            self.refresh(kid).await;
            keys = self.current(|held| held.keys.contains_key(kid)).await;
        }
        match keys.as_ref().and_then(|keys| keys.get(kid)) {
            Some(key) => check(&key.0),
            None if self.held.read().await.keys.is_empty() => Err(Refusal::NoKeys),
            None => Err(Refusal::Unauthenticated("the token's key is not one of the issuer's")),
        }
    }

    async fn current(
        &self,
        wanted: impl FnOnce(&Held) -> bool,
    ) -> Option<Arc<HashMap<String, DecodingKeyHolder>>> {
        let held = self.held.read().await;
        wanted(&held).then(|| held.keys.clone())
    }

    /// Fetches once, however many ask at the same time, and not again too soon. A failure keeps the keys there are.
    async fn refresh(&self, kid: &str) {
        let _only_one = self.fetching.lock().await;
        if !self.held.read().await.may_fetch(kid) {
            return;
        }
        let fetched = self.fetch().await;
        let now = Instant::now();
        let mut held = self.held.write().await;
        held.tried = Some(now);
        match fetched {
            Ok((keys, age)) => {
                held.keys = Arc::new(keys);
                held.fresh_until = Some(now + age);
            }
            Err(error) => tracing::warn!(url = %self.url, %error, "cannot fetch the issuer's signing keys"),
        }
    }

    async fn fetch(&self) -> Result<(HashMap<String, DecodingKeyHolder>, Duration), FetchError> {
        let mut response = self.client.get(self.url.clone()).send().await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let age = response
            .headers()
            .get(CACHE_CONTROL)
            .and_then(|value| max_age(value.to_str().ok()?))
            .unwrap_or(DEFAULT_AGE)
            .min(MAX_AGE);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(FetchError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let keys = usable(&body)?;
        Ok((keys, age))
    }
}

impl Held {
    fn is_fresh(&self) -> bool {
        self.fresh_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether the keys are worth another fetch: somebody else may have fetched while we waited.
    fn may_fetch(&self, kid: &str) -> bool {
        if self.is_fresh() && self.keys.contains_key(kid) {
            return false;
        }
        let between = if self.keys.is_empty() { BETWEEN_FIRST } else { BETWEEN };
        self.tried.is_none_or(|tried| tried.elapsed() >= between) || (!self.is_fresh() && self.aged_out())
    }

    /// The keys were fresh until a moment that came after the last try.
    fn aged_out(&self) -> bool {
        matches!((self.fresh_until, self.tried), (Some(until), Some(tried)) if until >= tried && Instant::now() >= until
            && tried.elapsed() >= BETWEEN_FIRST)
    }
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Transport(#[from] reqwest::Error),
    #[error("HTTP {0}")]
    Status(u16),
    #[error("the answer is longer than 256 KiB")]
    TooLong,
    #[error("the answer is not a key set")]
    NotKeys,
    #[error("the answer has no usable key")]
    NoKey,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: String,
    n: String,
    e: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
}

/// The keys that may sign ID tokens. One with another purpose or of a poor kind is left out, and so are two that
/// share an id: nobody could say which one is meant.
fn usable(body: &[u8]) -> Result<HashMap<String, DecodingKeyHolder>, FetchError> {
    let set: KeySet = serde_json::from_slice(body).map_err(|_| FetchError::NotKeys)?;
    let mut keys = HashMap::new();
    let mut met = HashMap::<String, usize>::new();
    for value in set.keys {
        let Ok(key) = serde_json::from_value::<Key>(value) else {
            continue;
        };
        *met.entry(key.kid.clone()).or_default() += 1;
        if let Some(decoding) = decoding_key(&key) {
            keys.insert(key.kid, DecodingKeyHolder(decoding));
        }
    }
    keys.retain(|kid, _| met.get(kid) == Some(&1));
    if keys.is_empty() { Err(FetchError::NoKey) } else { Ok(keys) }
}

fn decoding_key(key: &Key) -> Option<DecodingKey> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let signs = key.kty == "RSA"
        && key.alg.as_deref().is_none_or(|alg| alg == "RS256")
        && key.usage.as_deref().is_none_or(|usage| usage == "sig")
        && key.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    let n = URL_SAFE_NO_PAD.decode(&key.n).ok()?;
    let e = URL_SAFE_NO_PAD.decode(&key.e).ok()?;
    // 2,048 bits with the highest one set, odd; the exponent every issuer uses.
    let sound = n.len() >= 256 && n[0] >= 0x80 && n.last()? % 2 == 1 && e == [1, 0, 1];
    if signs && sound { DecodingKey::from_rsa_components(&key.n, &key.e).ok() } else { None }
}

/// `max-age` of a `Cache-Control` header (RFC 9111, section 5.2.2.1).
fn max_age(header: &str) -> Option<Duration> {
    header.split(',').find_map(|directive| {
        let seconds = directive.trim().strip_prefix("max-age=")?;
        Some(Duration::from_secs(seconds.trim_matches('"').parse().ok()?))
    })
}
