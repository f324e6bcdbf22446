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

/// What a service's short answer begins with, when it is a part of a page.
const PARTS: [&str; 14] = [
    "p", "h1", "h2", "h3", "div", "pre", "span", "b", "strong", "i", "em", "code", "center", "body",
];

impl<'a> Page<'a> {
    /// The page in this body, if it is one.
    pub(super) fn parse(body: &'a str) -> Option<Self> {
        let start = skip_comments(body);
        let is_page = ["<!doctype html", "<html"].into_iter().any(|tag| starts_with(start, tag));
        is_page.then_some(Self(body))
    }

    /// The words of a part of a page, if the body begins as one: a service may return `<h1>failed</h1>` as its whole answer.
    pub(super) fn words_of_part(body: &str) -> Option<String> {
        let rest = body.strip_prefix('<')?;
        let end = rest.find(['>', ' '])?;
        let is_part = PARTS.iter().any(|name| rest[..end].eq_ignore_ascii_case(name));
        is_part.then(|| text(body))
    }

    /// The text in `<title>`; empty without one.
    pub(super) fn title(self) -> &'a str {
        self.element("title")
    }

    /// The title, and the first paragraph, where Flask puts the description of `abort`; or the first line of `<pre>`, where
    /// Express puts an error; or a heading.
    pub(super) fn words(self) -> String {
        let first_line = self.element("pre").split("<br").next().unwrap_or_default();
        let texts = [self.element("p"), first_line, self.element("h1")].map(text);
        let words = texts.into_iter().find(|words| !words.is_empty()).unwrap_or_default();
        let title = text(self.title());
        // Flask and gunicorn repeat the title.
        if title.contains(&words) {
            title
        } else if title.is_empty() {
            words
        } else {
            format!("{title}: {words}")
        }
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

/// What a browser shows of HTML, on one line.
fn text(html: &str) -> String {
    let mut shown = String::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        let (length, plain) =
            tag(rest).or_else(|| escaped(rest)).unwrap_or((1, rest.chars().next()));
        shown.extend(plain);
        rest = &rest[length..];
    }
    shown.push_str(rest);
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The length of the tag that this begins with, and the space that stands for one that ends a line.
fn tag(html: &str) -> Option<(usize, Option<char>)> {
    const INLINE: [&str; 11] =
        ["a", "b", "i", "u", "em", "strong", "code", "span", "tt", "kbd", "small"];
    let name = html.strip_prefix('<')?.trim_start_matches('/');
    let length = html.find('>')? + 1;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric())?;
    let is_tag = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_inline = INLINE.iter().any(|inline| name[..end].eq_ignore_ascii_case(inline));
    is_tag.then_some((length, (!is_inline).then_some(' ')))
}

/// The length of the character reference that this begins with, and what it stands for.
fn escaped(html: &str) -> Option<(usize, Option<char>)> {
    let (name, _) = html.strip_prefix('&')?.split_once(';')?;
    let plain = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        name => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => digits.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((name.len() + 2, Some(plain)))
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
            (
                "<!doctype html><title>422 Unprocessable Entity</title><h1>Unprocessable Entity</h1>",
                "422 Unprocessable Entity",
            ),
            ("<html><h1 class=a>line <i>2</i></h1>", "line 2"),
            ("<html><pre>x</pre><P class=a> line 2 </P>", "line 2"),
            ("<html><title>500</title><p>cut", "500"),
            ("<html><title>No</title><h1><p>No</p></h1>", "No"),
            (
                "<html><title>Error</title><pre>Error: line 2<br> &nbsp; at x</pre>",
                "Error: Error: line 2",
            ),
            ("<html>", ""),
        ] {
            assert_eq!(Page::parse(body).unwrap().words(), words);
        }
    }

    #[test]
    fn tags_and_references_are_read_as_a_browser_reads_them() {
        for (html, shown) in [
            ("bad <b>row</b> 3", "bad row 3"),
            (
                "it<I>em</I>s &#x27;a&#39; &quot;b&quot;&nbsp;&apos;&#x1F600;",
                "items 'a' \"b\" '\u{1f600}",
            ),
            ("one<br>two<br/>three</div><div>four", "one two three four"),
            (
                "<a href=x>a</a> < b <= c & d && e &unknown; &; &#; &#xD800; <3",
                "a < b <= c & d && e &unknown; &; &#; &#xD800; <3",
            ),
            ("&amp;lt;&#10;&lt;b&gt;", "&lt; <b>"),
            ("cut <b", "cut <b"),
            ("é&", "é&"),
        ] {
            assert_eq!(text(html), shown);
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
