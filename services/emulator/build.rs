//! Compiles the emulator's part of `google.storage` without `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = ["storage/v2/storage.proto", "storage/control/v2/storage_control.proto"];
    let files = files.map(|file| format!("proto/google/{file}"));
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure()
        // Custom metadata in key order, so that equal requests get equal answers.
        .btree_map(".google.storage.v2")
        .compile_fds(descriptors)?;
    Ok(())
}
