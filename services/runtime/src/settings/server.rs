//! Where a service listens.

use std::net::{IpAddr, SocketAddr};

use super::{Given, Problems, form, setting};

/// Where to listen.
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

impl ServerArgs {
    /// The address and port; notes every problem.
    pub fn resolve(&self, problems: &mut Problems) -> Option<SocketAddr> {
        let (ip, port) = (self.bind.get(problems), self.port.get(problems));
        Some(SocketAddr::new(ip?, port?))
    }
}
