//! `POST /process`: one object, at the poller for Cloud Tasks, and at a worker for clients without gRPC.

use serde_json::{Value, json};

use crate::{
    caller::{Caller, headers, obeying},
    harness::{BUCKET, POLLER, System, accepting},
};

#[tokio::test]
async fn a_task_settles_its_object_and_says_what_became_of_it() {
    let system = System::with_processor(obeying()).await;
    let caller = Caller::new(&system);
    let task = headers(&[("x-cloudtasks-queuename", "objects"), ("x-cloudtasks-taskname", "t")]);
    let a = system.upload("a", "x");
    let body = json!({"bucket": BUCKET, "name": "incoming/a", "generation": a.to_string()});
    let answer = caller.post("process", &task, body.to_string()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["settlement"], "SETTLEMENT_PROCESSED");
    assert_eq!(answer.json()["summary"], "done");
    let again = caller.post("process", &task, body.to_string()).await;
    assert_eq!((again.status, &again.json()["settlement"]), (200, &json!("SETTLEMENT_SUPERSEDED")));

    // A worker's own request has the object below; and a person leaves the generation out.
    let bad = system.upload("bad", "x");
    let body = json!({"object": {"bucket": BUCKET, "name": "incoming/bad", "generation": bad}});
    let answer = caller.post("process", &[], body.to_string()).await;
    assert_eq!((answer.status, &answer.json()["settlement"]), (200, &json!("SETTLEMENT_FAILED")));
    system.upload("c", "x");
    let body = json!({"bucket": BUCKET, "name": "incoming/c"});
    assert_eq!(caller.post("process", &[], body.to_string()).await.status, 200);
    assert_eq!(system.names(), ["failed/bad", "processed/a", "processed/c"]);
}

#[tokio::test]
async fn a_task_that_is_no_work_is_done_and_one_that_cannot_be_read_is_refused() {
    let system = System::with_processor(accepting()).await;
    let caller = Caller::new(&system);
    let elsewhere = json!({"bucket": "other", "name": "incoming/a", "generation": 7});
    assert_eq!(caller.post("process", &[], elsewhere.to_string()).await.status, 204);
    for body in [
        "",
        "[]",
        "{}",
        r#"{"bucket": "data", "name": 1}"#,
        r#"{"bucket": "data", "name": "a", "generation": -1}"#,
    ] {
        let answer = caller.post("process", &[], body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_worker_answers_200_500_and_503_with_a_time() {
    let system = System::with_processor(obeying()).await;
    let audience = brigade_client::identity::origin(&system.worker);
    let token = system.emulator.identity().mint(POLLER, &audience);
    let ask = async |body: Value| {
        let request = reqwest::Client::new().post(system.worker.join("process").unwrap());
        let response = request.bearer_auth(&token).body(body.to_string()).send().await.unwrap();
        let retry_after = response.headers().get("retry-after").cloned();
        let status = response.status().as_u16();
        let body: Value = response.json().await.unwrap();
        (status, retry_after.map(|value| value.to_str().unwrap().to_owned()), body)
    };
    let plain = |name: &str| json!({"bucket": BUCKET, "name": name, "generation": "7"});
    let full = |name: &str| json!({"object": plain(name), "attempt": 1, "bucket": BUCKET, "name": name, "generation": "7"});
    let ours = |name: &str| json!({"object": plain(name)});
    for form in [&plain as &dyn Fn(&str) -> Value, &full, &ours] {
        let (status, _, body) = ask(form("good")).await;
        assert_eq!((status, &body["summary"]), (200, &json!("done")));
        let (status, retry_after, body) = ask(form("bad")).await;
        assert_eq!((status, retry_after), (500, None), "{body}");
        assert_eq!(body["error"], "line 2 is not a number");
        let (status, retry_after, _) = ask(form("later")).await;
        assert_eq!((status, retry_after.as_deref()), (503, Some("90")));
    }
}
