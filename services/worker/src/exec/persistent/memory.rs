//! How much memory a program and everything that it started in its group has now, as Linux tells it.
//!
//! `ru_maxrss` is no measure: it begins at the peak of the process that forked. The proportional size is exact, but reading it
//! locks the pages of the program.

use std::fs;

use rustix::process::Pid;

/// Bytes of memory that all processes of the group hold. None when the system does not tell.
pub(super) fn resident(group: Pid) -> Option<u64> {
    let group = group.as_raw_nonzero().get();
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // A process may end between the two reads.
    let members = processes.filter(|process| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"));
        stat.is_ok_and(|stat| group_of(&stat) == Some(group))
    });
    let sizes = members.filter_map(|process| {
        resident_of(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
    });
    sizes.reduce(u64::saturating_add)
}

/// The process group in `/proc/PID/stat`: the third field after the name, which may hold blanks and parentheses.
fn group_of(stat: &str) -> Option<i32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// `VmRSS` in `/proc/PID/status`, which a process that has ended does not have.
fn resident_of(status: &str) -> Option<u64> {
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes.saturating_mul(1_024))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        os::unix::process::CommandExt as _,
        process::{Child, Command, Stdio},
    };

    use super::*;

    /// Killed with its group when it is dropped.
    struct Program(Child);

    impl Program {
        /// Runs a script in a group of its own until it has written a line.
        fn start(script: &str) -> Self {
            let mut command = Command::new("sh");
            let command = command.args(["-c", script]).process_group(0);
            let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            Self(child)
        }

        fn group(&self) -> Pid {
            Pid::from_child(&self.0)
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            let _ =
                rustix::process::kill_process_group(self.group(), rustix::process::Signal::KILL);
            let _ = self.0.wait();
        }
    }

    /// A shell that holds 40 MB in a variable.
    const LARGE: &str = "x=$(head -c 40000000 /dev/zero | tr '\\0' x)";

    #[test]
    fn memory_is_that_of_the_whole_group_and_of_no_other() {
        let small = Program::start("echo ready; read line; sleep 60");
        let large = Program::start(&format!("{LARGE}; echo ready; sleep 60; :"));
        let child = Program::start(&format!("({LARGE}; echo ready; sleep 60; :) & wait"));
        let of = |program: &Program| resident(program.group()).unwrap();
        assert!((1..20_000_000).contains(&of(&small)), "{}", of(&small));
        assert!((40_000_000..200_000_000).contains(&of(&large)), "{}", of(&large));
        assert!((40_000_000..200_000_000).contains(&of(&child)), "{}", of(&child));
    }

    #[test]
    fn a_group_that_is_gone_has_no_size() {
        let program = Program::start("echo ready; exec sleep 60");
        let group = program.group();
        assert!(resident(group).is_some());
        drop(program);
        assert_eq!(resident(group), None);
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_hides_no_group() {
        let stat = "812 (a) R 1 2 (b c) S 1 790 790 0 -1 4194304 104 0 0 0";
        assert_eq!(group_of(stat), Some(790));
        assert_eq!(group_of("812 (cut short"), None);
    }

    #[test]
    fn a_status_without_a_size_is_not_a_size_of_nothing() {
        assert_eq!(resident_of("Name:\tsh\nVmRSS:\t    1536 kB\nThreads:\t1\n"), Some(1_572_864));
        assert_eq!(resident_of("Name:\tsh\nState:\tZ (zombie)\n"), None);
    }
}
