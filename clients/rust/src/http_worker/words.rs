//! The readable part of a body.

use serde_json::Value;

use super::page::Page;

/// The fields of a JSON object that hold words, the first one that is there. The errors of `FastAPI` have `msg` in a
/// list at `detail`, and Google's APIs have an object at `error`.
const FIELDS: [&str; 6] = ["error", "message", "detail", "description", "summary", "msg"];
/// The most items of a list that are read.
const MAX_ITEMS: usize = 3;

/// The message of `json`, which is the body if that is JSON; else the words of a page; else the text itself.
pub(super) fn words(json: Option<&Value>, body: &str) -> Option<String> {
    let body = body.trim_start_matches('\u{feff}').trim();
    let page = || Page::parse(body).map(Page::words).filter(|words| !words.is_empty());
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
            FIELDS.into_iter().find_map(|field| message(fields.get(field)?))?
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    (!words.is_empty()).then_some(words)
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
                r#"{"detail": [{"loc": ["body", "a"], "msg": "Field required"}, {"msg": "b"}, {"msg": "c"}, {"msg": "d"}]}"#,
                "Field required; b; c",
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
        ] {
            let json = serde_json::from_str(body).ok();
            assert_eq!(words(json.as_ref(), body).as_deref(), Some(expected));
        }
        assert_eq!(words(None, " \n"), None);
    }
}
