//! How many file descriptors the process may have, each connection being one.

/// At most this many descriptors are reserved for what the service itself opens: clients, files, programs.
const MAX_RESERVED: usize = 1_024;

/// Raises the process's limit on file descriptors to its hard limit, and returns how many of them connections may use. It is
/// usually 1,024 at first, which a few idle clients can exhaust.
#[cfg(unix)]
pub(super) fn for_connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    // A system may refuse its own hard limit, as macOS does when it is infinite; the soft one then stays.
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { maximum } else { current };
    limit.map_or(usize::MAX, |limit| without_reserve(usize::try_from(limit).unwrap_or(usize::MAX)))
}

#[cfg(not(unix))]
pub(super) fn for_connections() -> usize {
    usize::MAX
}

fn without_reserve(limit: usize) -> usize {
    limit - (limit / 2).min(MAX_RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_descriptors_and_at_most_1024_are_reserved() {
        assert_eq!(without_reserve(256), 128);
        assert_eq!(without_reserve(1_024), 512);
        assert_eq!(without_reserve(20_000), 18_976);
        assert_eq!(without_reserve(0), 0);
    }

    #[cfg(unix)]
    #[test]
    fn the_limit_is_raised_to_the_hard_limit() {
        use rustix::process::{Resource, getrlimit};
        for_connections();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
