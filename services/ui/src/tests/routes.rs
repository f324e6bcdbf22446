//! What the page answers when its poller is not there, and what it does not know.

use axum::http::StatusCode;

use super::{HOST, Page, text};

#[tokio::test]
async fn a_poller_that_is_not_there_is_an_error_on_the_page() {
    let page = Page::new();
    let cookie = page.cookie().await;
    let own = [("host", HOST), ("cookie", &*cookie), ("x-brigade-token", &*page.token)];
    let index = page.send("GET", "/", &own).await;
    assert_eq!(index.status(), StatusCode::OK);
    let index = text(index).await;
    assert!(
        index.matches("role=\"alert\"").count() == 2,
        "in the header and in place of the list: {index}"
    );
    for (method, path) in [("POST", "/poll"), ("GET", "/failed.csv"), ("GET", "/object?name=x")] {
        assert_eq!(page.status(method, path, &own).await, StatusCode::BAD_GATEWAY, "{path}");
    }
}

#[tokio::test]
async fn an_address_that_the_page_does_not_know_is_an_error() {
    let page = Page::new();
    let cookie = page.cookie().await;
    let own = [("host", HOST), ("cookie", &*cookie), ("x-brigade-token", &*page.token)];
    for path in [
        "/?knd=x",
        "/?tab=gone",
        "/failed.csv?since=yesterday",
        "/object",
        "/object?nam=x",
        "/object?name=x&name=y",
    ] {
        assert_eq!(page.status("GET", path, &own).await, StatusCode::BAD_REQUEST, "{path}");
    }
    let wrong = text(page.send("GET", "/?knd=%3Cb%3E", &own).await).await;
    assert!(wrong.contains("the page knows no parameter &quot;knd&quot;"), "{wrong}");
    assert_eq!(page.status("GET", "/no-such-page", &own).await, StatusCode::NOT_FOUND);
    assert_eq!(
        page.status("PUT", "/upload/x", &own).await,
        StatusCode::METHOD_NOT_ALLOWED,
        "it takes no files"
    );
}

#[tokio::test]
async fn a_stream_over_the_limit_is_refused() {
    let page = Page::new();
    let cookie = page.cookie().await;
    let own = [("host", HOST), ("cookie", &*cookie)];
    let mut open = Vec::new();
    for _ in 0..16 {
        let stream = page.send("GET", "/events", &own).await;
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        open.push(stream);
    }
    let refused = page.send("GET", "/events", &own).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    // One that its browser closes makes room.
    open.pop();
    assert_eq!(page.status("GET", "/events", &own).await, StatusCode::OK);
}
