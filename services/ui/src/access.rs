//! Who may call the page: the checks of "The page" in `docs/SECURITY-MODEL.md`, in their order.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::{constant_time::verify_slices_are_equal, rand};
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{COOKIE, HOST, ORIGIN},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// What a change needs beside the cookie.
pub(crate) const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-brigade-token");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The secrets of one page, and where it may be called.
#[derive(Debug)]
pub(crate) struct Access {
    hosts: Vec<String>,
    cookie: String,
    session: String,
    token: String,
    key: String,
    /// Whether the key may still be exchanged.
    is_unused: Mutex<bool>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) StatusCode, pub(crate) String);

// === impl Access ===

impl Access {
    /// New secrets for a page on this port.
    pub(crate) fn new(port: u16, more: &[String]) -> io::Result<Self> {
        let own = ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}"));
        let more = more.iter().map(|host| host.to_ascii_lowercase());
        Ok(Self {
            hosts: own.into_iter().chain(more).collect(),
            // A browser sends the cookies of all ports of this machine.
            cookie: format!("brigade-page-{port}"),
            session: secret()?,
            token: secret()?,
            key: secret()?,
            is_unused: Mutex::new(true),
        })
    }

    /// What the printed address has.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// What the page's own HTML has, for changes.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Refuses what does not come from the page, or from the address bar of a browser on this machine.
    pub(crate) fn check_site(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        let host = self.host(uri, headers).map_err(|host| {
            let fix = "with brigade ui, allow another one by --allow-host";
            forbidden(format!(
                "the host {host} is not this page's; fix: open it as 127.0.0.1, or {fix}"
            ))
        })?;
        let mut origins = headers.get_all(ORIGIN).iter().map(HeaderValue::as_bytes);
        let own = |origin: &[u8]| {
            ["http", "https"].iter().any(|scheme| format!("{scheme}://{host}").as_bytes() == origin)
        };
        let from_elsewhere =
            headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none");
        if from_elsewhere || !origins.all(own) {
            return Err(forbidden(
                "the request comes from another site; fix: open the page from the address bar"
                    .into(),
            ));
        }
        Ok(())
    }

    /// The host that is called, when it is allowed.
    fn host(&self, uri: &Uri, headers: &HeaderMap) -> Result<String, String> {
        let lines =
            headers.get_all(HOST).iter().map(|given| String::from_utf8_lossy(given.as_bytes()));
        // A request line may name one too, and HTTP/2 names it there alone.
        let given: Vec<_> =
            lines.chain(uri.authority().map(|given| given.as_str().into())).collect();
        let mut hosts = given.iter().map(|host| host.to_ascii_lowercase());
        let Some(first) = hosts.next() else { return Err("\"\"".into()) };
        let is_one = hosts.all(|other| other == first);
        if is_one && self.hosts.contains(&first) { Ok(first) } else { Err(format!("{first:?}")) }
    }

    /// Refuses a browser that the printed address did not open.
    pub(crate) fn check_cookie(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs =
            lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut own = pairs.filter(|(name, _)| *name == self.cookie);
        if own.any(|(_, value)| is_same(value, &self.session)) {
            return Ok(());
        }
        Err(Refused(
            StatusCode::UNAUTHORIZED,
            "this browser has not opened the page; fix: open the address that brigade ui or brigade dev printed. It works once: \
             run brigade ui for another one"
                .into(),
        ))
    }

    /// Refuses a change that does not come from the page's own script.
    pub(crate) fn check_token(&self, method: &Method, headers: &HeaderMap) -> Result<(), Refused> {
        let given = headers.get(TOKEN_HEADER).and_then(|given| given.to_str().ok());
        if method.is_safe() || given.is_some_and(|given| is_same(given, &self.token)) {
            return Ok(());
        }
        Err(forbidden("the request has not this page's token; fix: load the page again".into()))
    }

    /// Exchanges the key of the printed address for the cookie, once.
    pub(crate) fn open(&self, key: &str) -> Option<String> {
        if !is_same(key, &self.key) {
            return None;
        }
        let mut is_unused = self.is_unused.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *is_unused)
            .then(|| format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie, self.session))
    }
}

fn forbidden(why: String) -> Refused {
    Refused(StatusCode::FORBIDDEN, why)
}

fn is_same(one: &str, other: &str) -> bool {
    verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

fn secret() -> io::Result<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
