//! An owned record, the same from both engines.

use std::{fmt::Display, str::FromStr, sync::Arc};

use mainspring_kernel::Timestamp;
use serde::de::DeserializeOwned;

use crate::CatalogFault;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<[String]>,
    cells: Vec<Cell>,
}

impl Row {
    pub(crate) const fn new(columns: Arc<[String]>, cells: Vec<Cell>) -> Self {
        Self { columns, cells }
    }

    pub fn text(&self, column: &str) -> Result<&str, CatalogFault> {
        self.opt_text(column)?.ok_or_else(|| absent(column))
    }

    pub fn opt_text(&self, column: &str) -> Result<Option<&str>, CatalogFault> {
        match self.cell(column)? {
            Cell::Text(text) => Ok(Some(text)),
            Cell::Null => Ok(None),
            other => Err(mistyped(column, "text", other)),
        }
    }

    pub fn int(&self, column: &str) -> Result<i64, CatalogFault> {
        self.opt_int(column)?.ok_or_else(|| absent(column))
    }

    pub fn opt_int(&self, column: &str) -> Result<Option<i64>, CatalogFault> {
        match self.cell(column)? {
            Cell::Int(number) => Ok(Some(*number)),
            Cell::Null => Ok(None),
            other => Err(mistyped(column, "an integer", other)),
        }
    }

    /// An integer that fits a smaller type: version numbers, attempts, counts.
    pub fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, CatalogFault> {
        T::try_from(self.int(column)?).map_err(|_| fault(column, "the integer is out of range".to_owned()))
    }

    pub fn bool(&self, column: &str) -> Result<bool, CatalogFault> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(fault(column, format!("{other} is neither 0 nor 1"))),
        }
    }

    pub fn time(&self, column: &str) -> Result<Timestamp, CatalogFault> {
        self.int(column).map(Timestamp::from_micros)
    }

    pub fn opt_time(&self, column: &str) -> Result<Option<Timestamp>, CatalogFault> {
        Ok(self.opt_int(column)?.map(Timestamp::from_micros))
    }

    pub fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, CatalogFault> {
        serde_json::from_str(self.text(column)?).map_err(|source| fault(column, source.to_string()))
    }

    pub fn opt_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, CatalogFault> {
        self.opt_text(column)?
            .map(|text| serde_json::from_str(text).map_err(|source| fault(column, source.to_string())))
            .transpose()
    }

    pub fn bytes(&self, column: &str) -> Result<&[u8], CatalogFault> {
        match self.cell(column)? {
            Cell::Bytes(bytes) => Ok(bytes),
            Cell::Null => Err(absent(column)),
            other => Err(mistyped(column, "bytes", other)),
        }
    }

    pub fn parse<T: FromStr>(&self, column: &str) -> Result<T, CatalogFault>
    where
        T::Err: Display,
    {
        self.text(column)?.parse().map_err(|source: T::Err| fault(column, source.to_string()))
    }

    pub fn opt_parse<T: FromStr>(&self, column: &str) -> Result<Option<T>, CatalogFault>
    where
        T::Err: Display,
    {
        self.opt_text(column)?.map(|text| text.parse().map_err(|source: T::Err| fault(column, source.to_string()))).transpose()
    }

    fn cell(&self, column: &str) -> Result<&Cell, CatalogFault> {
        let index = self.columns.iter().position(|name| name == column);
        index.and_then(|index| self.cells.get(index)).ok_or_else(|| fault(column, "there is no such column".to_owned()))
    }
}

fn fault(column: &str, reason: String) -> CatalogFault {
    CatalogFault::Column { column: column.to_owned(), reason }
}

fn absent(column: &str) -> CatalogFault {
    fault(column, "the value is absent".to_owned())
}

fn mistyped(column: &str, wanted: &str, found: &Cell) -> CatalogFault {
    let found = match found {
        Cell::Null => "nothing",
        Cell::Int(_) => "an integer",
        Cell::Text(_) => "text",
        Cell::Bytes(_) => "bytes",
    };
    fault(column, format!("wanted {wanted}, found {found}"))
}
