//! `brigade emulator`: a front end before a service of the user's own.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use axum::{Router, http::HeaderMap};
use reqwest::{Client, StatusCode};

use super::command::{Running, brigade, loopback};

/// Starts it, and takes the variables that it prints up to this one.
fn start(front_end: &str, last: &str) -> (Running, HashMap<String, String>) {
    let words = "emulator --memory --port 0 --front-end".split(' ');
    let mut child = brigade(&std::env::temp_dir(), words)
        .arg(front_end)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let running = Running(child);
    let mut variables = HashMap::new();
    for line in lines {
        let line = line.unwrap();
        let variable = line.strip_prefix("export ").unwrap();
        let (name, value) = variable.split_once('=').unwrap();
        variables.insert(name.to_owned(), value.to_owned());
        if name == last {
            break;
        }
    }
    (running, variables)
}

/// A service that answers with the token that it got.
async fn service() -> u16 {
    let (listener, _) = loopback().await;
    let port = listener.local_addr().unwrap().port();
    let echo = async |headers: HeaderMap| {
        let token = headers.get("authorization");
        token.map_or("none", |it| it.to_str().unwrap()).to_owned()
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_end_lets_its_invokers_in_and_adds_the_token_that_an_emulator_leaves_out() {
    let port = service().await;
    let given =
        format!("my-worker={port},http1,invoker=default,push=/events:default,push=/other:stranger");
    let (_running, variables) = start(&given, "MY_WORKER_URL");
    let url = &variables["MY_WORKER_URL"];
    let metadata = &variables["GCE_METADATA_HOST"];
    let http = Client::builder().no_proxy().build().unwrap();

    let refused = http.get(url).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);

    let identity = format!(
        "http://{metadata}/computeMetadata/v1/instance/service-accounts/default/identity?audience={url}&format=full"
    );
    let request = http.get(identity).header("metadata-flavor", "Google");
    let token = request.send().await.unwrap().text().await.unwrap();
    let answer = http.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);

    let pushed = http.post(format!("{url}/events")).send().await.unwrap();
    assert_eq!(pushed.status(), StatusCode::OK);
    let heard = pushed.text().await.unwrap();
    assert!(heard.ends_with(".SIGNATURE_REMOVED_BY_GOOGLE"), "{heard}");
    // Its account is no invoker.
    let other = http.post(format!("{url}/other")).send().await.unwrap();
    assert_eq!(other.status(), StatusCode::FORBIDDEN);
}
