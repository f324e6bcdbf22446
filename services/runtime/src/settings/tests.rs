//! What is refused, and every message that says so.

use std::{ffi::OsString, fmt::Write as _, net::SocketAddr, time::Duration};

use axum::http::HeaderMap;
use clap::{CommandFactory as _, Parser as _};

use super::*;
use crate::{
    guard::{GOOGLE_ISSUERS, GOOGLE_JWKS, GuardArgs, Mode},
    service::AuthConfig,
};

#[derive(Debug, clap::Parser)]
#[command(no_binary_name = true, args_override_self = true)]
struct Cli {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    guard: GuardArgs,
}

fn resolve(flags: &[&str]) -> Result<(SocketAddr, AuthConfig), Problems> {
    let cli = Cli::try_parse_from(flags).expect("every value is parsed later");
    let mut problems = Problems::default();
    let server = cli.server.resolve(&mut problems);
    let auth = AuthConfig::resolve(&cli.guard, server, &mut problems);
    problems.into_settings(server.zip(auth))
}

const AUDIENCE: [&str; 2] = ["--audience", "https://poller.example"];
const CALLERS: [&str; 2] = ["--allowed-callers", "x@y.example"];
const PLATFORM: [&str; 2] = ["--auth", "platform"];

fn with_required<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    [&AUDIENCE, &CALLERS, flags].concat()
}

