//! What an SMTP server says: lines that begin with a number of three digits.

/// No server has more to say.
const LONGEST: usize = 64 << 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    /// Without their numbers.
    pub(crate) lines: Vec<String>,
}

/// What came is not SMTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Reply {
    /// The reply at the beginning of what came, and how many bytes it takes; nothing while it is not complete.
    pub(crate) fn read(came: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let (mut at, mut code, mut lines) = (0, None, Vec::new());
        while let Some(length) = came[at..].iter().position(|byte| *byte == b'\n') {
            let line = &came[at..at + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            at += length + 1;
            let (number, last, text) = line_of(line).ok_or(Malformed)?;
            if *code.get_or_insert(number) != number || at > LONGEST {
                return Err(Malformed);
            }
            lines.push(text);
            if last {
                return Ok(Some((Self { code: number, lines }, at)));
            }
        }
        if came.len() > LONGEST { Err(Malformed) } else { Ok(None) }
    }

    /// In one line, for people.
    pub(crate) fn said(&self) -> String {
        let text = self.lines.join(" ").replace(char::is_control, " ");
        format!("{} {}", self.code, text.trim())
    }

    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// The number, whether the reply ends here, and what is said.
fn line_of(line: &[u8]) -> Option<(u16, bool, String)> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    let last = match rest.first() {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return None,
    };
    let text = String::from_utf8_lossy(rest.get(1..).unwrap_or_default()).into_owned();
    (200..600).contains(&code).then_some((code, last, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Malformed, Reply};

    #[test]
    fn a_reply_has_one_line_or_several() {
        let (reply, taken) = Reply::read(b"220 ready\r\n250 more").unwrap().unwrap();
        assert_eq!((reply.code, reply.lines, taken), (220, vec!["ready".to_owned()], 11));
        let (reply, taken) = Reply::read(b"250-here\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1\r\n").unwrap().unwrap();
        assert_eq!((reply.lines.len(), taken), (3, 44));
        assert_eq!(reply.said(), "250 here AUTH PLAIN LOGIN SIZE 1");
        assert_eq!(Reply::read(b"354\n").unwrap().unwrap().0.code, 354);
    }

    #[test]
    fn what_is_not_complete_is_waited_for() {
        for came in ["", "2", "220 ready", "250-here\r\n", "250-here\r\n250"] {
            assert_eq!(Reply::read(came.as_bytes()), Ok(None), "{came:?}");
        }
    }

    #[test]
    fn what_is_no_smtp_is_refused() {
        for came in ["HTTP/1.1 400 Bad Request\r\n", "2200 x\r\n", "250-a\r\n251 b\r\n", "\r\n", "120 x\r\n", "abc\n"] {
            assert_eq!(Reply::read(came.as_bytes()), Err(Malformed), "{came:?}");
        }
        assert_eq!(Reply::read(&[b'2'; 70_000]), Err(Malformed));
        assert_eq!(Reply::read(&b"250-x\r\n".repeat(20_000)), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(came in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Reply::read(&came);
        }

        #[test]
        fn a_reply_that_is_cut_or_changed_never_panics(cut in 0_usize..60, at in 0_usize..60, byte in any::<u8>()) {
            let mut came = b"250-mail.example\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n".to_vec();
            if let Some(place) = came.get_mut(at) {
                *place = byte;
            }
            came.truncate(cut);
            if let Ok(Some((reply, taken))) = Reply::read(&came) {
                prop_assert!(taken <= came.len() && !reply.lines.is_empty());
            }
        }
    }
}
