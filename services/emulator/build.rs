//! Compiles the emulator's part of `google.storage.v2` without `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["proto/google/storage/v2/storage.proto"], ["proto"])?;
    tonic_prost_build::configure()
        // Custom metadata in key order, so that equal requests get equal answers.
        .btree_map(".google.storage.v2")
        .compile_fds(descriptors)?;
    Ok(())
}
