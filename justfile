# Short names for what is done often; each is the command you would type.

default:
    @just --list

# Format, lints and tests.
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    cargo test --locked

# Criterion benches, as in `just bench queue`.
bench *NAMES:
    cargo bench --locked {{ if NAMES == "" { "" } else { "--bench " + NAMES } }}

# Against Redis, Valkey and a null server; takes the options of the script.
side-by-side *OPTIONS:
    benches/side_by_side/run {{ OPTIONS }}

# Run the server.
run *FLAGS:
    cargo run --release --locked -- {{ FLAGS }}
