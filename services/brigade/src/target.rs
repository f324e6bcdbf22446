//! The poller that a command calls, and with which identity.

use std::{error::Error, sync::Arc, time::Duration};

use brigade_client::{
    InboxClient, PollerClient, Retry,
    identity::{Cached, Environment, MetadataServer, TokenSource, origin, source},
};
use brigade_runtime::{
    exit::Failure,
    settings::{Given, Problems, form, is_loopback, names, optional, url},
};
use tonic::{Code, Status};
use url::Url;

use crate::{
    dev::announce::{self, Running},
    outcome::failure,
};

/// A person waits: a poller that is not there is reported after a second.
const RETRY: Retry =
    Retry { times: 2, first: Duration::from_millis(250), longest: Duration::from_millis(500) };

/// Which poller to call.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetArgs {
    /// The poller's URL [default: that of the `brigade dev` that runs on this machine]
    #[arg(long, env = names::POLLER, value_name = "URL", default_value = "", hide_default_value = true,
        value_parser = optional(form("the poller's URL, such as https://poller-abc.a.run.app", url)))]
    poller: Given<Option<Url>>,
}

/// A poller, and who calls it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The poller's URL.
    pub url: Url,
    /// Where the tokens of its calls come from; without one they have none.
    pub identity: Option<Arc<dyn TokenSource>>,
    /// Names it in messages.
    pub what: String,
}

// === impl TargetArgs ===

impl TargetArgs {
    /// The poller that is named, with the environment's identity; else the one of the `brigade dev` of this user that runs.
    ///
    /// # Errors
    /// Every problem of the settings; no `brigade dev` runs, or several.
    pub fn resolve(&self, mut problems: Problems) -> Result<Target, Failure> {
        let named = self.poller.get(&mut problems);
        let named = problems.into_settings(named)?;
        let Some(url) = named else {
            let running = announce::all().map_err(|error| {
                Failure::usage(
                    format!("cannot look for a running brigade dev: {error}"),
                    "name the poller with --poller URL, or set XDG_RUNTIME_DIR to a directory of your own",
                )
            })?;
            return only(running).map(Target::from);
        };
        let environment = Environment::from_env().map_err(failure)?;
        if is_loopback(&url) && has_no_source(&environment) {
            let is_named = |running: &Running| origin(&running.poller) == origin(&url);
            let known = announce::all().unwrap_or_default().into_iter().find(is_named);
            return Ok(known.map_or_else(|| Target::new(url, None), Target::from));
        }
        let identity = source(&environment).map_err(failure)?;
        Ok(Target::new(url, Some(identity)))
    }
}

/// Whether the environment names no identity: a service on this machine may run without one.
fn has_no_source(environment: &Environment) -> bool {
    let Environment { impersonate, google_application_credentials, gce_metadata_host, .. } =
        environment;
    impersonate.is_none() && google_application_credentials.is_none() && gce_metadata_host.is_none()
}

fn only(mut running: Vec<Running>) -> Result<Running, Failure> {
    match running.len() {
        0 => Err(Failure::usage(
            "no poller is named, and this user runs no brigade dev on this machine",
            "name a poller with --poller URL or BRIGADE_POLLER, or start brigade dev in another terminal",
        )),
        1 => Ok(running.remove(0)),
        several => {
            let line = |one: &Running| {
                format!("\n  --poller {}  {}", origin(&one.poller), one.data.display())
            };
            let lines: String = running.iter().map(line).collect();
            Err(Failure::usage(
                format!("this user runs brigade dev {several} times on this machine:{lines}"),
                "name one of these pollers with --poller",
            ))
        }
    }
}

// === impl Target ===

impl Target {
    fn new(url: Url, identity: Option<Arc<dyn TokenSource>>) -> Self {
        let what = origin(&url);
        Self { url, identity, what }
    }

    /// A client for what the poller has.
    pub fn inbox_client(&self) -> Result<InboxClient, Failure> {
        let client = InboxClient::new(&self.url, self.identity.clone(), None);
        Ok(client.map_err(failure)?.with_retry(RETRY))
    }

    /// The failure of a call: a transport error names the poller.
    pub fn failure(&self, status: Status) -> Failure {
        let Some(cause) = status.source().filter(|_| status.code() == Code::Unavailable) else {
            return failure(status);
        };
        let mut innermost: &dyn Error = cause;
        while let Some(cause) = innermost.source() {
            innermost = cause;
        }
        Failure::unavailable(
            format!("the poller at {} cannot be reached: {innermost}", origin(&self.url)),
            "check --poller, and that the poller runs",
        )
    }

    /// A client for polls.
    pub fn poller_client(&self) -> Result<PollerClient, Failure> {
        let client = PollerClient::new(&self.url, self.identity.clone(), None);
        Ok(client.map_err(failure)?.with_retry(RETRY))
    }
}

impl From<Running> for Target {
    fn from(running: Running) -> Self {
        let server = MetadataServer::new(Some(&running.metadata_host));
        let identity = Arc::new(Cached::new(server.for_account(&running.account)));
        let what = format!("brigade dev over {}", running.data.display());
        Self { url: running.poller, identity: Some(identity), what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(port: u16) -> Running {
        Running {
            poller: Url::parse(&format!("http://127.0.0.1:{port}")).unwrap(),
            metadata_host: "127.0.0.1:9".into(),
            account: "a@b.example".into(),
            data: "/tmp/data".into(),
            page: None,
        }
    }

    #[test]
    fn none_and_several_are_errors_with_the_fix() {
        assert_eq!(only(vec![running(1)]), Ok(running(1)));
        let none = only(Vec::new()).unwrap_err();
        let several = only(vec![running(1), running(2)]).unwrap_err();
        insta::assert_snapshot!(format!("{none}\n\n{several}"));
    }
}
