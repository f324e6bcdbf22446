//! JSON as a token may contain it: one object, without duplicate names.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor},
};

/// The JSON is malformed; no check needs to know more.
#[derive(Debug)]
pub(super) struct Malformed;

/// Parses an object in which no name appears twice, known or not: of two readers one could use the first and
/// the other the last (RFC 7519, section 4).
///
/// A derived `Deserialize` alone is not strict enough: it ignores a second unknown name, and takes an array for a struct.
pub(super) fn object<T: DeserializeOwned>(json: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice::<Distinct>(json)
        .and_then(|Distinct| serde_json::from_slice(json))
        .map_err(|_| Malformed)
}

struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Names)
    }
}

struct Names;

impl<'de> Visitor<'de> for Names {
    type Value = Distinct;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Distinct, A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if !seen.insert(name) {
                return Err(A::Error::custom("a name appears twice"));
            }
        }
        Ok(Distinct)
    }
}
