//! Why a call is not let in, and how it is told.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tonic::{Code, Status};

/// On every refusal, with the name of the check that failed: what tells a refusal of ours from a front end's.
pub(super) const MARK: HeaderName = HeaderName::from_static("brigade-guard");

/// Why a call is not let in: the check that failed. It never holds the token or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// There is no `authorization` header.
    #[error("there is no authorization header; send an ID token as a bearer token")]
    Missing,
    /// There are two, and two readers could take different ones.
    #[error("there is more than one authorization header")]
    Several,
    /// The header is not `Bearer` and a token.
    #[error("the authorization header is not Bearer, one space and a token")]
    Scheme,
    /// The token is longer than 16 KiB.
    #[error("the token is longer than 16 KiB")]
    TooLong,
    /// The token does not have three parts.
    #[error("the token does not have the three parts of a signed token")]
    Parts,
    /// One of its parts is not base64url.
    #[error("the token is not base64url without padding")]
    Encoding,
    /// Its header is not a JSON object with the fields and types of an ID token's.
    #[error("the token's header is not that of an ID token")]
    Header,
    /// Its algorithm is not RS256.
    #[error("the token's algorithm is not RS256")]
    Algorithm,
    /// Its type is not JWT.
    #[error("the token's type is not JWT")]
    Type,
    /// Its header names an extension: `crit`, `zip`, `enc`, `b64` or `cty`.
    #[error("the token's header asks for an extension")]
    Extension,
    /// Its key id is empty, too long, or not plain.
    #[error("the token's key id is not one")]
    KeyId,
    /// The issuer has no key of this id.
    #[error("the token's key is not one of the issuer's")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature is not valid")]
    Signature,
    /// Its claims are not a JSON object with the claims and types of an ID token's.
    #[error("the token's claims are not those of an ID token")]
    Claims,
    /// Its issuer is not an accepted one.
    #[error("the token's issuer is not accepted")]
    Issuer,
    /// It is meant for another service.
    #[error("the token is for another audience")]
    Audience,
    /// It is expired.
    #[error("the token is expired")]
    Expired,
    /// It was issued in the future.
    #[error("the token is issued in the future")]
    IssuedLater,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// It lives for more than a day, or ends before it begins.
    #[error("the token's lifetime is longer than a day, or negative")]
    Lifetime,
    /// It has no subject.
    #[error("the token has no subject")]
    Subject,
    /// It has no email that the issuer has verified.
    #[error("the token has no verified email; ask for one with format=full or includeEmail")]
    Email,
    /// It is good, and its bearer is not one of the allowed callers.
    #[error("the caller is not one of the allowed ones")]
    Caller,
    /// It is one that a service of ours forged, to see whether anything stops it.
    #[error("the token is a forged one, sent to see whether a front end stops it")]
    Forged,
    /// Its signature was removed, and nothing has shown that a front end did it.
    #[error("the token's signature was removed, and no front end is known to have checked it")]
    Unproven,
    /// The issuer's keys cannot be had, so nobody can be checked.
    #[error("the issuer's signing keys cannot be had at the moment")]
    NoKeys,
}

impl Refusal {
    /// The name of the check that failed, for programs: a claim or header field where one is at fault.
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
            Self::Signature => "signature",
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
            Self::Forged | Self::Unproven => "front_end",
            Self::NoKeys => "jwks",
        }
    }

    /// UNAUTHENTICATED for no or a bad token, `PERMISSION_DENIED` for a good one of somebody who may not call,
    /// UNAVAILABLE when nobody can be checked, or not yet.
    pub fn code(self) -> Code {
        match self {
            Self::Caller => Code::PermissionDenied,
            Self::NoKeys | Self::Unproven => Code::Unavailable,
            Self::Missing
            | Self::Several
            | Self::Scheme
            | Self::TooLong
            | Self::Parts
            | Self::Encoding
            | Self::Header
            | Self::Algorithm
            | Self::Type
            | Self::Extension
            | Self::KeyId
            | Self::UnknownKey
            | Self::Signature
            | Self::Claims
            | Self::Issuer
            | Self::Audience
            | Self::Expired
            | Self::IssuedLater
            | Self::NotYet
            | Self::Lifetime
            | Self::Subject
            | Self::Email
            | Self::Forged => Code::Unauthenticated,
        }
    }

    /// The answer in the caller's own protocol: a `grpc-status` without a body, or an HTTP status with a small JSON.
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
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }

    fn http(self) -> StatusCode {
        if self.code() == Code::Unauthenticated {
            StatusCode::UNAUTHORIZED
        } else if self == Self::Caller {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }

    /// RFC 6750, section 3: who sent no token is told of no error in it.
    fn challenge(self) -> Option<&'static str> {
        match self.code() {
            Code::Unauthenticated if self == Self::Missing => Some("Bearer"),
            Code::Unauthenticated => Some("Bearer error=\"invalid_token\""),
            _ => None,
        }
    }
}
