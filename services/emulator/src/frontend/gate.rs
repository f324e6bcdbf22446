//! Who is let in.

use brigade_runtime::local_site::LocalSite;
use http::{HeaderMap, HeaderValue, Request, header::AUTHORIZATION, uri::Authority};

use super::{
    credential,
    page::Refused,
    service::{Push, Service},
};
use crate::identity::Issuer;

/// The path that Google's front end answers itself, whatever the container has there. `/healthz/` is another one.
///
/// Source: <https://cloud.google.com/run/docs/known-issues> names some paths that end in `z`; that this one is answered so, and
/// `/healthz/` and `/readyz` are not, was reported by others (kkdai/linebot-file#5).
const RESERVED: &str = "/healthz";

/// Who is let in to one service.
#[derive(Debug)]
pub(super) struct Gate {
    issuer: Issuer,
    hosts: Vec<String>,
    site: LocalSite,
    audiences: Vec<String>,
    invokers: Vec<String>,
    public: bool,
    pushes: Vec<Push>,
    /// The audience of tokens that are added.
    origin: String,
}

impl Gate {
    /// The gate of a service that is reached at `origin`.
    pub(super) fn new(issuer: Issuer, origin: &str, service: &Service) -> Self {
        let mut audiences = vec![origin.to_owned(), format!("{origin}/")];
        audiences.extend(service.audiences.iter().cloned());
        let mut hosts: Vec<String> = audiences.iter().filter_map(|url| host(url)).collect();
        if let Some((_, port)) = origin.rsplit_once(':') {
            hosts.push(format!("localhost:{port}"));
        }
        Self {
            issuer,
            site: LocalSite::new(hosts.clone()),
            hosts,
            audiences,
            invokers: service.invokers.clone(),
            public: service.public,
            pushes: service.pushes.clone(),
            origin: origin.to_owned(),
        }
    }

    /// Lets a request in, with the signature of the token that was checked taken out.
    pub(super) fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Refused> {
        if !authority(request).is_some_and(|host| self.hosts.contains(&host)) {
            return Err(Refused::NoService);
        }
        self.site.check_origin(request.headers()).map_err(|_| Refused::ForeignPage)?;
        if request.uri().path() == RESERVED {
            return Err(Refused::Reserved);
        }
        self.push(request);
        if self.public {
            return Ok(());
        }
        let headers = request.headers_mut();
        let name = credential::checked(headers).ok_or(Refused::NoToken)?;
        self.check(credential::token(headers, &name))?;
        credential::strip(headers, &name);
        Ok(())
    }

    fn check(&self, token: Option<&str>) -> Result<(), Refused> {
        let token = token.ok_or(Refused::BadToken)?;
        let principal = self.issuer.verify(token, &self.audiences);
        let principal = principal.ok_or(Refused::BadToken)?;
        if self.invokers.iter().any(|account| principal.is(account)) {
            Ok(())
        } else {
            Err(Refused::NoInvoker)
        }
    }

    /// Adds the token that an emulator leaves out.
    fn push<B>(&self, request: &mut Request<B>) {
        let path = request.uri().path();
        let Some(push) = self.pushes.iter().find(|push| push.path == path) else {
            return;
        };
        if credential::checked(request.headers()).is_none() {
            let token = self.issuer.mint(&push.account, &self.origin);
            set_bearer(request.headers_mut(), &token);
        }
    }
}

fn set_bearer(headers: &mut HeaderMap, token: &str) {
    if let Ok(mut value) = HeaderValue::try_from(format!("Bearer {token}")) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
}

/// The host that a request is for, in small letters: `:authority` in HTTP/2, `host` in HTTP/1.1.
pub(super) fn authority<B>(request: &Request<B>) -> Option<String> {
    let named = request.uri().authority().map(Authority::as_str);
    let header = || request.headers().get(http::header::HOST)?.to_str().ok();
    named.or_else(header).map(str::to_ascii_lowercase)
}

/// An audience that is a URL names a host of the service.
fn host(audience: &str) -> Option<String> {
    let uri: http::Uri = audience.parse().ok()?;
    uri.scheme()?;
    uri.authority().map(|authority| authority.as_str().to_ascii_lowercase())
}
