use crate::v1::Object;

impl Object {
    /// The idempotency key of this object: `bucket/name#generation`.
    ///
    /// A generation is unique for a name in a bucket, so two calls with one key are about the same bytes.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}#{}", self.bucket, self.name, self.generation)
    }

    /// The object's `gs://` URI, without its generation.
    pub fn uri(&self) -> String {
        format!("gs://{}/{}", self.bucket, self.name)
    }
}
