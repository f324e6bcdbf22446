//! `brigade token`: the ID token that this machine's identity gets, for `curl` and for finding out why a call is refused.

use std::io::{self, Write as _};

use brigade_client::identity::{IdToken, TokenSource as _};
use brigade_runtime::{
    exit::{Exit, Failure},
    settings::Problems,
    telemetry::{self, Format},
};
use clap::builder::NonEmptyStringValueParser;
use jiff::{SpanRound, Timestamp, Unit};

use crate::{outcome::failure, setup};

/// The arguments.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The token's audience: the URL of the service to call, as in the `BRIGADE_AUDIENCE` of that service
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    audience: String,
    /// Print where the token comes from and which account it names, instead of the token itself
    #[arg(long)]
    decode: bool,
}

/// Prints one token on stdout, or its claims.
pub async fn run(args: &Args, problems: Problems) -> Result<Exit, Failure> {
    telemetry::init(Format::for_stderr(), "warn");
    problems.into_result()?;
    let source = setup::identity()?;
    let token = source.fetch(&args.audience).await.map_err(failure)?;
    let text = if args.decode {
        decoded(&token, &source.describe(), Timestamp::now())
    } else {
        format!("{}\n", token.secret())
    };
    // A closed pipe does not change the exit code.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(Exit::Done)
}

fn decoded(token: &IdToken, source: &str, now: Timestamp) -> String {
    let Some(claims) = token.claims() else {
        return String::new();
    };
    let or_none =
        |claim: Option<String>| claim.unwrap_or_else(|| "– (the token has none)".to_owned());
    let rows = [
        ("source", source.to_owned()),
        ("email", or_none(claims.email)),
        ("audience", claims.aud),
        ("issuer", or_none(claims.iss)),
        ("subject", or_none(claims.sub)),
        ("expires", expiry(claims.exp, now)),
    ];
    let rows = rows.map(|(name, value)| format!("{name:<10}{}\n", value.escape_debug()));
    rows.concat()
}

/// `2026-11-24T12:00:00Z (in 59m)`.
fn expiry(seconds: u64, now: Timestamp) -> String {
    let end = i64::try_from(seconds).map(Timestamp::from_second);
    let Ok(Ok(end)) = end else {
        return format!("{seconds} seconds after 1970");
    };
    let left = SpanRound::new().largest(Unit::Hour).smallest(Unit::Minute);
    match (end - now).round(left) {
        Ok(left) => format!("{end} (in {left:#})"),
        Err(_) => end.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_date_and_the_time_that_is_left() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let seconds = u64::try_from(now.as_second()).unwrap() + 3599;
        assert_eq!(expiry(seconds, now), "2026-11-24T12:59:59Z (in 1h)");
        assert_eq!(expiry(seconds - 600, now), "2026-11-24T12:49:59Z (in 50m)");
        assert_eq!(expiry(u64::MAX, now), format!("{} seconds after 1970", u64::MAX));
    }
}
