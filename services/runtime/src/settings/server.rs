//! Where a service listens.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{names, problems::Problems};

/// Where to listen, as given.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ServerArgs {
    /// The address to listen on [default: 0.0.0.0]
    #[arg(long, env = names::BIND, value_name = "ADDRESS")]
    pub bind: Option<String>,
    /// The port to listen on [default: 8080]
    #[arg(long, env = names::PORT, value_name = "PORT")]
    pub port: Option<String>,
}

/// Where to listen, as resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The address and port.
    pub address: SocketAddr,
}

impl ServerArgs {
    /// Resolves both, and notes every problem.
    pub fn resolve(&self, problems: &mut Problems) -> Option<ServerSettings> {
        let all = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let ip = problems.or(
            names::BIND,
            self.bind.as_deref(),
            all,
            "an IP address",
            str::parse,
        );
        let port = problems.or(
            names::PORT,
            self.port.as_deref(),
            8080,
            "a port, 0 to 65535",
            str::parse,
        );
        Some(ServerSettings {
            address: SocketAddr::new(ip?, port?),
        })
    }
}
