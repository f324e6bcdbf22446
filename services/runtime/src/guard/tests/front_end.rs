//! Whether a front end stands before a service: the forged token, and what becomes of it.

use std::{
    future::pending,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Response, StatusCode, header::LOCATION},
    middleware::{Next, from_fn},
    response::IntoResponse as _,
};
use tokio::{net::TcpListener, sync::mpsc};
use url::Url;

use super::{Guarded, Refusal, issuer::good, keyserver::later, stripped};
use crate::{
    exit::{Exit, Failure},
    guard::{Guard, NotProtected},
    health,
    service::guarded,
    telemetry::LineLimit,
};

async fn listening(router: Router) -> Url {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url.parse().unwrap()
}

/// Something that answers every call so.
async fn answering(status: StatusCode) -> Url {
    listening(Router::new().fallback(async move || (status, "<html>a page</html>"))).await
}

/// A service behind this guard, and nothing before it.
async fn public(guard: Arc<Guard>) -> Router {
    let health = health::routes("").await;
    guarded(Router::new(), guard).unwrap().merge(health.open)
}

async fn prove(guarded: &Guarded, url: &Url) -> Result<(), NotProtected> {
    guarded.guard.verify_front_end(Some(url)).await
}

async fn believed(guarded: &Guarded) -> Result<(), Refusal> {
    guarded.check(&stripped(&good())).await.map(drop)
}

#[tokio::test]
async fn a_front_end_that_refuses_is_believed() {
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
        let guarded = Guarded::on_platform().await;
        prove(&guarded, &answering(status).await).await.unwrap();
        assert_eq!(believed(&guarded).await, Ok(()));
    }
}

#[tokio::test]
async fn a_public_service_is_found_out_and_believes_nobody() {
    let guarded = Guarded::on_platform().await;
    let url = listening(public(guarded.guard.clone()).await).await;
    let error = prove(&guarded, &url).await.unwrap_err();
    assert!(matches!(error, NotProtected::Public(_)), "{error}");
    assert_eq!(believed(&guarded).await, Err(Refusal::Unproven));
    assert!(guarded.check(&good()).await.is_ok(), "a whole one is let in");

    let failure = Failure::from(error);
    assert_eq!(failure.exit, Exit::Permission);
    for part in [url.as_str(), "run.invoker", "BRIGADE_AUTH=verify"] {
        assert!(failure.to_string().contains(part), "{failure}");
    }
}

#[tokio::test]
async fn a_public_service_is_found_out_when_another_instance_answers() {
    let (relying, pending) = (Guarded::on_platform().await, Guarded::on_platform().await);
    relying.guard.verify_front_end(None).await.unwrap();
    for other in [relying.guard, pending.guard, Guarded::start().await.guard] {
        let url = listening(public(other).await).await;
        let guarded = Guarded::on_platform().await;
        let error = prove(&guarded, &url).await.unwrap_err();
        assert!(matches!(error, NotProtected::Public(_)), "{error}");
        assert_eq!(believed(&guarded).await, Err(Refusal::Unproven));
    }
}

/// A load balancer's error page in place of the service's own.
async fn with_another_page(request: Request, next: Next) -> Response<Body> {
    next.run(request).await;
    (StatusCode::FORBIDDEN, "<html>a page</html>").into_response()
}

#[tokio::test]
async fn a_public_service_is_found_out_when_its_answer_is_replaced_on_the_way_back() {
    let guarded = Guarded::on_platform().await;
    let router = public(guarded.guard.clone()).await;
    let url = listening(router.layer(from_fn(with_another_page))).await;
    let error = prove(&guarded, &url).await.unwrap_err();
    assert!(matches!(error, NotProtected::Public(_)), "{error}");
    assert_eq!(believed(&guarded).await, Err(Refusal::Unproven));
}

/// The headers of the forged token that a front end refused.
async fn forged_for(guarded: &Guarded) -> HeaderMap {
    let (tokens, mut sent) = mpsc::unbounded_channel();
    let front_end = move |headers: HeaderMap| {
        let tokens = tokens.clone();
        async move {
            tokens.send(headers).unwrap();
            StatusCode::FORBIDDEN
        }
    };
    let url = listening(Router::new().fallback(front_end)).await;
    prove(guarded, &url).await.unwrap();
    sent.recv().await.unwrap()
}

#[tokio::test]
async fn a_forged_token_that_comes_after_the_proof_ends_the_belief() {
    let guarded = Guarded::on_platform().await;
    let forged = forged_for(&guarded).await;
    assert_eq!(believed(&guarded).await, Ok(()));
    assert!(!forged.contains_key("x-serverless-authorization"));
    let another = Guarded::on_platform().await;
    another.guard.verify_front_end(None).await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            another.check_headers(&forged).await,
            Err(Refusal::Forged),
            "it admits no caller"
        );
    }
    assert_eq!(believed(&another).await, Ok(()), "it was not its own");
    assert_eq!(guarded.check_headers(&forged).await, Err(Refusal::Forged));
    assert_eq!(believed(&guarded).await, Err(Refusal::Unproven));
}

