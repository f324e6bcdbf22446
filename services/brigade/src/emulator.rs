//! `brigade emulator`: serves the local stand-in for Google Cloud alone.

use std::{io::Write as _, net::Ipv4Addr, path::PathBuf, str::FromStr};

use brigade_emulator::{Emulator, storage::Permission};
use brigade_runtime::{
    exit::{Exit, Failure},
    serve, shutdown,
    telemetry::{self, Format},
};

use crate::outcome;

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Keep the bucket on this directory
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "memory",
        required_unless_present = "memory"
    )]
    data: Option<PathBuf>,
    /// Keep the bucket in memory
    #[arg(long)]
    memory: bool,
    /// The bucket's name
    #[arg(long, value_name = "NAME", default_value = "brigade-dev")]
    bucket: String,
    /// The port to listen on, on this machine only; 0 for any
    #[arg(long, value_name = "PORT", default_value_t = 8082)]
    port: u16,
    /// Grant an account permissions, and check every call from then on; repeatable. NAME alone is the account
    /// NAME@brigade-dev.iam.gserviceaccount.com; @PREFIX limits it to names that begin so
    #[arg(long = "role", value_name = "NAME=PERMISSION,...[@PREFIX]")]
    roles: Vec<Role>,
}

/// What one account may do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Role {
    account: String,
    permissions: Vec<Permission>,
    prefix: String,
}

impl FromStr for Role {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let (name, rest) = given
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or("give NAME=PERMISSION,..., such as poller=list,get,update,move,create")?;
        let (permissions, prefix) = rest.split_once('@').unwrap_or((rest, ""));
        let account = if name.contains('@') {
            name.to_owned()
        } else {
            format!("{name}@brigade-dev.iam.gserviceaccount.com")
        };
        Ok(Self {
            account,
            permissions: permissions
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()?,
            prefix: prefix.to_owned(),
        })
    }
}

/// Prints the variables that point any client at it, and serves until it is told to stop.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let shutdown = shutdown::signal();
    let listener = serve::bind((Ipv4Addr::LOCALHOST, args.port).into()).await?;
    let builder = match args.data {
        Some(path) => Emulator::builder().directory(&args.bucket, path),
        None => Emulator::builder().memory().bucket(&args.bucket),
    };
    let builder = args.roles.iter().fold(builder, |builder, role| {
        builder.role(&role.account, &role.permissions, &role.prefix)
    });
    let emulator = builder
        .start(listener)
        .await
        .map_err(|error| outcome::emulator(&error))?;
    let mut out = std::io::stdout();
    for (name, value) in emulator.env() {
        // A reader that went away does not need them.
        let _ = writeln!(out, "export {name}={value}");
    }
    shutdown.cancelled().await;
    emulator.stop().await;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_an_account_its_permissions_and_a_prefix() {
        let role = |account: &str, permissions: &[Permission], prefix: &str| Role {
            account: account.into(),
            permissions: permissions.to_vec(),
            prefix: prefix.into(),
        };
        let poller = "poller@brigade-dev.iam.gserviceaccount.com";
        for (given, wanted) in [
            (
                "poller=list,move",
                role(poller, &[Permission::List, Permission::Move], ""),
            ),
            (
                "poller=delete@.brigade/",
                role(poller, &[Permission::Delete], ".brigade/"),
            ),
            ("a@b.c=get", role("a@b.c", &[Permission::Get], "")),
        ] {
            assert_eq!(given.parse(), Ok(wanted));
        }
        for wrong in ["poller", "=list", "poller=", "poller=list,", "poller=all"] {
            assert!(wrong.parse::<Role>().is_err(), "{wrong}");
        }
    }
}
