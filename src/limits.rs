//! Every bound of the server in one place, with the relations between them checked at compile time.

/// Longest bulk string a client may send; Redis's `proto-max-bulk-len` default.
pub const BULK_BYTES_MAX: usize = 512 << 20;
/// Longest inline request line, and longest header line of a multibulk request; Redis's
/// `PROTO_INLINE_MAX_SIZE`.
pub const INLINE_BYTES_MAX: usize = 64 << 10;
/// Most arguments of one request; Redis accepts counts up to `INT_MAX`, of which no real client
/// comes near 2^20 + 1.
pub const ARGUMENTS_MAX: usize = 1 << 30;
/// Bytes of one message; the bulk limit.
pub const MESSAGE_BYTES_MAX: usize = BULK_BYTES_MAX;
/// Logical databases, as in Redis's default configuration.
pub const DATABASES: usize = 16;

const _: () = assert!(INLINE_BYTES_MAX < BULK_BYTES_MAX);
