//! Keeps what stays on this machine, and the metadata server, off the proxy that the environment names.

use std::{
    env,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    process::Command,
};

use brigade_runtime::proxy::missing_no_proxy;

/// Begins this process again, under the same id, with a `NO_PROXY` that has them; returns where it has them already. Rust has no
/// safe call that changes the environment of a process that runs.
pub fn bypass() {
    let Some(no_proxy) = missing_no_proxy(|name| env::var(name).ok()) else { return };
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| "brigade".into());
    let restart = |program| {
        let mut command = Command::new(program);
        command.arg0(name).args(arguments).env("NO_PROXY", &no_proxy).env("no_proxy", &no_proxy);
        Err(command.exec())
    };
    let restarted: io::Result<()> = env::current_exe().and_then(restart);
    if let Err(error) = restarted {
        // When stderr is closed there is no place to report it.
        let _ = writeln!(
            io::stderr(),
            "calls to this machine go through a proxy: this program cannot start itself again with another NO_PROXY: {error}; \
             fix: set NO_PROXY to {no_proxy}"
        );
    }
}
