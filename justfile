# Short names for what is done often; each is the command you would type.

default:
    @just --list

# Format, lints and tests.
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    cargo test --locked

# Unit, integration and rule tests; `just test loss` for one of them.
test *NAMES:
    cargo test --locked {{ if NAMES == "" { "" } else { "--test " + NAMES } }}

# All that CI runs: comparison with Redis, stock clients and load included.
ci:
    ./.ci/test

# Licences, sources and advisories of what we depend on (cargo install cargo-deny).
deny:
    cargo deny --locked check

# A property on what libFuzzer finds, as in `just fuzz glob 60`; `just fuzz` is what CI runs.
fuzz TARGET="all" SECONDS="60":
    fuzz/run {{ TARGET }} {{ SECONDS }}

# The rooms with unsafe code under valgrind: nothing may be wrong, nothing lost.
memcheck:
    env CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="valgrind -q --error-exitcode=9 \
        --leak-check=full --errors-for-leak-kinds=definite" \
        cargo test --locked --lib -- --test-threads 1 --skip matches_what_lua_matches \
        --skip what_natives_build_is_bounded --skip what_compares_much_at_each_place \
        script:: allocator:: reclaim::

# Criterion benches, as in `just bench queue`.
bench *NAMES:
    cargo bench --locked {{ if NAMES == "" { "" } else { "--bench " + NAMES } }}

# Instructions of the hot paths against bench-results/instructions.txt; `just instructions
# WEIR_BLESS=1` keeps what was counted.
instructions *VARIABLES:
    env WEIR_INSTRUCTIONS=1 {{ VARIABLES }} \
        cargo test --profile quick --locked --test instructions -- --nocapture

# Against Redis, Valkey and a null server; takes the options of the script.
side-by-side *OPTIONS:
    benches/side_by_side/run {{ OPTIONS }}

# Loads whose outcome is checked, on a quiet machine: `just soak overload`, `just soak forgotten`,
# `just soak stuck`, `just soak scrapes`, `just soak faults`, `just soak churn`; takes the options of
# the script.
soak NAME *OPTIONS:
    cargo build --profile quick --locked
    tests/soaks/run.py target/quick/weir {{ NAME }} {{ OPTIONS }}

# Run the server.
run *FLAGS:
    cargo run --release --locked -- {{ FLAGS }}
