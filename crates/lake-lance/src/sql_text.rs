//! Whether a text is one `SELECT` of a size that can be planned.
//!
//! The engine plans by recursion and copies a common table expression wherever it is named, so a short text could take a stack
//! that no thread has, or a plan that no memory holds. Both are bounded here, before it sees the text.

use std::ops::ControlFlow;

use lance::deps::datafusion::sql::{
    parser::Statement,
    sqlparser::{
        ast::{Statement as SqlStatement, visit_relations},
        dialect::PostgreSqlDialect,
        keywords::Keyword,
        tokenizer::{Token, Tokenizer},
    },
};
use mainspring_kernel::text::elide;
use mainspring_lake::LakeFault;

pub(crate) const BYTES_MAX: usize = 64 * 1024;
const TOKENS_MAX: usize = 4_000;
/// What nests one expression or one query in another without any brackets.
const OPERATORS_MAX: usize = 200;
/// A plan grows at most with two to the power of half of this.
const RELATIONS_MAX: usize = 16;

pub(crate) fn fault(reason: impl AsRef<str>, hint: impl Into<String>) -> LakeFault {
    LakeFault::Sql { reason: elide(reason.as_ref(), 600), hint: hint.into() }
}

const ONE_SELECT: &str = "ask one SELECT statement, in the dialect of PostgreSQL";

/// Refuses what is too large to parse.
pub(crate) fn check_size(text: &str) -> Result<(), LakeFault> {
    if text.len() > BYTES_MAX {
        return Err(fault(format!("it is longer than {BYTES_MAX} bytes"), "ask a shorter question"));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().map_err(|error| fault(error.to_string(), ONE_SELECT))?;
    let told = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_)));
    if told.clone().count() > TOKENS_MAX {
        return Err(fault(format!("it is longer than {TOKENS_MAX} words and signs"), "ask a shorter question"));
    }
    if told.filter(|token| nests(token)).count() > OPERATORS_MAX {
        let hint = "write `column IN (…)` for a chain of OR, and views of fewer parts for a chain of UNION";
        return Err(fault(format!("it has more than {OPERATORS_MAX} operators"), hint));
    }
    Ok(())
}

const fn nests(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::NOTNULL
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::IN
                | Keyword::AT
                | Keyword::COLLATE
                | Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::MINUS
                | Keyword::JOIN
                | Keyword::SELECT
                | Keyword::VALUES
                | Keyword::UNNEST
                | Keyword::OVER
        ),
        Token::EOF
        | Token::Number(_, _)
        | Token::Char(_)
        | Token::SingleQuotedString(_)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::Period
        | Token::SemiColon
        | Token::RBracket => false,
        _ => true,
    }
}

/// The statement, if it is a query and nothing else.
pub(crate) fn check_statement(statement: &Statement) -> Result<(), LakeFault> {
    let Statement::Statement(statement) = statement else { return Err(fault("it is not a SELECT", ONE_SELECT)) };
    let SqlStatement::Query(query) = &**statement else { return Err(fault("it is not a SELECT", ONE_SELECT)) };
    let mut relations = 0;
    let counted = visit_relations(query, |_| {
        relations += 1;
        if relations > RELATIONS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match counted {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => {
            Err(fault(format!("it names tables more than {RELATIONS_MAX} times"), "ask in several questions"))
        }
    }
}
