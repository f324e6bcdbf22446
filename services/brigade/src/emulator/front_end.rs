//! `--front-end`: a front end like Cloud Run's before a service that runs on this machine.

use std::{
    net::{Ipv4Addr, SocketAddr},
    str::FromStr,
};

use brigade_emulator::{
    Builder, Emulator,
    frontend::{FrontEnd, Service},
};
use brigade_runtime::{exit::Failure, serve};

use super::account;
use crate::outcome;

/// The machine's own account, whose tokens the metadata server gives to whoever asks without a name.
const DEFAULT: &str = "default";

/// One front end, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    name: String,
    /// Where the service listens, on this machine.
    target: u16,
    /// Where the front end listens; 0 for any.
    port: u16,
    http1: bool,
    invokers: Vec<String>,
    /// Path and account.
    pushes: Vec<(String, String)>,
}

impl Asked {
    /// Lets the stand-in know the accounts that were named.
    pub(super) fn introduce(all: &[Self], builder: Builder) -> Builder {
        if all.is_empty() {
            return builder;
        }
        let named = all.iter().flat_map(|asked| {
            let pushing = asked.pushes.iter().map(|(_, account)| account);
            asked.invokers.iter().chain(pushing)
        });
        // The first that is known is the machine's own.
        let builder = builder.service_account(&account(DEFAULT));
        named.fold(builder, |builder, account| builder.service_account(account))
    }

    /// Puts it before its service.
    pub(super) async fn start(&self, google: &Emulator) -> Result<FrontEnd, Failure> {
        let listener = serve::bind((Ipv4Addr::LOCALHOST, self.port).into()).await?;
        google
            .front_end(listener, &self.service())
            .map_err(|error| outcome::emulator(&error))
    }

    /// The variable with its URL: `WORKER_URL` for `worker`, which is what the poller calls it too.
    pub(super) fn variable(&self) -> String {
        let name = self.name.to_ascii_uppercase().replace('-', "_");
        format!("{name}_URL")
    }

    fn service(&self) -> Service {
        let mut service = Service::new(
            &self.name,
            SocketAddr::from((Ipv4Addr::LOCALHOST, self.target)),
        );
        if self.http1 {
            service = service.http1();
        }
        let service = self
            .invokers
            .iter()
            .fold(service, |service, account| service.invoker(account));
        let pushes = self.pushes.iter();
        pushes.fold(service, |service, (path, account)| {
            service.push_from(path, account)
        })
    }
}

impl FromStr for Asked {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let (name, rest) = given
            .split_once('=')
            .filter(|(name, _)| is_name(name))
            .ok_or(
                "give NAME=PORT, such as worker=9000; a name is of letters, digits and hyphens",
            )?;
        let mut options = rest.split(',');
        let mut asked = Self {
            name: name.to_owned(),
            target: port(options.next().unwrap_or_default())?,
            port: 0,
            http1: false,
            invokers: Vec::new(),
            pushes: Vec::new(),
        };
        for option in options {
            asked.set(option)?;
        }
        Ok(asked)
    }
}

impl Asked {
    fn set(&mut self, option: &str) -> Result<(), String> {
        match option.split_once('=') {
            None if option == "http1" => self.http1 = true,
            Some(("port", value)) => self.port = port(value)?,
            Some(("invoker", name)) if !name.is_empty() => self.invokers.push(account(name)),
            Some(("push", push)) => {
                let (path, name) = push
                    .split_once(':')
                    .filter(|(path, name)| path.starts_with('/') && !name.is_empty())
                    .ok_or("give push=PATH:ACCOUNT, such as push=/events:pubsub")?;
                self.pushes.push((path.to_owned(), account(name)));
            }
            _ => {
                return Err(format!(
                    "{option:?} is none of http1, port=PORT, invoker=ACCOUNT, push=PATH:ACCOUNT"
                ));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_part)
}

fn port(given: &str) -> Result<u16, String> {
    given
        .parse()
        .map_err(|_| format!("{given:?} is no port; one is a number from 0 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_front_end_is_a_name_a_port_and_options() {
        let plain = Asked {
            name: "worker".into(),
            target: 9000,
            port: 0,
            http1: false,
            invokers: Vec::new(),
            pushes: Vec::new(),
        };
        assert_eq!("worker=9000".parse(), Ok(plain.clone()));
        let pubsub = "pubsub@brigade-dev.iam.gserviceaccount.com";
        let full = Asked {
            name: "my-poller".into(),
            port: 8080,
            http1: true,
            invokers: vec![pubsub.into(), "a@b.c".into()],
            pushes: vec![("/events".into(), pubsub.into())],
            ..plain
        };
        assert_eq!(full.variable(), "MY_POLLER_URL");
        let given =
            "my-poller=9000,port=8080,http1,invoker=pubsub,invoker=a@b.c,push=/events:pubsub";
        assert_eq!(given.parse(), Ok(full));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
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
            assert!(wrong.parse::<Asked>().is_err(), "{wrong}");
        }
    }
}
