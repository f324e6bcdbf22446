//! Connections that take their time.

use std::{net::SocketAddr, time::Duration};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use super::{Attacked, call};
use crate::{
    service::Service,
    wire::{END_HEADERS, END_STREAM, GET, HEADERS, Peer, frame},
};

pub(super) async fn slow_headers(address: SocketAddr) -> Attacked {
    let (mut peers, mut silent) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /health HTTP/1.1\r\nx-slow: ").await.unwrap();
        silent.push(slow);
        let mut peer = Peer::connect(address).await.unwrap();
        // No END_HEADERS, and no continuation.
        peer.send(&frame(HEADERS, END_STREAM, 1, &GET)).await;
        peers.push(peer);
    }
    for _ in 0..20 {
        for slow in &mut silent {
            let _ = slow.write_all(b"y").await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Attacked::open(peers, silent)
}

pub(super) async fn idle(address: SocketAddr) -> Attacked {
    let mut opening = JoinSet::new();
    for number in 0..1_000 {
        opening.spawn(async move {
            if number % 2 == 0 {
                (None, TcpStream::connect(address).await.ok())
            } else {
                (Peer::connect(address).await.ok(), None)
            }
        });
    }
    let (mut peers, mut silent) = (Vec::new(), Vec::new());
    for (peer, stream) in opening.join_all().await {
        peers.extend(peer);
        silent.extend(stream);
    }
    assert_eq!(peers.len() + silent.len(), 1_000);
    Attacked::open(peers, silent)
}

pub(super) async fn half_closed(service: &Service) -> Attacked {
    let (mut peers, mut silent) = (Vec::new(), Vec::new());
    let token = service.token();
    for number in 0..200 {
        if number % 2 == 0 {
            // Its side is closed, and the answer is never read.
            let mut stream = TcpStream::connect(service.address).await.unwrap();
            stream
                .write_all(b"POST /process HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n")
                .await
                .unwrap();
            stream.shutdown().await.unwrap();
            silent.push(stream);
        } else {
            let mut peer = Peer::connect(service.address).await.unwrap();
            let headers = call(Some(&token));
            peer.send(&frame(HEADERS, END_HEADERS, 1, &headers)).await;
            peers.push(peer);
        }
    }
    Attacked::open(peers, silent)
}
