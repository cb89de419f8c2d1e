//! From text to a tree, by recursive descent. Every fault says where.

use mainspring_kernel::text::elide;

use super::{
    fault::PromFault,
    names,
    tree::{Aggregation, Expr, Function, Matcher, Operator, Selector, Test},
};

const LENGTH_MAX: usize = 16 << 10;
/// Deeper than this nobody writes, and the tree is walked by recursion.
const DEPTH_MAX: usize = 60;

/// What PromQL has and this server has not; the name alone tells.
const ELSEWHERE: [&str; 12] = [
    "topk",
    "bottomk",
    "quantile",
    "stddev",
    "stdvar",
    "count_values",
    "group",
    "limitk",
    "limit_ratio",
    "without",
    "offset",
    "bool",
];

pub(super) fn parse(text: &str) -> Result<Expr, PromFault> {
    let mut parser = Parser::new(text)?;
    let expr = parser.sum(0)?;
    parser.end()?;
    Ok(expr)
}

/// A selector by itself.
pub(super) fn selector(text: &str) -> Result<Selector, PromFault> {
    let mut parser = Parser::new(text)?;
    let at = parser.place();
    let name = parser.word();
    let selector = parser.selector(name, at)?;
    parser.end()?;
    Ok(selector)
}

struct Parser {
    letters: Vec<char>,
    at: usize,
}

impl Parser {
    fn new(text: &str) -> Result<Self, PromFault> {
        if text.len() > LENGTH_MAX {
            return Err(PromFault::Invalid { at: 1, reason: format!("it is longer than {LENGTH_MAX} bytes") });
        }
        let mut parser = Self { letters: text.chars().collect(), at: 0 };
        parser.space();
        Ok(parser)
    }

    /// Counted from one.
    const fn place(&self) -> usize {
        self.at + 1
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(letter) = self.peek() {
            if letter == '#' {
                while self.peek().is_some_and(|letter| letter != '\n') {
                    self.at += 1;
                }
            } else if letter.is_whitespace() {
                self.at += 1;
            } else {
                break;
            }
        }
    }

    /// Whether this stands here; then it is passed.
    fn take(&mut self, wanted: &str) -> bool {
        let there = wanted.chars().enumerate().all(|(n, letter)| self.letters.get(self.at + n) == Some(&letter));
        if there {
            self.at += wanted.chars().count();
            self.space();
        }
        there
    }

    fn need(&mut self, wanted: &str) -> Result<(), PromFault> {
        if self.take(wanted) { Ok(()) } else { Err(self.wrong(&format!("`{wanted}`"))) }
    }

    fn wrong(&self, expected: &str) -> PromFault {
        let rest: String = self.letters[self.at.min(self.letters.len())..].iter().take(20).collect();
        let found = if rest.is_empty() { "the end".to_owned() } else { format!("`{}`", elide(&rest, 20)) };
        PromFault::Invalid { at: self.place(), reason: format!("{expected} was expected, not {found}") }
    }

    fn unsupported(at: usize, what: impl Into<String>) -> PromFault {
        PromFault::Unsupported { at, what: what.into() }
    }

    fn end(&self) -> Result<(), PromFault> {
        let at = self.place();
        match self.peek() {
            None => Ok(()),
            Some('^' | '%') => Err(Self::unsupported(at, "this operator")),
            Some('=' | '!' | '<' | '>') => Err(Self::unsupported(at, "a comparison")),
            Some('@') => Err(Self::unsupported(at, "`@`")),
            Some('[') => Err(Self::unsupported(at, "a range outside of rate and increase")),
            Some(letter) if letter.is_ascii_alphabetic() => {
                let word: String = self.letters[self.at..].iter().take_while(|letter| letter.is_ascii_alphanumeric()).collect();
                Err(Self::unsupported(at, format!("`{}`", elide(&word, 20))))
            }
            Some(_) => Err(self.wrong("the end")),
        }
    }

