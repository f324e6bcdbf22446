//! What `brigade dev` says at its start: where things are, and how to reach them.

use std::io::Write as _;

use super::{Args, show::Show, system::System};

impl System {
    /// Says where things are, and how to reach them.
    pub(super) fn introduce(&self, args: &Args, show: Show) {
        if args.worker.is_some() {
            self.tell_worker(show);
        }
        if let Show::Table { .. } = show {
            let data = args.data.display();
            let samples = if self.laid > 0 {
                format!("  ({} sample files)", self.laid)
            } else {
                String::new()
            };
            print_lines(&[
                "Bucket Brigade on this machine".to_owned(),
                String::new(),
                format!("  inbox      {data}/incoming/{samples}"),
                format!("  outcomes   {data}/processed/  {data}/failed/  {data}/features/"),
                format!("  poller     {}", self.poller),
                format!("  worker     {}", self.worker),
                format!(
                    "  stand-in   {}  for Cloud Storage and its identities",
                    self.emulator.url()
                ),
                String::new(),
            ]);
            if !args.once {
                self.invite();
            }
        } else if !args.once {
            print_lines(&[self.addresses().to_string()]);
        }
    }

    /// For a program that starts this one with `--port 0`: everything answers by now, and this is where.
    fn addresses(&self) -> serde_json::Value {
        let origin = brigade_client::identity::origin;
        serde_json::json!({ "serving": {
            "poller": origin(&self.poller),
            "worker": origin(&self.worker),
            "standIn": origin(&self.emulator.url()),
        }})
    }

    /// Piped, stdout has events alone.
    fn tell_worker(&self, show: Show) {
        let mut lines = vec![
            "The worker has to be told, before it starts:".to_owned(),
            String::new(),
        ];
        let told = self.worker_environment().into_iter();
        lines.extend(told.map(|(name, value)| format!("  export {name}={value}")));
        lines.push(String::new());
        match show {
            Show::Table { .. } => print_lines(&lines),
            Show::Json => {
                let _ = writeln!(std::io::stderr(), "{}", lines.join("\n"));
            }
        }
    }

    fn invite(&self) {
        let google = self.emulator.url();
        let (google, host) = (google.authority(), self.poller.authority());
        let audience = self.poller.as_str().trim_end_matches('/');
        // As this program was called, so that the line works as it is.
        let brigade = std::env::args().next().unwrap_or_else(|| "brigade".into());
        print_lines(&[
            "Drop a file into the inbox, or try:".to_owned(),
            String::new(),
            format!("  TOKEN=$(GCE_METADATA_HOST={google} {brigade} token --audience {audience})"),
            format!("  grpcurl -plaintext -H \"authorization: Bearer $TOKEN\" {host} list"),
            format!(
                "  grpcurl -plaintext -H \"authorization: Bearer $TOKEN\" {host} brigade.v1.PollerService/Poll"
            ),
            format!("  curl -X POST -H \"authorization: Bearer $TOKEN\" {audience}/poll"),
            String::new(),
            "Ctrl-C ends it.".to_owned(),
            String::new(),
        ]);
    }
}

fn print_lines(lines: &[String]) {
    // A terminal that went away needs no lines.
    let _ = writeln!(std::io::stdout(), "{}", lines.join("\n"));
}
