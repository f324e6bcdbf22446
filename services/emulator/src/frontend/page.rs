//! The answers of the front end itself: pages, without a `grpc-status`.
//!
//! The text is that of Google's pages, so that a program that looks for it finds it.

use axum::{
    body::Body,
    response::{Html, IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{SERVER, WWW_AUTHENTICATE},
};

/// Why a call does not reach the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No service has this host: 404.
    NoService,
    /// A page of another site made a browser send it: 403. Google has no such check; here a token may be added.
    ForeignPage,
    /// The path is the front end's own: 404.
    Reserved,
    /// There is no token: 403.
    NoToken,
    /// The token is not one for this service: 401.
    BadToken,
    /// The token is good, and its account is not granted `run.invoker`: 403.
    NoInvoker,
    /// As many calls are in flight as the instance takes: 429.
    Busy,
    /// The container is not there, or hung up before it answered: 503.
    NoContainer,
    /// An injected fault.
    Fault(StatusCode),
}

impl Refused {
    fn status(self) -> StatusCode {
        match self {
            Self::NoService | Self::Reserved => StatusCode::NOT_FOUND,
            Self::ForeignPage | Self::NoToken | Self::NoInvoker => StatusCode::FORBIDDEN,
            Self::BadToken => StatusCode::UNAUTHORIZED,
            Self::Busy => StatusCode::TOO_MANY_REQUESTS,
            Self::NoContainer => StatusCode::SERVICE_UNAVAILABLE,
            Self::Fault(status) => status,
        }
    }

    /// What the log has; callers do not see it.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::NoService => "no service has this host",
            Self::ForeignPage => "a page of another site made a browser send the request",
            Self::Reserved => "Cloud Run reserves this path; use another one, such as /health",
            Self::NoToken => "the request was not authenticated",
            Self::BadToken => "the ID token could not be verified",
            Self::NoInvoker => "the request was not authorized to invoke this service",
            Self::Busy => "there is no instance for it",
            Self::NoContainer => "the container does not answer",
            Self::Fault(_) => "a fault was injected",
        }
    }
}

impl Refused {
    /// The answer to a request for this path.
    pub(super) fn answer(self, path: &str) -> Response<Body> {
        let status = self.status();
        let mut response = (status, Html(self.page(path))).into_response();
        let headers = response.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static("Google Frontend"));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = r#"Bearer error="invalid_token" error_description="The access token could not be verified""#;
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }

    /// The path is in the pages of 401, 403 and of the front end's own 404.
    fn page(self, path: &str) -> String {
        let (status, path) = (self.status(), escape(path));
        if self == Self::Reserved {
            return format!(
                "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error 404 (Not Found)!!1</title>\n  \
                 <p><b>404.</b> <ins>That’s an error.</ins>\n  <p>The requested URL <code>{path}</code> was not found on \
                 this server.  <ins>That’s all we know.</ins>\n"
            );
        }
        let (heading, text) = match status {
            StatusCode::UNAUTHORIZED => (
                "Error: Unauthorized",
                format!(
                    "Your client does not have permission to the requested URL <code>{path}</code>."
                ),
            ),
            StatusCode::FORBIDDEN => (
                "Error: Forbidden",
                format!(
                    "Your client does not have permission to get URL <code>{path}</code> from this server."
                ),
            ),
            StatusCode::NOT_FOUND => (
                "Error: Page not found",
                "The requested URL was not found on this server.".to_owned(),
            ),
            StatusCode::TOO_MANY_REQUESTS => return "Rate exceeded.".to_owned(),
            StatusCode::SERVICE_UNAVAILABLE => (
                "Error: Server Error",
                "The service you requested is not available yet.<p>Please try again in 30 seconds."
                    .to_owned(),
            ),
            _ => (
                "Error: Server Error",
                "The server encountered an error and could not complete your request.<p>Please try again in 30 seconds."
                    .to_owned(),
            ),
        };
        format!(
            "\n<html><head>\n<meta http-equiv=\"content-type\" content=\"text/html;charset=utf-8\">\n<title>{status}</title>\n\
             </head>\n<body text=#000000 bgcolor=#ffffff>\n<h1>{heading}</h1>\n<h2>{text}</h2>\n<h2></h2>\n</body></html>\n"
        )
    }
}

/// A path as a page shows it.
fn escape(path: &str) -> String {
    path.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
