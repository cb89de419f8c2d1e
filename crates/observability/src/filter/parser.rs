//! Recursive descent over a filter's words. Depth and length are bounded, so no text takes much stack or time.

use std::collections::HashSet;

use mainspring_kernel::text::{elide, nearest};

use super::{
    fault::{Complaint, FilterFault},
    fields::{FIELDS, FieldKind, known},
    lexer::{Lexeme, Sign, Word, words},
    tree::{Comparison, Condition, Expr, Field, Test, Value},
    values::{KEYWORDS, is_keyword, value},
};

/// Bytes of a filter at most.
pub(crate) const LENGTH_MAX: usize = 4096;
/// Parentheses and `not` within each other at most. The lake takes conditions of twice the depth.
const DEPTH_MAX: usize = 24;
/// Texts that are looked for in a span's content and attributes at most: each is looked for in every span by itself.
pub(super) const LOOKED_FOR_MAX: usize = 32;
/// Conditions on scores at most: each is asked by itself of a table of their own.
pub(super) const SCORES_MAX: usize = 8;

/// Nothing but spaces means every span.
pub(super) fn parse(text: &str) -> Result<Expr, FilterFault> {
    if text.len() > LENGTH_MAX {
        let what = format!("it is longer than {LENGTH_MAX} bytes");
        return Err(FilterFault { at: 1, what, hint: Some("an `in` list may hold many values of one field".into()) });
    }
    let words = words(text)?;
    if words.is_empty() {
        return Ok(Expr::And(Vec::new()));
    }
    let end = text.chars().count() + 1;
    let mut parser = Parser { words: &words, next: 0, end, depth: 0, looked_for: 0, scores: 0 };
    let found = parser.alternatives()?;
    match parser.peek() {
        None => Ok(found),
        Some(Lexeme::Sign(Sign::Close)) => Err(parser.complain(Complaint::new("this `)` closes nothing"))),
        Some(other) => {
            let what = format!("`{}` cannot follow here", shown(other));
            Err(parser.complain(Complaint::new(what).hinting("conditions are joined by `and` or `or`")))
        }
    }
}

struct Parser<'a> {
    words: &'a [Word],
    next: usize,
    /// The number of the character after the last.
    end: usize,
    depth: usize,
    /// Texts to look for so far.
    looked_for: usize,
    /// Conditions on scores so far.
    scores: usize,
}

