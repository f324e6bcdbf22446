//! Objects in memory.

use std::{
    collections::BTreeMap,
    fmt,
    ops::{Bound, Range},
};

use bytes::Bytes;

use crate::{
    backend::Backend,
    content::Content,
    object::Object,
    refusal::{Kind, Refusal, Result},
};

/// Objects in memory, in name order.
#[derive(Default)]
pub struct Memory {
    objects: BTreeMap<String, (Object, Bytes)>,
}

impl Backend for Memory {
    fn names(&mut self, prefix: &str, from: &str, limit: usize) -> Result<Vec<String>> {
        let first = from.max(prefix);
        Ok(self
            .objects
            .range::<str, _>((Bound::Included(first), Bound::Unbounded))
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(prefix))
            .take(limit)
            .cloned()
            .collect())
    }

    fn look(&mut self, name: &str) -> Result<Option<Object>> {
        Ok(self.objects.get(name).map(|(object, _)| object.clone()))
    }

    fn last_generation(&self, name: &str) -> i64 {
        // Of those that are gone the clock knows.
        self.objects.get(name).map_or(0, |(object, _)| object.generation)
    }

    fn read(&mut self, object: &Object, range: Range<u64>) -> Result<Content> {
        let (_, content) = self.objects.get(&object.name).ok_or_else(gone)?;
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        Ok(Content::Bytes(content.slice(at(range.start)..at(range.end))))
    }

    fn check_name(&self, _name: &str) -> Result<()> {
        Ok(())
    }

    fn write(
        &mut self,
        object: &Object,
        content: Content,
        _replaced: Option<&Object>,
    ) -> Result<()> {
        let content = content.into_bytes()?;
        self.objects.insert(object.name.clone(), (object.clone(), content));
        Ok(())
    }

    fn annotate(&mut self, object: &Object) -> Result<()> {
        let (stored, _) = self.objects.get_mut(&object.name).ok_or_else(gone)?;
        *stored = object.clone();
        Ok(())
    }

    fn rename(
        &mut self,
        source: &Object,
        moved: &Object,
        _replaced: Option<&Object>,
    ) -> Result<()> {
        let (_, content) = self.objects.remove(&source.name).ok_or_else(gone)?;
        self.objects.insert(moved.name.clone(), (moved.clone(), content));
        Ok(())
    }

    fn remove(&mut self, object: &Object) -> Result<()> {
        self.objects.remove(&object.name);
        Ok(())
    }

    fn is_disposable(&self) -> bool {
        true
    }
}

/// Cannot happen under the storage's lock.
fn gone() -> Refusal {
    Refusal::new(Kind::Internal, "the object vanished from memory")
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("objects", &self.objects.len()).finish()
    }
}
