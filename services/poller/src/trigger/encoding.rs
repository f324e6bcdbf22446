//! Bodies that are compressed are refused: no trigger of Google's sends one, and what cannot be read must say why.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING},
    },
    middleware::Next,
    response::Response,
};

use super::answer::problem;

/// 415 with the encoding's name, unless the body is as it is.
pub(super) async fn refuse_compressed(request: Request, next: Next) -> Response {
    let Some(encoding) = encoding(request.headers()) else {
        return next.run(request).await;
    };
    let why = format!("the body's content encoding is {encoding:?}; fix: send it without one");
    let mut response = problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, &why);
    response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    response
}

/// The encodings of a body, unless there is none.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let given = headers.get_all(CONTENT_ENCODING).iter();
    let given = given.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    let given: Vec<_> = given
        .filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("identity"))
        .collect();
    (!given.is_empty()).then(|| super::caller::cut(&given.join(", ")))
}
