//! What the address of the page says: the tab, the filter, and where the list continues.

use std::fmt;

use brigade_proto::v1::{ObjectFilter, Place};
use jiff::Timestamp;
use url::form_urlencoded;

use crate::{parse, text};

/// The tabs, by their names in the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tab {
    #[default]
    Failed,
    Flight,
    Waiting,
    Processed,
    Polls,
}

/// The address, checked. It is written as it was given, but for times: those are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) tab: Tab,
    /// Whether failed objects are shown one by one.
    pub(crate) is_open: bool,
    pub(crate) filter: Filter,
    /// Continues a list.
    pub(crate) page: String,
}

/// Which objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) kind: String,
    pub(crate) code: Option<i32>,
    pub(crate) reason: String,
    pub(crate) glob: String,
    pub(crate) prefix: String,
}

// === impl Tab ===

impl Tab {
    pub(crate) const ALL: [Self; 5] =
        [Self::Failed, Self::Flight, Self::Waiting, Self::Processed, Self::Polls];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Flight => "flight",
            Self::Waiting => "waiting",
            Self::Processed => "processed",
            Self::Polls => "polls",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::Flight => "In flight",
            Self::Waiting => "Waiting",
            Self::Processed => "Processed",
            Self::Polls => "Polls",
        }
    }

    /// The place that it lists.
    pub(crate) fn place(self) -> Option<Place> {
        match self {
            Self::Failed => Some(Place::Failed),
            Self::Waiting => Some(Place::Inbox),
            Self::Processed => Some(Place::Processed),
            Self::Flight | Self::Polls => None,
        }
    }
}

// === impl View ===

impl View {
    /// Reads an address. A parameter that the page does not know is an error: the list would show more than its reader believes.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut view = Self::default();
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if seen.contains(&name) {
                return Err(format!(
                    "the parameter {name} is there twice; fix: remove one of them"
                ));
            }
            // A form sends the fields that are left empty too.
            let is_set = !value.is_empty();
            match &*name {
                "tab" if is_set => view.tab = tab(&value)?,
                "view" if value == "files" => view.is_open = true,
                "view" if is_set && value != "groups" => {
                    return Err(format!("view is {value:?}; expected groups or files"));
                }
                "since" if is_set => view.filter.since = Some(named(&name, &value, parse::time)?),
                "until" if is_set => view.filter.until = Some(named(&name, &value, parse::time)?),
                "code" if is_set => view.filter.code = Some(named(&name, &value, parse::code)?),
                "kind" => view.filter.kind = value.into_owned(),
                "reason" => view.filter.reason = value.into_owned(),
                "match" => view.filter.glob = value.into_owned(),
                "prefix" => view.filter.prefix = value.into_owned(),
                "page" => view.page = value.into_owned(),
                "tab" | "view" | "since" | "until" | "code" => {}
                _ => {
                    return Err(format!(
                        "the page knows no parameter {name:?}; fix: remove it from the address"
                    ));
                }
            }
            seen.push(name);
        }
        Ok(view)
    }

    /// Another tab without a filter.
    pub(crate) fn of_tab(tab: Tab) -> Self {
        Self { tab, ..Self::default() }
    }

    /// The filter, for the tab's place.
    pub(crate) fn objects(&self) -> Option<ObjectFilter> {
        self.tab.place().map(|place| self.filter.of_place(place))
    }
}

/// The query of the address.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Filter { since, until, kind, code, reason, glob, prefix } = &self.filter;
        let time = |time: &Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
        let code = code.map(|code| code.to_string()).unwrap_or_default();
        let view = if self.is_open { "files" } else { "" };
        let (since, until) = (time(since), time(until));
        let pairs = [
            ("tab", self.tab.name()),
            ("view", view),
            ("since", &since),
            ("until", &until),
            ("kind", kind),
            ("code", &code),
            ("reason", reason),
            ("match", glob),
            ("prefix", prefix),
            ("page", &self.page),
        ];
        let set = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        f.write_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(set).finish())
    }
}

// === impl Filter ===

impl Filter {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn of_place(&self, place: Place) -> ObjectFilter {
        ObjectFilter {
            place: place.into(),
            prefix: self.prefix.clone(),
            r#match: self.glob.clone(),
            since: self.since.map(text::to_proto),
            until: self.until.map(text::to_proto),
            kind: self.kind.clone(),
            status_code: self.code,
            reason_group: self.reason.clone(),
        }
    }
}

fn tab(given: &str) -> Result<Tab, String> {
    let known = Tab::ALL.into_iter().find(|tab| tab.name() == given);
    known.ok_or_else(|| format!("the page has no tab {given:?}"))
}

/// A parameter's value; the error names the parameter.
fn named<T>(
    name: &str,
    given: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, String> {
    parse(given).map_err(|expected| format!("{name} is {given:?}; {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        let given = "tab=failed&view=files&since=2026-11-24T03%3A00%3A00Z&kind=no-day&code=3&reason=line+%23&match=**%2F*.csv&prefix=a%26b&page=t";
        let view = View::parse(given).unwrap();
        assert_eq!(view.to_string(), given);
        assert_eq!(view.filter.prefix, "a&b");
        assert_eq!(View::parse("tab=&since=&kind=&code=&view=").unwrap(), View::default());
        assert_eq!(View::parse("code=invalid_argument").unwrap().filter.code, Some(3));
    }

    #[test]
    fn what_the_page_does_not_know_is_an_error() {
        for wrong in [
            "knd=x",
            "kind=a&kind=b",
            "tab=gone",
            "view=all",
            "since=yesterday",
            "until=1",
            "code=OK",
            "code=17",
        ] {
            assert!(View::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_relative_time_is_absolute_in_the_links() {
        let view = View::parse("since=18h").unwrap();
        let again = View::parse(&view.to_string()).unwrap();
        assert_eq!(again, view, "the next page has the same filter");
    }
}
