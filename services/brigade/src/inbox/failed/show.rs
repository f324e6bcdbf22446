//! `brigade failed show NAME`: all that is known of one object.

use brigade_proto::v1::{GetObjectRequest, GetObjectResponse, InboxState, Output, Place};
use brigade_runtime::{
    exit::{Exit, Failure},
    settings::Problems,
};
use brigade_storage::object::escape;
use jiff::Timestamp;
use owo_colors::Style;
use tonic::Code;

use crate::{
    inbox::{
        out::{Out, Stop, end, object},
        text::{self, ago, duration, exact, number, span},
    },
    outcome::failure,
    target::TargetArgs,
};

const EXAMPLES: &str = "Examples:
  brigade failed show 2026/night-0412.edf
  brigade failed show gs://data/failed/2026/night-0412.edf --json";

/// The poller's marks that have rows of their own.
const SHOWN: [&str; 10] = [
    "status",
    "reason",
    "code",
    "exit",
    "kind",
    "attempts",
    "source",
    "failed-at",
    "processed-at",
    "outputs",
];

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Its name below the failed location, its whole name in the bucket, or its gs:// URI
    #[arg(allow_hyphen_values = true)]
    name: String,
    #[command(flatten)]
    target: TargetArgs,
    /// Print the poller's answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    let target = args.target.resolve(problems)?;
    let client = target.inbox_client()?;
    let request = GetObjectRequest { name: args.name.clone(), place: Place::Unspecified.into() };
    let answer = client.object(request).await.map_err(|status| match status.code() {
        Code::NotFound => Stop::Failed(Failure { exit: Exit::Partly, ..failure(status) }),
        _ => Stop::from(status),
    });
    let printed = answer.and_then(|answer| print(&mut Out::stdout(), &answer, args.json));
    end(printed, &target)
}

fn print(out: &mut Out, answer: &GetObjectResponse, json: bool) -> Result<Exit, Stop> {
    if json {
        out.json(answer)?;
    } else {
        for (label, text) in rows(answer, Timestamp::now()) {
            let label = out.styled(&format!("{label:<14}"), Style::new().dimmed());
            out.line(&format!("{label}{text}"))?;
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Labels and texts; what is not known is left out.
fn rows(answer: &GetObjectResponse, now: Timestamp) -> Vec<(&'static str, String)> {
    let info = answer.object.clone().unwrap_or_default();
    let object = object(&info);
    let uri = text::uri(&object);
    let at = |time: Option<&brigade_proto::Timestamp>| match exact(time) {
        none if none.is_empty() => none,
        exact => format!("{exact}, {}", ago(time, now)),
    };
    // A moved object was created by the move.
    let is_upload = info.place() == Place::Inbox;
    let uploaded = at(object.create_time.as_ref().filter(|_| is_upload));
    let attempts = if info.attempts > 0 { info.attempts.to_string() } else { String::new() };
    let mut rows = vec![
        ("object", escape(&uri).to_string()),
        ("is", place(&info, now)),
        ("settled", at(info.settle_time.as_ref())),
        ("kind", escape(&info.kind).to_string()),
        ("code", escape(&info.code).to_string()),
        ("exit", escape(&info.exit).to_string()),
        ("attempts", attempts),
        ("reason", escape(&info.reason).to_string()),
        ("source", escape(&info.source).to_string()),
        ("uploaded", uploaded),
        ("size", format!("{} bytes", number(object.size))),
        ("type", escape(&object.content_type).to_string()),
        ("generation", object.generation.to_string()),
    ];
    let is_shown =
        |key: &str| key.strip_prefix("brigade-").is_some_and(|name| SHOWN.contains(&name));
    let mut metadata: Vec<_> = object.metadata.iter().filter(|(key, _)| !is_shown(key)).collect();
    metadata.sort();
    let metadata =
        metadata.into_iter().map(|(key, value)| format!("{}: {}", escape(key), escape(value)));
    rows.extend(metadata.map(|text| ("metadata", text)));
    rows.extend(answer.outputs.iter().map(|output| ("output", self::output(output))));
    rows.extend(answer.others.iter().map(|other| {
        let object = self::object(other);
        let uri = format!("{}#{}", text::uri(&object), object.generation);
        ("also", format!("{}, {}", escape(&uri), place(other, now)))
    }));
    // The poller has escaped the name in it, and it is to be copied.
    rows.push(("log", answer.log_filter.replace(char::is_control, " ")));
    let pinned = format!("{uri}#{}", object.generation);
    rows.push(("download", format!("gcloud storage cp {} .", shell_quoted(&pinned))));
    if object.name.contains(['*', '?', '[']) {
        rows.push((
            "",
            "gcloud takes * ? [ in this name for wildcards, and may copy others too".into(),
        ));
    }
    rows.retain(|(_, text)| !text.is_empty());
    rows
}

/// Where it is, and what it waits for there.
fn place(info: &brigade_proto::v1::InboxObject, now: Timestamp) -> String {
    match info.place() {
        Place::Unspecified => String::new(),
        Place::Processed => "processed".to_owned(),
        Place::Failed => "failed".to_owned(),
        Place::Inbox => match info.state() {
            InboxState::InFlight => {
                format!("in flight for {}", span(duration(info.in_flight.as_ref())))
            }
            InboxState::Retrying => {
                format!("in the inbox; the next try is at {}", exact(info.retry_time.as_ref()))
            }
            InboxState::LeftOut => format!("in the inbox, left out: {}", escape(&info.detail)),
            InboxState::Waiting | InboxState::Unspecified => {
                let waits = ago(object(info).create_time.as_ref(), now);
                format!("in the inbox, uploaded {waits}")
            }
        },
    }
}

fn output(output: &Output) -> String {
    let uri = escape(&output.uri);
    match &output.object {
        Some(object) => format!("{uri}, {} bytes", number(object.size)),
        None if output.error.is_empty() => format!("{uri}: it is not there"),
        None => format!("{uri}: {}", escape(&output.error)),
    }
}

/// One argument for a shell that shows harmlessly on a terminal: in the quotes of bash and zsh that have escapes, when it must.
fn shell_quoted(text: &str) -> String {
    let is_harmless =
        |c: &char| *c == '\\' || escape(c.encode_utf8(&mut [0; 4])).to_string() == c.to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:#".contains(c);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    if text.chars().all(|c| is_harmless(&c)) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let bytes = text.bytes().map(|byte| match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        byte => format!("\\x{byte:02x}"),
    });
    format!("$'{}'", bytes.collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_a_quoted_name_as_it_is_and_a_terminal_shows_it_harmlessly() {
        for name in [
            "a/b.csv",
            "it's",
            "a b",
            "$(x)`y`",
            "back\\slash",
            "\u{1b}[31mred",
            "new\nline",
            "é\u{202e}",
        ] {
            let quoted = shell_quoted(name);
            assert!(!quoted.contains(char::is_control), "{quoted:?}");
            let shell = Command::new("bash").args(["-c", &format!("printf %s {quoted}")]).output();
            // Where there is no bash, the next machine checks it.
            if let Ok(printed) = shell {
                assert_eq!(String::from_utf8(printed.stdout).unwrap(), name);
            }
        }
    }
}
