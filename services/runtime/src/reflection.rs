//! gRPC server reflection, v1 and v1alpha, so that `grpcurl` needs no proto files.

use axum::Router;

/// Reflection over these encoded `FileDescriptorSet`s, and health's. Fails when one of them is none.
pub fn routes(descriptors: &'static [u8]) -> Result<Router, tonic_reflection::server::Error> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes = tonic::service::Routes::new(builder().build_v1()?);
    routes = routes.add_service(builder().build_v1alpha()?);
    Ok(routes.into_axum_router())
}
