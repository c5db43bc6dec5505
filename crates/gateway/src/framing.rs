//! HTTP/1 framing of what callers send, checked before the HTTP library sees a byte. No I/O.
//!
//! The library is lenient where two readers could differ: it drops a `Content-Length` beside
//! `Transfer-Encoding`, folds two equal lengths into one, takes bare line feeds. Whatever could be
//! read in two ways is refused here instead (RFC 9112 §2.2, §5.2, §6.3, §7.1).

use model::{Coded, limits};

/// What is wrong with how a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Request line or a header is not well-formed, or a line does not end with CR and LF.
    #[error("the request's head is not well-formed")]
    Head,
    /// A header continues on the next line (obs-fold).
    #[error("a header is folded over two lines")]
    Fold,
    /// The head is over its limit of bytes.
    #[error("the headers are over {} bytes", limits::HEADER_BYTES)]
    TooLarge,
    /// More headers than the limit.
    #[error("more than {} headers", limits::HEADER_COUNT)]
    TooMany,
    /// Neither HTTP/1.1 nor HTTP/1.0.
    #[error("only HTTP/1.1 is spoken here")]
    Version,
    /// The request target is not a path.
    #[error("the request target is not a path")]
    Target,
    /// No `Host` or two of them.
    #[error("an HTTP/1.1 request has one `Host`")]
    Host,
    /// Two `Content-Length` headers.
    #[error("`Content-Length` is given twice")]
    LengthTwice,
    /// A `Content-Length` that is no number.
    #[error("`Content-Length` is not a number")]
    Length,
    /// `Content-Length` and `Transfer-Encoding` together.
    #[error("`Content-Length` and `Transfer-Encoding` are given together")]
    LengthAndChunked,
    /// A `Transfer-Encoding` other than `chunked` alone.
    #[error("the only `Transfer-Encoding` is `chunked`")]
    TransferEncoding,
    /// An HTTP/1.0 request or a `CONNECT` with a body.
    #[error("an HTTP/1.0 request or a `CONNECT` has no body here")]
    OldBody,
    /// `Upgrade` to another protocol.
    #[error("this connection is not upgraded")]
    Upgrade,
    /// An `Expect` other than `100-continue`.
    #[error("the only `Expect` is `100-continue`")]
    Expect,
    /// A chunk's size line, its end or a trailer is not as it should be.
    #[error("the chunked body is not well-formed")]
    Chunk,
    /// The head did not arrive in time.
    #[error("the request did not arrive in time")]
    Slow,
}

impl Broken {
    const ALL: [Self; 16] = [
        Self::Head,
        Self::Fold,
        Self::TooLarge,
        Self::TooMany,
        Self::Version,
        Self::Target,
        Self::Host,
        Self::LengthTwice,
        Self::Length,
        Self::LengthAndChunked,
        Self::TransferEncoding,
        Self::OldBody,
        Self::Upgrade,
        Self::Expect,
        Self::Chunk,
        Self::Slow,
    ];

    /// The HTTP status of the refusal.
    pub const fn status(self) -> u16 {
        match self {
            Self::TooLarge | Self::TooMany => 431,
            Self::Version => 505,
            Self::Expect => 417,
            Self::Slow => 408,
            _ => 400,
        }
    }

    /// The one with this code.
    pub fn from_code(code: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|broken| broken.code().as_bytes() == code)
    }
}

impl Coded for Broken {
    fn code(&self) -> &'static str {
        match self {
            Self::Head => "head-malformed",
            Self::Fold => "head-folded",
            Self::TooLarge => "head-too-large",
            Self::TooMany => "head-too-many",
            Self::Version => "http-version",
            Self::Target => "target-malformed",
            Self::Host => "host-malformed",
            Self::LengthTwice => "length-twice",
            Self::Length => "length-malformed",
            Self::LengthAndChunked => "length-and-chunked",
            Self::TransferEncoding => "transfer-encoding",
            Self::OldBody => "old-http-body",
            Self::Upgrade => "upgrade",
            Self::Expect => "expect-unknown",
            Self::Chunk => "chunk-malformed",
            Self::Slow => "too-slow",
        }
    }
}

