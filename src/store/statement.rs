//! What goes into the databases and what comes out, in the three types that both of them know.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::StoreError;
use crate::clock::Timestamp;
use crate::secret::TokenHash;

/// A parameter or a column: `BIGINT`, `TEXT`, `BLOB`/`BYTEA`, or nothing.
///
/// `Debug` shows texts and bytes by their length only, because rows hold what belongs to people.
#[derive(Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// One write. Its SQL is a constant of the program, so nothing from outside can become SQL.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Placeholders are `$1`, `$2`, … on both databases.
    pub sql: &'static str,
    pub params: Vec<Value>,
    pub expect: Expect,
    /// The name of the change that this statement carries out; [`super::CommitError::Conflict`]
    /// tells it.
    pub what: &'static str,
}

/// How many rows a write must touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Zero rows, two rows or a row that is already there is a conflict.
    ExactlyOne,
    Any,
}

/// One read.
#[derive(Clone, Debug)]
pub struct Query {
    /// Placeholders are `$1`, `$2`, … on both databases.
    pub sql: &'static str,
    pub params: Vec<Value>,
}

/// The rows of several queries, all as they were at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The database's time. No row of the snapshot was written after it.
    pub now: Timestamp,
    /// One table for each query, in the order of the queries.
    pub tables: Vec<Vec<Row>>,
}

/// One row. Columns are read by the name they have in the `SELECT`.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(columns: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    /// # Errors
    /// This and all the readers below: [`StoreError::Corrupt`] names the column if it is missing,
    /// null, or of another type.
    pub fn int(&self, column: &str) -> Result<i64, StoreError> {
        present(column, self.optional_int(column)?)
    }

    pub fn text(&self, column: &str) -> Result<&str, StoreError> {
        present(column, self.optional_text(column)?)
    }

    pub fn bytes(&self, column: &str) -> Result<&[u8], StoreError> {
        present(column, self.optional_bytes(column)?)
    }

    pub fn timestamp(&self, column: &str) -> Result<Timestamp, StoreError> {
        present(column, self.optional_timestamp(column)?)
    }

    pub fn hash(&self, column: &str) -> Result<TokenHash, StoreError> {
        present(column, TokenHash::from_slice(self.bytes(column)?))
    }

    /// A text column that is an id or another value with a text form.
    pub fn parse<T: FromStr>(&self, column: &str) -> Result<T, StoreError> {
        present(column, self.optional_parse(column)?)
    }

    pub fn optional_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Int(int) => Ok(Some(*int)),
            Value::Text(_) | Value::Bytes(_) => Err(corrupt(column)),
        }
    }

    pub fn optional_text(&self, column: &str) -> Result<Option<&str>, StoreError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            Value::Int(_) | Value::Bytes(_) => Err(corrupt(column)),
        }
    }

    pub fn optional_bytes(&self, column: &str) -> Result<Option<&[u8]>, StoreError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes)),
            Value::Int(_) | Value::Text(_) => Err(corrupt(column)),
        }
    }

    pub fn optional_timestamp(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.optional_int(column)?.map(Timestamp::from_micros))
    }

    pub fn optional_parse<T: FromStr>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let text = self.optional_text(column)?;
        text.map(str::parse).transpose().map_err(|_| corrupt(column))
    }

    fn value(&self, column: &str) -> Result<&Value, StoreError> {
        let position = self.columns.iter().position(|name| name == column);
        position.and_then(|at| self.values.get(at)).ok_or_else(|| corrupt(column))
    }
}

fn present<T>(column: &str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| corrupt(column))
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column} is not as the schema says"))
}

