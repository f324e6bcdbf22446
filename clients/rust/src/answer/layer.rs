//! The recorder as a tower layer.

use tower::Layer;

use super::service::Recorder;

/// Records what arrives for each call that carries a [`super::Record`]. It goes under the generated client.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecordLayer;

impl<S> Layer<S> for RecordLayer {
    type Service = Recorder<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Recorder::new(inner)
    }
}
