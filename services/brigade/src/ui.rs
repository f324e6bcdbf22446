//! `brigade ui`: a page that shows what a poller has, for a browser on this machine.

use std::io::{self, Write as _};

use brigade_runtime::{
    exit::{Exit, Failure},
    settings::{self, Problems},
    shutdown,
    telemetry::{self, Format},
};
use brigade_ui::{Page, Settings};
use tokio_util::sync::CancellationToken;

use crate::{setup::bind_loopback, target::TargetArgs};

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Which poller.
    #[command(flatten)]
    pub target: TargetArgs,
    /// The page's port on 127.0.0.1; 0 is any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Serve the page under this host too, as a browser names it: HOST or HOST:PORT of a forwarded port. Repeat it for more
    #[arg(long, value_name = "HOST", value_parser = settings::host)]
    pub allow_host: Vec<String>,
}

/// Prints the address that opens the page, and serves it until a signal.
pub async fn run(args: Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "warn");
    let target = args.target.resolve(problems)?;
    let settings = Settings {
        inbox: target.inbox_client()?,
        poller: target.poller_client()?,
        what: target.what.clone(),
        uploads: None,
        hosts: args.allow_host,
    };
    let page = Page::new(bind_loopback(args.port).await?, settings)
        .map_err(|error| Failure::unavailable(error, ""))?;
    // A closed pipe does not end the page.
    let _ = writeln!(io::stdout(), "{}", page.url());
    let _ = writeln!(
        io::stderr(),
        "open this address; it works once. Ctrl-C ends the page of {}",
        target.what
    );
    serve(page, shutdown::signal()).await?;
    Ok(Exit::Done)
}

/// Serves a page until `shutdown`.
pub(crate) async fn serve(page: Page, shutdown: CancellationToken) -> Result<(), Failure> {
    page.serve(shutdown)
        .await
        .map_err(|error| Failure::unavailable(format!("the page: {error}"), ""))
}
