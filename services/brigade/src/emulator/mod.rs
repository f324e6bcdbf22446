//! `brigade emulator`: serves an emulator of Google Cloud alone.

use std::{io::Write as _, path::PathBuf, str::FromStr, time::Duration};

use brigade_client::identity::origin;
use brigade_emulator::{Emulator, storage::Permission};
use brigade_runtime::{
    exit::{Exit, Failure},
    settings::{self, time},
    shutdown,
    telemetry::{self, Format},
};

use self::front_end::{FrontEndOption, add_accounts};
use crate::{
    faults::FaultArgs,
    outcome::failure,
    setup::{REST_RANGE, bind_loopback},
};

mod front_end;

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Keep the bucket in this directory
    #[arg(long, value_name = "DIR", conflicts_with = "memory", required_unless_present = "memory")]
    data: Option<PathBuf>,
    /// With --data: take a file that another program writes once it has not changed for this time and no program has it open for
    /// writing; 0 is at once [default: 1s, or 5s where the system does not say which files are open]
    #[arg(long, value_name = "TIME", requires = "data", value_parser = time(REST_RANGE))]
    rest: Option<Duration>,
    /// Keep the bucket in memory
    #[arg(long)]
    memory: bool,
    /// The bucket's name
    #[arg(long, value_name = "NAME", default_value = "brigade-dev")]
    bucket: String,
    /// The port to listen on, on this machine only; 0 for any
    #[arg(long, value_name = "PORT", default_value_t = 8082)]
    port: u16,
    /// Answer calls to this host too, such as host.docker.internal from a container. Repeat it for more
    #[arg(long, value_name = "HOST", value_parser = settings::host)]
    allow_host: Vec<String>,
    /// Grant an account permissions, and check every call from then on; repeatable. NAME alone is the account
    /// NAME@brigade-dev.iam.gserviceaccount.com; @PREFIX limits it to names that begin so
    #[arg(long = "role", value_name = "NAME=PERMISSION,...[@PREFIX]")]
    roles: Vec<Role>,
    /// Put a front end like Cloud Run's before a service on this machine: it admits invokers alone, and its URL
    /// is printed with the other variables. The service speaks h2c, or HTTP/1.1 with http1; push adds an account's token
    /// to calls on a path that come without one, as those of Pub/Sub's and Cloud Tasks' emulators do. Repeatable
    #[arg(
        long = "front-end",
        value_name = "NAME=PORT[,http1][,port=PORT][,invoker=ACCOUNT]...[,push=PATH:ACCOUNT]..."
    )]
    front_ends: Vec<FrontEndOption>,
    #[command(flatten)]
    faults: FaultArgs,
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
        Ok(Self {
            account: account(name),
            permissions: permissions.split(',').map(str::parse).collect::<Result<_, _>>()?,
            prefix: prefix.to_owned(),
        })
    }
}

/// An account's email; a name alone is an account of the emulator's project.
fn account(name: &str) -> String {
    if name.contains('@') {
        name.to_owned()
    } else {
        format!("{name}@brigade-dev.iam.gserviceaccount.com")
    }
}

/// Prints the variables that point any client at it, and serves until a signal ends it.
pub async fn run(args: Args) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "info");
    let shutdown = shutdown::signal();
    let listener = bind_loopback(args.port).await?;
    let builder = match args.data {
        Some(path) => Emulator::builder().directory(&args.bucket, path).rest(args.rest),
        None => Emulator::builder().memory().bucket(&args.bucket),
    };
    let builder = args.roles.iter().fold(builder, |builder, role| {
        builder.role(&role.account, &role.permissions, &role.prefix)
    });
    let builder = args.allow_host.iter().fold(builder, |builder, host| builder.allow_host(host));
    let builder = add_accounts(&args.front_ends, builder);
    let emulator = builder.start(listener).await.map_err(failure)?;
    let faults = args.faults.inject(&emulator);
    let mut front_ends = Vec::new();
    let mut variables = emulator.env();
    for option in &args.front_ends {
        let front_end = option.start(&emulator).await?;
        variables.push((option.variable(), origin(&front_end.url())));
        front_ends.push(front_end);
    }
    let mut out = std::io::stdout();
    for (name, value) in variables {
        // A closed pipe changes nothing.
        let _ = writeln!(out, "export {name}={value}");
    }
    shutdown.cancelled().await;
    for front_end in front_ends {
        front_end.stop().await;
    }
    emulator.stop().await;
    faults.report();
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
            ("poller=list,move", role(poller, &[Permission::List, Permission::Move], "")),
            ("poller=delete@.brigade/", role(poller, &[Permission::Delete], ".brigade/")),
            ("a@b.c=get", role("a@b.c", &[Permission::Get], "")),
        ] {
            assert_eq!(given.parse(), Ok(wanted));
        }
        for wrong in ["poller", "=list", "poller=", "poller=list,", "poller=all"] {
            assert!(wrong.parse::<Role>().is_err(), "{wrong}");
        }
    }
}