    /// A name of a metric, a label or a function; empty where none stands here.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(letter) = self.peek() {
            let fits =
                letter.is_ascii_alphabetic() || matches!(letter, '_' | ':') || (!word.is_empty() && letter.is_ascii_digit());
            if !fits {
                break;
            }
            word.push(letter);
            self.at += 1;
        }
        self.space();
        word
    }

    fn deeper(&self, depth: usize) -> Result<usize, PromFault> {
        if depth >= DEPTH_MAX {
            return Err(PromFault::Invalid { at: self.place(), reason: format!("it is nested deeper than {DEPTH_MAX}") });
        }
        Ok(depth + 1)
    }

    fn sum(&mut self, depth: usize) -> Result<Expr, PromFault> {
        let depth = self.deeper(depth)?;
        let mut left = self.product(depth)?;
        let mut parts = 0;
        loop {
            let operator = match self.peek() {
                Some('+') => Operator::Plus,
                Some('-') => Operator::Minus,
                _ => return Ok(left),
            };
            parts += 1;
            left = self.binary(left, operator, (depth, parts), Self::product)?;
        }
    }

    fn product(&mut self, depth: usize) -> Result<Expr, PromFault> {
        let mut left = self.single(depth)?;
        let mut parts = 0;
        loop {
            let operator = match self.peek() {
                Some('*') => Operator::Times,
                Some('/') => Operator::Over,
                _ => return Ok(left),
            };
            parts += 1;
            left = self.binary(left, operator, (depth, parts), Self::single)?;
        }
    }

    /// What stands left of the operator grows deeper with every part, and is bounded as nesting is.
    fn binary(
        &mut self,
        left: Expr,
        operator: Operator,
        (depth, parts): (usize, usize),
        right: fn(&mut Self, usize) -> Result<Expr, PromFault>,
    ) -> Result<Expr, PromFault> {
        self.deeper(depth + parts)?;
        self.at += 1;
        self.space();
        let at = self.place();
        for word in ["on", "ignoring", "group_left", "group_right", "bool"] {
            if self.stands(word) {
                return Err(Self::unsupported(at, format!("`{word}`")));
            }
        }
        Ok(Expr::Binary { left: Box::new(left), operator, right: Box::new(right(self, depth)?) })
    }

    /// Whether this word stands here, and no longer one.
    fn stands(&self, word: &str) -> bool {
        let there = word.chars().enumerate().all(|(n, letter)| self.letters.get(self.at + n) == Some(&letter));
        let after = self.letters.get(self.at + word.len());
        there && !after.is_some_and(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':'))
    }

    fn single(&mut self, depth: usize) -> Result<Expr, PromFault> {
        let depth = self.deeper(depth)?;
        if self.take("-") {
            return Ok(Expr::Negative(Box::new(self.single(depth)?)));
        }
        if self.take("+") {
            return self.single(depth);
        }
        if self.take("(") {
            let inner = self.sum(depth)?;
            self.need(")")?;
            return Ok(inner);
        }
        if self.peek().is_some_and(|letter| letter.is_ascii_digit() || letter == '.') {
            return self.number();
        }
        let at = self.place();
        let word = self.word();
        match (word.as_str(), self.peek()) {
            ("Inf" | "inf", _) => Ok(Expr::Number(f64::INFINITY)),
            ("NaN" | "nan", _) => Ok(Expr::Number(f64::NAN)),
            ("sum", _) => self.aggregate(Aggregation::Sum, at, depth),
            ("avg", _) => self.aggregate(Aggregation::Avg, at, depth),
            ("min", _) => self.aggregate(Aggregation::Min, at, depth),
            ("max", _) => self.aggregate(Aggregation::Max, at, depth),
            ("count", _) => self.aggregate(Aggregation::Count, at, depth),
            ("rate", Some('(')) => self.window(Function::Rate),
            ("increase", Some('(')) => self.window(Function::Increase),
            (word, _) if ELSEWHERE.contains(&word) => Err(Self::unsupported(at, format!("`{word}`"))),
            (word, Some('(')) if !word.is_empty() => Err(Self::unsupported(at, format!("the function `{}`", elide(word, 40)))),
            (_, Some('"' | '\'' | '`')) => Err(Self::unsupported(at, "a text by itself")),
            _ => {
                let selector = self.selector(word, at)?;
                if self.peek() == Some('[') {
                    return Err(Self::unsupported(self.place(), "a range outside of rate and increase"));
                }
                Ok(Expr::Selector(selector))
            }
        }
    }

    fn number(&mut self) -> Result<Expr, PromFault> {
        let at = self.place();
        let mut text = String::new();
        while let Some(letter) = self.peek() {
            let signed = matches!(letter, '+' | '-') && matches!(text.chars().last(), Some('e' | 'E'));
            if !(letter.is_ascii_alphanumeric() || letter == '.' || signed) {
                break;
            }
            text.push(letter);
            self.at += 1;
        }
        self.space();
        let wrong = || PromFault::Invalid { at, reason: format!("`{}` is no number", elide(&text, 40)) };
        text.parse().map(Expr::Number).map_err(|_| wrong())
    }

    fn aggregate(&mut self, of: Aggregation, at: usize, depth: usize) -> Result<Expr, PromFault> {
        let mut by = self.by()?;
        self.need("(")?;
        let inner = Box::new(self.sum(depth)?);
        self.need(")")?;
        if by.is_none() {
            by = self.by()?;
        }
        Ok(Expr::Aggregate { of, by: by.unwrap_or_default(), inner, at })
    }

    fn by(&mut self) -> Result<Option<Vec<String>>, PromFault> {
        if self.stands("without") {
            return Err(Self::unsupported(self.place(), "`without`"));
        }
        if !self.stands("by") {
            return Ok(None);
        }
        self.word();
        self.need("(")?;
        let mut labels = Vec::new();
        while !self.take(")") {
            let label = self.word();
            if label.is_empty() || label.contains(':') {
                return Err(self.wrong("a label"));
            }
            labels.push(label);
            if !self.take(",") && self.peek() != Some(')') {
                return Err(self.wrong("`,` or `)`"));
            }
        }
        Ok(Some(labels))
    }

    fn window(&mut self, function: Function) -> Result<Expr, PromFault> {
        self.need("(")?;
        let at = self.place();
        let name = self.word();
        if self.peek() == Some('(') {
            return Err(Self::unsupported(at, "anything but a selector inside of rate and increase"));
        }
        let selector = self.selector(name, at)?;
        self.need("[")?;
        let micros = self.duration()?;
        if self.peek() == Some(':') {
            return Err(Self::unsupported(self.place(), "a subquery"));
        }
        self.need("]")?;
        if self.stands("offset") || self.peek() == Some('@') {
            return Err(Self::unsupported(self.place(), "another time than the question's (`offset`, `@`)"));
        }
        self.need(")")?;
        Ok(Expr::Window { function, selector, micros })
    }

    /// `5m`, `1h30m`; in microseconds.
    fn duration(&mut self) -> Result<i64, PromFault> {
        const UNITS: [(&str, i64); 7] = [
            ("ms", 1_000),
            ("s", 1_000_000),
            ("m", 60_000_000),
            ("h", 3_600_000_000),
            ("d", 86_400_000_000),
            ("w", 604_800_000_000),
            ("y", 31_536_000_000_000),
        ];
        let at = self.place();
        let wrong = |at| PromFault::Invalid { at, reason: "a stretch of time such as `5m` was expected".to_owned() };
        let mut whole: i64 = 0;
        while self.peek().is_some_and(|letter| letter.is_ascii_digit()) {
            let digits: String = self.letters[self.at..].iter().take_while(|letter| letter.is_ascii_digit()).collect();
            self.at += digits.len();
            let unit: String = self.letters[self.at..].iter().take_while(|letter| letter.is_ascii_lowercase()).collect();
            self.at += unit.len();
            let micros = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, micros)| *micros).ok_or_else(|| wrong(at))?;
            let part = digits.parse::<i64>().ok().and_then(|count| count.checked_mul(micros)).ok_or_else(|| wrong(at))?;
            whole = whole.checked_add(part).ok_or_else(|| wrong(at))?;
        }
        self.space();
        if whole == 0 { Err(wrong(at)) } else { Ok(whole) }
    }

    /// What comes after the name, if there was one.
    fn selector(&mut self, mut name: String, at: usize) -> Result<Selector, PromFault> {
        let mut matchers = Vec::new();
        if self.take("{") {
            while !self.take("}") {
                matchers.push(self.matcher()?);
                if !self.take(",") && self.peek() != Some('}') {
                    return Err(self.wrong("`,` or `}`"));
                }
            }
        } else if name.is_empty() {
            return Err(self.wrong("a metric, a function or a number"));
        }
        if name.is_empty() {
            let named = matchers.iter().position(|matcher| matcher.label == "__name__" && matcher.test == Test::Equal);
            match named {
                Some(which) => name = matchers.remove(which).value,
                None => return Err(Self::unsupported(at, "a selector without the name of a metric")),
            }
        }
        if self.stands("offset") || self.peek() == Some('@') {
            return Err(Self::unsupported(self.place(), "another time than the question's (`offset`, `@`)"));
        }
        if names::find(&name).is_none() && !names::may_be_sent(&name) {
            return Err(PromFault::Invalid { at, reason: names::no_such(&name) });
        }
        Ok(Selector { name, matchers, at })
    }

    fn matcher(&mut self) -> Result<Matcher, PromFault> {
        let label = self.word();
        if label.is_empty() || label.contains(':') {
            return Err(self.wrong("a label"));
        }
        let tests = [("=~", Test::Matches), ("!~", Test::MatchesNot), ("!=", Test::NotEqual), ("=", Test::Equal)];
        let test = tests.into_iter().find_map(|(sign, test)| self.take(sign).then_some(test));
        let test = test.ok_or_else(|| self.wrong("`=`, `!=`, `=~` or `!~`"))?;
        let value = self.text()?;
        Ok(Matcher { label, test, value })
    }

    fn text(&mut self) -> Result<String, PromFault> {
        let at = self.place();
        let Some(quote @ ('"' | '\'' | '`')) = self.peek() else { return Err(self.wrong("a text in quotes")) };
        self.at += 1;
        let mut text = String::new();
        while let Some(letter) = self.peek() {
            self.at += 1;
            if letter == quote {
                self.space();
                return Ok(text);
            }
            if letter != '\\' || quote == '`' {
                text.push(letter);
                continue;
            }
            let escaped = match self.peek() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some(same @ ('\\' | '"' | '\'')) => same,
                _ => return Err(PromFault::Invalid { at: self.at, reason: "there is no such escape".to_owned() }),
            };
            text.push(escaped);
            self.at += 1;
        }
        Err(PromFault::Invalid { at, reason: "the text has no end".to_owned() })
    }
}
