//! The readable part of a body.

use serde_json::Value;

use super::page::Page;

/// The fields of a JSON object that hold words, the first one that is there: `detail` of a problem (RFC 9457) says more than
/// its `title`, and `message` more than an `error` beside it. Google's APIs have an object at `error`.
const FIELDS: [&str; 7] = ["detail", "message", "error", "title", "description", "summary", "msg"];
/// The most items of a list that are read.
const MAX_ITEMS: usize = 3;

/// The message of `json`, which is the body if that is JSON; else the words of a page; else the text itself.
pub(super) fn words(json: Option<&Value>, body: &str) -> Option<String> {
    let body = body.trim_start_matches('\u{feff}').trim();
    let page = || {
        let words = Page::parse(body).map(Page::words).or_else(|| Page::words_of_part(body));
        words.filter(|words| !words.is_empty())
    };
    let words = json.and_then(message).or_else(page).unwrap_or_else(|| body.to_owned());
    (!words.is_empty()).then_some(words)
}

fn message(json: &Value) -> Option<String> {
    let words = match json {
        Value::String(text) => text.trim().to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter_map(message).take(MAX_ITEMS).collect();
            items.join("; ")
        }
        Value::Object(fields) => {
            let words = FIELDS.into_iter().find_map(|field| message(fields.get(field)?))?;
            match fields.get("loc").and_then(place) {
                Some(place) => format!("{place}: {words}"),
                None => words,
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    (!words.is_empty()).then_some(words)
}

/// Where the error is, as `FastAPI` says it: `["body", "rows", 2]`.
fn place(loc: &Value) -> Option<String> {
    let steps = loc.as_array()?.iter().filter_map(|step| match step {
        Value::String(name) => Some(name.clone()),
        Value::Number(index) => Some(index.to_string()),
        _ => None,
    });
    let place = steps.collect::<Vec<_>>().join(".");
    (!place.is_empty()).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_body_are_found_whatever_its_form() {
        for (body, expected) in [
            (r#"{"error": "line 2", "reason": "X"}"#, "line 2"),
            (r#"{"error": {"code": 400, "message": "no such field"}}"#, "no such field"),
            (r#"{"error": true, "message": "no"}"#, "no"),
            (
                r#"{"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "line 2"}"#,
                "line 2",
            ),
            (r#"{"type": "https://example.com/no-day", "title": "No day"}"#, "No day"),
            (r#"{"statusCode": 400, "message": ["line 2"], "error": "Bad Request"}"#, "line 2"),
            (
                r#"{"detail": [{"loc": ["body", "a", 2], "msg": "Field required"}, {"loc": [], "msg": "b"}, {"msg": "c"}, {"msg": "d"}]}"#,
                "body.a.2: Field required; b; c",
            ),
            (r#""a text""#, "a text"),
            (r#"{"rows": 3}"#, r#"{"rows": 3}"#),
            (r#"{"error": ""}"#, r#"{"error": ""}"#),
            ("3", "3"),
            ("\u{feff} line 2\n", "line 2"),
            (
                "<!doctype html>\n<title>422 Unprocessable Entity</title>",
                "422 Unprocessable Entity",
            ),
            ("<html>no title</html>", "<html>no title</html>"),
            ("<p>failed</p>", "failed"),
            ("<p>bad <b>row</b> 3</p>", "bad row 3"),
            ("<h1>failed</h1>", "failed"),
            ("<H1 class=a>failed</H1>\n<p>it&#x27;s&nbsp;empty", "failed it's empty"),
            ("<b>failed</b>", "failed"),
            ("<p></p>", "<p></p>"),
            ("<row>3</row>", "<row>3</row>"),
            ("<3 rows", "<3 rows"),
        ] {
            let json = serde_json::from_str(body).ok();
            assert_eq!(words(json.as_ref(), body).as_deref(), Some(expected));
        }
        assert_eq!(words(None, " \n"), None);
    }
}
