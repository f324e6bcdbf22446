//! Read masks: which fields of an object an answer has.

use prost_types::FieldMask;

use super::wire::Object;
use brigade_model::{Refusal, Result};

/// A read mask, resolved: none and `*` mean all fields.
#[derive(Clone, Debug)]
pub(super) struct ReadMask(Option<Vec<String>>);

/// Keeps the fields that are named, and refuses a name that is none.
macro_rules! keep {
    ($from:ident, $to:ident, $path:expr, [$($field:ident),*]) => {
        match $path {
            $(stringify!($field) => $to.$field = $from.$field.clone(),)*
            other => return Err(Refusal::invalid(format!("Object has no field '{}'.", other.escape_debug()))),
        }
    };
}

impl ReadMask {
    pub(super) fn new(mask: Option<FieldMask>) -> Result<Self> {
        let paths = mask
            .map(|mask| mask.paths)
            .filter(|paths| !paths.is_empty() && !paths.iter().any(|p| p == "*"));
        let mask = Self(paths);
        mask.apply(Object::default())?;
        Ok(mask)
    }

    /// The object with the named fields alone.
    pub(super) fn apply(&self, object: Object) -> Result<Object> {
        let Some(paths) = &self.0 else {
            return Ok(object);
        };
        let mut kept = Object::default();
        for path in paths {
            let field = path.split('.').next().unwrap_or(path);
            keep!(
                object,
                kept,
                field,
                [
                    name,
                    bucket,
                    etag,
                    generation,
                    metageneration,
                    storage_class,
                    size,
                    content_encoding,
                    content_disposition,
                    cache_control,
                    content_language,
                    finalize_time,
                    content_type,
                    create_time,
                    checksums,
                    update_time,
                    update_storage_class_time,
                    temporary_hold,
                    retention_expire_time,
                    metadata,
                    event_based_hold,
                    custom_time
                ]
            );
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(paths: &[&str]) -> Result<Object> {
        let paths = paths.iter().map(|&path| path.to_owned()).collect();
        let object = Object { name: "n".into(), size: 3, generation: 7, ..Object::default() };
        ReadMask::new(Some(FieldMask { paths }))?.apply(object)
    }

    #[test]
    fn only_named_fields_are_kept() {
        assert_eq!(
            masked(&["name", "size"]).unwrap(),
            Object { name: "n".into(), size: 3, ..Object::default() }
        );
    }

    #[test]
    fn no_path_and_a_star_keep_all() {
        assert_eq!(masked(&[]).unwrap(), masked(&["*"]).unwrap());
        assert_eq!(masked(&["*"]).unwrap().generation, 7);
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(masked(&["nmae"]).is_err());
    }
}
