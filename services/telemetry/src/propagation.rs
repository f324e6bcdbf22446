//! Trace context from one process to the next: W3C Trace Context (<https://www.w3.org/TR/trace-context/>), and
//! `X-Cloud-Trace-Context` (<https://cloud.google.com/trace/docs/trace-context>) where that is absent.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt as _, TraceState},
};

use crate::current;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const CLOUD: HeaderName = HeaderName::from_static("x-cloud-trace-context");

/// Longer values are no trace context: `traceparent` has 55 bytes, the other at most 32 + 1 + 20 + 4.
const MAX_PARENT: usize = 128;
/// What the standard asks a recipient to carry on at least.
const MAX_STATE: usize = 512;

/// The context that a request's headers name. A value that is malformed counts as absent.
pub fn extract(headers: &HeaderMap) -> Option<Context> {
    let value = |name: &HeaderName, most: usize| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().filter(|value| value.len() <= most)?.to_str().ok()?;
        values.next().is_none().then_some(value)
    };
    let w3c = || {
        let state = value(&TRACESTATE, MAX_STATE).and_then(|state| state.parse().ok());
        from_traceparent(value(&TRACEPARENT, MAX_PARENT)?, state.unwrap_or(TraceState::NONE))
    };
    let span = w3c().or_else(|| from_cloud(value(&CLOUD, MAX_PARENT)?))?;
    Some(Context::current().with_remote_span_context(span))
}

/// The context that a `traceparent` names which came by another way than a header. One that is malformed counts as absent.
pub fn remote(traceparent: &str) -> Option<Context> {
    let text = Some(traceparent).filter(|text| text.len() <= MAX_PARENT)?;
    let span = from_traceparent(text, TraceState::NONE)?;
    Some(Context::current().with_remote_span_context(span))
}

/// Writes the current trace context into the headers of an outgoing request, when there is one.
pub fn inject(headers: &mut HeaderMap) {
    let Some(span) = current() else { return };
    let put = |headers: &mut HeaderMap, name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    put(headers, TRACEPARENT, header(&span));
    let state = span.trace_state().header();
    if !state.is_empty() {
        put(headers, TRACESTATE, state);
    }
}

/// The current trace context as `traceparent` has it: for a program's environment.
pub fn traceparent() -> Option<String> {
    current().as_ref().map(header)
}

fn header(span: &SpanContext) -> String {
    let flags = span.trace_flags() & TraceFlags::SAMPLED;
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), flags.to_u8())
}

/// `VERSION-TRACE-SPAN-FLAGS`, in lower case. A later version may have more behind that.
fn from_traceparent(text: &str, state: TraceState) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let version = hex::<2>(parts.next()?)?;
    let trace = hex::<32>(parts.next()?)?;
    let span = hex::<16>(parts.next()?)?;
    let flags = u8::from_str_radix(hex::<2>(parts.next()?)?, 16).ok()?;
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    new(TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?, flags, state)
}

/// `TRACE/SPAN;o=OPTIONS`: the span is a decimal number, and the options may be absent.
fn from_cloud(text: &str) -> Option<SpanContext> {
    let (trace, rest) = text.split_once('/')?;
    let (span, options) = rest.split_once(';').unwrap_or((rest, "o=0"));
    let trace = hex::<32>(trace)?;
    let digits = (1..=20).contains(&span.len()) && span.bytes().all(|b| b.is_ascii_digit());
    let span: u64 = digits.then(|| span.parse().ok())??;
    let options: u8 = options.strip_prefix("o=")?.parse().ok()?;
    new(TraceId::from_hex(trace).ok()?, SpanId::from(span), options, TraceState::NONE)
}

fn new(trace: TraceId, span: SpanId, flags: u8, state: TraceState) -> Option<SpanContext> {
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    Some(SpanContext::new(trace, span, flags, true, state)).filter(SpanContext::is_valid)
}

/// The text, when it is this many lower-case hexadecimal digits.
fn hex<const N: usize>(text: &str) -> Option<&str> {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (text.len() == N && text.bytes().all(digit)).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn extracted(headers: &[(&'static str, &str)]) -> Option<SpanContext> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        extract(&map).map(|context| context.span().span_context().clone())
    }

    #[test]
    fn a_traceparent_comes_out_as_it_went_in() {
        let headers =
            [("traceparent", GOOD), ("tracestate", "a=1,b=2"), ("x-cloud-trace-context", "x")];
        let span = extracted(&headers).unwrap();
        assert!(span.is_remote() && span.is_sampled());
        let context = Context::new().with_remote_span_context(span);
        let _current = context.attach();
        let mut out = HeaderMap::new();
        inject(&mut out);
        assert_eq!(
            (&out["traceparent"], &out["tracestate"]),
            (&GOOD.parse().unwrap(), &"a=1,b=2".parse().unwrap())
        );
        assert_eq!(traceparent().unwrap(), GOOD);
    }

    #[test]
    fn without_a_context_nothing_is_sent() {
        let mut out = HeaderMap::new();
        inject(&mut out);
        assert!(out.is_empty() && traceparent().is_none());
    }

    #[test]
    fn the_header_of_google_cloud_is_read_where_the_standards_is_absent() {
        let cloud = "0af7651916cd43dd8448eb211c80319c/13235353014750950193;o=1";
        let span = extracted(&[("x-cloud-trace-context", cloud)]).unwrap();
        assert_eq!(header(&span), GOOD);
        let unsampled = extracted(&[("x-cloud-trace-context", &cloud[..53])]).unwrap();
        assert!(!unsampled.is_sampled());
    }

    #[test]
    fn what_is_no_trace_context_counts_as_absent() {
        let long = format!("{GOOD}{}", "-0".repeat(1_000_000));
        let traceparents = [
            "",
            "00",
            "00-0-0-0",
            &GOOD.to_uppercase(),
            &format!("{GOOD}-00"),
            &GOOD.replacen("00", "ff", 1),
            &long,
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        ];
        for value in traceparents {
            assert_eq!(extracted(&[("traceparent", value)]), None, "{value}");
        }
        assert_eq!(extracted(&[("traceparent", GOOD), ("traceparent", GOOD)]), None);
        for value in [
            "",
            "/",
            "0af7651916cd43dd8448eb211c80319c",
            "0af7651916cd43dd8448eb211c80319c/0;o=1",
            "0af7651916cd43dd8448eb211c80319c/+5;o=1",
            "0af7651916cd43dd8448eb211c80319c/99999999999999999999;o=1",
        ] {
            assert_eq!(extracted(&[("x-cloud-trace-context", value)]), None, "{value}");
        }
    }

    #[test]
    fn a_later_version_may_have_more() {
        let later = format!("{}-more", GOOD.replacen("00", "01", 1));
        assert!(extracted(&[("traceparent", &later)]).is_some());
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(parent in "[ -~]{0,80}", cloud in "[ -~]{0,80}", state in "[ -~]{0,80}") {
            extracted(&[("traceparent", &parent), ("x-cloud-trace-context", &cloud), ("tracestate", &state)]);
        }

        #[test]
        fn every_valid_context_survives(trace in 1_u128.., span in 1_u64.., sampled: bool) {
            let text = format!("00-{trace:032x}-{span:016x}-0{}", u8::from(sampled));
            let read = extracted(&[("traceparent", &text)]).unwrap();
            prop_assert_eq!(header(&read), text);
        }
    }
}
