//! Connections that say nothing, and are there again as soon as they are closed.

use std::net::TcpStream;

use tokio::task::spawn_blocking;

use super::Attacked;
use crate::service::Service;

/// As many as the limit of descriptors, and a few more.
const SILENT: usize = 1_174;
const ROUNDS: usize = 3;

pub(super) async fn run(service: &Service) -> Attacked {
    let address = service.address;
    let mut silent = Vec::new();
    for _ in 0..ROUNDS {
        drop(silent);
        // By a thread of its own: a health check that is silent because its client is busy may be closed for a new connection.
        let opening = spawn_blocking(move || {
            (0..SILENT).filter_map(|_| TcpStream::connect(address).ok()).collect::<Vec<_>>()
        });
        silent = opening.await.unwrap();
        for _ in 0..10 {
            assert!(service.health().await.unwrap());
        }
    }
    Attacked::default()
}
