//! Compiles `proto/` to Rust without `protoc`: protox parses, tonic-prost-build and pbjson-build generate.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const PROTOS: [&str; 4] = [
    "proto/brigade/v1/object.proto",
    "proto/brigade/v1/worker.proto",
    "proto/brigade/v1/poller.proto",
    "proto/brigade/v1/inbox.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    // tonic-prost-build emits none of these, and without one every edit in the tree rebuilds every crate.
    println!("cargo:rerun-if-changed=proto/brigade");

    let out = PathBuf::from(env::var("OUT_DIR")?);
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    let encoded = descriptors.encode_to_vec();
    fs::write(out.join("brigade_descriptor.bin"), &encoded)?;

    tonic_prost_build::configure()
        // Ours implement serde; prost-types do not.
        .compile_well_known_types(true)
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile_fds(descriptors)?;

    pbjson_build::Builder::new().register_descriptors(&encoded)?.build(&[".brigade.v1"])?;
    Ok(())
}
