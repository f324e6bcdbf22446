//! Page tokens: where a listing goes on, and what it lists.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::selection::invalid;
use crate::error::PollError;

/// The field of a request that has a token.
const FIELD: &str = "page_token";
/// The bytes of a digest of the request.
const DIGEST: usize = 8;
/// A longer one is none of ours: a name has 1,024 bytes.
const MAX_TOKEN: usize = 4 * 1024;

/// The token of a listing of `request` that goes on after the name `last`.
pub(crate) fn encode(request: &impl Serialize, last: &str) -> String {
    let mut bytes = digest(request).to_vec();
    bytes.extend_from_slice(last.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The name after which a listing of `request` goes on; nothing when it begins.
pub(crate) fn decode(request: &impl Serialize, token: &str) -> Result<Option<String>, PollError> {
    if token.is_empty() {
        return Ok(None);
    }
    let decoded = (token.len() <= MAX_TOKEN)
        .then(|| BASE64_URL_SAFE_NO_PAD.decode(token).ok())
        .flatten()
        .filter(|bytes| bytes.len() > DIGEST);
    let Some(mut bytes) = decoded else {
        return invalid(FIELD, "it is no token of this service; pass one of a response, unchanged");
    };
    let last = String::from_utf8(bytes.split_off(DIGEST));
    if bytes != digest(request) {
        return invalid(
            FIELD,
            "it belongs to a call with another filter; repeat that call's filter, or leave the token out",
        );
    }
    last.map(Some).or_else(|_| invalid(FIELD, "it is damaged; pass one of a response, unchanged"))
}

fn digest(request: &impl Serialize) -> [u8; DIGEST] {
    // A request of the contract can always be written as JSON.
    let json = serde_json::to_vec(request).unwrap_or_default();
    let whole = Sha256::digest(json);
    std::array::from_fn(|at| whole[at])
}

#[cfg(test)]
mod tests {
    use brigade_proto::v1::ObjectFilter;
    use proptest::prelude::*;

    use super::*;

    fn filter(prefix: &str) -> ObjectFilter {
        ObjectFilter { prefix: prefix.to_owned(), ..ObjectFilter::default() }
    }

    proptest! {
        #[test]
        fn a_token_gives_its_name_back_to_the_same_filter_alone(last in "\\PC{1,40}", prefix in "[a-c]{0,2}") {
            let token = encode(&filter(&prefix), &last);
            prop_assert_eq!(decode(&filter(&prefix), &token).unwrap(), Some(last));
            let refused = decode(&filter("other"), &token).unwrap_err().to_string();
            prop_assert!(refused.contains("another filter"), "{}", refused);
        }

        #[test]
        fn what_is_no_token_is_refused_and_never_a_panic(text in "\\PC{1,60}") {
            prop_assert!(decode(&filter(""), &text).is_err());
        }
    }

    #[test]
    fn no_token_begins_at_the_beginning() {
        assert_eq!(decode(&filter(""), "").unwrap(), None);
    }
}