/// Where in a caller's bytes we are: requests one after another, each a head and a body.
#[derive(Debug, Default)]
pub struct Framing(State);

#[derive(Debug)]
enum State {
    /// In a head; this many of its bytes were looked at.
    Head { seen: usize },
    /// In a body of which so many bytes are still to come.
    Body { left: u64 },
    /// In a chunked body.
    Chunked(Chunked),
}

impl Default for State {
    fn default() -> Self {
        Self::Head { seen: 0 }
    }
}

impl Framing {
    /// Whether the next byte belongs to a head.
    pub const fn in_head(&self) -> bool {
        matches!(self.0, State::Head { .. })
    }

    /// How many of these bytes may be handed on; 0 when more are needed to tell. It never reaches
    /// beyond one request. `input` is what was not handed on yet.
    ///
    /// # Errors
    /// When the bytes can be read in two ways, or not at all.
    pub fn clear(&mut self, input: &[u8]) -> Result<usize, Broken> {
        match &mut self.0 {
            State::Head { seen } => match head_end(input, *seen)? {
                Some(end) => {
                    self.0 = check_head(&input[..end])?;
                    Ok(end)
                }
                None => {
                    *seen = input.len();
                    Ok(0)
                }
            },
            State::Body { left } => {
                let cleared = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= cleared as u64;
                if *left == 0 {
                    self.0 = State::default();
                }
                Ok(cleared)
            }
            State::Chunked(chunked) => {
                let (cleared, ended) = chunked.clear(input)?;
                if ended {
                    self.0 = State::default();
                }
                Ok(cleared)
            }
        }
    }
}

/// Where the head ends, its empty line included, once it has arrived whole.
fn head_end(input: &[u8], seen: usize) -> Result<Option<usize>, Broken> {
    for index in seen..input.len() {
        if index >= limits::HEADER_BYTES {
            return Err(Broken::TooLarge);
        }
        if input[index] == b'\n' {
            if index == 0 || input[index - 1] != b'\r' {
                return Err(Broken::Head);
            }
            if index >= 3 && &input[index - 3..=index] == b"\r\n\r\n" {
                return Ok(Some(index + 1));
            }
        }
    }
    Ok(None)
}

fn check_head(head: &[u8]) -> Result<State, Broken> {
    let text = std::str::from_utf8(&head[..head.len() - 4]).map_err(|_| Broken::Head)?;
    let mut lines = text.split("\r\n");
    let old = check_request_line(lines.next().unwrap_or_default())?;
    let mut headers = Headers::default();
    for (index, line) in lines.enumerate() {
        if index >= limits::HEADER_COUNT {
            return Err(Broken::TooMany);
        }
        headers.add(line)?;
    }
    headers.frame(old)
}

/// What a `CONNECT` asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// As it stands in the request line.
    pub target: &'a str,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<&'a str>,
}

/// What is asked of a proxy.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A tunnel.
    Connect(Connect<'a>),
    /// That it carry a request in the clear: the target is a whole URL.
    Plain,
    /// Neither.
    Else,
}

/// Where the head of a request to a proxy ends, once it has arrived whole.
///
/// # Errors
/// When it is too long, or a line does not end as it should.
pub fn proxy_head_end(input: &[u8]) -> Result<Option<usize>, Broken> {
    head_end(input, 0)
}

