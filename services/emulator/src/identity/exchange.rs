//! Where a key file's assertion is exchanged for a token (RFC 7523).

use axum::{
    Form, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, crypto};
use serde::Deserialize;
use serde_json::json;

use super::issuer::Issuer;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Google's libraries for Python name it as the audience, whatever the file's `token_uri` is.
const GOOGLES_TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// The longest life of an assertion, in seconds.
const LONGEST_LIFE: i64 = 3_600;

#[derive(Deserialize)]
struct Exchange {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    assertion: String,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Assertion {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    target_audience: Option<String>,
    scope: Option<String>,
}

/// Clocks differ by so much, in seconds.
const SKEW: i64 = 60;

/// OAuth's error and its description.
struct Refused(&'static str, &'static str);

pub(super) fn routes(issuer: Issuer) -> Router {
    Router::new().route(super::TOKEN_PATH, post(exchange)).with_state(issuer)
}

async fn exchange(State(issuer): State<Issuer>, Form(form): Form<Exchange>) -> Response {
    let verified = if form.grant_type == GRANT {
        verify(&issuer, &form.assertion)
    } else {
        Err(Refused(
            "unsupported_grant_type",
            "Invalid grant_type: only the JWT bearer grant is supported.",
        ))
    };
    match verified {
        Err(refused) => refused.into_response(),
        Ok(Assertion { iss, target_audience: Some(audience), .. }) => {
            Json(json!({"id_token": issuer.mint(&iss, &audience)})).into_response()
        }
        Ok(Assertion { iss, scope: Some(_), .. }) => super::access_token(&issuer, &iss),
        Ok(_) => Refused("invalid_scope", "Neither a target_audience nor a scope was given.")
            .into_response(),
    }
}

/// The assertion, when it is signed by the key in a file that was handed out to its issuer.
fn verify(issuer: &Issuer, assertion: &str) -> Result<Assertion, Refused> {
    let refused = |why| Refused("invalid_grant", why);
    let (signed, claims, signature) =
        read(assertion).ok_or_else(|| refused("Invalid JWT: it cannot be read."))?;
    let key = issuer
        .accounts()
        .key_of(&claims.iss)
        .ok_or_else(|| refused("Invalid grant: account not found"))?;
    let genuine = crypto::verify(signature, signed.as_bytes(), key.verifying(), Algorithm::RS256);
    if !genuine.unwrap_or(false) {
        return Err(refused("Invalid JWT Signature."));
    }
    if ![issuer.token_uri(), GOOGLES_TOKEN_URI].contains(&claims.aud.as_str()) {
        return Err(refused("Invalid JWT: aud must be this token_uri."));
    }
    let now = Timestamp::now().as_second();
    if claims.exp < now - SKEW || claims.iat > now + SKEW {
        return Err(refused(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
        ));
    }
    if claims.exp - claims.iat > LONGEST_LIFE {
        return Err(refused("Invalid JWT: it must not live longer than an hour."));
    }
    Ok(claims)
}

/// What is signed, what it claims, and the signature. Google takes base64 with padding too, against RFC 7515, and clients
/// rely on it.
fn read(assertion: &str) -> Option<(&str, Assertion, &str)> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok();
    let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
    if header.alg != "RS256" {
        return None;
    }
    let claims = serde_json::from_slice(&decode(claims)?).ok()?;
    Some((signed, claims, signature.trim_end_matches('=')))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({"error": self.0, "error_description": self.1});
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}
