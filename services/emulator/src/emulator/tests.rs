use std::fmt::Write as _;

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::*;
use brigade_model::Attributes;

async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn an_emulator_that_cannot_start_says_why() {
    let root = TempDir::new().unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let some = || Emulator::builder().bucket("some-bucket");
    let cases = [
        ("no bucket", Emulator::builder().memory()),
        ("a bucket twice", some().bucket("some-bucket")),
        ("a bucket's name", some().bucket("No Bucket")),
        ("a directory", some().directory("on-disk", &file)),
    ];
    let mut table = String::new();
    for (case, builder) in cases {
        let error = builder.start(loopback().await).await.unwrap_err();
        writeln!(table, "{case}\n    {error}").unwrap();
    }
    let open = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = open.local_addr().unwrap().port();
    let error = some().start(open).await.unwrap_err().to_string();
    writeln!(table, "an open address\n    {error}").unwrap();
    let table = table.replace(&port.to_string(), "PORT");
    insta::assert_snapshot!(table.replace(&root.path().display().to_string(), "ROOT"));
}

#[tokio::test]
async fn the_environment_points_everything_at_it() {
    let google = Emulator::builder().bucket("some-bucket").start(loopback().await).await.unwrap();
    let authority = google.address.to_string();
    let env: Vec<_> =
        google.env().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        env,
        [
            format!("STORAGE_EMULATOR_HOST=http://{authority}"),
            format!("STORAGE_EMULATOR_HOST_GRPC={authority}"),
            format!("GCE_METADATA_HOST={authority}"),
            format!("GCE_METADATA_IP={authority}"),
            format!("CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS=http://{authority}"),
            format!("BRIGADE_JWKS_URL=http://{authority}/oauth2/v3/certs"),
            "BRIGADE_ISSUERS=https://accounts.google.com".to_owned(),
        ]
    );
}

#[tokio::test]
async fn a_stop_closes_idle_connections_and_the_port() {
    let google = Emulator::builder().bucket("some-bucket").start(loopback().await).await.unwrap();
    let address = google.address;
    let idle = TcpStream::connect(address).await.unwrap();
    google.stop().await;
    idle.readable().await.unwrap();
    assert_eq!(idle.try_read(&mut [0]).unwrap_or_default(), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_directory_and_memory_are_buckets_side_by_side() {
    let root = TempDir::new().unwrap();
    let builder = Emulator::builder().directory("on-disk", root.path()).bucket("in-memory");
    let google = builder.start(loopback().await).await.unwrap();
    std::fs::create_dir(root.path().join("incoming")).unwrap();
    std::fs::write(root.path().join("incoming/a"), "dropped").unwrap();
    let object = google.url().join("storage/v1/b/on-disk/o/incoming%2Fa?alt=media").unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(http.get(object).send().await.unwrap().text().await.unwrap(), "dropped");
    let attributes = Attributes { content_type: "text/plain".into(), ..Attributes::default() };
    google.storage().bucket("on-disk").put_with("b", "1", attributes).unwrap();
    google.storage().bucket("in-memory").put("c", "1").unwrap();
    let to = google.url().join("storage/v1/b/on-disk/o/b/rewriteTo/b/in-memory/o/b").unwrap();
    let copy: serde_json::Value = http.post(to).send().await.unwrap().json().await.unwrap();
    assert_eq!(copy["resource"]["contentType"], "text/plain");
    let names = |objects: Vec<crate::storage::Object>| {
        objects.into_iter().map(|o| o.name).collect::<Vec<_>>()
    };
    assert_eq!(names(google.storage().list("").unwrap()), ["b", "incoming/a"]);
    assert_eq!(names(google.storage().bucket("in-memory").list("").unwrap()), ["b", "c"]);
}

/// Whatever a page in a browser can make it send, to each server on the port: nothing is read and nothing changes.
#[tokio::test]
async fn a_foreign_host_and_a_foreign_page_reach_no_server_of_the_port() {
    let builder = Emulator::builder().bucket("some-bucket").allow_host("host.docker.internal");
    let google = builder.start(loopback().await).await.unwrap();
    google.storage().put("a", "1").unwrap();
    let (own, http) =
        (google.address.to_string(), reqwest::Client::builder().no_proxy().build().unwrap());
    let foreign: [&[(&str, &str)]; 4] = [
        &[("host", "evil.example")],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
    ];
    for (method, path) in [
        ("GET", "storage/v1/b/some-bucket/o"),
        ("GET", "storage/v1/b/some-bucket/o/a?alt=media"),
        ("POST", "upload/storage/v1/b/some-bucket/o?uploadType=media&name=b"),
        ("POST", "storage/v1/b/some-bucket/o/a/rewriteTo/b/some-bucket/o/b"),
        ("POST", "storage/v1/b/some-bucket/o/a/moveTo/o/b"),
        ("DELETE", "storage/v1/b/some-bucket/o/a"),
        ("POST", "google.storage.v2.Storage/DeleteObject"),
        ("GET", "oauth2/v3/certs"),
        ("GET", "computeMetadata/v1/instance/service-accounts/default/identity?audience=x"),
        ("POST", "token"),
        ("POST", "v1/projects/-/serviceAccounts/a@b.c:generateIdToken"),
        ("GET", "no/such/path"),
    ] {
        let url = google.url().join(path).unwrap();
        for headers in foreign {
            let request = http.request(method.parse().unwrap(), url.clone());
            let request = request.header("metadata-flavor", "Google").body("x");
            let request = headers
                .iter()
                .fold(request, |request, (name, value)| request.header(*name, *value));
            let status = request.send().await.unwrap().status();
            assert_eq!(status, http::StatusCode::FORBIDDEN, "{method} {path} {headers:?}");
        }
    }
    let names = google.storage().list("").unwrap().into_iter().map(|object| object.name);
    assert_eq!(names.collect::<Vec<_>>(), ["a"]);
    // Google's own libraries name Google's host to an emulator.
    for host in [&*own, "localhost:1", "storage.googleapis.com", "host.docker.internal"] {
        let url = google.url().join("storage/v1/b/some-bucket/o/a").unwrap();
        let status = http.get(url).header("host", host).send().await.unwrap().status();
        assert_eq!(status, http::StatusCode::OK, "{host}");
    }
}
