//! The end of a mail, found strictly: CRLF, dot, CRLF and nothing else. What other servers take
//! for an end (`\n.\n`, `\n.\r\n`, `\r.\r`, `\r\n.\r\r\n`) is text here, so that no second mail can
//! be smuggled behind one; and a mail with such line ends is not taken at all.

/// Reads one mail after `DATA`, taking out doubled dots (RFC 5321 §4.5.2).
pub struct Data {
    at: At,
    message: Vec<u8>,
    limit: usize,
    seen: usize,
    bare: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// After CRLF.
    LineStart,
    /// After CRLF and a dot.
    Dot,
    /// After CRLF, a dot and a CR.
    DotCr,
    /// In a line.
    Text,
    /// In a line, after a CR.
    Cr,
}

/// What came of a mail.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is whole.
    Whole(Vec<u8>),
    /// It is over the limit.
    TooLarge,
    /// It has a CR or LF that is not part of a CRLF (RFC 5321 §2.3.8).
    BareLineEnd,
}

impl Data {
    /// For a mail of at most `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self { at: At::LineStart, message: Vec::new(), limit, seen: 0, bare: false }
    }

    /// Takes what has arrived: how much of it belongs to this mail, and whether its end is in it.
    pub fn take(&mut self, arrived: &[u8]) -> (usize, bool) {
        let mut used = 0;
        while let Some(&byte) = arrived.get(used) {
            if self.at == At::Text {
                let rest = &arrived[used..];
                let run = rest.iter().position(|byte| b"\r\n".contains(byte)).unwrap_or(rest.len());
                self.push(&rest[..run]);
                used += run;
                if run > 0 {
                    continue;
                }
            }
            used += 1;
            if self.step(byte) {
                return (used, true);
            }
        }
        (used, false)
    }

    /// One byte; `true` at the end of the mail.
    fn step(&mut self, byte: u8) -> bool {
        self.at = match (self.at, byte) {
            (At::LineStart, b'.') => At::Dot,
            (At::Dot, b'\r') => At::DotCr,
            (At::DotCr, b'\n') => return true,
            (At::DotCr, _) => {
                self.lone(b"\r");
                return self.again(At::Text, byte);
            }
            (At::Cr, b'\n') => {
                self.push(b"\r\n");
                At::LineStart
            }
            (At::Cr, _) => {
                self.lone(b"\r");
                return self.again(At::Text, byte);
            }
            (_, b'\r') => At::Cr,
            (_, b'\n') => {
                self.lone(b"\n");
                At::Text
            }
            (_, other) => {
                self.push(&[other]);
                At::Text
            }
        };
        false
    }

    fn again(&mut self, at: At, byte: u8) -> bool {
        self.at = at;
        self.step(byte)
    }

    fn lone(&mut self, end: &[u8]) {
        self.bare = true;
        self.push(end);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.seen = self.seen.saturating_add(bytes.len());
        if self.seen <= self.limit {
            self.message.extend_from_slice(bytes);
        } else {
            self.message = Vec::new();
        }
    }

    /// How much of it is in memory.
    pub const fn held_bytes(&self) -> usize {
        self.message.len()
    }

    /// Whether it is so far over the limit that waiting for its end is not worth it.
    pub const fn is_hopeless(&self) -> bool {
        self.seen > self.limit.saturating_mul(2)
    }

    /// What came of it, once its end has been seen.
    pub fn finish(self) -> Taken {
        match (self.seen > self.limit, self.bare) {
            (true, _) => Taken::TooLarge,
            (false, true) => Taken::BareLineEnd,
            (false, false) => Taken::Whole(self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` whole and byte by byte; both must agree. `None` when its end is not in it.
    fn read(text: &str) -> Option<(Taken, usize)> {
        let mut whole = Data::new(100);
        let (used, ended) = whole.take(text.as_bytes());
        let mut single = Data::new(100);
        let end = text.as_bytes().iter().position(|byte| single.take(&[*byte]).1);
        assert_eq!(ended.then(|| used - 1), end, "{text:?}");
        ended.then(|| {
            let taken = whole.finish();
            assert_eq!(taken, single.finish(), "{text:?}");
            (taken, used)
        })
    }

    fn whole(text: &str) -> Option<(Taken, usize)> {
        Some((Taken::Whole(text.as_bytes().to_vec()), 0))
    }

    #[test]
    fn doubled_dots_are_taken_out_and_the_end_is_found() {
        let check = |text: &str, expect: &str| {
            let read = read(text).map(|(taken, _)| (taken, 0));
            assert_eq!(read, whole(expect), "{text:?}");
        };
        check("hi\r\n.\r\n", "hi\r\n");
        check(".\r\n", "");
        check("..a\r\n.b\r\n...\r\n.\r\n", ".a\r\nb\r\n..\r\n");
        check("a.\r\n.\r\n", "a.\r\n");
        assert_eq!(read("hi\r\n.\r\nQUIT\r\n").map(|(_, used)| used), Some(7));
    }

    #[test]
    fn nothing_but_crlf_dot_crlf_ends_a_mail() {
        for smuggled in [
            "\n.\n",
            "\n.\r\n",
            "\r.\r",
            "\r.\r\n",
            "\r\n.\n",
            "\r\n.\r",
            "\r\n.\r\r\n",
            "\n\r.\r\n",
        ] {
            let text = format!("hi{smuggled}MAIL FROM:<x@y.example>");
            assert_eq!(read(&text), None, "{smuggled:?} ended a mail");
            let text = format!("{text}\r\n.\r\n");
            let read = read(&text).map(|(taken, used)| (taken, used == text.len()));
            assert_eq!(read, Some((Taken::BareLineEnd, true)), "{smuggled:?}");
        }
    }

    #[test]
    fn a_mail_over_the_limit_is_read_to_its_end_and_not_kept() {
        let text = format!("{}\r\n.\r\n", "x".repeat(99));
        assert_eq!(read(&text).map(|(taken, _)| taken), Some(Taken::TooLarge));
        let text = format!("{}\r\n.\r\n", "x".repeat(98));
        assert!(matches!(read(&text), Some((Taken::Whole(_), _))));
        let mut data = Data::new(100);
        data.take(&[b'x'; 201]);
        assert!(data.is_hopeless());
    }
}
