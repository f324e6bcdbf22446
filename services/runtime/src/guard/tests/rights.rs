//! Rights to single routes: who may see, who may act, who may do neither.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::post,
};
use tower::ServiceExt as _;

use super::{
    issuer::{CALLER, good, with_claims},
    keyserver::KeyServer,
    settings,
};
use crate::{
    guard::{Guard, GuardSettings, Right},
    service::guarded,
};

const READER: &str = "reader@project.iam.gserviceaccount.com";
const OPERATOR: &str = "operator@project.iam.gserviceaccount.com";
const STRANGER: &str = "stranger@project.iam.gserviceaccount.com";

fn rights(readers: &[&str], operators: &[&str]) -> Vec<Right> {
    let emails = |emails: &[&str]| emails.iter().map(|email| (*email).to_owned()).collect();
    let right = |setting, given, routes| Right { setting, emails: emails(given), routes };
    vec![
        right("READERS", readers, &["/see"]),
        right("OPERATORS", operators, &["/see"]),
        right("OPERATORS", operators, &["/act"]),
    ]
}

/// The status of each route for each caller, asked twice: the second answer is the one of a cached token.
async fn table(rights: Vec<Right>) -> Vec<(&'static str, [u16; 4])> {
    let keys = KeyServer::start().await;
    let guard = Guard::new(GuardSettings { rights, ..settings(&keys) }).unwrap();
    let called = || post(async || "called");
    let inner = Router::new()
        .route("/poll", called())
        .route("/see", called())
        .route("/act", called())
        .route("/act/", called());
    let router = guarded(inner, guard.into()).unwrap();
    let mut table = Vec::new();
    for caller in [CALLER, READER, OPERATOR, STRANGER] {
        let token = match caller {
            CALLER => good(),
            email => with_claims(serde_json::json!({ "email": email })),
        };
        let ask = async |path: &str| {
            let request = Request::post(path).header("authorization", format!("Bearer {token}"));
            let request = request.body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap().status()
        };
        let mut row = [0; 4];
        for (status, path) in row.iter_mut().zip(["/poll", "/see", "/act", "/act/"]) {
            let (first, again) = (ask(path).await, ask(path).await);
            assert_eq!(first, again, "{caller} {path}");
            assert!([StatusCode::OK, StatusCode::FORBIDDEN].contains(&first), "{first}");
            *status = first.as_u16();
        }
        table.push((caller, row));
    }
    table
}

#[tokio::test]
async fn each_right_opens_its_routes_and_no_others() {
    let rows = table(rights(&[READER], &[OPERATOR])).await;
    assert_eq!(
        rows,
        [
            (CALLER, [200, 403, 403, 200]),
            (READER, [403, 200, 403, 403]),
            (OPERATOR, [403, 200, 200, 403]),
            (STRANGER, [403, 403, 403, 403]),
        ]
    );
}

#[tokio::test]
async fn a_right_that_lists_nobody_closes_its_routes_to_everybody() {
    let rows = table(rights(&[], &[])).await;
    assert_eq!(rows[0], (CALLER, [200, 403, 403, 200]));
    for (_, row) in &rows[1..] {
        assert_eq!(*row, [403; 4]);
    }
}

#[tokio::test]
async fn one_account_may_have_several_rights() {
    let rows = table(rights(&[CALLER], &[CALLER])).await;
    assert_eq!(rows[0], (CALLER, [200; 4]));
}