#[tokio::test]
async fn the_forged_token_would_be_let_in_if_it_were_not_known() {
    let guarded = Guarded::on_platform().await;
    let forged = forged_for(&guarded).await;
    let token = forged["authorization"].to_str().unwrap();
    let token = token.strip_prefix("Bearer ").unwrap();
    let payload = crate::guard::jws::parse(token).unwrap().payload;
    let claims = crate::guard::claims::Claims::parse(&payload).unwrap();
    let settings = super::platform(&guarded.keys);
    assert!(claims.check(&settings, super::issuer::now(), &LineLimit::new("more")).is_ok());
}

#[tokio::test]
async fn calls_wait_for_the_proof_and_a_whole_token_does_not() {
    let guarded = Arc::new(Guarded::on_platform().await);
    assert!(guarded.check(&good()).await.is_ok());
    let early = guarded.clone();
    let mut early = tokio::spawn(async move { believed(&early).await });
    // A bad one is refused at once.
    let late = stripped(&super::issuer::with_claims(serde_json::json!({ "exp": 1, "iat": 0 })));
    assert_eq!(guarded.check(&late).await, Err(Refusal::Expired));
    assert!(futures_pending(&mut early).await);
    prove(&guarded, &answering(StatusCode::FORBIDDEN).await).await.unwrap();
    assert_eq!(early.await.unwrap(), Ok(()));
}

/// Whether a task has not ended although everything that can run has.
async fn futures_pending<T>(task: &mut tokio::task::JoinHandle<T>) -> bool {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    !task.is_finished()
}

#[tokio::test]
async fn without_a_proof_a_call_is_refused_in_the_end() {
    let guarded = Arc::new(Guarded::on_platform().await);
    let waiting = guarded.clone();
    let mut waiting = tokio::spawn(async move { believed(&waiting).await });
    assert!(futures_pending(&mut waiting).await);
    later(Duration::from_secs(31)).await;
    assert_eq!(waiting.await.unwrap(), Err(Refusal::Unproven));
}

#[tokio::test(start_paused = true)]
async fn a_front_end_that_is_not_ready_is_asked_again() {
    for first in [
        StatusCode::NOT_FOUND,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::INTERNAL_SERVER_ERROR,
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let front_end = async move || {
            if counter.fetch_add(1, Ordering::SeqCst) < 3 { first } else { StatusCode::FORBIDDEN }
        };
        let url = listening(Router::new().fallback(front_end)).await;
        let guarded = Guarded::on_platform().await;
        let began = tokio::time::Instant::now();
        prove(&guarded, &url).await.unwrap();
        assert!(asked.load(Ordering::SeqCst) >= 4);
        assert!(began.elapsed() >= Duration::from_millis(250 + 500 + 1_000), "the pauses grow");
    }
}

/// A front end that answers with what the test says, and counts.
async fn changing(status: Arc<AtomicU16>, asked: Arc<AtomicUsize>) -> Url {
    listening(Router::new().fallback(async move || {
        asked.fetch_add(1, Ordering::SeqCst);
        StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap()
    }))
    .await
}

#[tokio::test]
async fn the_proof_is_made_again_every_five_minutes_while_such_calls_come() {
    let (status, asked) = (Arc::new(AtomicU16::new(403)), Arc::new(AtomicUsize::new(0)));
    let url = changing(status.clone(), asked.clone()).await;
    let guarded = Guarded::on_platform().await;
    prove(&guarded, &url).await.unwrap();
    let asked = || asked.load(Ordering::SeqCst);
    later(Duration::from_secs(290)).await;
    assert_eq!((believed(&guarded).await, asked()), (Ok(()), 1));
    later(Duration::from_secs(11)).await;
    assert!(guarded.check(&good()).await.is_ok());
    assert_eq!(asked(), 1, "a whole token needs no proof");
    let (first, second) = tokio::join!(believed(&guarded), believed(&guarded));
    assert_eq!((first, second, asked()), (Ok(()), Ok(()), 2), "two calls share one proof");
    assert_eq!((believed(&guarded).await, asked()), (Ok(()), 2));
}

#[tokio::test]
async fn a_service_that_is_made_public_later_trusts_no_call_until_it_is_private_again() {
    let (buffer, _logging) = super::logged(crate::telemetry::Format::Json, "error");
    let (status, asked) = (Arc::new(AtomicU16::new(403)), Arc::new(AtomicUsize::new(0)));
    let url = changing(status.clone(), asked.clone()).await;
    let guarded = Guarded::on_platform().await;
    prove(&guarded, &url).await.unwrap();
    status.store(200, Ordering::SeqCst);
    later(Duration::from_secs(301)).await;
    assert_eq!(believed(&guarded).await, Err(Refusal::Unproven));
    assert!(buffer.text().contains("are refused until"), "{}", buffer.text());
    status.store(403, Ordering::SeqCst);
    later(Duration::from_secs(50)).await;
    assert_eq!(believed(&guarded).await, Err(Refusal::Unproven));
    assert_eq!(asked.load(Ordering::SeqCst), 2, "a failed proof is not repeated at once");
    later(Duration::from_secs(11)).await;
    assert_eq!(believed(&guarded).await, Ok(()));
}

