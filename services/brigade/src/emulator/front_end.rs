//! `--front-end`: a front end like Cloud Run's before a service that runs on this machine.

use std::{net::Ipv4Addr, str::FromStr};

use brigade_emulator::{
    Builder, Emulator,
    frontend::{FrontEnd, Service},
};
use brigade_runtime::exit::Failure;

use super::account;
use crate::{outcome::failure, setup::bind_loopback};

/// The machine's own account: the metadata server's for a request that names none.
const DEFAULT: &str = "default";

/// One front end, as given.
#[derive(Clone, Debug)]
pub(super) struct FrontEndOption {
    name: String,
    /// Where the front end listens; 0 is any port.
    port: u16,
    service: Service,
    /// Those that the service names.
    accounts: Vec<String>,
}

/// Adds the accounts that the front ends name to the emulator.
pub(super) fn add_accounts(all: &[FrontEndOption], builder: Builder) -> Builder {
    if all.is_empty() {
        return builder;
    }
    let named = all.iter().flat_map(|option| &option.accounts);
    // The first account is the machine's own.
    let builder = builder.service_account(&account(DEFAULT));
    named.fold(builder, |builder, account| builder.service_account(account))
}

impl FrontEndOption {
    /// Puts it before its service.
    pub(super) async fn start(&self, emulator: &Emulator) -> Result<FrontEnd, Failure> {
        let listener = bind_loopback(self.port).await?;
        emulator.front_end(listener, &self.service).map_err(failure)
    }

    /// The variable with its URL: `WORKER_URL` for `worker`, as the poller's setting is called.
    pub(super) fn variable(&self) -> String {
        let name = self.name.to_ascii_uppercase().replace('-', "_");
        format!("{name}_URL")
    }

    fn with(mut self, option: &str) -> Result<Self, String> {
        match option.split_once('=') {
            None if option == "http1" => self.service = self.service.http1(),
            Some(("port", value)) => self.port = port(value)?,
            Some(("invoker", name)) if !name.is_empty() => {
                self.accounts.push(account(name));
                self.service = self.service.invoker(&account(name));
            }
            Some(("push", push)) => {
                let (path, name) = push
                    .split_once(':')
                    .filter(|(path, name)| path.starts_with('/') && !name.is_empty())
                    .ok_or("give push=PATH:ACCOUNT, such as push=/events:pubsub")?;
                self.accounts.push(account(name));
                self.service = self.service.push_from(path, &account(name));
            }
            _ => {
                return Err(format!(
                    "{option:?} is none of http1, port=PORT, invoker=ACCOUNT, push=PATH:ACCOUNT"
                ));
            }
        }
        Ok(self)
    }
}

impl FromStr for FrontEndOption {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let (name, rest) = given.split_once('=').filter(|(name, _)| is_name(name)).ok_or(
            "give NAME=PORT, such as worker=9000; a name consists of letters, digits and hyphens",
        )?;
        let mut options = rest.split(',');
        let target = port(options.next().unwrap_or_default())?;
        let plain = Self {
            name: name.to_owned(),
            port: 0,
            service: Service::new(name, (Ipv4Addr::LOCALHOST, target).into()),
            accounts: Vec::new(),
        };
        options.try_fold(plain, Self::with)
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_part)
}

fn port(given: &str) -> Result<u16, String> {
    given.parse().map_err(|_| format!("{given:?} is not a port; expected 0 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_end_is_a_name_a_port_and_options() {
        let parse = |given: &str| given.parse::<FrontEndOption>().unwrap();
        let plain = parse("worker=9000");
        assert!(plain.port == 0 && plain.accounts.is_empty());
        let full = parse(
            "my-poller=9000,port=8080,http1,invoker=pubsub,invoker=a@b.c,push=/events:pubsub",
        );
        assert_eq!((full.port, full.variable().as_str()), (8080, "MY_POLLER_URL"));
        let pubsub = "pubsub@brigade-dev.iam.gserviceaccount.com";
        assert_eq!(full.accounts, [pubsub, "a@b.c", pubsub]);
        let target = |name| Service::new(name, (Ipv4Addr::LOCALHOST, 9000).into());
        let wanted = target("my-poller").http1().invoker(pubsub).invoker("a@b.c");
        let wanted = wanted.push_from("/events", pubsub);
        let shown = |service: &Service| format!("{service:?}");
        assert_eq!(shown(&full.service), shown(&wanted));
        assert_eq!(shown(&plain.service), shown(&target("worker")));
    }

    #[test]
    fn wrong_options_are_refused() {
        for wrong in [
            "worker",
            "=9000",
            "-x=9000",
            "a b=9000",
            "worker=",
            "worker=x",
            "worker=65536",
            "worker=example.com:80",
            "worker=9000,",
            "worker=9000,http2",
            "worker=9000,invoker=",
            "worker=9000,push=events:pubsub",
            "worker=9000,push=/events",
            "worker=9000,push=/events:",
        ] {
            assert!(wrong.parse::<FrontEndOption>().is_err(), "{wrong}");
        }
    }
}
