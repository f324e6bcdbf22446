//! Web pages where a worker's answer is expected, and who made them.

/// An HTML page: text that only mentions HTML, or has its content type, is none.
#[derive(Clone, Copy)]
pub(super) struct Page<'a>(&'a str);

/// A front end's own pages, by what they have in common. Headers do not tell: a front end puts its name on a service's
/// responses as well.
const FRONT_END: [&str; 3] = [
    // Google's front end, such as `<title>Error 404 (Not Found)!!1</title>`.
    ")!!1</title>",
    // Google's front end, when a container breaks: `<h1>Error: Server Error</h1>`.
    "<h1>Error: ",
    // nginx, such as `<hr><center>nginx</center>`, and what is made of it.
    "<hr><center>",
];

/// What HTML escapes in a text; `&` comes last, or `&amp;lt;` would lose its meaning.
const ESCAPED: [(&str, &str); 6] = [
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&#34;", "\""),
    ("&#39;", "'"),
    ("&amp;", "&"),
];

impl<'a> Page<'a> {
    /// The page in this body, if it is one.
    pub(super) fn parse(body: &'a str) -> Option<Self> {
        let start = skip_comments(body);
        let is_page = ["<!doctype html", "<html"].into_iter().any(|tag| starts_with(start, tag));
        is_page.then_some(Self(body))
    }

    /// The text in `<title>`; empty without one.
    pub(super) fn title(self) -> &'a str {
        self.element("title")
    }

    /// The title, and the first paragraph, where Flask puts the description of `abort`.
    pub(super) fn words(self) -> String {
        let parts = [self.title(), self.element("p")];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        ESCAPED.iter().fold(parts.join(": "), |text, (escaped, plain)| text.replace(escaped, plain))
    }

    /// The content of the first element of this name; empty without one.
    fn element(self, name: &str) -> &'a str {
        let lower = self.0.to_ascii_lowercase();
        let content = || {
            let open = format!("<{name}");
            let is_whole = |at: &usize| lower[at + open.len()..].starts_with(['>', ' ']);
            let tag = lower.match_indices(&open).map(|(at, _)| at).find(is_whole)?;
            let start = tag + lower[tag..].find('>')? + 1;
            let end = start + lower[start..].find(&format!("</{name}>"))?;
            Some(self.0[start..end].trim())
        };
        content().unwrap_or_default()
    }

    /// Whether something before the worker made it.
    pub(super) fn is_foreign(self) -> bool {
        self.is_front_end() || self.is_sign_in()
    }

    /// Whether it is the page of a front end.
    pub(super) fn is_front_end(self) -> bool {
        FRONT_END.into_iter().any(|part| self.0.contains(part))
    }

    fn is_sign_in(self) -> bool {
        let title = self.title().to_ascii_lowercase();
        self.0.contains("accounts.google.com")
            || self.0.contains("type=\"password\"")
            || ["sign in", "log in"].into_iter().any(|words| title.contains(words))
    }
}

/// The body after a byte order mark, spaces and comments.
fn skip_comments(body: &str) -> &str {
    let mut rest = body.trim_start_matches('\u{feff}').trim_start();
    while let Some(comment) = rest.strip_prefix("<!--") {
        let Some((_, after)) = comment.split_once("-->") else { break };
        rest = after.trim_start();
    }
    rest
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|part| part.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_start() {
        for (body, title) in [
            ("<!DOCTYPE html><TITLE lang=en> Fine </TITLE>", Some("Fine")),
            ("\u{feff}\n <!-- a --> <!-- b -->\n<html lang=en>", Some("")),
            ("<html><title>cut", Some("")),
            ("<!-- <html> is not closed", None),
            ("ok", None),
            ("read 3 lines of <html>", None),
            ("<h1>Created</h1>", None),
            ("<!doctyp", None),
            ("é<html>", None),
            ("", None),
        ] {
            assert_eq!(Page::parse(body).map(Page::title), title, "{body:?}");
        }
    }

    #[test]
    fn the_words_of_a_page_are_its_title_and_its_first_paragraph() {
        for (body, words) in [
            (
                "<!doctype html>\n<html lang=en>\n<title>422 Unprocessable Entity</title>\n\
                 <h1>Unprocessable Entity</h1>\n<p>line 2: &#39;a &amp;lt; b&#39;</p>\n<p>more</p>",
                "422 Unprocessable Entity: line 2: 'a &lt; b'",
            ),
            ("<html><pre>x</pre><P class=a> line 2 </P>", "line 2"),
            ("<html><title>500</title><p>cut", "500"),
            ("<html>", ""),
        ] {
            assert_eq!(Page::parse(body).unwrap().words(), words);
        }
    }

    #[test]
    fn front_ends_and_sign_in_pages_are_told_from_a_frameworks() {
        for (body, front_end, foreign) in [
            ("<html><title>Error 400 (Bad Request)!!1</title>", true, true),
            ("<html><h1>Error: Server Error</h1>", true, true),
            ("<html><h1>413</h1><hr><center>nginx</center>", true, true),
            ("<html><form action=https://accounts.google.com/x>", false, true),
            ("<html><input type=\"password\">", false, true),
            ("<html><title>Sign in - Intranet</title>", false, true),
            ("<html><title>Log In</title>", false, true),
            ("<!doctype html><title>422 Unprocessable Entity</title>", false, false),
        ] {
            let page = Page::parse(body).unwrap();
            assert_eq!((page.is_front_end(), page.is_foreign()), (front_end, foreign), "{body}");
        }
    }
}
