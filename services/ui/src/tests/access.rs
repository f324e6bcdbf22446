//! Who may call the page.

use axum::http::StatusCode;

use super::{HOST, Page, text};

/// Each method and path, whatever it does.
const ALL: [(&str, &str); 11] = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/object?name=x"),
    ("GET", "/header"),
    ("GET", "/events"),
    ("GET", "/failed.csv"),
    ("GET", "/style.css"),
    ("GET", "/page.js"),
    ("POST", "/replay"),
    ("POST", "/poll"),
    ("PUT", "/upload/x"),
];

#[tokio::test]
async fn a_foreign_host_is_refused_before_anything_else() {
    let page = Page::new();
    let cookie = page.cookie().await;
    let sent = |host| [("host", host), ("cookie", &*cookie), ("x-brigade-token", &*page.token)];
    for (method, path) in ALL {
        for host in [
            "evil.example:8083",
            "127.0.0.1",
            "127.0.0.1:8084",
            "",
            ":8083",
            "127.0.0.1:8083.evil.example",
            "localhost.:8083",
        ] {
            let status = page.status(method, path, &sent(host)).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path} at {host:?}");
        }
        assert_eq!(
            page.status(method, path, &sent(HOST)[1..]).await,
            StatusCode::FORBIDDEN,
            "no host"
        );
    }
    let other = page.status("GET", "http://evil.example/style.css", &sent(HOST)).await;
    assert_eq!(other, StatusCode::FORBIDDEN, "the request line names another one");
    let two = [sent(HOST).as_slice(), &[("host", "evil.example")]].concat();
    assert_eq!(page.status("GET", "/style.css", &two).await, StatusCode::FORBIDDEN, "two hosts");
    for host in [HOST, "localhost:8083", "LOCALHOST:8083", "[::1]:8083", "shell.example:9000"] {
        assert_eq!(page.status("GET", "/style.css", &sent(host)).await, StatusCode::OK, "{host}");
    }
    let open = format!("/open?key={}", Page::new().key);
    assert_eq!(
        page.status("GET", &open, &[("host", "evil.example:8083")]).await,
        StatusCode::FORBIDDEN
    );
    let refused = page.send("GET", "/", &sent("evil.example")).await;
    insta::assert_snapshot!(text(refused).await);
}

#[tokio::test]
async fn a_foreign_origin_is_refused() {
    let page = Page::new();
    let cookie = page.cookie().await;
    let own = [("host", HOST), ("cookie", &*cookie), ("x-brigade-token", &*page.token)];
    let refused = [
        ("origin", "http://evil.example"),
        ("origin", "http://127.0.0.1:3000"),
        ("origin", "http://localhost:8083"),
        ("origin", "null"),
        ("origin", ""),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for (method, path) in ALL {
        for header in refused {
            let sent = [own.as_slice(), &[header]].concat();
            assert_eq!(
                page.status(method, path, &sent).await,
                StatusCode::FORBIDDEN,
                "{method} {path} {header:?}"
            );
        }
    }
    for header in [
        ("origin", "http://127.0.0.1:8083"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
    ] {
        let sent = [own.as_slice(), &[header]].concat();
        assert_eq!(page.status("GET", "/page.js", &sent).await, StatusCode::OK, "{header:?}");
    }
    let refused = page.send("GET", "/", &[own.as_slice(), &refused[..1]].concat()).await;
    insta::assert_snapshot!(text(refused).await);
}

#[tokio::test]
async fn every_request_needs_the_cookie() {
    let page = Page::new();
    let cookie = page.cookie().await;
    let (name, value) = cookie.split_once('=').unwrap();
    let wrong = [
        format!("{name}="),
        format!("{name}x={value}"),
        format!("{name}={value}x"),
        format!("{name}={}", page.token),
    ];
    for (method, path) in ALL.into_iter().chain([("GET", "/open"), ("GET", "/no-such-page")]) {
        let own = [("host", HOST), ("x-brigade-token", &*page.token)];
        assert_eq!(
            page.status(method, path, &own).await,
            StatusCode::UNAUTHORIZED,
            "{method} {path}"
        );
        for wrong in &wrong {
            let sent = [own.as_slice(), &[("cookie", wrong)]].concat();
            assert_eq!(
                page.status(method, path, &sent).await,
                StatusCode::UNAUTHORIZED,
                "{path} {wrong}"
            );
        }
    }
    let among_others = format!("a=b; {cookie}; c=d");
    assert_eq!(
        page.status("GET", "/page.js", &[("host", HOST), ("cookie", &among_others)]).await,
        StatusCode::OK
    );
    insta::assert_snapshot!(text(page.send("GET", "/", &[("host", HOST)]).await).await);
}

#[tokio::test]
async fn the_printed_address_opens_the_page_once() {
    let page = Page::new();
    let own = [("host", HOST)];
    for wrong in ["/open", "/open?key=", "/open?key=x", "/open?kez=x"] {
        assert_eq!(page.status("GET", wrong, &own).await, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let address = format!("/open?key={}", page.key);
    assert_eq!(
        page.status("HEAD", &address, &own).await,
        StatusCode::UNAUTHORIZED,
        "a look at it uses nothing up"
    );
    let cookie = page.cookie().await;
    assert_eq!(
        page.status("GET", &address, &own).await,
        StatusCode::UNAUTHORIZED,
        "another browser"
    );
    let again = page.send("GET", &address, &[("host", HOST), ("cookie", &cookie)]).await;
    assert_eq!(again.status(), StatusCode::SEE_OTHER, "the same browser");
    assert!(!again.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn a_change_needs_the_token_beside_the_cookie() {
    let page = Page::new();
    let cookie = page.cookie().await;
    let own = [("host", HOST), ("cookie", &*cookie)];
    for (method, path) in ALL.into_iter().filter(|(method, _)| ["POST", "PUT"].contains(method)) {
        for wrong in [None, Some(""), Some("x"), cookie.split_once('=').map(|(_, value)| value)] {
            let token: Vec<_> = wrong.map(|wrong| ("x-brigade-token", wrong)).into_iter().collect();
            let sent = [own.as_slice(), &token].concat();
            assert_eq!(
                page.status(method, path, &sent).await,
                StatusCode::FORBIDDEN,
                "{method} {path} {wrong:?}"
            );
        }
        let with_it = [own.as_slice(), &[("x-brigade-token", &*page.token)]].concat();
        assert_ne!(
            page.status(method, path, &with_it).await,
            StatusCode::FORBIDDEN,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn no_answer_opens_the_page_to_other_origins() {
    let page = Page::new();
    let cookie = page.cookie().await;
    for cookie in ["", &*cookie] {
        for (method, path) in
            ALL.into_iter().chain([("OPTIONS", "/replay"), ("GET", "/no-such-page")])
        {
            let answer = page.send(method, path, &[("host", HOST), ("cookie", cookie)]).await;
            let headers = answer.headers();
            assert!(
                !headers.keys().any(|name| name.as_str().starts_with("access-control")),
                "{headers:?}"
            );
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
            assert!(
                policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
                "{policy}"
            );
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["x-frame-options"], "DENY");
            assert_eq!(headers["referrer-policy"], "no-referrer");
            assert_eq!(headers["cache-control"], "no-store");
        }
    }
}
