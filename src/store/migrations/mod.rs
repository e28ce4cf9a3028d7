//! The schema, version by version. One text serves both databases, with the name of the byte type
//! written `{BYTES}`; two stand where one of them cannot do what the other does in place.
//!
//! A migration that has been released is never edited: its checksum is kept in the database, and
//! [`super::Store::open`] refuses a database whose history is not this one.

use refinery::{Migration, Runner};

use super::Kind;
use crate::store::StoreError;

/// Every version, the first one first.
pub(super) const ALL: [(&str, Text); 13] = [
    ("V1__initial", Text::Both(include_str!("V1__initial.sql"))),
    ("V2__metadata_source", Text::Both(include_str!("V2__metadata_source.sql"))),
    ("V3__relogin_lock", Text::Both(include_str!("V3__relogin_lock.sql"))),
    (
        "V4__logout_of_apps",
        Text::Each {
            sqlite: include_str!("V4__logout_of_apps.sqlite.sql"),
            postgres: include_str!("V4__logout_of_apps.postgres.sql"),
        },
    ),
    ("V5__sessions_of_person", Text::Both(include_str!("V5__sessions_of_person.sql"))),
    ("V6__session_index", Text::Both(include_str!("V6__session_index.sql"))),
    ("V7__lapsed_sessions", Text::Both(include_str!("V7__lapsed_sessions.sql"))),
    ("V8__apps_of_session", Text::Both(include_str!("V8__apps_of_session.sql"))),
    ("V9__order_and_cookie", Text::Both(include_str!("V9__order_and_cookie.sql"))),
    ("V10__relogin_lock_index", Text::Both(include_str!("V10__relogin_lock_index.sql"))),
    ("V11__ended_principal_version", Text::Both(include_str!("V11__ended_principal_version.sql"))),
    ("V12__receiver", Text::Both(include_str!("V12__receiver.sql"))),
    ("V13__relogin_lock_session", Text::Both(include_str!("V13__relogin_lock_session.sql"))),
];

/// The SQL of one version.
pub(super) enum Text {
    Both(&'static str),
    Each { sqlite: &'static str, postgres: &'static str },
}

impl Text {
    fn of(&self, kind: Kind) -> String {
        let sql = match (self, kind) {
            (Self::Both(sql), _)
            | (Self::Each { sqlite: sql, .. }, Kind::Sqlite)
            | (Self::Each { postgres: sql, .. }, Kind::Postgres) => sql,
        };
        sql.replace("{BYTES}", bytes(kind))
    }
}

pub(super) fn runner(kind: Kind) -> Result<Runner, StoreError> {
    let migrations = ALL
        .iter()
        .map(|(name, text)| Migration::unapplied(name, &text.of(kind)))
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
mod tests;
