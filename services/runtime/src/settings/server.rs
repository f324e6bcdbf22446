//! Where a service listens.

use std::net::{IpAddr, SocketAddr};

use super::{Given, Problems, form, setting};

/// Where to listen, as given.
#[derive(Clone, Debug, clap::Args)]
pub struct ServerArgs {
    /// The address to listen on
    #[arg(long, env = "BRIGADE_BIND", value_name = "ADDRESS", default_value = "0.0.0.0",
        value_parser = setting(form("an IP address", str::parse::<IpAddr>)))]
    bind: Given<IpAddr>,
    /// The port to listen on; 0 is any, and the first log line names it
    #[arg(long, env = "PORT", value_name = "PORT", default_value = "8080",
        value_parser = setting(form("a port, 0 to 65535", str::parse::<u16>)))]
    port: Given<u16>,
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
        let (ip, port) = (self.bind.get(problems), self.port.get(problems));
        let address = SocketAddr::new(ip?, port?);
        Some(ServerSettings { address })
    }
}
