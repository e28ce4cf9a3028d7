//! The schema, version by version. One text serves both databases: the only difference in DDL is
//! the name of the byte type, written `{BYTES}`.
//!
//! A migration that has been released is never edited: its checksum is kept in the database, and
//! [`super::Store::open`] refuses a database whose history is not this one.

use refinery::{Migration, Runner};

use super::Kind;
use crate::store::StoreError;

const ALL: [(&str, &str); 5] = [
    ("V1__initial", include_str!("V1__initial.sql")),
    ("V2__metadata_source", include_str!("V2__metadata_source.sql")),
    ("V3__relogin_lock", include_str!("V3__relogin_lock.sql")),
    ("V5__sessions_of_person", include_str!("V5__sessions_of_person.sql")),
    ("V6__session_index", include_str!("V6__session_index.sql")),
];

pub(super) fn runner(kind: Kind) -> Result<Runner, StoreError> {
    let migrations = ALL
        .iter()
        .map(|(name, sql)| Migration::unapplied(name, &sql.replace("{BYTES}", bytes(kind))))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| StoreError::Migration(error.to_string()))?;
    // All that is pending in one transaction: a crash leaves the old schema or the new one.
    Ok(Runner::new(&migrations).set_grouped(true))
}

fn bytes(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite => "BLOB",
        Kind::Postgres => "BYTEA",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_free_of_dialect() {
        for (name, sql) in ALL {
            let code = sql.lines().filter(|line| !line.starts_with("--")).collect::<String>();
            for dialect in ["BLOB", "BYTEA", "AUTOINCREMENT", "SERIAL", "TIMESTAMP", "BOOLEAN"] {
                assert!(!code.to_uppercase().contains(dialect), "{dialect} in {name}");
            }
        }
    }

    #[test]
    fn the_byte_type_is_filled_in() {
        for (kind, word) in [(Kind::Sqlite, "BLOB"), (Kind::Postgres, "BYTEA")] {
            let runner = runner(kind).unwrap();
            let sql = |migration: &Migration| migration.sql().unwrap().to_owned();
            let texts: Vec<_> = runner.get_migrations().iter().map(sql).collect();
            assert!(texts.iter().all(|text| !text.contains("{BYTES}")), "{texts:?}");
            assert!(texts.iter().any(|text| text.contains(word)), "{word}");
        }
    }
}
