//! Why a call is refused, and the response that reports it.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tonic::{Code, Status};

/// On every refusal, with the name of the check that failed: it distinguishes the guard's refusals from a front end's.
pub(super) const MARK: HeaderName = HeaderName::from_static("brigade-guard");

/// Why a call is refused: the check that failed. It never contains the token or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each describes it")]
pub enum Refusal {
    #[error("there is no authorization header; send an ID token as a bearer token")]
    Missing,
    /// There are two, and two readers could use different ones.
    #[error("there is more than one authorization header")]
    Several,
    #[error("the authorization header is not \"Bearer\", one space and a token")]
    Scheme,
    #[error("the token is longer than 16 KiB")]
    TooLong,
    #[error("the token does not have three parts, as a signed token has")]
    Parts,
    #[error("the token is not base64url without padding")]
    Encoding,
    #[error("the token's header is not an ID token's header")]
    Header,
    #[error("the token's algorithm is not RS256")]
    Algorithm,
    #[error("the token's type is not JWT")]
    Type,
    /// Its header names an extension: `crit`, `zip`, `enc`, `b64` or `cty`.
    #[error("the token's header requires an extension")]
    Extension,
    /// Its key id is empty, too long, or has unexpected characters.
    #[error("the token's key id is malformed")]
    KeyId,
    #[error("the token's key id is unknown to its issuer")]
    UnknownKey,
    #[error("the token's signature is not valid")]
    Signature,
    #[error(
        "Cloud Run's front end removed the signature of the token in authorization; send the token in \
         x-serverless-authorization too, or set BRIGADE_AUTH=platform for this service if its callers cannot"
    )]
    Stripped,
    #[error("the token's claims are not an ID token's claims")]
    Claims,
    #[error("the token's issuer is not accepted")]
    Issuer,
    #[error("the token is for another audience; request one for this service's URL")]
    Audience,
    #[error("the token has expired")]
    Expired,
    #[error("the token was issued in the future; check the clocks")]
    IssuedLater,
    #[error("the token is not valid yet")]
    NotYet,
    #[error("the token's lifetime is longer than a day, or negative")]
    Lifetime,
    #[error("the token has no subject")]
    Subject,
    #[error("the token has no verified email; request one with format=full or includeEmail")]
    Email,
    #[error("the token is valid, but its caller is not an allowed caller of this service")]
    Caller,
    /// The caller has another right than the one that this method needs; with the setting that gives it.
    #[error(
        "the token is valid, but its caller has no right to this method; add its email to {0} to give it"
    )]
    Right(&'static str),
    #[error("the token is forged: a service sent it to verify that a front end refuses it")]
    Forged,
    #[error(
        "the token's signature was removed, and it is not verified that a front end checked it"
    )]
    Unproven,
    #[error("the issuer's signing keys are not available; try again")]
    NoKeys,
    /// It would have to wait, as too many calls do already.
    #[error("too many calls wait until their tokens can be checked; try again")]
    Waiting,
}

impl Refusal {
    /// The name of the check that failed, for programs: a claim or header field where one is wrong.
    pub fn check(self) -> &'static str {
        match self {
            Self::Missing | Self::Several => "authorization",
            Self::Scheme => "scheme",
            Self::TooLong => "size",
            Self::Parts => "parts",
            Self::Encoding => "base64url",
            Self::Header => "header",
            Self::Algorithm => "alg",
            Self::Type => "typ",
            Self::Extension => "crit",
            Self::KeyId => "kid",
            Self::UnknownKey => "key",
            Self::Signature | Self::Stripped => "signature",
            Self::Claims => "claims",
            Self::Issuer => "iss",
            Self::Audience => "aud",
            Self::Expired => "exp",
            Self::IssuedLater => "iat",
            Self::NotYet => "nbf",
            Self::Lifetime => "lifetime",
            Self::Subject => "sub",
            Self::Email => "email_verified",
            Self::Caller => "caller",
            Self::Right(_) => "right",
            Self::Forged | Self::Unproven => "front_end",
            Self::NoKeys => "jwks",
            Self::Waiting => "waiting",
        }
    }

    /// UNAUTHENTICATED for a missing or invalid token, `PERMISSION_DENIED` for a valid token of a caller who may not call,
    /// UNAVAILABLE when tokens cannot be checked, or not yet.
    pub fn code(self) -> Code {
        match self {
            Self::Caller | Self::Right(_) => Code::PermissionDenied,
            Self::NoKeys | Self::Unproven | Self::Waiting => Code::Unavailable,
            _ => Code::Unauthenticated,
        }
    }

    /// The response in the caller's own protocol: a `grpc-status` without a body, or an HTTP status with a small JSON.
    pub(super) fn response(self, grpc: bool) -> Response {
        let mut response = if grpc {
            Status::new(self.code(), self.to_string()).into_http()
        } else {
            self.http_response()
        };
        let check = HeaderValue::from_static(self.check());
        response.headers_mut().insert(MARK, check);
        response
    }

    fn http_response(self) -> Response {
        let body = Json(json!({ "error": self.to_string(), "check": self.check() }));
        let mut response = (self.http(), body).into_response();
        if let Some(challenge) = self.challenge() {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }

    /// The HTTP status of the response, and of the log line where the caller speaks gRPC.
    pub(super) fn http(self) -> StatusCode {
        match self.code() {
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// RFC 6750, section 3: without a token the challenge names no error.
    fn challenge(self) -> Option<&'static str> {
        match self.code() {
            Code::Unauthenticated if self == Self::Missing => Some("Bearer"),
            Code::Unauthenticated => Some("Bearer error=\"invalid_token\""),
            _ => None,
        }
    }
}
