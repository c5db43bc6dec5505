//! One connection, plain or encrypted, read line by line. Knows no SMTP and has no time-outs of its
//! own: both ends of the protocol stand on it and bring theirs.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf as _, BytesMut};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

const READ_BYTES: usize = 16 * 1024;

/// A connection with what has been read of it and not yet used.
pub struct Wire {
    stream: Stream,
    unread: BytesMut,
    skipping: bool,
}

enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// What [`Wire::line`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line with its end.
    Whole(Vec<u8>),
    /// A line over the limit; it has been thrown away up to its end.
    TooLong,
    /// The other side is gone.
    Closed,
}

impl Wire {
    /// Starts on a fresh connection. Small writes go out at once.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let unread = BytesMut::with_capacity(READ_BYTES);
        Ok(Self { stream: Stream::Plain(stream), unread, skipping: false })
    }

    /// Whether the connection is encrypted.
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Encrypted(_))
    }

    /// Whether something has arrived that nobody has asked for yet.
    pub fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Whose address the other end has.
    pub fn peer(&self) -> io::Result<IpAddr> {
        let address = match &self.stream {
            Stream::Plain(stream) => stream.peer_addr()?,
            Stream::Encrypted(stream) => stream.get_ref().0.peer_addr()?,
        };
        Ok(address.ip().to_canonical())
    }

    /// The next line with its end, of at most `limit` bytes. Nothing is lost when the caller stops
    /// waiting.
    pub async fn line(&mut self, limit: usize) -> io::Result<Line> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line = self.unread.split_to(end + 1);
                let too_long = std::mem::take(&mut self.skipping) || line.len() > limit;
                return Ok(if too_long { Line::TooLong } else { Line::Whole(line.to_vec()) });
            }
            if self.unread.len() > limit {
                self.unread.clear();
                self.skipping = true;
            }
            if self.fill().await? == 0 {
                return Ok(Line::Closed);
            }
        }
    }

    /// What has arrived, at least one byte; empty when the other side is gone. The caller says with
    /// [`Wire::used`] how much of it is done with.
    pub async fn arrived(&mut self) -> io::Result<&[u8]> {
        if self.unread.is_empty() {
            self.fill().await?;
        }
        Ok(&self.unread)
    }

    /// Takes bytes off the front of what has arrived.
    pub fn used(&mut self, count: usize) {
        self.unread.advance(count);
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.unread.reserve(READ_BYTES);
        match &mut self.stream {
            Stream::Plain(stream) => stream.read_buf(&mut self.unread).await,
            Stream::Encrypted(stream) => stream.read_buf(&mut self.unread).await,
        }
    }

    /// Sends all of it.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes).await,
            Stream::Encrypted(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }

    /// Says that nothing more will be sent.
    pub async fn close(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.shutdown().await,
            Stream::Encrypted(stream) => stream.shutdown().await,
        }
    }

    /// Goes on encrypted, as the server. What was read before is thrown away: it was not encrypted.
    pub async fn accept_tls(self, config: Arc<rustls::ServerConfig>) -> io::Result<Self> {
        let stream = TlsAcceptor::from(config).accept(self.into_plain()?).await?;
        Ok(Self::encrypted(stream.into()))
    }

    /// Goes on encrypted, as the client. What was read before is thrown away.
    pub async fn connect_tls(
        self,
        config: Arc<rustls::ClientConfig>,
        host: ServerName<'static>,
    ) -> io::Result<Self> {
        let stream = TlsConnector::from(config).connect(host, self.into_plain()?).await?;
        Ok(Self::encrypted(stream.into()))
    }

    fn encrypted(stream: TlsStream<TcpStream>) -> Self {
        let unread = BytesMut::with_capacity(READ_BYTES);
        Self { stream: Stream::Encrypted(Box::new(stream)), unread, skipping: false }
    }

    fn into_plain(self) -> io::Result<TcpStream> {
        match self.stream {
            Stream::Plain(stream) => Ok(stream),
            Stream::Encrypted(_) => Err(io::Error::other("the connection is encrypted already")),
        }
    }
}
