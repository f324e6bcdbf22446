//! What Cloud Run's metadata server says: <https://cloud.google.com/run/docs/container-contract#metadata-server>.

use std::{sync::LazyLock, time::Duration};

use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{body::read, env::var};
use crate::settings::names::K_SERVICE;

/// It answers within milliseconds.
const TIME: Duration = Duration::from_secs(2);
/// A token is renewed so long before its end.
const EARLY: Duration = Duration::from_mins(3);
const MAX_ANSWER: usize = 16 * 1024;

static CLIENT: LazyLock<Option<reqwest::Client>> =
    LazyLock::new(|| reqwest::Client::builder().no_proxy().timeout(TIME).build().ok());

/// Whether there is one: on Cloud Run.
pub(super) fn is_there() -> bool {
    var(K_SERVICE).is_some()
}

/// A value, if the server answers.
pub(super) async fn get(path: &str) -> Option<String> {
    let host = var("GCE_METADATA_HOST").unwrap_or_else(|| "metadata.google.internal".to_owned());
    let request = CLIENT.as_ref()?.get(format!("http://{host}/computeMetadata/v1/{path}"));
    let response = request.header("Metadata-Flavor", "Google").send().await.ok()?;
    let response = response.error_for_status().ok()?;
    String::from_utf8(read(response, MAX_ANSWER).await?.into()).ok()
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

/// The access token of the service's own account; all exporters have the same.
pub(super) async fn access_token() -> Result<String, &'static str> {
    static TOKEN: Mutex<Option<(String, Instant)>> = Mutex::const_new(None);
    let (now, mut kept) = (Instant::now(), TOKEN.lock().await);
    if let Some((token, end)) = &*kept
        && now + EARLY < *end
    {
        return Ok(token.clone());
    }
    let text = get("instance/service-accounts/default/token").await;
    let text = text.ok_or("the metadata server gave no access token")?;
    let (token, end) = parse(&text, now).ok_or("the metadata server's access token is wrong")?;
    *kept = Some((token.clone(), end));
    Ok(token)
}

/// The token and its end.
fn parse(text: &str, now: Instant) -> Option<(String, Instant)> {
    let Answer { access_token, expires_in } = serde_json::from_str(text).ok()?;
    Some((access_token, now.checked_add(Duration::from_secs(expires_in))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_never_ends_is_refused() {
        let now = Instant::now();
        let answer = |end: u64| format!(r#"{{"access_token":"a","expires_in":{end}}}"#);
        let end = now + Duration::from_secs(3599);
        assert_eq!(parse(&answer(3599), now), Some(("a".to_owned(), end)));
        assert_eq!(parse(&answer(u64::MAX), now), None);
    }
}
