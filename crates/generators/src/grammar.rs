//! JSON schemas as grammars in llama.cpp's notation (GBNF). Pure: `schema.rs` has checked before that every word
//! of the schema is one that is kept here.
//!
//! Ours, because llama.cpp's converter makes grammars that its own reader refuses where a property's name has a
//! bracket, forbids names that begin like a declared one, and lets declared names through when they are escaped.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::schema::{Map, REPETITIONS, Unkept, unkept};

/// Rules every grammar may use.
const RULES: &[(&str, &str)] = &[
    ("space", r#"| " " | "\n"{1,2} [ \t]{0,20}"#),
    ("char", r#"[^"\\\x7F\x00-\x1F] | [\\] (["\\bfnrt] | "u" [0-9a-fA-F]{4})"#),
    // Names of further properties are spelled without escapes, so that none can stand for a declared one.
    ("plain", r#"[^"\\\x7F\x00-\x1F]"#),
    ("string", r#""\"" char* "\"" space"#),
    ("integer", r#""-"? ("0" | [1-9] [0-9]{0,15}) space"#),
    ("number", r#""-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})? space"#),
    ("boolean", r#"("true" | "false") space"#),
    ("null", r#""null" space"#),
    ("object", r#""{" space (string ":" space value ("," space string ":" space value)*)? "}" space"#),
    ("array", r#""[" space (value ("," space value)*)? "]" space"#),
    ("value", "object | array | string | number | boolean | null"),
];
const HEX4: &str = "[0-9a-fA-F]{4}";
const DATE: &str = r#"[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [1-2] [0-9] | "3" [0-1])"#;
const TIME: &str = r#"([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{3})? ("Z" | [+-] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])"#;

pub(crate) fn write(schema: &Value) -> Result<String, Unkept> {
    let mut writer = Writer { root: schema, rules: BTreeMap::new(), definitions: BTreeMap::new() };
    let whole = writer.expression(schema, "#")?;
    let mut text = format!("root ::= space {whole}\n");
    for (name, rule) in RULES.iter().map(|(name, rule)| (*name, *rule)) {
        text.push_str(&format!("{name} ::= {rule}\n"));
    }
    for (name, rule) in &writer.rules {
        text.push_str(&format!("{name} ::= {rule}\n"));
    }
    Ok(text)
}

struct Writer<'a> {
    root: &'a Value,
    rules: BTreeMap<String, String>,
    /// Rules of `$defs`, by reference; known before they are written, since a definition may hold itself.
    definitions: BTreeMap<String, String>,
}

impl Writer<'_> {
    /// The name of a new rule for something long.
    fn rule(&mut self, rule: String) -> String {
        let name = format!("r{}", self.rules.len());
        self.rules.insert(name.clone(), rule);
        name
    }

    fn expression(&mut self, schema: &Value, at: &str) -> Result<String, Unkept> {
        let Some(map) = schema.as_object() else { return Err(unkept(at, "a schema that is not an object")) };
        if let Some(target) = map.get("$ref").and_then(Value::as_str) {
            return self.definition(target, at);
        }
        for many in ["anyOf", "oneOf"] {
            if let Some(choices) = map.get(many).and_then(Value::as_array) {
                let choices = choices.iter().enumerate();
                let choices: Vec<_> = choices
                    .map(|(index, choice)| self.expression(choice, &format!("{at}/{many}/{index}")))
                    .collect::<Result<_, _>>()?;
                return Ok(either(choices));
            }
        }
        if let Some(value) = map.get("const") {
            return Ok(format!("{} space", literal(&value.to_string())));
        }
        if let Some(values) = map.get("enum").and_then(Value::as_array) {
            return Ok(format!("{} space", either(values.iter().map(|value| literal(&value.to_string())).collect())));
        }
        let kinds: Vec<&str> = match map.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return Ok("value".to_owned()),
        };
        let kinds: Vec<_> = kinds.into_iter().map(|kind| self.typed(kind, map, at)).collect::<Result<_, _>>()?;
        Ok(either(kinds))
    }

    fn definition(&mut self, target: &str, at: &str) -> Result<String, Unkept> {
        if let Some(name) = self.definitions.get(target) {
            return Ok(name.clone());
        }
        let name = format!("d{}", self.definitions.len());
        self.definitions.insert(target.to_owned(), name.clone());
        let schema = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        let schema = schema.ok_or_else(|| unkept(at, format!("the reference `{target}`")))?;
        if schema.get("$ref").and_then(Value::as_str) == Some(target) {
            return Err(unkept(at, format!("the reference `{target}` to itself")));
        }
        let rule = self.expression(schema, target)?;
        self.rules.insert(name.clone(), rule);
        Ok(name)
    }

    fn typed(&mut self, kind: &str, map: &Map, at: &str) -> Result<String, Unkept> {
        Ok(match kind {
            "integer" => integer(map, at)?,
            "string" => string(map, at)?,
            "array" => self.array(map, at)?,
            "object" => self.object(map, at)?,
            // `null`, `boolean` and `number` have rules of their names.
            other => other.to_owned(),
        })
    }

    fn array(&mut self, map: &Map, at: &str) -> Result<String, Unkept> {
        let item = match map.get("items") {
            Some(items) => self.expression(items, &format!("{at}/items"))?,
            None => "value".to_owned(),
        };
        let least = map.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        let most = map.get("maxItems").and_then(Value::as_u64);
        if most == Some(0) {
            return Ok(r#""[" space "]" space"#.to_owned());
        }
        let further = times(least.saturating_sub(1), most.map(|most| most - 1));
        let items = format!(r#"{item} ("," space {item}){further}"#);
        let items = if least == 0 { format!("({items})?") } else { items };
        Ok(self.rule(format!(r#""[" space {items} "]" space"#)))
    }

    fn object(&mut self, map: &Map, at: &str) -> Result<String, Unkept> {
        let properties = map.get("properties").and_then(Value::as_object);
        let further = match map.get("additionalProperties") {
            None | Some(Value::Bool(true)) if properties.is_none() => return Ok("object".to_owned()),
            None | Some(Value::Bool(false)) => None,
            Some(Value::Bool(true)) => Some("value".to_owned()),
            Some(schema) => Some(self.expression(schema, &format!("{at}/additionalProperties"))?),
        };
        let required: BTreeSet<&str> =
            map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let (mut must, mut may) = (Vec::new(), Vec::new());
        for (name, schema) in properties.into_iter().flatten() {
            let value = self.expression(schema, &format!("{at}/properties/{name}"))?;
            let name_is = literal(&Value::from(name.as_str()).to_string());
            let pair = self.rule(format!(r#"{name_is} space ":" space {value}"#));
            if required.contains(name.as_str()) { must.push(pair) } else { may.push(pair) }
        }
        if let Some(value) = further {
            let names: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let pair = self.rule(format!(r#"{} ":" space {value}"#, other_than(&names)));
            may.push(self.rule(format!(r#"{pair} ("," space {pair})*"#)));
        }
        let members = self.members(&must, &may);
        Ok(self.rule(format!(r#""{{" space {members} "}}" space"#)))
    }

    /// Required members in order, then any of the others in order.
    fn members(&mut self, must: &[String], may: &[String]) -> String {
        let comma = r#" "," space "#;
        let rest = |from: usize| may[from..].iter().map(|pair| format!(r#" ("," space {pair})?"#)).collect::<String>();
        if !must.is_empty() {
            return format!("{}{}", must.join(comma), rest(0));
        }
        // The first that is there has no comma before it.
        let begun: Vec<String> = (0..may.len()).map(|first| format!("{}{}", may[first], rest(first + 1))).collect();
        if begun.is_empty() { String::new() } else { format!("({})?", begun.join(" | ")) }
    }
}

fn either(choices: Vec<String>) -> String {
    match &choices[..] {
        [one] => one.clone(),
        many => format!("({})", many.join(" | ")),
    }
}

fn times(least: u64, most: Option<u64>) -> String {
    match (least, most) {
        (0, None) => "*".to_owned(),
        (least, None) => format!("{{{least},}}"),
        (least, Some(most)) => format!("{{{least},{most}}}"),
    }
}

/// A text that has to stand there as it is.
fn literal(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn string(map: &Map, at: &str) -> Result<String, Unkept> {
    let inner = if let Some(pattern) = map.get("pattern").and_then(Value::as_str) {
        pattern_rule(pattern).ok_or_else(|| unkept(at, "this `pattern`"))?
    } else {
        let length = |key: &str| map.get(key).and_then(Value::as_u64);
        match (map.get("format").and_then(Value::as_str), length("minLength"), length("maxLength")) {
            (Some("date"), ..) => DATE.to_owned(),
            (Some("time"), ..) => TIME.to_owned(),
            (Some("date-time"), ..) => format!(r#"{DATE} "T" {TIME}"#),
            (Some("uuid"), ..) => format!(r#"{HEX4} {HEX4} "-" {HEX4} "-" {HEX4} "-" {HEX4} "-" {HEX4} {HEX4} {HEX4}"#),
            (_, None, None) => return Ok("string".to_owned()),
            (_, least, most) => format!("char{}", times(least.unwrap_or(0), most)),
        }
    };
    Ok(format!(r#""\"" {inner} "\"" space"#))
}

/// A pattern that `schema.rs` let pass, `^…$`, in the grammar's notation.
fn pattern_rule(pattern: &str) -> Option<String> {
    let inner = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let mut chars = inner.chars().peekable();
    let mut out = String::from("(");
    // Whether a repetition may follow: what came last is a character, a class or a group, not repeated yet.
    let mut repeatable = false;
    while let Some(c) = chars.next() {
        match c {
            '*' | '+' | '?' | '{' if !repeatable => return None,
            '*' | '+' | '?' => out.push(c),
            '{' => out.push_str(&count(&mut chars)?),
            '}' => return None,
            '(' => out.push_str(" ("),
            // An empty choice matches everything, which nobody means.
            ')' | '|' if out.ends_with(['(', '|']) => return None,
            ')' => out.push(')'),
            '|' => out.push_str(" |"),
            '[' => {
                let class: String = chars.by_ref().take_while(|c| *c != ']').collect();
                if class.is_empty() {
                    return None;
                }
                out.push_str(&format!(" [{class}]"));
            }
            '\\' => out.push_str(&format!(" {}", literal(&chars.next()?.to_string()))),
            c => out.push_str(&format!(" {}", literal(&c.to_string()))),
        }
        repeatable = !matches!(c, '*' | '+' | '?' | '{' | '(' | '|');
    }
    (!out.ends_with(['(', '|'])).then(|| out + ")")
}

/// `m}`, `m,}` or `m,n}` behind an opening brace.
fn count(chars: &mut impl Iterator<Item = char>) -> Option<String> {
    let text: String = chars.take_while(|c| *c != '}').collect();
    let (least, most) = text.split_once(',').map_or((text.as_str(), None), |(least, most)| (least, Some(most)));
    let number = |text: &str| text.parse::<u64>().ok().filter(|count| *count <= REPETITIONS);
    let least = number(least)?;
    match most {
        None => Some(format!("{{{least}}}")),
        Some("") => Some(format!("{{{least},}}")),
        Some(most) => number(most).filter(|most| *most >= least).map(|most| format!("{{{least},{most}}}")),
    }
}

/// The name of a property that is none of these.
fn other_than(names: &[&str]) -> String {
    #[derive(Default)]
    struct Node {
        is_name: bool,
        next: BTreeMap<char, Node>,
    }
    let mut root = Node::default();
    // A name with a character that JSON escapes cannot be spelled by `plain` at all.
    for name in names.iter().filter(|name| !name.chars().any(|c| c.is_control() || matches!(c, '"' | '\\'))) {
        let node = name.chars().fold(&mut root, |node, c| node.next.entry(c).or_default());
        node.is_name = true;
    }
    fn class(c: char) -> String {
        if matches!(c, ']' | '[' | '^' | '-') { format!("\\x{:02X}", c as u32) } else { c.to_string() }
    }
    fn write(node: &Node) -> String {
        if node.next.is_empty() {
            return if node.is_name { " plain+".to_owned() } else { " plain*".to_owned() };
        }
        let mut choices: Vec<String> = node.next.iter().map(|(c, next)| format!("[{}]{}", class(*c), write(next))).collect();
        let taken: String = node.next.keys().map(|c| class(*c)).collect();
        choices.push(format!(r#"[^"\\\x7F\x00-\x1F{taken}] plain*"#));
        format!(" ({}){}", choices.join(" | "), if node.is_name { "" } else { "?" })
    }
    format!(r#""\""{} "\"" space"#, write(&root))
}

fn integer(map: &Map, at: &str) -> Result<String, Unkept> {
    let bound = |key: &str| map.get(key).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1)));
    if least.is_none() && most.is_none() {
        return Ok("integer".to_owned());
    }
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        return Err(unkept(at, "bounds that no whole number is between"));
    }
    let mut choices = Vec::new();
    // Below zero the larger number is the smaller one.
    if least.is_none_or(|least| least < 0) {
        let nearest = most.filter(|most| *most < 0).map_or(1, i64::unsigned_abs);
        choices.push(format!(r#""-" {}"#, natural(nearest, least.map(i64::unsigned_abs))));
    }
    if most.is_none_or(|most| most >= 0) {
        let from = least.filter(|least| *least > 0).map_or(0, i64::unsigned_abs);
        choices.push(natural(from, most.map(i64::unsigned_abs)));
    }
    Ok(format!("{} space", either(choices)))
}

/// Numbers from `from` up to `to`, or of up to 16 digits, without leading zeros.
fn natural(from: u64, to: Option<u64>) -> String {
    const DIGITS: u32 = 16;
    let to = to.unwrap_or_else(|| (10_u64.pow(DIGITS) - 1).max(from));
    let length = |number: u64| number.checked_ilog10().unwrap_or(0) + 1;
    let choices = (length(from)..=length(to)).map(|digits| {
        let lowest = if digits == 1 { 0 } else { 10_u64.pow(digits - 1) };
        let highest = 10_u64.checked_pow(digits).map_or(u64::MAX, |next| next - 1);
        between(from.max(lowest).to_string().as_bytes(), to.min(highest).to_string().as_bytes())
    });
    either(choices.collect())
}

/// Digits between two numbers of one length.
fn between(low: &[u8], high: &[u8]) -> String {
    let ([first, low_rest @ ..], [last, high_rest @ ..]) = (low, high) else { return String::new() };
    let digit = |from: u8, to: u8| {
        if from == to { format!("\"{}\"", from as char) } else { format!("[{}-{}]", from as char, to as char) }
    };
    let any = |count: usize| if count == 0 { String::new() } else { format!(" [0-9]{{{count}}}") };
    let (zeros, nines) = (vec![b'0'; low_rest.len()], vec![b'9'; low_rest.len()]);
    if first == last {
        return format!("{} {}", digit(*first, *last), between(low_rest, high_rest)).trim_end().to_owned();
    }
    let (mut from, mut to) = (*first, *last);
    let mut choices = Vec::new();
    if low_rest != zeros {
        choices.push(format!("{} {}", digit(from, from), between(low_rest, &nines)));
        from += 1;
    }
    let ends_early = high_rest != nines;
    to -= u8::from(ends_early);
    if from <= to {
        choices.push(format!("{}{}", digit(from, to), any(low_rest.len())));
    }
    if ends_early {
        choices.push(format!("{} {}", digit(*last, *last), between(&zeros, high_rest)));
    }
    either(choices)
}
