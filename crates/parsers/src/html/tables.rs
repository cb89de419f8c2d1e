//! Tables of a page. Cells are collected while the page is walked; a table is written when it ends.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use htmd::{
    Element, HtmlToMarkdownBuilder,
    element_handler::{HandlerResult, Handlers},
};

use super::attribute;
use crate::build::carried;

/// Tables around the place that is walked, innermost last.
#[derive(Clone, Default)]
struct Open(Arc<Mutex<Vec<Table>>>);

#[derive(Default)]
struct Table {
    caption: String,
    rows: Vec<Vec<String>>,
    /// It has cells that name a column or a row.
    headed: bool,
    /// Column to a cell from a row above that also stands in the next rows, and in how many.
    carried: BTreeMap<usize, (usize, String)>,
}

const COLUMNS: usize = 500;
const SPAN: usize = 100;

pub(super) fn handle(builder: HtmlToMarkdownBuilder) -> HtmlToMarkdownBuilder {
    let open = Open::default();
    let (tables, captions, rows, cells) = (open.clone(), open.clone(), open.clone(), open);
    let table = move |handlers: &dyn Handlers, element: Element<'_>| {
        tables.with(|open| open.push(Table::default()));
        let around = handlers.walk_children(element.node).content;
        let table = tables.with(Vec::pop).unwrap_or_default();
        Some(table.write(&around).into())
    };
    let caption = move |handlers: &dyn Handlers, element: Element<'_>| {
        let text = handlers.walk_children(element.node).content;
        captions.in_table(text, |table, text| table.caption = text)
    };
    let row = move |handlers: &dyn Handlers, element: Element<'_>| {
        rows.with(|open| open.last_mut().into_iter().for_each(|table| table.rows.push(Vec::new())));
        let around = handlers.walk_children(element.node).content;
        rows.with(|open| open.last_mut().into_iter().for_each(Table::fill));
        Some(around.into())
    };
    let cell = move |handlers: &dyn Handlers, element: Element<'_>| {
        let text = handlers.walk_children(element.node).content;
        let span = |name| attribute(&element, name).and_then(|count| count.trim().parse().ok()).unwrap_or(1).clamp(1, SPAN);
        let (columns, rows, head) = (span("colspan"), span("rowspan"), element.tag == "th");
        cells.in_table(text, |table, text| table.cell(text, head, columns, rows))
    };
    builder
        .add_handler(vec!["table"], table)
        .add_handler(vec!["caption"], caption)
        .add_handler(vec!["tr"], row)
        .add_handler(vec!["td", "th"], cell)
}

impl Open {
    fn with<T>(&self, change: impl FnOnce(&mut Vec<Table>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a text in the innermost table; gives it back where there is none.
    fn in_table(&self, text: String, keep: impl FnOnce(&mut Table, String)) -> Option<HandlerResult> {
        self.with(|open| match open.last_mut() {
            Some(table) => {
                keep(table, text);
                Some("".into())
            }
            None => Some(text.into()),
        })
    }
}

impl Table {
    fn cell(&mut self, text: String, head: bool, columns: usize, rows: usize) {
        self.headed |= head;
        self.fill();
        let Some(row) = self.rows.last_mut() else { return self.rows.push(vec![text]) };
        for index in 0..columns.min(COLUMNS.saturating_sub(row.len())) {
            let text = if index == 0 { text.clone() } else { String::new() };
            if rows > 1 {
                self.carried.insert(row.len(), (rows, carried(&text)));
            }
            row.push(text);
        }
    }

    /// Puts in what stands here from the rows above.
    fn fill(&mut self) {
        let Some(row) = self.rows.last_mut() else { return };
        while let Some((left, text)) = self.carried.get_mut(&row.len()) {
            *left -= 1;
            let (ended, text) = (*left == 0, text.clone());
            if ended {
                self.carried.remove(&row.len());
                // Its own row was the first of them.
                continue;
            }
            row.push(text);
        }
    }

    fn write(mut self, around: &str) -> String {
        self.rows.retain(|row| row.iter().any(|cell| !cell.trim().is_empty()));
        let width = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let blocks = |cell: &String| ["\n\n", "```", "| --- |"].iter().any(|mark| cell.trim().contains(mark));
        // Pages were laid out with tables, and mails still are.
        let layout = width <= 1 || self.rows.len() <= 1 || self.rows.iter().flatten().any(blocks);
        let mut parts = vec![around.trim().to_owned(), self.caption.trim().to_owned()];
        if layout && !self.headed {
            parts.extend(self.rows.into_iter().flatten().map(|cell| cell.trim_matches('\n').to_owned()));
        } else {
            parts.push(self.grid(width));
        }
        parts.retain(|part| !part.trim().is_empty());
        format!("\n\n{}\n\n", parts.join("\n\n"))
    }

    fn grid(&self, width: usize) -> String {
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let cells = (0..width).map(|column| row.get(column).map(|cell| flat(cell)).unwrap_or_default());
            text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
            if index == 0 {
                text.push_str(&format!("|{}\n", " --- |".repeat(width)));
            }
        }
        text
    }
}

/// A cell on one line. A table in it becomes its rows, one after another.
fn flat(cell: &str) -> String {
    let mut text = String::new();
    let mut after_row = false;
    for line in cell.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let row = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |"));
        if row.is_some_and(|row| row.chars().all(|c| matches!(c, '-' | '|' | ' '))) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(if after_row && row.is_some() { "; " } else { " " });
        }
        match row {
            Some(row) => text.push_str(&row.replace(" | ", " ")),
            None => text.push_str(&line.replace("\\|", "|").replace('|', "\\|")),
        }
        after_row = row.is_some();
    }
    text
}