type Parsed<T> = Result<T, FilterFault>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Lexeme> {
        self.words.get(self.next).map(|word| &word.lexeme)
    }

    fn at(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |word| word.at)
    }

    /// About the word that is next.
    fn complain(&self, complaint: Complaint) -> FilterFault {
        located(self.at(), complaint)
    }

    fn takes(&mut self, keyword: &str) -> bool {
        let here = matches!(self.peek(), Some(Lexeme::Bare(word)) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(here);
        here
    }

    fn takes_sign(&mut self, sign: Sign) -> bool {
        let here = self.peek() == Some(&Lexeme::Sign(sign));
        self.next += usize::from(here);
        here
    }

    fn needs_sign(&mut self, sign: Sign) -> Parsed<()> {
        if self.takes_sign(sign) {
            return Ok(());
        }
        let instead = self.peek().map_or_else(|| "the end".to_owned(), |other| format!("`{}`", shown(other)));
        Err(self.complain(Complaint::new(format!("`{}` is missing before {instead}", sign.shown()))))
    }

    fn alternatives(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.conjunction()?];
        while self.takes("or") {
            parts.push(self.conjunction()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
    }

    fn conjunction(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.part()?];
        while self.takes("and") {
            parts.push(self.part()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) })
    }

    fn part(&mut self) -> Parsed<Expr> {
        if self.depth >= DEPTH_MAX {
            return Err(self.complain(Complaint::new(format!("parentheses and `not` are more than {DEPTH_MAX} deep"))));
        }
        self.depth += 1;
        let found = if self.takes("not") {
            self.part().map(|inner| Expr::Not(Box::new(inner)))
        } else if self.takes_sign(Sign::Open) {
            self.alternatives().and_then(|inner| self.needs_sign(Sign::Close).map(|()| inner))
        } else {
            self.condition()
        };
        self.depth -= 1;
        found
    }

    fn condition(&mut self) -> Parsed<Expr> {
        let at = self.at();
        let field = self.field()?;
        let negated = self.next;
        if self.takes("not") {
            if self.takes("in") {
                return Ok(Expr::Not(Box::new(Expr::Is(Condition { test: self.list(&field)?, field }))));
            }
            self.next = negated;
        }
        let test = self.test(&field, at)?;
        Ok(Expr::Is(Condition { field, test }))
    }

    fn field(&mut self) -> Parsed<Field> {
        let missing = |after: &str| Complaint::new(format!("a condition is missing {after}"));
        let name = match self.peek() {
            Some(Lexeme::Bare(name)) if !is_keyword(name) => name,
            Some(Lexeme::Text(text)) => {
                let hint = format!("write content contains \"{}\"", elide(text, 40));
                return Err(self.complain(Complaint::new("a text stands where a field should").hinting(hint)));
            }
            Some(other) => return Err(self.complain(missing(&format!("before `{}`", shown(other))))),
            None => return Err(self.complain(missing("at the end"))),
        };
        let field = match known(name) {
            Some(field) => Field::Known(field),
            None if name == "attributes" => {
                self.next += 1;
                return self
                    .keyed("the name of an attribute", r#"write attributes["gen_ai.request.model"]"#)
                    .map(Field::Attribute);
            }
            None if name == "score" || name.starts_with("score.") => return self.score(name),
            None => return Err(self.complain(unknown(name))),
        };
        self.next += 1;
        Ok(field)
    }

    /// A name in brackets, after a word such as `attributes`.
    fn keyed(&mut self, what: &str, hint: &str) -> Parsed<String> {
        self.needs_sign(Sign::OpenBracket)?;
        let Some(Lexeme::Text(key)) = self.peek() else {
            return Err(self.complain(Complaint::new(format!("{what} stands in quotes")).hinting(hint)));
        };
        if key.is_empty() {
            return Err(self.complain(Complaint::new(format!("{what} is empty"))));
        }
        self.next += 1;
        self.needs_sign(Sign::CloseBracket)?;
        Ok(key.clone())
    }

    /// `score.NAME`, or `score["any name"]`.
    fn score(&mut self, word: &str) -> Parsed<Field> {
        self.scores += 1;
        if self.scores > SCORES_MAX {
            let what = format!("more than {SCORES_MAX} conditions ask for scores");
            return Err(self.complain(Complaint::new(what).hinting("an `in` list may hold many values of one score")));
        }
        match word.strip_prefix("score.") {
            Some("") => {
                let hint = "write score.NAME, or score[\"any name\"]";
                Err(self.complain(Complaint::new("the name of a score is missing").hinting(hint)))
            }
            Some(name) => {
                self.next += 1;
                Ok(Field::Score(name.to_owned()))
            }
            None => {
                self.next += 1;
                self.keyed("the name of a score", "write score[\"any name\"], or score.NAME").map(Field::Score)
            }
        }
    }

    /// What is asked of a field that stands at `at`.
    fn test(&mut self, field: &Field, at: usize) -> Parsed<Test> {
        let asked_at = self.at();
        if let Some(comparison) = self.comparison() {
            Self::may(field, asked_at, comparison)?;
            return self.compared(field, comparison);
        }
        if self.takes("in") {
            return self.list(field);
        }
        if self.takes("exists") {
            return Ok(Test::Exists);
        }
        for (keyword, made) in TEXT_TESTS {
            if self.takes(keyword) {
                return self.text_test(field, (keyword, asked_at), made);
            }
        }
        match field {
            Field::Known(known) if known.kind == FieldKind::Flag => Ok(Test::Holds),
            field => {
                let hint = match self.peek() {
                    Some(Lexeme::Bare(word)) if !is_keyword(word) => {
                        nearest(word, KEYWORDS).map(|meant| format!("did you mean `{meant}`?"))
                    }
                    _ => None,
                };
                let hint = hint.unwrap_or_else(|| format!("such as `{field} = …`, `{field} in (…)` or `{field} exists`"));
                Err(located(at, Complaint::new(format!("`{field}` alone says nothing")).hinting(hint)))
            }
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let Some(Lexeme::Sign(sign)) = self.peek() else { return None };
        let found = match sign {
            Sign::Eq => Comparison::Eq,
            Sign::NotEq => Comparison::NotEq,
            Sign::Lt => Comparison::Lt,
            Sign::LtEq => Comparison::LtEq,
            Sign::Gt => Comparison::Gt,
            Sign::GtEq => Comparison::GtEq,
            Sign::Open | Sign::Close | Sign::OpenBracket | Sign::CloseBracket | Sign::Comma => return None,
        };
        self.next += 1;
        Some(found)
    }

    /// Whether this field can be compared so.
    fn may(field: &Field, at: usize, comparison: Comparison) -> Parsed<()> {
        let Field::Known(known) = field else { return Ok(()) };
        let equality = matches!(comparison, Comparison::Eq | Comparison::NotEq);
        let complaint = match known.kind {
            FieldKind::List if comparison == Comparison::NotEq => {
                Complaint::new(format!("a span may have several of `{}`", known.name))
                    .hinting(format!("write `not {} = …` for spans without it", known.name))
            }
            FieldKind::Text | FieldKind::List | FieldKind::Flag if !equality => {
                let what = format!("`{}` is neither more nor less than something", known.name);
                Complaint::new(what).hinting("`<` and `>` compare numbers, durations, costs and times")
            }
            _ => return Ok(()),
        };
        Err(located(at, complaint))
    }

    fn compared(&mut self, field: &Field, comparison: Comparison) -> Parsed<Test> {
        let at = self.at();
        let value = self.value(field)?;
        let is_severity = matches!(field, Field::Known(known) if known.kind == FieldKind::Severity);
        let ordered = !matches!(comparison, Comparison::Eq | Comparison::NotEq) && !is_severity;
        if ordered && matches!(value, Value::Text(_) | Value::Flag(_)) {
            let complaint = Complaint::new(format!("`{}` compares numbers", comparison.shown()));
            return Err(located(at, complaint.hinting("numbers of attributes stand without quotes")));
        }
        Ok(Test::Compare(comparison, value))
    }

    fn value(&mut self, field: &Field) -> Parsed<Value> {
        let Some(lexeme) = self.peek() else {
            return Err(self.complain(Complaint::new(format!("the value that `{field}` is compared with is missing"))));
        };
        let found = value(field, lexeme).map_err(|complaint| self.complain(complaint))?;
        self.next += 1;
        Ok(found)
    }

    fn list(&mut self, field: &Field) -> Parsed<Test> {
        if let Field::Known(known) = field
            && known.kind == FieldKind::Flag
        {
            return Err(self.complain(Complaint::new(format!("`{}` is true or false", known.name)).hinting("it may stand alone")));
        }
        self.needs_sign(Sign::Open)?;
        let mut values = vec![self.value(field)?];
        while self.takes_sign(Sign::Comma) {
            values.push(self.value(field)?);
        }
        self.needs_sign(Sign::Close)?;
        Ok(Test::In(values))
    }

    fn text_test(&mut self, field: &Field, (keyword, at): (&str, usize), made: TextTest) -> Parsed<Test> {
        if let Field::Known(known) = field
            && known.kind != FieldKind::Text
        {
            let what = format!("`{keyword}` is asked of texts, and `{}` is none", known.name);
            return Err(located(at, Complaint::new(what)));
        }
        let text = match self.peek() {
            Some(Lexeme::Text(text)) => text.clone(),
            Some(Lexeme::Bare(text)) if !is_keyword(text) => text.clone(),
            _ => return Err(self.complain(Complaint::new(format!("a text is missing after `{keyword}`")))),
        };
        let test = made(text);
        if matches!(test, Test::Words(_)) && !matches!(field, Field::Known(known) if known.name == "content") {
            return Err(located(at, Complaint::new("`words` is asked of `content`").hinting("other texts take `contains`")));
        }
        if test == Test::Words(Vec::new()) {
            return Err(self.complain(Complaint::new("there are no words in this text")));
        }
        self.look_for(field, &test)?;
        self.next += 1;
        Ok(test)
    }

    /// Whether there may be so much to look for.
    fn look_for(&mut self, field: &Field, test: &Test) -> Parsed<()> {
        if matches!(field, Field::Known(known) if known.name != "content") {
            return Ok(());
        }
        self.looked_for += if let Test::Words(words) = test { words.len() } else { 1 };
        if self.looked_for <= LOOKED_FOR_MAX {
            return Ok(());
        }
        let what = format!("more than {LOOKED_FOR_MAX} texts and words are looked for in content and attributes");
        Err(self.complain(Complaint::new(what).hinting("a text of several words is one text to `contains`")))
    }
}

/// Each once, whatever the case of its letters.
fn distinct(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    text.split_whitespace().filter(|word| seen.insert(word.to_lowercase())).map(str::to_owned).collect()
}

type TextTest = fn(String) -> Test;

const TEXT_TESTS: [(&str, TextTest); 3] =
    [("contains", Test::Contains), ("words", |text| Test::Words(distinct(&text))), ("starts_with", Test::StartsWith)];

fn located(at: usize, Complaint { what, hint }: Complaint) -> FilterFault {
    FilterFault { at, what, hint }
}

fn shown(lexeme: &Lexeme) -> String {
    match lexeme {
        Lexeme::Bare(text) | Lexeme::Text(text) => elide(text, 40),
        Lexeme::Sign(sign) => sign.shown().to_owned(),
    }
}

fn unknown(name: &str) -> Complaint {
    let complaint = Complaint::new(format!("unknown field `{}`", elide(name, 40)));
    let names = || FIELDS.iter().map(|field| field.name);
    // A name as long as a sentence is no slip of the finger.
    if let Some(meant) = Some(name).filter(|name| name.len() <= 40).and_then(|name| nearest(name, names())) {
        return complaint.hinting(format!("did you mean `{meant}`?"));
    }
    if name.contains('.') {
        let key = name.strip_prefix("attributes.").unwrap_or(name);
        return complaint.hinting(format!("an attribute is written attributes[\"{}\"]", elide(key, 80)));
    }
    complaint.hinting(format!("fields are {}", names().collect::<Vec<_>>().join(", ")))
}