#[tokio::test]
async fn with_custom_audiences_alone_the_log_says_what_is_not_proven() {
    for (audience, warns) in [("poller", true), ("https://poller.example", false)] {
        let (buffer, _logging) = super::logged(crate::telemetry::Format::Json, "warn");
        let keys = super::keyserver::KeyServer::start().await;
        let audiences = vec![audience.to_owned()];
        let settings = crate::guard::GuardSettings { audiences, ..super::platform(&keys) };
        let guard = Guard::new(settings).unwrap();
        let url = answering(StatusCode::FORBIDDEN).await;
        guard.verify_front_end(Some(&url)).await.unwrap();
        assert_eq!(buffer.text().contains("is not verified that BRIGADE_PUBLIC_URL"), warns);
    }
}

/// Each row is a test: an address at which nothing can be shown, and what is said of it.
macro_rules! not_shown {
    ($($name:ident: $url:expr => $kind:pat,)+) => { $(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            let guarded = Guarded::on_platform().await;
            let url: Url = $url;
            let error = prove(&guarded, &url).await.unwrap_err();
            assert!(matches!(error, $kind), "{error}");
            assert_eq!(believed(&guarded).await, Err(Refusal::Unproven));
            let failure = Failure::from(error).to_string();
            assert!(failure.contains(url.as_str()) && failure.contains("BRIGADE_"), "{failure}");
        }
    )+ };
}

not_shown! {
    a_service_that_never_is_found: answering(StatusCode::NOT_FOUND).await => NotProtected::Unclear { .. },
    a_service_that_answers_well: answering(StatusCode::OK).await => NotProtected::Unclear { .. },
    a_service_without_such_a_method: answering(StatusCode::METHOD_NOT_ALLOWED).await => NotProtected::Unclear { .. },
    a_redirect_to_a_refusal: elsewhere(answering(StatusCode::FORBIDDEN).await).await => NotProtected::Unclear { .. },
    an_address_without_a_listener: unbound().await => NotProtected::Unreachable { .. },
    an_address_that_never_answers: listening(Router::new().fallback(pending::<StatusCode>)).await => NotProtected::Unreachable { .. },
    an_address_without_tls: "http://poller.example/".parse().unwrap() => NotProtected::Plain(_),
}

async fn elsewhere(url: Url) -> Url {
    let redirect = async move || (StatusCode::FOUND, [(LOCATION, url.to_string())]);
    listening(Router::new().fallback(redirect)).await
}

/// An address whose port was just given back.
async fn unbound() -> Url {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    format!("http://{address}/").parse().unwrap()
}

#[tokio::test]
async fn in_another_mode_nothing_is_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let url = listening(Router::new().fallback(async move || {
        counter.fetch_add(1, Ordering::SeqCst);
    }))
    .await;
    prove(&Guarded::start().await, &url).await.unwrap();
    let off = Guard::new(crate::guard::GuardSettings::off()).unwrap();
    off.verify_front_end(Some(&url)).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_a_url_the_log_says_what_is_relied_on() {
    let (buffer, _logging) = super::logged(crate::telemetry::Format::Json, "warn");
    let guarded = Guarded::on_platform().await;
    guarded.guard.verify_front_end(None).await.unwrap();
    for part in ["WARNING", "BRIGADE_AUTH=platform", "BRIGADE_PUBLIC_URL"] {
        assert!(buffer.text().contains(part), "{}", buffer.text());
    }
}

#[tokio::test]
async fn every_refusal_of_ours_is_marked_and_nothing_else_is() {
    use tower::ServiceExt as _;
    let router = public(Guarded::start().await.guard).await;
    for content_type in ["application/grpc", "application/json"] {
        let request = axum::http::Request::post("/poll").header("content-type", content_type);
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap());
        let response = response.await.unwrap();
        assert_eq!(response.headers()["brigade-guard"], "authorization");
    }
    let request = axum::http::Request::get("/health");
    let response = router.oneshot(request.body(Body::empty()).unwrap());
    assert!(!response.await.unwrap().headers().contains_key("brigade-guard"));
}

#[tokio::test]
async fn what_is_printed_of_a_guard_has_no_subject_of_its_forged_tokens() {
    let guarded = Guarded::on_platform().await;
    let shown = format!("{:?}", guarded.guard);
    assert!(shown.contains("FrontEndCheck { trust: Pending, .. }"), "{shown}");
    assert!(!shown.contains("brigade-front-end-probe"), "{shown}");
}
