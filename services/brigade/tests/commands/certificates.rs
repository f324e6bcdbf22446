//! A machine without CA certificates, as a bare container is.

use tempfile::TempDir;

use super::command::{brigade, run_beside};

const GUARD: [&str; 4] = [
    "--audience=https://p.example",
    "--allowed-callers=a@b.example",
    "--port=0",
    "--bind=127.0.0.1",
];
const INBOX: [&str; 2] = ["--inbox=gs://bucket/incoming/", "--worker-url=https://w.example"];

#[tokio::test]
async fn without_ca_certificates_each_command_names_the_package_and_none_panics() {
    let home = TempDir::new().unwrap();
    let remote = ["--poller=https://p.example"];
    let commands = [
        [&["poller"][..], &INBOX, &GUARD].concat(),
        [&["worker"][..], &GUARD].concat(),
        [&["doctor"][..], &INBOX, &GUARD].concat(),
        [&["status"][..], &remote].concat(),
        [&["failed"][..], &remote].concat(),
        [&["watch"][..], &remote].concat(),
        [&["replay", "--all", "--yes"][..], &remote].concat(),
        [&["poll"][..], &remote].concat(),
        [&["ui"][..], &remote].concat(),
        vec!["token", "--audience=https://p.example"],
    ];
    for arguments in commands {
        let mut command = brigade(home.path(), &arguments);
        command.env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere");
        command.env("GCE_METADATA_HOST", "127.0.0.1:9").env("PATH", home.path());
        let ended = run_beside(command).await;
        let said = format!("{}{}", ended.out, ended.err);
        assert_eq!(ended.code, Some(69), "{arguments:?}: {said}");
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
        // The metadata server, where a token comes from, speaks plain HTTP.
        let named = said.contains("apt-get install -y ca-certificates");
        assert_eq!(named, arguments[0] != "token", "{arguments:?}: {said}");
    }
}
