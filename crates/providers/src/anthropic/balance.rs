//! Whether the pieces of a JSON object so far are the whole object.

/// Follows the braces of one object; what is broken is never whole.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Balance {
    depth: u32,
    in_text: bool,
    escaped: bool,
    whole: bool,
}

impl Balance {
    pub(super) fn push(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    pub(super) const fn is_whole(self) -> bool {
        self.whole
    }
}
