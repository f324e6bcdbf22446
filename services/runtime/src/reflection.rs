//! gRPC server reflection, v1 and v1alpha, so that `grpcurl` needs no proto files.

use axum::Router;
use brigade_proto::MAX_MESSAGE;

/// Reflection over these encoded `FileDescriptorSet`s, and health's. Fails when one of them is none.
pub(crate) fn routes(
    descriptors: &'static [u8],
) -> Result<Router, tonic_reflection::server::Error> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut routes =
        tonic::service::Routes::new(builder().build_v1()?.max_decoding_message_size(MAX_MESSAGE));
    routes = routes.add_service(builder().build_v1alpha()?.max_decoding_message_size(MAX_MESSAGE));
    Ok(routes.into_axum_router())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, future::pending};

    use tokio::net::TcpListener;
    use tonic::transport::Channel;

    use super::*;
    use crate::{
        health,
        serve::{Limits, serve},
    };

    async fn serving(router: Router) -> Channel {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, Limits::default(), pending()));
        Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
    }

    fn expected() -> BTreeSet<String> {
        ["brigade.v1.PollerService", "brigade.v1.WorkerService", "grpc.health.v1.Health"]
            .map(str::to_owned)
            .into()
    }

    /// The services that one version of the protocol lists.
    macro_rules! listed {
        ($version:ident) => {{
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest,
                server_reflection_response::MessageResponse,
            };
            let channel = serving(routes(brigade_proto::FILE_DESCRIPTOR_SET).unwrap()).await;
            let request = ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let mut client = ServerReflectionClient::new(channel);
            let responses = client.server_reflection_info(tokio_stream::once(request)).await;
            let response = responses.unwrap().into_inner().message().await.unwrap().unwrap();
            let Some(MessageResponse::ListServicesResponse(list)) = response.message_response
            else {
                panic!("no list: {response:?}");
            };
            list.service.into_iter().map(|service| service.name).collect::<BTreeSet<_>>()
        }};
    }

    #[tokio::test]
    async fn both_versions_list_our_services_and_health() {
        let v1 = listed!(v1);
        let v1alpha = listed!(v1alpha);
        assert!(v1.is_superset(&expected()), "{v1:?}");
        assert!(v1alpha.is_superset(&expected()), "{v1alpha:?}");
    }

    #[tokio::test]
    async fn a_question_that_is_longer_than_any_name_is_not_answered() {
        use tonic_reflection::pb::v1::{
            ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
            server_reflection_request::MessageRequest,
        };
        let channel = serving(routes(brigade_proto::FILE_DESCRIPTOR_SET).unwrap()).await;
        for (length, answered) in [(MAX_MESSAGE - 64, true), (MAX_MESSAGE, false)] {
            let request = ServerReflectionRequest {
                host: "x".repeat(length),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let mut client = ServerReflectionClient::new(channel.clone());
            let answers = client.server_reflection_info(tokio_stream::once(request)).await;
            let answer = answers.unwrap().into_inner().message().await;
            assert_eq!(matches!(answer, Ok(Some(_))), answered, "{length}");
        }
    }

    #[tokio::test]
    async fn health_says_serving_of_each_service_and_of_the_whole() {
        use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
        let mut client =
            HealthClient::new(serving(health::routes("brigade.v1.PollerService").await.open).await);
        for service in ["", "brigade.v1.PollerService"] {
            let request = HealthCheckRequest { service: service.to_owned() };
            let response = client.check(request).await.unwrap().into_inner();
            assert_eq!(
                response.status(),
                tonic_health::pb::health_check_response::ServingStatus::Serving
            );
        }
        let unknown = HealthCheckRequest { service: "other".to_owned() };
        assert_eq!(client.check(unknown).await.unwrap_err().code(), tonic::Code::NotFound);
    }

    #[test]
    fn bytes_that_are_no_descriptors_are_refused() {
        assert!(routes(b"nonsense").is_err());
    }
}
