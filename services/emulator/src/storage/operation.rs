//! What is asked of storage, and what it is billed as.

/// One kind of call, over either API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A page of objects.
    List,
    /// An object's metadata.
    Get,
    /// An object's content.
    Read,
    /// An upload; a resumable one is counted once, at its start.
    Insert,
    /// A chunk of a resumable upload, or the question how far it got.
    Chunk,
    /// A change of metadata.
    Update,
    /// A rename.
    Move,
    /// A step of a copy, or a whole one.
    Rewrite,
    /// A deletion.
    Delete,
    /// A bucket's metadata, or its policy.
    GetBucket,
    /// A page of buckets.
    ListBuckets,
    /// A new bucket.
    CreateBucket,
    /// A bucket's deletion.
    DeleteBucket,
    /// A token of the metadata server or of IAM; no call to storage.
    Token,
}

/// What an operation is billed as.
///
/// Source: <https://cloud.google.com/storage/pricing#operations-by-class>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The dear ones: what writes and what lists.
    A,
    /// The cheap ones: what reads.
    B,
    /// Deletions, and the parts of an upload that is billed already.
    Free,
}

impl Operation {
    /// What it is billed as.
    pub fn class(self) -> Class {
        match self {
            Self::List
            | Self::Insert
            | Self::Update
            | Self::Move
            | Self::Rewrite
            | Self::ListBuckets
            | Self::CreateBucket => Class::A,
            Self::Get | Self::Read | Self::GetBucket => Class::B,
            Self::Delete | Self::Chunk | Self::DeleteBucket | Self::Token => Class::Free,
        }
    }
}