#[test]
fn problems_of_the_server_and_the_guard() {
    let cases: &[&[&str]] = &[
        &["--audience", " ", "--allowed-callers", ","],
        &["--bind", "everywhere", "--port", "http"],
        &["--port", "65536"],
        &["--auth", "none"],
        &["--auth", "off"],
        &["--auth", "platform"],
        &["--public-url", "http://poller.example"],
        &["--public-url", "poller"],
        &["--public-url", "ftp://x"],
        &["--allowed-callers", "x@y.example,poller"],
        &["--allowed-callers", "x @y.example"],
        &["--allowed-callers", "serviceAccount:x@y.example"],
        &["--audience", "poller-abc.a.run.app"],
        &["--audience", "\"https://poller.example\""],
        &["--issuers", "'https://accounts.google.com'"],
        &["--auth", "platform", "--k-service", "p", "--public-url", "https://other.example"],
        &["--jwks-url", "http://keys.example/"],
        &["--jwks-url", "file:///etc"],
        &["--auth", "none", "--audience", "", "--allowed-callers", "poller", "--port=-1"],
    ];
    let mut table = String::new();
    for case in cases {
        let error = resolve(&with_required(case)).unwrap_err();
        writeln!(table, "{}\n  {error}\n", case.join(" ")).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn problems_of_unknown_variables() {
    let complaint = |names: &[&str]| {
        let mut problems = Problems::default();
        problems.extend(unknown(&Cli::command(), names.iter().map(OsString::from)));
        problems.into_result().err().map(|error| error.to_string())
    };
    let known = ["BRIGADE_AUTH", "BRIGADES", "HOME", "BRIGADE_IMPERSONATE"];
    assert_eq!(complaint(&known), None);
    let names = [
        "PATH",
        "BRIGADE_PUBLIC_URL",
        "BRIGADE_ALOWED_CALERS",
        "BRIGADE_AUHT",
        "BRIGADE_FAVOURITE_COLOUR",
    ];
    insta::assert_snapshot!(complaint(&names).unwrap());
}

#[test]
fn defaults_are_google_and_every_signature() {
    let (server, auth) = resolve(&with_required(&["--issuers", " ", "--public-url", ""])).unwrap();
    assert_eq!(server, "0.0.0.0:8080".parse().unwrap());
    assert_eq!(auth.guard.mode, Mode::Verify);
    assert_eq!(auth.guard.issuers, GOOGLE_ISSUERS);
    assert_eq!(auth.guard.jwks_url.as_str(), GOOGLE_JWKS);
    assert_eq!(auth.public_url, None);
}

#[test]
fn off_needs_a_loopback_address() {
    for (ip, fits) in [("127.0.0.1", true), ("::1", true), ("10.0.0.1", false)] {
        let auth = resolve(&["--auth", "off", "--bind", ip]);
        assert_eq!(auth.is_ok(), fits, "{ip}");
    }
}

#[test]
fn hosts_that_are_allowed_may_call_a_service_that_checks_no_token() {
    let flags = ["--auth", "off", "--bind", "127.0.0.1", "--allow-host", "proxy.example"];
    let (_, auth) = resolve(&flags).unwrap();
    for (uri, fits) in [("http://proxy.example/", true), ("http://other.example/", false)] {
        let checked = auth.site.check(&uri.parse().unwrap(), &HeaderMap::new());
        assert_eq!(checked.is_ok(), fits, "{uri}");
    }
}

#[test]
fn platform_is_refused_outside_cloud_run_on_every_address() {
    let (_, auth) =
        resolve(&with_required(&[&PLATFORM[..], &["--k-service", "p"]].concat())).unwrap();
    assert_eq!(auth.guard.mode, Mode::Platform);
    for service in [&[][..], &["--k-service", ""], &["--k-service", " "]] {
        for ip in ["0.0.0.0", "127.0.0.1"] {
            let flags = [&PLATFORM[..], &["--bind", ip], service].concat();
            let error = resolve(&with_required(&flags)).unwrap_err();
            assert!(matches!(error.0.as_slice(), [Problem::Conflict { .. }]), "{error}");
        }
    }
    let (_, auth) = resolve(&with_required(&["--k-service", "p"])).unwrap();
    assert_eq!(auth.guard.mode, Mode::Verify, "Cloud Run alone changes nothing");
}

#[test]
fn a_check_in_another_place_needs_no_cloud_run_and_finds_every_other_problem() {
    let checked = |flags: &[&str]| {
        let cli = Cli::try_parse_from(with_required(&[&PLATFORM[..], flags].concat())).unwrap();
        let mut problems = Problems::default();
        let auth = AuthConfig::resolve(&cli.guard.elsewhere(), None, &mut problems);
        problems.into_settings(auth)
    };
    assert_eq!(checked(&[]).unwrap().guard.mode, Mode::Platform);
    assert!(checked(&["--public-url", "https://other.example"]).is_err());
    assert!(checked(&["--allowed-callers", "x"]).is_err());
}

#[test]
fn the_public_url_of_platform_mode_is_one_of_the_audiences_that_are_urls() {
    for (audiences, fits) in [
        ("https://poller.example", true),
        ("https://POLLER.example:443/events,x", true),
        ("poller", true),
        ("poller,https://other.example", false),
        ("http://poller.example", false),
        ("https://poller.example:8443", false),
    ] {
        let flags =
            ["--k-service=p", "--public-url=https://poller.example", "--audience", audiences];
        let platform = resolve(&with_required(&[&PLATFORM[..], &flags].concat()));
        assert_eq!(platform.is_ok(), fits, "{audiences}");
        assert!(resolve(&with_required(&flags)).is_ok(), "tasks alone need no such audience");
    }
}

#[test]
fn urls_of_keys_and_of_the_service_are_protected() {
    for flag in ["--jwks-url", "--public-url"] {
        for url in ["https://keys.example/certs", "http://127.0.0.1:9000/certs"] {
            let (_, auth) = resolve(&with_required(&[flag, url])).unwrap();
            let used =
                if flag == "--jwks-url" { auth.guard.jwks_url } else { auth.public_url.unwrap() };
            assert_eq!(used.as_str(), url);
        }
    }
}

#[derive(Debug, clap::Args)]
struct Numbers {
    #[arg(long, env = "BRIGADE_BREAKER", default_value = "5", value_parser = setting(count(1_u8..=9)))]
    breaker: Given<u8>,
    #[arg(long, env = "BRIGADE_TIMEOUT", default_value = "1m", value_parser = setting(time(TIME_RANGE)))]
    timeout: Given<Duration>,
}

#[derive(Debug, clap::Parser)]
#[command(no_binary_name = true)]
struct NumbersCli {
    #[command(flatten)]
    numbers: Numbers,
}

#[test]
fn problems_of_numbers_and_times() {
    let mut problems = Problems::default();
    for breaker in ["many", "0", " 10 ", "-1"] {
        let cli = NumbersCli::parse_from([format!("--breaker={breaker}")]);
        assert_eq!(cli.numbers.breaker.get(&mut problems), None);
    }
    for timeout in ["soon", "10", "0", "0s", "999ms", "8days"] {
        let cli = NumbersCli::parse_from([format!("--timeout={timeout}")]);
        assert_eq!(cli.numbers.timeout.get(&mut problems), None);
    }
    problems.conflict("WORKER_URL", "it is this service itself");
    insta::assert_snapshot!(problems.into_result().unwrap_err());
}

#[test]
fn a_blank_value_counts_as_not_given() {
    let mut problems = Problems::default();
    let mut numbers = |flags: &[&str]| {
        let numbers: Numbers = from_flags(flags).unwrap();
        let breaker = numbers.breaker.get(&mut problems);
        (breaker, numbers.timeout.get(&mut problems))
    };
    let minute = Some(Duration::from_mins(1));
    assert_eq!(numbers(&[]), (Some(5), minute));
    let blank = ["--breaker", "", "--timeout", " "];
    assert_eq!(numbers(&blank), (Some(5), minute));
    assert_eq!(numbers(&["--breaker", " 9 "]), (Some(9), minute));
    problems.into_result().unwrap();
}
