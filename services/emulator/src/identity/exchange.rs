//! Where a key file's assertion is exchanged for a token (RFC 7523).

use axum::{
    Form, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use jsonwebtoken::{Algorithm, Validation, dangerous::insecure_decode, decode, errors::ErrorKind};
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
struct Assertion {
    iss: String,
    iat: i64,
    exp: i64,
    target_audience: Option<String>,
    scope: Option<String>,
}

/// OAuth's error and its description.
struct Refused(&'static str, &'static str);

pub(super) fn routes(issuer: Issuer) -> Router {
    Router::new()
        .route(super::TOKEN_PATH, post(exchange))
        .with_state(issuer)
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
        Ok(Assertion {
            iss,
            target_audience: Some(audience),
            ..
        }) => Json(json!({"id_token": issuer.mint(&iss, &audience)})).into_response(),
        Ok(Assertion {
            iss,
            scope: Some(_),
            ..
        }) => super::access_token(&issuer, &iss),
        Ok(_) => Refused(
            "invalid_scope",
            "Neither a target_audience nor a scope was given.",
        )
        .into_response(),
    }
}

/// The assertion, when it is signed by the key in a file that was handed out to its issuer.
fn verify(issuer: &Issuer, assertion: &str) -> Result<Assertion, Refused> {
    let broken = |_| Refused("invalid_grant", "Invalid JWT: it cannot be read.");
    let claimed = insecure_decode::<Assertion>(assertion)
        .map_err(broken)?
        .claims;
    let unknown = || Refused("invalid_grant", "Invalid grant: account not found");
    let key = issuer.accounts().key_of(&claimed.iss).ok_or_else(unknown)?;

    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_required_spec_claims(&["iss", "aud", "exp"]);
    rules.set_audience(&[issuer.token_uri(), GOOGLES_TOKEN_URI]);
    let verified = decode::<Assertion>(assertion, key.verifying(), &rules).map_err(|error| match error.kind() {
        ErrorKind::InvalidAudience => Refused("invalid_grant", "Invalid JWT: aud must be this token_uri."),
        ErrorKind::ExpiredSignature => Refused(
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
        ),
        _ => Refused("invalid_grant", "Invalid JWT Signature."),
    })?;
    if verified.claims.exp - verified.claims.iat > LONGEST_LIFE {
        return Err(Refused(
            "invalid_grant",
            "Invalid JWT: it must not live longer than an hour.",
        ));
    }
    Ok(verified.claims)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({"error": self.0, "error_description": self.1});
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}
