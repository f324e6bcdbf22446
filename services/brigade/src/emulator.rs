//! `brigade emulator`: serves the local stand-in for Google Cloud alone.

use std::{io::Write as _, net::Ipv4Addr, path::PathBuf};

use brigade_emulator::Emulator;
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
