# The system on this machine, once over the samples.
run:
    cargo run -- dev --once

# The system on this machine until Ctrl-C.
dev:
    cargo run -- dev

# Every test.
test:
    cargo test --workspace

# What CI lints.
lint:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings
    buf lint

# Everything CI runs.
ci:
    bash .ci/run

# The release binary as the image has it: static, read-only root, names, start-up and memory beside a Flask worker.
image-check:
    bash .ci/image

# What GitHub runs each night, or the parts that are named.
slow *parts:
    bash .ci/slow {{parts}}

# Every test three times on a busy machine.
under-load:
    bash .ci/under-load

# Lines of Rust in each crate, deployed and tests.
lines:
    .ci/lines --report
