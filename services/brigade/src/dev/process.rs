//! This process as another `brigade dev` over the same directory knows it. A lease of a process that was killed is free then.

use std::fs;

use brigade_poller::lease::Process;

/// This process, where `/proc` describes processes; elsewhere the lease of a process that was killed expires.
pub(super) fn this() -> Process {
    match (boot(), started("self")) {
        (Some(boot), Some(started)) => {
            let id = format!("{boot}/{}/{started}", std::process::id());
            Process { id, has_ended: Some(has_ended) }
        }
        _ => Process::default(),
    }
}

/// Whether the process ran on this machine since it was started, and has ended. The time of its start tells it from another with
/// the same number.
pub(super) fn has_ended(id: &str) -> bool {
    let mut parts = id.split('/');
    let (of_boot, pid, of_start) = (parts.next(), parts.next(), parts.next());
    let (Some(pid), Some(of_start)) = (pid, of_start) else {
        return false;
    };
    of_boot == boot().as_deref() && started(pid).is_none_or(|started| started != of_start)
}

/// Differs from machine to machine, and from one start of it to the next; and, as processes have other numbers there, from one
/// container to the next.
fn boot() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}-{}", boot.trim(), namespace.display()))
}

/// When a process was started, in clock ticks since the machine was: field 22 of `proc_pid_stat(5)`. Nothing when it has ended,
/// also when its parent has not yet asked for its exit status.
fn started(pid: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, field 2, is in parentheses and may hold blanks.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    let is_gone = matches!(fields.next()?, "Z" | "X");
    fields.nth(18).filter(|_| !is_gone).map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_has_ended_when_it_is_killed_and_not_before() {
        let own = this();
        assert!(!has_ended(&own.id), "{own:?}");
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id().to_string();
        let id = format!("{}/{pid}/{}", boot().unwrap(), started(&pid).unwrap());
        assert!(!has_ended(&id));
        child.kill().unwrap();
        while started(&pid).is_some() {
            std::thread::yield_now();
        }
        assert!(has_ended(&id));
        child.wait().unwrap();
        assert!(has_ended(&id));
    }

    #[test]
    fn a_process_of_another_machine_or_an_odd_id_has_not_ended() {
        for id in ["", "x", "x/1", "x/1/2", "//", "other-boot/999999/1"] {
            assert!(!has_ended(id), "{id}");
        }
        let reused = format!("{}/{}/0", boot().unwrap(), std::process::id());
        assert!(has_ended(&reused), "another process has its number");
    }
}
