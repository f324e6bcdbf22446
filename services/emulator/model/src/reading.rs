//! Looking at objects and reading them.

use std::ops::Range;

use crate::{
    access::Permission,
    bucket::Bucket,
    condition::Conditions,
    content::Content,
    model::Model,
    name,
    object::Object,
    refusal::{Kind, Refusal, Result},
};

/// Which bytes, as an HTTP `Range` header names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first to the second, both included; to the end without a second.
    From(u64, Option<u64>),
    /// The last so many.
    Last(u64),
}

impl Model {
    /// The live object, or `generation` of it.
    pub fn get(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: &Conditions,
    ) -> Result<Object> {
        let object = self.find_version(Permission::Get, bucket, name, generation)?;
        conditions.check_read(&object)?;
        Ok(object)
    }

    /// The live object that a call with this permission is about; it must be `generation` if one is given.
    pub(crate) fn find(
        &mut self,
        permission: Permission,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
    ) -> Result<Object> {
        self.found_by(permission, bucket, name, |bucket| bucket.find(name, generation))
    }

    /// The same, or a noncurrent generation.
    pub(crate) fn find_version(
        &mut self,
        permission: Permission,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
    ) -> Result<Object> {
        self.found_by(permission, bucket, name, |bucket| bucket.find_version(name, generation))
    }

    fn found_by(
        &mut self,
        permission: Permission,
        bucket: &str,
        name: &str,
        find: impl FnOnce(&mut Bucket) -> Result<Object>,
    ) -> Result<Object> {
        self.access.check(permission, name)?;
        name::check_object(name)?;
        find(self.bucket(bucket)?).map_err(|refusal| match refusal.kind {
            Kind::NoObject => self.access.not_found(refusal, permission, name),
            _ => refusal,
        })
    }

    /// A part of an object's content: the object, which part it is, and the part.
    pub fn read(
        &mut self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        conditions: &Conditions,
        range: Option<ByteRange>,
    ) -> Result<(Object, Range<u64>, Content)> {
        let object = self.get(bucket, name, generation, conditions)?;
        let range = range.map_or(Ok(0..object.size), |range| range.resolve(object.size))?;
        let part = self.bucket(bucket)?.read(&object, range.clone())?;
        Ok((object, range, part))
    }
}

impl ByteRange {
    /// The bytes of a content of this size.
    fn resolve(self, size: u64) -> Result<Range<u64>> {
        let range = match self {
            Self::From(first, last) => {
                first..last.map_or(size, |last| size.min(last.saturating_add(1)))
            }
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        if range.is_empty() {
            return Err(Refusal::new(Kind::Range, "The requested range cannot be satisfied."));
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_with_the_content() {
        assert_eq!(ByteRange::From(2, Some(3)).resolve(10).unwrap(), 2..4);
        assert_eq!(ByteRange::From(2, Some(99)).resolve(10).unwrap(), 2..10);
        assert_eq!(ByteRange::From(0, None).resolve(10).unwrap(), 0..10);
        assert_eq!(ByteRange::Last(3).resolve(10).unwrap(), 7..10);
        assert_eq!(ByteRange::Last(99).resolve(10).unwrap(), 0..10);
        assert_eq!(ByteRange::From(0, Some(u64::MAX)).resolve(10).unwrap(), 0..10);
    }

    #[test]
    fn ranges_behind_the_end_cannot_be_satisfied() {
        for (range, size) in [
            (ByteRange::From(10, None), 10),
            (ByteRange::From(0, None), 0),
            (ByteRange::Last(0), 10),
            (ByteRange::Last(5), 0),
        ] {
            assert_eq!(range.resolve(size).unwrap_err().kind, Kind::Range, "{range:?} of {size}");
        }
    }
}