/// Reads the head of a request to a proxy, its empty line included.
///
/// # Errors
/// When it is not well-formed, or says that a body follows.
pub fn proxy_head(head: &[u8]) -> Result<Asked<'_>, Broken> {
    let text = std::str::from_utf8(&head[..head.len() - 4]).map_err(|_| Broken::Head)?;
    let mut lines = text.split("\r\n");
    let (method, target, old) = split_request_line(lines.next().unwrap_or_default())?;
    let mut headers = Headers::default();
    let mut authorization = None;
    for (index, line) in lines.enumerate() {
        if index >= limits::HEADER_COUNT {
            return Err(Broken::TooMany);
        }
        headers.add(line)?;
        let (name, value) = line.split_once(':').ok_or(Broken::Head)?;
        if name.eq_ignore_ascii_case("proxy-authorization")
            && authorization.replace(value.trim_matches([' ', '\t'])).is_some()
        {
            return Err(Broken::Head);
        }
    }
    if method != "CONNECT" {
        let plain = target.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"));
        return Ok(if plain { Asked::Plain } else { Asked::Else });
    }
    match headers.frame(old)? {
        State::Head { .. } => Ok(Asked::Connect(Connect { target, authorization })),
        _ => Err(Broken::OldBody),
    }
}

/// The path that a head asks for, when its first line says so without doubt.
pub fn target(head: &[u8]) -> Option<&str> {
    let line = head.split(|byte| *byte == b'\r' || *byte == b'\n').next()?;
    let target = std::str::from_utf8(line).ok()?.split(' ').nth(1)?;
    is_path(target).then_some(target)
}

pub fn is_path(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

fn is_token(text: &str) -> bool {
    let tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(tchar)
}

/// Whether the request is an HTTP/1.0 one.
fn check_request_line(line: &str) -> Result<bool, Broken> {
    let (_, target, old) = split_request_line(line)?;
    if is_path(target) { Ok(old) } else { Err(Broken::Target) }
}

/// Method, target, and whether it is HTTP/1.0.
fn split_request_line(line: &str) -> Result<(&str, &str, bool), Broken> {
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Broken::Head);
    };
    if !is_token(method) {
        return Err(Broken::Head);
    }
    let old = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return Err(Broken::Version),
    };
    Ok((method, target, old))
}

/// The headers that say how a request is framed.
#[derive(Default)]
struct Headers {
    length: Option<u64>,
    chunked: bool,
    hosts: usize,
}

impl Headers {
    fn add(&mut self, line: &str) -> Result<(), Broken> {
        if line.starts_with([' ', '\t']) {
            return Err(Broken::Fold);
        }
        let (name, value) = line.split_once(':').ok_or(Broken::Head)?;
        let value = value.trim_matches([' ', '\t']);
        if !is_token(name) || value.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err(Broken::Head);
        }
        match name.to_ascii_lowercase().as_str() {
            "content-length" => self.add_length(value)?,
            "transfer-encoding" if self.chunked || !value.eq_ignore_ascii_case("chunked") => {
                return Err(Broken::TransferEncoding);
            }
            "transfer-encoding" => self.chunked = true,
            "host" => self.hosts += 1,
            "upgrade" => return Err(Broken::Upgrade),
            "expect" if !value.eq_ignore_ascii_case("100-continue") => return Err(Broken::Expect),
            _ => {}
        }
        Ok(())
    }

    fn add_length(&mut self, value: &str) -> Result<(), Broken> {
        if self.length.is_some() {
            return Err(Broken::LengthTwice);
        }
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Broken::Length);
        }
        self.length = Some(value.parse().map_err(|_| Broken::Length)?);
        Ok(())
    }

    fn frame(self, old: bool) -> Result<State, Broken> {
        if self.chunked && self.length.is_some() {
            return Err(Broken::LengthAndChunked);
        }
        if old && (self.chunked || self.length.is_some_and(|length| length > 0)) {
            return Err(Broken::OldBody);
        }
        if self.hosts > 1 || (self.hosts == 0 && !old) {
            return Err(Broken::Host);
        }
        Ok(match self.length {
            _ if self.chunked => State::Chunked(Chunked::Size { value: 0, digits: 0 }),
            Some(left) if left > 0 => State::Body { left },
            _ => State::default(),
        })
    }
}

