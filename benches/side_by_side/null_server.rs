//! The floor: a server that reads, finds the end of each request and answers `:1`, and stores
//! nothing.
//!
//! What it costs per request is what the sockets, the runtime and the least possible splitting
//! cost; the rest of a real server's cost is its own. It has the threads, the runtime and the
//! socket calls that Weir has. It trusts its client: bytes that are not a request end the
//! connection, and nothing is bounded.
//!
//! `null_server PORT [WORKERS]`; `benches/side_by_side/run` starts it.

use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::pin::Pin;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const READ_BYTES: usize = 16 * 1024;
const REPLY: &[u8] = b":1\r\n";

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::new(ErrorKind::InvalidInput, "usage: null_server PORT [WORKERS]");
    let port: u16 = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .ok_or_else(usage)?;
    let workers: usize = match arguments.next() {
        Some(text) => text.parse().map_err(|_| usage())?,
        None => 1,
    };
    let threads: Vec<_> = (0..workers)
        .map(|_| std::thread::spawn(move || work(port)))
        .collect();
    for thread in threads {
        thread
            .join()
            .map_err(|_| Error::other("a worker panicked"))??;
    }
    Ok(())
}

/// One worker: its own runtime and its own listener; the kernel spreads the connections.
fn work(port: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async move {
        let listener = listen(port)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(serve(stream));
        }
    })
}

fn listen(port: u16) -> Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}

/// Answers one connection until it closes or sends something that is not a request.
async fn serve(mut stream: TcpStream) {
    let mut input = vec![0; READ_BYTES];
    let mut filled = 0;
    let mut output = Vec::with_capacity(READ_BYTES);
    loop {
        if filled == input.len() {
            input.resize(input.len() * 2, 0);
        }
        match read(&mut stream, &mut input[filled..]).await {
            Ok(count) if count > 0 => filled += count,
            _ => return,
        }
        let mut start = 0;
        loop {
            match request_bytes(&input[start..filled]) {
                Split::Whole(bytes) => start += bytes,
                Split::Partial => break,
                Split::Broken => return,
            }
            output.extend_from_slice(REPLY);
        }
        input.copy_within(start..filled, 0);
        filled -= start;
        if write_all(&mut stream, &output).await.is_err() {
            return;
        }
        output.clear();
    }
}

// tokio's own read and write: unlike try_read and try_write they know from a short count that the
// socket is empty, which saves a second system call per batch.
async fn read(stream: &mut TcpStream, bytes: &mut [u8]) -> Result<usize> {
    let mut buffer = ReadBuf::new(bytes);
    poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer)).await?;
    Ok(buffer.filled().len())
}

async fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, bytes)).await?;
        bytes = &bytes[count..];
    }
    Ok(())
}

enum Split {
    /// A request of this many bytes stands at the front.
    Whole(usize),
    Partial,
    Broken,
}

/// Finds the end of the first request: an array of bulk strings, or an inline line.
fn request_bytes(bytes: &[u8]) -> Split {
    match bytes.first() {
        None => return Split::Partial,
        Some(b'*') => {}
        Some(_) => {
            return memchr::memchr(b'\n', bytes)
                .map_or(Split::Partial, |end| Split::Whole(end + 1));
        }
    }
    let (arguments, mut end) = match length_line(bytes) {
        Length::Read(value, end) => (value, end),
        Length::Partial => return Split::Partial,
        Length::Broken => return Split::Broken,
    };
    for _ in 0..arguments {
        match bytes.get(end) {
            None => return Split::Partial,
            Some(b'$') => {}
            Some(_) => return Split::Broken,
        }
        match length_line(&bytes[end..]) {
            Length::Read(value, header) => end += header + value + 2,
            Length::Partial => return Split::Partial,
            Length::Broken => return Split::Broken,
        }
    }
    if end <= bytes.len() {
        Split::Whole(end)
    } else {
        Split::Partial
    }
}

enum Length {
    /// The number, and the bytes its line takes.
    Read(usize, usize),
    Partial,
    Broken,
}

/// Reads `*12\r\n` or `$12\r\n`.
fn length_line(bytes: &[u8]) -> Length {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            b'0'..=b'9' if index < 11 => value = value * 10 + usize::from(byte - b'0'),
            b'\r' if index + 1 < bytes.len() => return Length::Read(value, index + 2),
            b'\r' => return Length::Partial,
            _ => return Length::Broken,
        }
    }
    Length::Partial
}
