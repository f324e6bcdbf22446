//! Checks of the health, which anybody may send.

use tokio::time::Instant;

use super::{
    pipe::{Server, call},
    *,
};

const CHECK: &str = "/grpc.health.v1.Health/Check";

fn endless() -> Body {
    Body::from_stream(tokio_stream::pending::<io::Result<&str>>())
}

/// A message of nothing: the health of the whole server.
fn whole() -> Body {
    Body::from(&[0_u8; 5][..])
}

async fn server() -> Server {
    let health = crate::health::routes("").await;
    Server::new(health.open, Limits::default())
}

#[tokio::test(start_paused = true)]
async fn a_check_that_never_arrives_is_given_up() {
    let channel = server().await.channel();
    let began = Instant::now();
    let answer = call(&channel, CHECK, true, endless()).await;
    assert_eq!(answer.headers()["grpc-status"], "4");
    assert_eq!(began.elapsed().as_secs(), 5);
    let answer = call(&channel, CHECK, false, endless()).await;
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(began.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn checks_that_never_arrive_are_in_the_way_of_no_other_connection() {
    let server = server().await;
    let mut open = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let channel = server.channel();
        for _ in 0..100 {
            let channel = channel.clone();
            open.spawn(async move { call(&channel, CHECK, true, endless()).await });
        }
    }
    // Those that have no place are told so at once, and four of each connection are still open.
    for _ in 0..9_600 {
        let refused = open.join_next().await.unwrap().unwrap();
        assert_eq!(refused.headers()["grpc-status"], "8");
    }
    let channel = server.channel();
    let began = Instant::now();
    let answer = call(&channel, CHECK, true, whole()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!answer.headers().contains_key("grpc-status"), "{answer:?}");
    let health = call(&channel, "/health", false, endless()).await;
    assert_eq!(health.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(open.len(), 400);
    while let Some(ended) = open.join_next().await {
        assert_eq!(ended.unwrap().headers()["grpc-status"], "4");
    }
}
