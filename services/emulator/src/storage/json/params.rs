//! Query parameters. Unknown ones are ignored, `prettyPrint` and its kin among them.

use std::{collections::HashMap, str::FromStr};

use http::Request;
use percent_encoding::percent_decode_str;

use brigade_model::{Conditions, Refusal, Result};

/// A request's query parameters, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(HashMap<String, String>);

impl Params {
    pub(crate) fn parse(query: Option<&str>) -> Result<Self> {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        });
        decoded.collect::<Result<_>>().map(Self)
    }

    /// The parameter, when it is there and not empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn text(&self, key: &str) -> String {
        self.get(key).unwrap_or_default().to_owned()
    }

    pub(super) fn number<T: FromStr>(&self, key: &str) -> Result<Option<T>> {
        let parsed = self.get(key).map(str::parse);
        parsed.transpose().map_err(|_| {
            let value = self.text(key);
            Refusal::invalid(format!(
                "Invalid value for {key}: '{}' is not a number.",
                value.escape_debug()
            ))
        })
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key) == Some("true")
    }

    /// `generation`, where 0 selects the live one.
    pub(super) fn generation(&self) -> Result<Option<i64>> {
        Ok(self.number("generation")?.filter(|&generation: &i64| generation != 0))
    }

    /// Conditions on the object itself, or on the destination.
    pub(super) fn conditions(&self) -> Result<Conditions> {
        self.conditions_with_prefix("if")
    }

    /// Conditions on the source.
    pub(super) fn source_conditions(&self) -> Result<Conditions> {
        self.conditions_with_prefix("ifSource")
    }

    fn conditions_with_prefix(&self, prefix: &str) -> Result<Conditions> {
        let number = |rest: &str| self.number(&format!("{prefix}{rest}"));
        Ok(Conditions {
            generation_match: number("GenerationMatch")?,
            generation_not_match: number("GenerationNotMatch")?,
            metageneration_match: number("MetagenerationMatch")?,
            metageneration_not_match: number("MetagenerationNotMatch")?,
        })
    }
}

/// Forms write a space as `+`.
fn decode(text: &str) -> Result<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::invalid("A query parameter is not UTF-8."))
}

/// Whether it is about an object's content.
pub(crate) fn is_media<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.uri().path().starts_with("/download")
        || query.split('&').any(|pair| pair == "alt=media")
}

/// Whether it is a later request of a resumable upload.
pub(crate) fn is_chunk<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| pair.starts_with("upload_id="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_as_forms_are() {
        let params =
            Params::parse(Some("name=a%2Fb+c%2Bd&x&ifGenerationMatch=0&ifSourceGenerationMatch=7"))
                .unwrap();
        assert_eq!(params.get("name"), Some("a/b c+d"));
        assert_eq!(params.get("x"), None);
        assert_eq!(params.conditions().unwrap().generation_match, Some(0));
        assert_eq!(params.source_conditions().unwrap().generation_match, Some(7));
    }

    #[test]
    fn what_is_no_number_or_no_utf8_is_refused() {
        assert!(Params::parse(Some("ifGenerationMatch=x")).unwrap().conditions().is_err());
        assert!(Params::parse(Some("name=%FF")).is_err());
    }
}
