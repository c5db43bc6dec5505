//! The vendor: reads each request to its end and answers 202, as little work as HTTP/1.1 allows, so
//! that it is not what is measured. It understands only what proxies send: lengths, no chunks.

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nserver: nginx\r\n\
    x-message-id: kR8VqYdzTsKJq3nXc9h0Wg\r\ncontent-length: 0\r\n\r\n";

/// Serves until it is ended.
pub fn serve(port: u16) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.context("the vendor's port")?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(async move {
                if let Err(why) = attend(stream).await {
                    eprintln!("vendor: {why:#}");
                }
            });
        }
    })
}

async fn attend(mut stream: TcpStream) -> Result<()> {
    let mut input = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        let (head, length) = loop {
            if let Some(head) = head_end(&input[..filled]) {
                break (head, content_length(&input[..head])?);
            }
            ensure!(filled < input.len(), "a head is larger than the buffer");
            match stream.read(&mut input[filled..]).await {
                Ok(0) | Err(_) => return Ok(()),
                Ok(read) => filled += read,
            }
        };
        let whole = head + length;
        let mut left = whole.saturating_sub(filled);
        while left > 0 {
            match stream.read(&mut input).await? {
                0 => bail!("a body was cut off"),
                read => left = left.checked_sub(read).context("more than the body arrived")?,
            }
        }
        if filled > whole {
            input.copy_within(whole..filled, 0);
        }
        filled = filled.saturating_sub(whole);
        stream.write_all(ACCEPTED).await?;
    }
}

fn head_end(input: &[u8]) -> Option<usize> {
    input.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn content_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse())
    });
    Ok(length.transpose()?.unwrap_or(0))
}
