//! What the queries need of a database: the trait that SQLite and PostgreSQL implement.
//!
//! Both take the same SQL: `$1` placeholders, `ON CONFLICT`, `RETURNING`, row values. A query is written once, with numbers, text and
//! bytes as its only types; the tests run every one of them on both.

use std::future::Future;
use std::pin::Pin;

use crate::StoreError;

/// A future in a trait object.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A database.
pub(crate) trait Engine: Send + Sync {
    /// What the messages call it.
    fn name(&self) -> &'static str;
    /// Begins a transaction that may write. One that is dropped is rolled back.
    fn write(&self) -> Pending<'_, Box<dyn Transaction>>;
    /// Begins a transaction that only reads, and that sees one state of the database.
    fn read(&self) -> Pending<'_, Box<dyn Transaction>>;
    /// Moves what was written to where it is cheapest to keep, at a moment without work.
    fn tidy(&self) -> Pending<'_, ()>;
    /// Closes every connection.
    fn close(&self) -> Pending<'_, ()>;
}

/// A transaction.
pub(crate) trait Transaction: Send {
    /// Runs a statement. Returns the rows it returned.
    fn rows<'a>(&'a mut self, sql: &'static str, values: Vec<Value>) -> Pending<'a, Vec<Row>>;
    /// Runs a statement. Returns the number of rows it changed.
    fn run<'a>(&'a mut self, sql: &'static str, values: Vec<Value>) -> Pending<'a, u64>;
    /// Makes the changes last.
    fn commit(self: Box<Self>) -> Pending<'static, ()>;
}

/// A value of a row or of a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Number(Option<i64>),
    Real(f64),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// A row, in the order of the columns selected.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    /// # Panics
    /// If the column is not of this type: the query and its reader disagree.
    pub(crate) fn take<T: Column>(&mut self, column: usize) -> T {
        let value = std::mem::replace(&mut self.0[column], Value::Number(None));
        T::of(value).unwrap_or_else(|value| panic!("column {column} holds {value:?}"))
    }
}

/// A type that a column can be read as.
pub(crate) trait Column: Sized {
    /// # Errors
    /// The value, if it is of another type.
    fn of(value: Value) -> Result<Self, Value>;
}

macro_rules! column {
    ($type:ty, $variant:ident) => {
        impl Column for Option<$type> {
            fn of(value: Value) -> Result<Self, Value> {
                match value {
                    Value::$variant(found) => Ok(found),
                    other => Err(other),
                }
            }
        }

        impl Column for $type {
            fn of(value: Value) -> Result<Self, Value> {
                match value {
                    Value::$variant(Some(found)) => Ok(found),
                    other => Err(other),
                }
            }
        }

        impl From<$type> for Value {
            fn from(value: $type) -> Value {
                Value::$variant(Some(value))
            }
        }

        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Value {
                Value::$variant(value)
            }
        }
    };
}

column!(i64, Number);
column!(String, Text);
column!(Vec<u8>, Bytes);

impl Column for f64 {
    fn of(value: Value) -> Result<Self, Value> {
        match value {
            Value::Real(found) => Ok(found),
            other => Err(other),
        }
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Real(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(Some(value.to_owned()))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Number(Some(value.into()))
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Value {
        Value::Bytes(Some(value.to_vec()))
    }
}

/// The values of a statement's placeholders.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::engine::Value::from($value)),*] };
}

pub(crate) use values;

/// Implements [`Transaction`] for a transaction of sqlx, and reads its rows.
macro_rules! transaction {
    ($name:ident, $database:ty, $row:ty, $fault:path) => {
        pub(crate) struct $name(pub(crate) sqlx::Transaction<'static, $database>);

        impl $name {
            fn bound(
                sql: &'static str,
                values: Vec<$crate::engine::Value>,
            ) -> sqlx::query::Query<'static, $database, <$database as sqlx::Database>::Arguments> {
                use $crate::engine::Value;
                values.into_iter().fold(sqlx::query(sql), |query, value| match value {
                    Value::Number(number) => query.bind(number),
                    Value::Real(real) => query.bind(real),
                    Value::Text(text) => query.bind(text),
                    Value::Bytes(bytes) => query.bind(bytes),
                })
            }
        }

        impl $crate::engine::Transaction for $name {
            fn rows<'a>(
                &'a mut self,
                sql: &'static str,
                values: Vec<$crate::engine::Value>,
            ) -> $crate::engine::Pending<'a, Vec<$crate::engine::Row>> {
                Box::pin(async move {
                    let found = Self::bound(sql, values).fetch_all(&mut *self.0);
                    let rows = $crate::in_time(found).await?.map_err($fault)?;
                    rows.iter().map(|row| read(row).map_err($fault)).collect()
                })
            }

            fn run<'a>(
                &'a mut self,
                sql: &'static str,
                values: Vec<$crate::engine::Value>,
            ) -> $crate::engine::Pending<'a, u64> {
                Box::pin(async move {
                    let ran = Self::bound(sql, values).execute(&mut *self.0);
                    Ok($crate::in_time(ran).await?.map_err($fault)?.rows_affected())
                })
            }

            fn commit(self: Box<Self>) -> $crate::engine::Pending<'static, ()> {
                Box::pin(async move { $crate::in_time(self.0.commit()).await?.map_err($fault) })
            }
        }

        fn read(row: &$row) -> Result<$crate::engine::Row, sqlx::Error> {
            use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};
            let columns = row.columns().iter().map(|column| {
                let at = column.ordinal();
                // The declared type, or that of the value where an expression has none.
                let declared = column.type_info().name().to_owned();
                let kind =
                    if declared == "NULL" { row.try_get_raw(at)?.type_info().name().to_owned() } else { declared };
                Ok(match kind.as_str() {
                    "TEXT" => $crate::engine::Value::Text(row.try_get(at)?),
                    "BLOB" | "BYTEA" => $crate::engine::Value::Bytes(row.try_get(at)?),
                    "REAL" | "FLOAT8" => $crate::engine::Value::Real(row.try_get(at)?),
                    _ => $crate::engine::Value::Number(row.try_get(at)?),
                })
            });
            columns.collect::<Result<Vec<_>, sqlx::Error>>().map($crate::engine::Row)
        }
    };
}

pub(crate) use transaction;
