//! The names of outputs: a template, filled in for one object and one file.

use std::str::FromStr;

use brigade_storage::{Location, naming};

/// Bytes of an object's name: <https://cloud.google.com/storage/docs/objects#naming>.
const MAX_NAME: usize = 1_024;

/// How outputs are named below the output location: text with the placeholders `{path}` (the object's name below its inbox),
/// `{stem}` (the same without its extension) and `{file}` (what the processor named).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputName(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Path,
    Stem,
    File,
}

/// Why a template of names is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOutputName {
    /// An opening brace without a known name and its closing brace, or a closing one alone.
    #[error("{0} is no placeholder; there are {{path}}, {{stem}} and {{file}}")]
    Placeholder(String),
    /// Every output would have the same name.
    #[error("it has none of {{path}}, {{stem}} and {{file}}, so all outputs would have one name")]
    Constant,
    /// A folder or a name that is empty, `.` or `..`, or has a line break.
    #[error("no part between slashes may be empty, \".\" or \"..\", or have a line break")]
    Part,
}

/// Why an output cannot have the name that its processor gave it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidName {
    #[error("the processor wrote an output without a name")]
    Empty,
    #[error(
        "the processor named an output {0:?}; no part of the name between slashes may be empty, \".\" or \"..\""
    )]
    Part(String),
    #[error("the processor named an output {0:?}; an object's name has no line break")]
    LineBreak(String),
    #[error(
        "the name of the output {file:?} would have {size} bytes, and an object's name has at most {MAX_NAME}; fix: give it a shorter name, or shorten it by {setting} (--output-name), for example to {{file}}",
        setting = brigade_runtime::settings::names::OUTPUT_NAME
    )]
    Long { file: String, size: usize },
}

// === impl OutputName ===

impl OutputName {
    /// The whole name of an output.
    pub(crate) fn render(
        &self,
        location: &Location,
        path: &str,
        file: &str,
    ) -> Result<String, InvalidName> {
        if file.is_empty() {
            return Err(InvalidName::Empty);
        }
        if file.contains(['\r', '\n']) {
            return Err(InvalidName::LineBreak(file.to_owned()));
        }
        if has_bad_part(file) {
            return Err(InvalidName::Part(file.to_owned()));
        }
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text,
            Part::Path => path,
            Part::Stem => naming::split(path).0,
            Part::File => file,
        });
        let below: String = parts.collect();
        fitting(format!("{}{below}", location.prefix), file)
    }

    /// The folder that holds all outputs of one object, if the template gives each object one.
    pub(crate) fn folder(&self, location: &Location, path: &str) -> Option<String> {
        match self.0.as_slice() {
            [Part::Path, Part::Text(text), ..] if text.starts_with('/') => {
                Some(format!("{}{path}/", location.prefix))
            }
            _ => None,
        }
    }
}

impl FromStr for OutputName {
    type Err = InvalidOutputName;

    fn from_str(given: &str) -> Result<Self, InvalidOutputName> {
        if has_bad_part(given) || given.contains(['\r', '\n']) {
            return Err(InvalidOutputName::Part);
        }
        let mut parts = Vec::new();
        let mut rest = given;
        while let Some(at) = rest.find(['{', '}']) {
            let (text, placeholder) = rest.split_at(at);
            let end = placeholder.find('}').map_or(placeholder.len(), |end| end + 1);
            let part = match &placeholder[..end] {
                "{path}" => Part::Path,
                "{stem}" => Part::Stem,
                "{file}" => Part::File,
                other => return Err(InvalidOutputName::Placeholder(other.to_owned())),
            };
            parts.extend((!text.is_empty()).then(|| Part::Text(text.to_owned())));
            parts.push(part);
            rest = &placeholder[end..];
        }
        if parts.is_empty() {
            return Err(InvalidOutputName::Constant);
        }
        parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_owned())));
        Ok(Self(parts))
    }
}

/// Storage would answer 400 to a longer name, which otherwise means that a setting is wrong.
pub(super) fn fitting(name: String, file: &str) -> Result<String, InvalidName> {
    if name.len() > MAX_NAME {
        return Err(InvalidName::Long { file: file.to_owned(), size: name.len() });
    }
    Ok(name)
}

fn has_bad_part(name: &str) -> bool {
    name.split('/').any(|part| ["", ".", ".."].contains(&part))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn template(given: &str) -> OutputName {
        given.parse().unwrap()
    }

    fn render(given: &str, path: &str, file: &str) -> String {
        template(given).render(&Location::new("data", "out"), path, file).unwrap()
    }

    #[test]
    fn placeholders_are_filled_in() {
        for (given, expected) in [
            ("{path}/{file}", "out/mon/x.tar.gz/a/b.json"),
            ("{stem}.json", "out/mon/x.json"),
            ("{file}", "out/a/b.json"),
            ("v1/{stem}-{file}", "out/v1/mon/x-a/b.json"),
        ] {
            assert_eq!(render(given, "mon/x.tar.gz", "a/b.json"), expected);
        }
    }

    #[test]
    fn a_template_that_is_none_says_why() {
        let mut table = String::new();
        for given in [
            "",
            "results.json",
            "{name}",
            "{path",
            "path}",
            "{}",
            "/{file}",
            "{path}//{file}",
            "../{file}",
        ] {
            let error = given.parse::<OutputName>().unwrap_err();
            writeln!(table, "{given}: {error}").unwrap();
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn only_a_template_that_begins_with_the_path_gives_each_object_a_folder() {
        let location = Location::new("data", "");
        for (given, expected) in [
            ("{path}/{file}", Some("mon/x/")),
            ("{path}/v1/{stem}", Some("mon/x/")),
            ("{path}", None),
            ("{path}.{file}", None),
            ("{file}", None),
            ("v1/{path}/{file}", None),
        ] {
            let folder = template(given).folder(&location, "mon/x");
            assert_eq!(folder.as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn a_name_that_no_output_can_have_says_why() {
        let long = "x".repeat(1_024);
        let mut table = String::new();
        for file in ["", "/etc/passwd", "a//b", "a/", "../a", "a/./b", "a\nb", &long] {
            let error = template("{file}").render(&Location::new("data", "out"), "x", file);
            writeln!(table, "{}", error.unwrap_err()).unwrap();
        }
        insta::assert_snapshot!(table.replace(&long, "[1,024 times x]"));
    }

    proptest! {
        #[test]
        fn two_objects_never_share_a_name_below_their_paths(
            one in "[^\r\n]{1,40}", two in "[^\r\n]{1,40}", file in "[^\r\n/]{1,40}"
        ) {
            prop_assume!(one != two && ![".", ".."].contains(&file.as_str()));
            prop_assert_ne!(render("{path}/{file}", &one, &file), render("{path}/{file}", &two, &file));
        }
    }
}
