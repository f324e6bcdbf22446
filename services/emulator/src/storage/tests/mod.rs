//! The storage over real sockets: a raw gRPC client of the same proto, and plain HTTP.

mod access;
mod clients;
mod conditions;
mod faults;
mod holds;
mod json;
mod messages;
mod permissions;
mod rewrites;
mod routes;
mod streaming;
mod unsupported;
mod uploads;
mod versions;

use tokio::net::TcpListener;
use tonic::{Request, Status, transport::Channel};

use super::grpc::wire::{self, storage_client::StorageClient};
use crate::Emulator;

const BUCKET: &str = "some-bucket";
const RESOURCE: &str = "projects/_/buckets/some-bucket";

async fn start() -> Emulator {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let builder = Emulator::builder().bucket(BUCKET).bucket("other-bucket");
    builder.start(listener).await.unwrap()
}

async fn grpc(emulator: &Emulator) -> StorageClient<Channel> {
    StorageClient::connect(emulator.url().to_string()).await.unwrap()
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A URL below the JSON API's bucket.
fn url(emulator: &Emulator, path: &str) -> String {
    format!("{}storage/v1/b/{BUCKET}{path}", emulator.url())
}

fn upload_url(emulator: &Emulator, query: &str) -> String {
    format!("{}upload/storage/v1/b/{BUCKET}/o?{query}", emulator.url())
}

async fn get(client: &mut StorageClient<Channel>, name: &str) -> Result<wire::Object, Status> {
    let request = wire::GetObjectRequest {
        bucket: RESOURCE.into(),
        object: name.into(),
        ..Default::default()
    };
    client.get_object(Request::new(request)).await.map(tonic::Response::into_inner)
}

async fn list(client: &mut StorageClient<Channel>, prefix: &str) -> Vec<String> {
    let request = wire::ListObjectsRequest {
        parent: RESOURCE.into(),
        prefix: prefix.into(),
        ..Default::default()
    };
    let page = client.list_objects(request).await.unwrap().into_inner();
    page.objects.into_iter().map(|object| object.name).collect()
}

/// A move onto a free name, pinned to a generation.
fn pinned_move(from: &str, to: &str, generation: i64) -> wire::MoveObjectRequest {
    wire::MoveObjectRequest {
        bucket: RESOURCE.into(),
        source_object: from.into(),
        destination_object: to.into(),
        if_source_generation_match: Some(generation),
        if_generation_match: Some(0),
        ..Default::default()
    }
}