/// The SQL with `$N` outside of quotes and comments written as `?N`. In SQLite `$1` is a *name*,
/// numbered by its first appearance, so that binding by position would go wrong in silence.
pub(super) fn numbered_for_sqlite(sql: &str) -> Cow<'_, str> {
    if !sql.contains('$') {
        return Cow::Borrowed(sql);
    }
    let mut rewritten = String::with_capacity(sql.len());
    let mut within = Within::Code;
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        let placeholder = c == '$' && rest.peek().is_some_and(char::is_ascii_digit);
        rewritten.push(if within == Within::Code && placeholder { '?' } else { c });
        within = match (within, c) {
            (Within::Code, '\'' | '"') => Within::Quotes(c),
            (Within::Code, '-') if rest.peek() == Some(&'-') => Within::Comment,
            (Within::Quotes(quote), c) if c == quote => Within::Code,
            (Within::Comment, '\n') => Within::Code,
            (unchanged, _) => unchanged,
        };
    }
    Cow::Owned(rewritten)
}

#[derive(Clone, Copy, PartialEq)]
enum Within {
    Code,
    Comment,
    Quotes(char),
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Int(int) => write!(f, "Int({int})"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
        }
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.as_micros())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<[u8; 32]> for Value {
    fn from(bytes: [u8; 32]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<TokenHash> for Value {
    fn from(hash: TokenHash) -> Self {
        Self::Bytes(hash.as_bytes().to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ClientId;

    fn row(values: Vec<(&str, Value)>) -> Row {
        let (columns, values): (Vec<String>, Vec<Value>) =
            values.into_iter().map(|(name, value)| (name.to_owned(), value)).unzip();
        Row::new(columns.into(), values)
    }

    #[test]
    fn placeholders_are_rewritten_and_nothing_else() {
        for (ours, sqlite) in [
            ("SELECT 1", "SELECT 1"),
            ("SET a = $2 WHERE b = $1", "SET a = ?2 WHERE b = ?1"),
            ("($1,$12)", "(?1,?12)"),
            ("a = '$1' AND \"$2\" = $3", "a = '$1' AND \"$2\" = ?3"),
            ("a = 'it''s $1' AND b = $1", "a = 'it''s $1' AND b = ?1"),
            ("a = $1 -- not $2\n AND b = $2", "a = ?1 -- not $2\n AND b = ?2"),
            ("a - $1 AND $b", "a - ?1 AND $b"),
        ] {
            assert_eq!(numbered_for_sqlite(ours), sqlite);
        }
    }

    #[test]
    fn columns_are_read_by_name_and_type() {
        let hash = TokenHash::of(b"x");
        let row = row(vec![
            ("id", "app-one".into()),
            ("at", Timestamp::from_micros(7).into()),
            ("hash", hash.into()),
            ("ended_at", None::<Timestamp>.into()),
        ]);
        assert_eq!(row.text("id"), Ok("app-one"));
        assert_eq!(row.parse::<ClientId>("id").map(|id| id.to_string()), Ok("app-one".to_owned()));
        assert_eq!(row.int("at"), Ok(7));
        assert_eq!(row.timestamp("at"), Ok(Timestamp::from_micros(7)));
        assert_eq!(row.hash("hash"), Ok(hash));
        assert_eq!(row.bytes("hash"), Ok(hash.as_bytes().as_slice()));
        assert_eq!(row.optional_timestamp("ended_at"), Ok(None));
        assert_eq!(row.optional_timestamp("at"), Ok(Some(Timestamp::from_micros(7))));
    }

    #[test]
    fn a_column_that_is_not_as_the_schema_says_is_named() {
        let row = row(vec![("id", "!".into()), ("at", Value::Null), ("hash", vec![1, 2].into())]);
        assert_eq!(row.int("id"), Err(corrupt("id")));
        assert_eq!(row.parse::<ClientId>("id").err(), Some(corrupt("id")));
        assert_eq!(row.timestamp("at"), Err(corrupt("at")));
        assert_eq!(row.hash("hash"), Err(corrupt("hash")));
        assert_eq!(row.optional_text("gone"), Err(corrupt("gone")));
    }

    #[test]
    fn debug_tells_lengths_not_contents() {
        assert_eq!(format!("{:?}", Value::from("ada@example.org")), "Text(15 bytes)");
        assert_eq!(format!("{:?}", Value::from(vec![0xde, 0xad])), "Bytes(2 bytes)");
    }
}
