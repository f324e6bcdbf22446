//! Update masks: which of an object's attributes a message changes.

use prost_types::FieldMask;

use super::{convert, wire::Object};
use brigade_model::{Attributes, Edit, Refusal, Result};

/// The change that a mask and a message describe.
///
/// `metadata` replaces all custom metadata, `metadata.KEY` sets one key, or removes it when the message lacks it.
/// `*` stands for every attribute. A mask without paths is an error, as `google/storage/v2/storage.proto` says.
pub(super) fn edit(object: Object, mask: Option<FieldMask>) -> Result<Edit> {
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    if paths.is_empty() {
        return Err(Refusal::invalid("An update needs an update_mask with at least one path."));
    }
    let wanted = convert::attributes(object)?;
    // Tried on nothing, so that a wrong path is known before anything is changed.
    for path in &paths {
        apply(path, &wanted, &mut Attributes::default())?;
    }
    Ok(Edit::new(move |attributes| {
        for path in &paths {
            // Every path was tried above.
            let _ = apply(path, &wanted, attributes);
        }
    }))
}

fn apply(path: &str, wanted: &Attributes, to: &mut Attributes) -> Result<()> {
    match path {
        "*" => {
            let class = std::mem::take(&mut to.storage_class);
            *to = wanted.clone();
            to.storage_class = class;
        }
        "content_type" => to.content_type.clone_from(&wanted.content_type),
        "content_encoding" => to.content_encoding.clone_from(&wanted.content_encoding),
        "content_disposition" => to.content_disposition.clone_from(&wanted.content_disposition),
        "content_language" => to.content_language.clone_from(&wanted.content_language),
        "cache_control" => to.cache_control.clone_from(&wanted.cache_control),
        "custom_time" => to.custom_time.clone_from(&wanted.custom_time),
        "metadata" => to.metadata.clone_from(&wanted.metadata),
        "temporary_hold" => to.temporary_hold = wanted.temporary_hold,
        "event_based_hold" => to.event_based_hold = wanted.event_based_hold,
        _ => match path.strip_prefix("metadata.") {
            Some(key) if !key.is_empty() => apply_key(unquoted(key), wanted, to),
            _ => {
                return Err(Refusal::invalid(format!(
                    "'{}' is not an attribute that can be updated.",
                    path.escape_debug()
                )));
            }
        },
    }
    Ok(())
}

fn apply_key(key: &str, wanted: &Attributes, to: &mut Attributes) {
    match wanted.metadata.get(key) {
        Some(value) => to.metadata.insert(key.to_owned(), value.clone()),
        None => to.metadata.remove(key),
    };
}

/// A key with characters that a path cannot have is quoted with backticks.
fn unquoted(key: &str) -> &str {
    let inner = key.strip_prefix('`').and_then(|key| key.strip_suffix('`'));
    inner.filter(|inner| !inner.is_empty()).unwrap_or(key)
}
