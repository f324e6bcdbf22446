use serde_json::Value;

use super::*;

/// A name that would clear a screen, begin a new line, and turn text around.
const EVIL: &str = "a\n\u{1b}[31m\"b\u{9b}2J\u{202e}gpj.exe\u{85}\u{2028}\u{7f}\0";

fn logged(format: Format, log: impl FnOnce()) -> String {
    let buffer = Buffer::default();
    tracing::subscriber::with_default(subscriber(format, "debug", buffer.clone()), log);
    buffer.text()
}

/// The name as a string, as what it displays, inside the message, and on a span.
fn evil() {
    let _span = tracing::info_span!("poll", id = EVIL).entered();
    let _inner = tracing::info_span!("dispatch").entered();
    tracing::warn!(object = EVIL, shown = %EVIL, debug = ?EVIL, count = 3, "settled {EVIL}");
}

#[test]
fn a_json_line_is_one_object_that_holds_what_was_logged() {
    let text = logged(Format::Json, evil);
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["severity"], "WARNING");
    let shown = r#"a\n\u{1b}[31m"b\u{9b}2J\u{202e}gpj.exe\u{85}\u{2028}\u{7f}\u{0}"#;
    assert_eq!(line["message"], format!("settled {shown}"));
    assert_eq!(line["object"], shown);
    assert_eq!(line["shown"], shown);
    assert_eq!(line["count"], 3);
    assert!(line["spans"][0].as_str().unwrap().starts_with("poll{id="), "{line}");
    assert_eq!(line["spans"][1], "dispatch");
    humantime::parse_rfc3339(line["time"].as_str().unwrap()).unwrap();
}

#[test]
fn nothing_in_a_line_acts_on_what_shows_it() {
    let program = || tracing::info!(target: "program", object = EVIL, "{EVIL}");
    let all = [(Format::Human, evil as fn()), (Format::Json, evil), (Format::Rows, program)];
    for (format, log) in all {
        let text = logged(format, log);
        let line = text.strip_suffix('\n').unwrap();
        let acts = |c: &char| c.is_control() || matches!(c, '\u{202e}' | '\u{2028}');
        assert_eq!(line.chars().find(acts), None, "{line:?}");
    }
}

#[test]
fn a_line_for_people_shows_level_spans_message_and_fields() {
    let text = logged(Format::Human, || {
        let _span = tracing::info_span!("poll", id = 7).entered();
        tracing::info!(object = "a b", count = 3, "settled");
    });
    assert!(text.contains("INFO poll{id=7}: settled object=\"a b\" count=3\n"), "{text}");
}

#[test]
fn names_in_other_scripts_stay_readable() {
    let name = "データ/überblick-e\u{301} 👩\u{200d}🔬.csv";
    for format in [Format::Human, Format::Json] {
        let text = logged(format, || tracing::info!(object = %name, "settled"));
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn what_the_filter_leaves_out_is_not_logged() {
    assert_eq!(logged(Format::Json, || tracing::trace!("detail")), "");
}

#[test]
fn a_line_of_a_program_is_a_row_with_the_name_of_its_object() {
    let text = logged(Format::Rows, || {
        let (object, stream) = ("data/in/a b.csv#17", "stderr");
        tracing::info!(target: "program", object, %stream, "12 rows");
        tracing::warn!(object, "settled");
    });
    let (row, other) = text.split_once('\n').unwrap();
    let words: Vec<_> = row.split_whitespace().collect();
    assert_eq!(words, ["stderr", "in/a", "b.csv", "12", "rows"]);
    assert!(other.contains("WARN settled object="), "{other}");
}

#[test]
fn a_value_of_any_length_is_cut_and_its_length_told() {
    let long = "ä".repeat(30_000);
    for format in [Format::Human, Format::Json] {
        let text = logged(format, || {
            let _span = tracing::info_span!("call", caller = %long).entered();
            tracing::info!(key = %long, debug = ?long, "{long}");
        });
        assert!(text.len() < 20_000, "{}", text.len());
        assert_eq!(text.matches("… (60000 bytes)").count(), 3, "{text}");
        assert_eq!(text.matches("… (60002 bytes)").count(), 1, "{text}");
    }
}

#[test]
fn a_line_of_a_library_names_no_file_of_the_machine_that_built_it() {
    // As a second call, it may find the bridge of another test.
    let _ = tracing_subscriber::util::SubscriberInitExt::try_init(Registry::default());
    for format in [Format::Human, Format::Json] {
        let text = logged(format, || log::warn!(target: "library", "connection closed"));
        assert!(text.contains("connection closed"), "{text}");
        assert_eq!(text.contains("\"target\":\"library\""), format == Format::Json, "{text}");
        assert!(!text.contains("log.") && !text.contains(file!()), "{text}");
    }
}

#[test]
fn a_line_of_a_traced_call_names_its_trace_and_span() {
    let mut headers = http::HeaderMap::new();
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    headers.insert("traceparent", traceparent.parse().unwrap());
    let context = brigade_telemetry::extract(&headers).unwrap();
    let text = logged(Format::Json, || {
        let _current = context.attach();
        tracing::info!("polled");
    });
    let line: Value = serde_json::from_str(&text).unwrap();
    let trace = line["logging.googleapis.com/trace"].as_str().unwrap();
    assert!(trace.ends_with("0af7651916cd43dd8448eb211c80319c"), "{text}");
    assert_eq!(line["logging.googleapis.com/spanId"], "b7ad6b7169203331");
    assert_eq!(line["logging.googleapis.com/trace_sampled"], true);
    let text = logged(Format::Json, || tracing::info!("polled"));
    assert!(!text.contains("logging.googleapis.com"), "{text}");
}

#[test]
fn the_request_of_a_refusal_is_cloud_loggings_own_field() {
    let log = || {
        tracing::info!(
            http.requestMethod = "GET",
            http.requestUrl = "/x\n",
            http.status = 401,
            "call refused"
        );
    };
    let line: Value = serde_json::from_str(&logged(Format::Json, log)).unwrap();
    let request =
        serde_json::json!({ "requestMethod": "GET", "requestUrl": "/x\\n", "status": 401 });
    assert_eq!(line["httpRequest"], request);
    assert!(logged(Format::Human, log).contains("call refused http.requestMethod=\"GET\""));
}

#[test]
fn a_request_in_a_line_has_cloud_loggings_names_alone() {
    let text = logged(Format::Json, || {
        tracing::info!(http.status = 403, http.version = "2.0", "a library's own field");
    });
    let line: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["httpRequest"], serde_json::json!({ "status": 403 }));
    assert_eq!(line["http.version"], "2.0");
}

#[test]
fn the_exporters_own_lines_are_shown_when_the_filter_names_them_alone() {
    for (filter, lines) in [
        ("info", 0),
        ("info,[poll]=debug", 0),
        ("warn,opentelemetry=info", 1),
        ("opentelemetry[x]", 0),
    ] {
        let buffer = Buffer::default();
        let subscriber = subscriber(Format::Human, filter, buffer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "opentelemetry_sdk", "an export failed");
        });
        assert_eq!(buffer.text().lines().count(), lines, "{filter}: {}", buffer.text());
    }
}
