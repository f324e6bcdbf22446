//! What a caller without a permission, or without a token, is answered.

use serde_json::{Value, json};
use tonic::Code;

use super::{
    permissions::{POLLER, by, token},
    *,
};
use brigade_model::Permission;

/// The worker: it reads below a prefix, and lists nothing.
async fn worker_that_may(permissions: &[Permission]) -> (Emulator, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = Emulator::builder().bucket(BUCKET).role(POLLER, permissions, "incoming/");
    let google = builder.start(listener).await.unwrap();
    let token = token(&google, POLLER).await;
    (google, token)
}

#[tokio::test]
async fn an_object_that_is_not_there_is_forbidden_to_whom_may_not_list() {
    let all = [Permission::Get, Permission::Update, Permission::Delete, Permission::Move];
    for may_list in [false, true] {
        let permissions = [&all[..], if may_list { &[Permission::List] } else { &[] }].concat();
        let (google, token) = worker_that_may(&permissions).await;
        let replaced = google.storage().put("incoming/a", "1").unwrap();
        google.storage().put("incoming/a", "2").unwrap();
        let (wanted, code) =
            if may_list { (404, Code::NotFound) } else { (403, Code::PermissionDenied) };
        let old = format!("generation={replaced}");
        for request in [
            http().get(url(&google, "/o/incoming%2Fnone")),
            http().get(url(&google, &format!("/o/incoming%2Fa?{old}"))),
            http().get(url(&google, &format!("/o/incoming%2Fa?alt=media&{old}"))),
            http().patch(url(&google, &format!("/o/incoming%2Fa?{old}"))).body("{}"),
            http().delete(url(&google, &format!("/o/incoming%2Fa?{old}"))),
            http().post(url(&google, "/o/incoming%2Fnone/moveTo/o/incoming%2Fb")),
            http().post(url(&google, "/o/incoming%2Fnone/rewriteTo/b/some-bucket/o/incoming%2Fb")),
        ] {
            let answer = request.bearer_auth(&token).send().await.unwrap();
            let (url, status) = (answer.url().clone(), answer.status().as_u16());
            let text = answer.text().await.unwrap();
            assert_eq!(status, wanted, "{url}: {text}");
            assert_eq!(text.contains("(or it may not exist)"), !may_list, "{text}");
        }
        let request = wire::GetObjectRequest {
            bucket: RESOURCE.into(),
            object: "incoming/a".into(),
            generation: replaced,
            ..Default::default()
        };
        let refused = grpc(&google).await.get_object(by(&token, request)).await.unwrap_err();
        assert_eq!(refused.code(), code);
        let live = http().get(url(&google, "/o/incoming%2Fa")).bearer_auth(&token);
        assert_eq!(live.send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_bucket_without_permission_is_forbidden_whether_it_is_there_or_not() {
    let (google, token) = worker_that_may(&[Permission::Get]).await;
    for bucket in [BUCKET, "no-such-bucket"] {
        let url = format!("{}storage/v1/b/{bucket}", google.url());
        let answer = http().get(url).bearer_auth(&token).send().await.unwrap();
        assert_eq!(answer.status(), 403);
        let error: Value = answer.json().await.unwrap();
        assert_eq!(
            error["error"]["message"],
            format!(
                "{POLLER} does not have storage.buckets.get access to the Google Cloud Storage bucket. Permission \
                 'storage.buckets.get' denied on resource (or it may not exist)."
            )
        );
    }
}

#[tokio::test]
async fn an_answer_of_401_names_where_a_token_comes_from() {
    let (google, _) = worker_that_may(&[Permission::Get]).await;
    let realm = r#"Bearer realm="https://accounts.google.com/""#;
    let bad = format!(r#"{realm}, error="invalid_token""#);
    for (token, challenge, reason) in [(None, realm, "required"), (Some("x"), &bad, "authError")] {
        for path in ["/o", "/o/incoming%2Fa", "/o/incoming%2Fa?alt=media"] {
            let mut request = http().get(url(&google, path));
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401);
            assert_eq!(answer.headers()["www-authenticate"], challenge);
            if !path.contains("media") {
                let error: Value = answer.json().await.unwrap();
                let error = &error["error"]["errors"][0];
                assert_eq!(
                    (&error["reason"], &error["location"]),
                    (&json!(reason), &json!("Authorization"))
                );
            }
        }
    }
}
