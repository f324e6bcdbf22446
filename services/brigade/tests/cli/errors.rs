//! What each command reports when it cannot do what was asked.

use std::fmt::Write as _;

use tempfile::TempDir;

use crate::system::{READER, STRANGER, System, brigade, run};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_reported_with_the_fix_and_stdout_stays_empty() {
    let system = System::with_failures().await;
    let home = TempDir::new().unwrap();
    // Bound, so that no other test gets the port, and nothing listens on it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let closed = format!("http://{}", socket.local_addr().unwrap());
    let alone = |arguments: &[&str]| brigade(home.path(), arguments);
    let mut table = String::new();
    for (case, command) in [
        ("no poller is named, and no brigade dev runs", alone(&["status"])),
        ("the poller is not there", alone(&["failed", "--poller", &closed])),
        ("the poller is not there", alone(&["watch", "--poller", &closed])),
        ("a stranger", system.brigade_as(STRANGER, &["status"])),
        ("a stranger", system.brigade_as(STRANGER, &["failed"])),
        ("a reader replays", system.brigade_as(READER, &["replay", "--all", "--yes"])),
        ("no terminal to ask on", system.brigade(&["replay", "--all"])),
        ("nothing is named", system.brigade(&["replay", "--yes"])),
        ("contradicting filters", system.brigade(&["failed", "--since", "1h", "--until", "2h"])),
        ("not a glob", system.brigade(&["failed", "--match", "a[b"])),
        ("glob and prefix", system.brigade(&["failed", "--match", "a/*", "--prefix", "b/"])),
        ("names and a filter", system.brigade(&["replay", "a.csv", "--kind", "k"])),
        ("all and a filter", system.brigade(&["replay", "--all", "--kind", "k"])),
        ("no such time", system.brigade(&["failed", "--since", "yesterday"])),
        ("no such object", system.brigade(&["failed", "show", "absent.csv"])),
    ] {
        let ended = run(command).await;
        assert_eq!(ended.out, "", "{case}");
        let code = ended.code.unwrap();
        writeln!(table, "{case}: exit code {code}\n{}", ended.err).unwrap();
    }
    insta::assert_snapshot!(crate::system::normalised(&table));
}
