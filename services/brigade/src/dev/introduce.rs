//! What `brigade dev` prints at its start: where everything is, and how to call it.

use std::io::{self, Write as _};

use brigade_client::identity::origin;
use url::Url;

use super::{Args, system::System, table::Show};

/// Prints where everything is. Piped, stdout has JSON alone.
pub(super) fn print(system: &System, args: &Args, show: Show) {
    let (is_json, mut out) = (show == Show::Json, String::new());
    if args.worker.is_some() {
        let needed = worker_environment(system);
        if is_json {
            // A closed pipe changes nothing.
            let _ = writeln!(io::stderr(), "{needed}");
        } else {
            out = needed + "\n";
        }
    }
    match (is_json, args.once) {
        (true, true) => {}
        (true, false) => out = addresses(system),
        (false, true) => out += &places(system, args),
        (false, false) => out = out + &places(system, args) + "\n" + &examples(system),
    }
    if !out.is_empty() {
        let _ = writeln!(io::stdout(), "{out}");
    }
}

/// For a program that starts this one with `--port 0`: everything listens by now.
fn addresses(system: &System) -> String {
    let serving = serde_json::json!({ "serving": {
        "poller": origin(&system.poller),
        "worker": origin(&system.worker),
        "emulator": origin(&system.emulator.url()),
        "page": system.page.as_ref().map(Url::as_str),
    }});
    serving.to_string()
}

fn worker_environment(system: &System) -> String {
    let variables = system.worker_environment().into_iter();
    let lines = variables.map(|(name, value)| format!("  export {name}={value}\n"));
    format!("Start the worker with these variables:\n\n{}", lines.collect::<String>())
}

fn places(system: &System, args: &Args) -> String {
    let (data, samples) = (args.data.display(), system.samples);
    let samples = match samples {
        0 => String::new(),
        _ => format!("  ({samples} sample files)"),
    };
    let page = system.page.as_ref();
    let page =
        page.map(|page| format!("  page       {page}  works once: brigade ui prints another\n"));
    let page = page.unwrap_or_default();
    format!(
        "Bucket Brigade on this machine

  inbox      {data}/incoming/{samples}
  outcomes   {data}/processed/  {data}/failed/  {data}/features/
  poller     {}
  worker     {}
  emulator   {}  for Cloud Storage and its identities
{page}",
        system.poller,
        system.worker,
        system.emulator.url()
    )
}

fn examples(system: &System) -> String {
    let emulator = system.emulator.url().authority().to_owned();
    let (host, audience) = (system.poller.authority(), origin(&system.poller));
    // As this program was called, so that the line works as it is.
    let brigade = std::env::args().next().unwrap_or_else(|| "brigade".into());
    let header = "-H \"authorization: Bearer $TOKEN\"";
    format!(
        "Drop a file into the inbox, or try:

  TOKEN=$(GCE_METADATA_HOST={emulator} {brigade} token --audience {audience})
  grpcurl -plaintext {header} {host} list
  grpcurl -plaintext {header} {host} brigade.v1.PollerService/Poll
  curl -X POST {header} {audience}/poll

Ctrl-C ends it.
"
    )
}
