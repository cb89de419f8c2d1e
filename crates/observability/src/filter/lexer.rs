//! A filter's words.

use super::fault::{Complaint, FilterFault};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    Comma,
}

impl Sign {
    pub(super) const fn shown(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::NotEq => "!=",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::Open => "(",
            Self::Close => ")",
            Self::OpenBracket => "[",
            Self::CloseBracket => "]",
            Self::Comma => ",",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lexeme {
    /// Letters, digits and whatever else is no sign: a name, a number, a time.
    Bare(String),
    /// What stood in quotes.
    Text(String),
    Sign(Sign),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) lexeme: Lexeme,
    /// The number of its first character.
    pub(super) at: usize,
}

struct Letters<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    /// The number of the next character.
    at: usize,
}

impl Letters<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        self.at += 1;
        self.rest.next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let here = self.peek() == Some(wanted);
        if here {
            self.next();
        }
        here
    }
}

pub(super) fn words(text: &str) -> Result<Vec<Word>, FilterFault> {
    let mut letters = Letters { rest: text.chars().peekable(), at: 1 };
    let mut words = Vec::new();
    while let Some(first) = letters.peek() {
        let at = letters.at;
        if first.is_whitespace() {
            letters.next();
            continue;
        }
        let lexeme = match first {
            '"' | '\'' => quoted(&mut letters),
            letter if is_bare(letter) => Ok(Lexeme::Bare(bare(&mut letters))),
            _ => sign(&mut letters).map(Lexeme::Sign),
        };
        let lexeme = lexeme.map_err(|Complaint { what, hint }| FilterFault { at, what, hint })?;
        words.push(Word { lexeme, at });
    }
    Ok(words)
}

fn is_bare(letter: char) -> bool {
    !letter.is_whitespace() && !"()[],\"'=!<>&|".contains(letter)
}

fn bare(letters: &mut Letters<'_>) -> String {
    let mut word = String::new();
    while let Some(letter) = letters.peek().filter(|letter| is_bare(*letter)) {
        word.push(letter);
        letters.next();
    }
    word
}

fn quoted(letters: &mut Letters<'_>) -> Result<Lexeme, Complaint> {
    let quote = letters.next();
    let mut text = String::new();
    while let Some(letter) = letters.next() {
        match letter {
            letter if Some(letter) == quote => return Ok(Lexeme::Text(text)),
            '\\' => text.push(escaped(letters.next())?),
            letter => text.push(letter),
        }
    }
    Err(Complaint::new("the text that begins here does not end").hinting("close it with the quote it began with"))
}

fn escaped(letter: Option<char>) -> Result<char, Complaint> {
    Ok(match letter {
        Some(letter @ ('"' | '\'' | '\\')) => letter,
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        _ => {
            let hint = r#"within quotes write \\ for a backslash; \", \', \n, \r and \t are the others"#;
            return Err(Complaint::new("a backslash in this text stands before something it does not go with").hinting(hint));
        }
    })
}

fn sign(letters: &mut Letters<'_>) -> Result<Sign, Complaint> {
    let first = letters.next();
    // After any other sign it is a sign by itself: `attributes["n"]=5`.
    let followed = matches!(first, Some('=' | '!' | '<' | '>')) && letters.take('=');
    Ok(match (first, followed) {
        // Two are as good as one.
        (Some('='), _) => Sign::Eq,
        (Some('!'), true) => Sign::NotEq,
        (Some('<'), true) => Sign::LtEq,
        (Some('>'), true) => Sign::GtEq,
        (Some('<'), false) if letters.take('>') => Sign::NotEq,
        (Some('<'), false) => Sign::Lt,
        (Some('>'), false) => Sign::Gt,
        (Some('('), false) => Sign::Open,
        (Some(')'), false) => Sign::Close,
        (Some('['), false) => Sign::OpenBracket,
        (Some(']'), false) => Sign::CloseBracket,
        (Some(','), false) => Sign::Comma,
        (Some('!'), false) => return Err(Complaint::new("`!` stands alone").hinting("write `not`")),
        (Some('&'), _) => return Err(Complaint::new("`&` means nothing here").hinting("write `and`")),
        (Some('|'), _) => return Err(Complaint::new("`|` means nothing here").hinting("write `or`")),
        (other, _) => {
            let shown = other.map(String::from).unwrap_or_default();
            return Err(Complaint::new(format!("`{shown}` means nothing here")));
        }
    })
}
