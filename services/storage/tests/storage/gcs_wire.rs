//! What the official client makes of a service that misbehaves, below HTTP and gRPC: how many requests are sent, and
//! whether the outcome is known.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use brigade_storage::{
    Bucket, Kind, NewObject, Pinned, Store,
    gcs::{Credentials, GcsSettings, GcsStore},
};
use futures::StreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const SOURCE: Pinned<'static> = Pinned { name: "in/a", generation: 7 };

async fn bucket_at(address: SocketAddr) -> Arc<dyn Bucket> {
    let settings = GcsSettings::from_env(|name| {
        (name == "STORAGE_EMULATOR_HOST").then(|| address.to_string())
    });
    GcsStore::connect(settings).await.unwrap().bucket("b")
}

/// Serves each connection with `answer` and counts what `answer` returns that it served.
async fn serve<F>(
    answer: impl Fn(TcpStream, Arc<AtomicUsize>) -> F + Send + 'static,
) -> (Arc<dyn Bucket>, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bucket = bucket_at(listener.local_addr().unwrap()).await;
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&counter)));
        }
    });
    (bucket, requests)
}

/// An HTTP/1.1 service that gives one answer to every request and hangs up.
async fn json(answer: &'static str) -> (Arc<dyn Bucket>, Arc<AtomicUsize>) {
    serve(move |mut stream, requests| async move {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut chunk = [0; 4_096];
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(n) => head.extend_from_slice(&chunk[..n]),
            }
        }
        requests.fetch_add(1, Ordering::SeqCst);
        stream.write_all(answer.as_bytes()).await.unwrap();
        // The upload's body may still be coming; a reset would hide the answer.
        stream.shutdown().await.unwrap();
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    })
    .await
}

/// A gRPC service that answers every call with one status.
async fn grpc(status: &'static str) -> (Arc<dyn Bucket>, Arc<AtomicUsize>) {
    serve(move |stream, requests| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            assert!(
                request.headers().contains_key("grpc-timeout"),
                "the service knows the deadline"
            );
            requests.fetch_add(1, Ordering::SeqCst);
            let answer = http::Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", status)
                .body(())
                .unwrap();
            respond.send_response(answer, true).unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn no_grpc_call_is_repeated() {
    for (status, want) in [
        ("4", Kind::Unknown),
        ("8", Kind::Busy { retry_after: None }),
        ("10", Kind::Unknown),
        ("13", Kind::Unknown),
        ("14", Kind::Unknown),
    ] {
        let (bucket, requests) = grpc(status).await;
        let error = bucket.rename(SOURCE, 1, "out/a").await.unwrap_err();
        assert_eq!(error.kind(), &want, "{error}");
        let error = bucket.get("in/a").await.unwrap_err();
        assert_eq!(error.kind(), &want, "{error}");
        let error = bucket.delete(SOURCE).await.unwrap_err();
        assert_eq!(error.kind(), &want, "{error}");
        assert_eq!(requests.load(Ordering::SeqCst), 3, "status {status}");
    }
}

#[tokio::test]
async fn no_upload_and_no_download_is_repeated() {
    for (answer, want) in [
        ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", Kind::Unknown),
        ("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n", Kind::Unknown),
        (
            "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
            Kind::Busy { retry_after: None },
        ),
        ("", Kind::Unknown),
    ] {
        let (bucket, requests) = json(answer).await;
        let error = bucket.create("a", 0, NewObject::default()).await.unwrap_err();
        assert_eq!(error.kind(), &want, "{error}");
        let error = bucket.read(SOURCE, 0).await.err().unwrap();
        assert_eq!(error.kind(), &want, "{error}");
        assert_eq!(requests.load(Ordering::SeqCst), 2, "{answer}");
    }
}

#[tokio::test]
async fn a_download_that_is_cut_ends_with_an_error_and_is_not_resumed() {
    let answer = "HTTP/1.1 200 OK\r\nx-goog-generation: 7\r\ncontent-length: 10\r\n\r\n01234";
    let (bucket, requests) = json(answer).await;
    let chunks: Vec<_> = bucket.read(SOURCE, 0).await.unwrap().collect().await;
    let (last, before) = chunks.split_last().unwrap();
    assert!(last.as_ref().unwrap_err().is_ambiguous());
    let got: Vec<u8> = before.iter().flat_map(|chunk| chunk.as_ref().unwrap().to_vec()).collect();
    assert_eq!(got, b"01234");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn another_generation_than_asked_for_is_not_read() {
    let answer = "HTTP/1.1 200 OK\r\nx-goog-generation: 8\r\ncontent-length: 1\r\n\r\nx";
    let (bucket, _) = json(answer).await;
    assert!(bucket.read(SOURCE, 0).await.err().unwrap().is_precondition());
}

#[tokio::test]
async fn a_page_in_place_of_a_grpc_answer_leaves_it_open() {
    let (bucket, _) = serve(|stream, _| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let page = http::Response::builder()
                .status(403)
                .header("content-type", "text/html")
                .body(())
                .unwrap();
            respond.send_response(page, true).unwrap();
        }
    })
    .await;
    let error = bucket.rename(SOURCE, 1, "out/a").await.unwrap_err();
    assert!(error.is_ambiguous(), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_closed_leaves_it_open() {
    let (bucket, _) = serve(|mut stream, _| async move {
        let mut some = [0; 64];
        let _ = stream.read(&mut some).await;
    })
    .await;
    let error = bucket.rename(SOURCE, 1, "out/a").await.unwrap_err();
    assert!(error.is_ambiguous(), "{error}");
}

#[tokio::test]
async fn a_connection_that_is_refused_was_certainly_not_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bucket = bucket_at(listener.local_addr().unwrap()).await;
    drop(listener);
    let busy = Kind::Busy { retry_after: None };
    let error = bucket.rename(SOURCE, 1, "out/a").await.unwrap_err();
    assert_eq!(error.kind(), &busy, "{error:?}");
    let error = bucket.create("a", 0, NewObject::default()).await.unwrap_err();
    assert_eq!(error.kind(), &busy, "{error:?}");
}

/// The listener never accepts: the connection is made by the system, and nothing ever answers on it.
#[tokio::test(start_paused = true)]
async fn a_service_that_sends_nothing_leaves_it_open_after_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bucket = bucket_at(listener.local_addr().unwrap()).await;
    let begin = tokio::time::Instant::now();
    let error = bucket.rename(SOURCE, 1, "out/a").await.unwrap_err();
    assert!(error.is_ambiguous(), "{error}");
    let error = bucket.create("a", 0, NewObject::default()).await.unwrap_err();
    assert!(error.is_ambiguous(), "{error}");
    let error = bucket.read(SOURCE, 0).await.err().unwrap();
    assert!(error.is_ambiguous(), "{error}");
    assert!(begin.elapsed().as_secs() < 200, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_is_refused_before_any_call() {
    let settings = GcsSettings {
        grpc_endpoint: Some("http://".into()),
        json_endpoint: Some("http://".into()),
        credentials: Credentials::Anonymous,
    };
    let error = GcsStore::connect(settings).await.unwrap_err().to_string();
    assert!(error.contains("STORAGE_EMULATOR_HOST"), "{error}");
}