/// Where in a chunked body we are. No extensions, no trailers.
#[derive(Debug, Clone, Copy)]
enum Chunked {
    Size { value: u64, digits: u8 },
    SizeEnd { value: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    LastCr,
    LastLf,
}

impl Chunked {
    /// How many bytes are well-formed, and whether the body ends with them.
    fn clear(&mut self, input: &[u8]) -> Result<(usize, bool), Broken> {
        let mut at = 0;
        while at < input.len() {
            if let Self::Data { left } = *self {
                let skipped = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - at);
                at += skipped;
                let left = left - skipped as u64;
                *self = if left == 0 { Self::DataCr } else { Self::Data { left } };
                continue;
            }
            let ended = matches!(self, Self::LastLf);
            *self = self.step(input[at])?;
            at += 1;
            if ended {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    fn step(self, byte: u8) -> Result<Self, Broken> {
        /// Sixteen hexadecimal digits fill 64 bits; no body is longer.
        const SIZE_DIGITS: u8 = 15;
        Ok(match (self, byte) {
            (Self::Size { value, digits }, b'\r') if digits > 0 => Self::SizeEnd { value },
            (Self::Size { value, digits }, byte) if digits < SIZE_DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(Broken::Chunk)?;
                Self::Size { value: value << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::SizeEnd { value: 0 }, b'\n') => Self::LastCr,
            (Self::SizeEnd { value }, b'\n') => Self::Data { left: value },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf | Self::LastLf, b'\n') => Self::Size { value: 0, digits: 0 },
            (Self::LastCr, b'\r') => Self::LastLf,
            _ => return Err(Broken::Chunk),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed on of a text that arrives `step` bytes at a time.
    fn check(text: &str, step: usize) -> Result<String, Broken> {
        let (mut framing, mut held, mut passed) = (Framing::default(), Vec::new(), Vec::new());
        for piece in text.as_bytes().chunks(step) {
            held.extend_from_slice(piece);
            loop {
                let cleared = framing.clear(&held)?;
                if cleared == 0 {
                    break;
                }
                passed.extend(held.drain(..cleared));
            }
        }
        Ok(String::from_utf8(passed).expect("ASCII in, ASCII out"))
    }

    #[test]
    fn well_framed_requests_pass_unchanged_however_they_are_cut() {
        let text = "POST /v/a HTTP/1.1\r\nHost: g\r\nContent-Length: 3\r\n\r\nabc\
                    POST /v/b HTTP/1.1\r\nhost: g\r\nTransfer-Encoding: chunked\r\n\r\n\
                    3\r\nabc\r\n0\r\n\r\n\
                    GET /v/c?d=e HTTP/1.0\r\n\r\n";
        for step in [1, 2, 7, text.len()] {
            assert_eq!(check(text, step).as_deref(), Ok(text), "{step} bytes at a time");
        }
    }

    #[test]
    fn a_request_to_a_proxy_is_a_tunnel_or_is_refused() {
        let check = |head: &str| match proxy_head(head.as_bytes()) {
            Ok(Asked::Connect(Connect { target, authorization })) => {
                format!("{target} {}", authorization.unwrap_or("-"))
            }
            Ok(asked) => format!("{asked:?}"),
            Err(broken) => broken.code().to_owned(),
        };
        let connect =
            |lines: &str| check(&format!("CONNECT a.example:443 HTTP/1.1\r\n{lines}\r\n"));
        assert_eq!(connect("Host: a.example:443\r\n"), "a.example:443 -");
        let token = "Host: a\r\nProxy-Authorization: Basic eA==\r\n";
        assert_eq!(connect(token), "a.example:443 Basic eA==");
        assert_eq!(check("CONNECT a.example:443 HTTP/1.0\r\n\r\n"), "a.example:443 -");
        assert_eq!(connect("Host: a\r\nContent-Length: 5\r\n"), "old-http-body");
        assert_eq!(connect("Host: a\r\nTransfer-Encoding: chunked\r\n"), "old-http-body");
        assert_eq!(connect("Host: a\r\nHost: b\r\n"), "host-malformed");
        assert_eq!(connect(&format!("{token}Proxy-Authorization: x\r\n")), "head-malformed");
        assert_eq!(check("GET HTTP://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n"), "Plain");
        assert_eq!(check("GET /v/a HTTP/1.1\r\nHost: a\r\n\r\n"), "Else");
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_with_its_code() {
        let head = |lines: &str| format!("POST /v/a HTTP/1.1\r\nHost: g\r\n{lines}\r\n");
        let chunked = |body: &str| head("Transfer-Encoding: chunked\r\n") + body;
        for (text, code) in [
            (head("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), "length-and-chunked"),
            (head("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), "length-and-chunked"),
            (head("Content-Length: 3\r\nContent-Length: 3\r\n"), "length-twice"),
            (head("Content-Length: 3\r\ncontent-length: 4\r\n"), "length-twice"),
            (head("Content-Length: 3, 3\r\n"), "length-malformed"),
            (head("Content-Length: +3\r\n"), "length-malformed"),
            (head("Content-Length: 99999999999999999999\r\n"), "length-malformed"),
            (head("Transfer-Encoding: gzip, chunked\r\n"), "transfer-encoding"),
            (head("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"), "transfer-encoding"),
            (head("X-A: b\r\n c\r\n"), "head-folded"),
            (head("X-A : b\r\n"), "head-malformed"),
            (head("X-A\r\n"), "head-malformed"),
            (head("X-A: b\rc\r\n"), "head-malformed"),
            (head("X-A: b\nX-C: d\r\n"), "head-malformed"),
            (head("X-A: \0\r\n"), "head-malformed"),
            (head("Upgrade: h2c\r\n"), "upgrade"),
            (head("Expect: 200-ok\r\n"), "expect-unknown"),
            (head("Host: h\r\n"), "host-malformed"),
            (head(&"X-A: b\r\n".repeat(limits::HEADER_COUNT)), "head-too-many"),
            (head(&format!("X-A: {}\r\n", "b".repeat(limits::HEADER_BYTES))), "head-too-large"),
            ("POST /v/a HTTP/1.1\r\n\r\n".to_owned(), "host-malformed"),
            ("POST /v/a HTTP/1.0\r\nContent-Length: 1\r\n\r\n".to_owned(), "old-http-body"),
            ("POST http://v/a HTTP/1.1\r\nHost: g\r\n\r\n".to_owned(), "target-malformed"),
            ("CONNECT v:443 HTTP/1.1\r\nHost: g\r\n\r\n".to_owned(), "target-malformed"),
            ("POST  /v/a HTTP/1.1\r\nHost: g\r\n\r\n".to_owned(), "head-malformed"),
            ("PRI * HTTP/2.0\r\n\r\n".to_owned(), "http-version"),
            ("\x16\x03\x01\n".to_owned(), "head-malformed"),
            (chunked("3;x=y\r\nabc\r\n0\r\n\r\n"), "chunk-malformed"),
            (chunked("3\nabc\r\n0\r\n\r\n"), "chunk-malformed"),
            (chunked("3\r\nabcd\r\n0\r\n\r\n"), "chunk-malformed"),
            (chunked("\r\n"), "chunk-malformed"),
            (chunked("0\r\nX-A: b\r\n\r\n"), "chunk-malformed"),
            (chunked("ffffffffffffffff\r\n"), "chunk-malformed"),
        ] {
            for step in [1, text.len()] {
                let refused = check(&text, step).map(|_| ()).map_err(|broken| broken.code());
                assert_eq!(refused, Err(code), "{}", text.escape_debug());
            }
        }
    }

    #[test]
    fn every_code_reads_back() {
        for broken in Broken::ALL {
            assert_eq!(Broken::from_code(broken.code().as_bytes()), Some(broken));
        }
        assert_eq!(Broken::from_code(b"made-up"), None);
    }
}
