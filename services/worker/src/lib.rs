//! The worker side of Bucket Brigade: the Processor trait, its gRPC service, and the exec worker.
