//! What cannot be listened on.

use super::*;

#[tokio::test]
async fn a_port_in_use_is_reported_with_its_fix() {
    let first = bind(any_port()).await.unwrap();
    let address = first.local_addr().unwrap();
    let failure = bind(address).await.unwrap_err();
    assert_eq!(failure.exit, crate::exit::Exit::Unavailable);
    assert!(failure.message.contains(&address.to_string()), "{failure}");
    assert!(failure.hint.contains("--port"), "{failure}");
}

#[tokio::test]
async fn an_address_of_another_machine_is_reported_with_its_fix() {
    // TEST-NET-1 (RFC 5737) has no machines.
    let failure = bind("192.0.2.1:0".parse().unwrap()).await.unwrap_err();
    assert!(failure.hint.contains("--bind"), "{failure}");
}
