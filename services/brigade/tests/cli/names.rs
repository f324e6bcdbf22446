//! Odd names through the forms that other programs read.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
};

use crate::{odd::ODD, system::System};

/// What a program prints for this input; nothing where there is no such program.
fn filtered(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("SKIPPED: no {program} here");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_odd_name_is_exact_in_json_and_in_the_uris_of_csv_and_harmless_in_a_table() {
    let system = System::start().await;
    for odd in ODD {
        system.fail(odd, "", &format!("{odd}, \"quoted\"\r\nand a second line"), 1).await;
    }
    // The reason is stored as one printable line, and this is not what a poller stores: it is read back as it is.
    let names: BTreeSet<String> = ODD.iter().map(|odd| format!("failed/{odd}")).collect();

    let json = system.run(&["failed", "--json"]).await;
    assert_eq!((json.code, &*json.err), (Some(0), ""));
    if let Some(read) = filtered("jq", &["-j", r#".[].object.name + "\u001e""#], &json.out) {
        let read: BTreeSet<String> = read.split_terminator('\u{1e}').map(str::to_owned).collect();
        assert_eq!(read, names);
    }

    let csv = system.run(&["failed", "--csv"]).await;
    let script = "import csv, io, json, sys
text = io.TextIOWrapper(sys.stdin.buffer, encoding='utf-8', newline='')
print(json.dumps([[row['name'], row['reason'], row['uri']] for row in csv.DictReader(text)]))";
    if let Some(read) = filtered("python3", &["-c", script], &csv.out) {
        let read: Vec<[String; 3]> = serde_json::from_str(&read).unwrap();
        let expected: BTreeSet<[String; 3]> = ODD
            .iter()
            .map(|odd| {
                // A spreadsheet would run such a field as a formula.
                let apostrophe =
                    if odd.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
                let reason = format!("{apostrophe}{odd}, \"quoted\"\r\nand a second line");
                [format!("{apostrophe}{odd}"), reason, format!("gs://data/failed/{odd}")]
            })
            .collect();
        assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    for shown in [system.run(&["failed"]).await, system.on_terminal(&["failed"], 100).await] {
        let acts = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        assert!(!shown.out.contains(acts) && !shown.out.contains('\u{202e}'), "{:?}", shown.out);
    }
    let table = system.run(&["failed"]).await.out;
    assert_eq!(table.lines().count(), ODD.len());
    assert!(table.lines().all(|line| line.split('\t').count() == 4));
}
