//! How a connection to the file is opened: private, in WAL, with a schema that is ours.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{BUSY_TIMEOUT, store_error};
use crate::store::open::with_causes;
use crate::store::{Kind, StoreError, migrations};

pub(super) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    // Made by us and not by SQLite, so that it is private from its first moment; its WAL inherits
    // the mode.
    let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    let unusable = |reason: String| {
        StoreError::Unavailable(format!("the SQLite file {}: {reason}", path.display()))
    };
    made.map_err(|error| unusable(error.to_string()))?;
    let mut connection = connect(path).map_err(|error| unusable(error.to_string()))?;
    enter_wal(&connection).map_err(|error| unusable(error.to_string()))?;
    migrate(&mut connection)?;
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let open = || {
        let connection = connect(path)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| store_error("open", &error))
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Without SQLITE_OPEN_URI: a path is a path, also if it begins with `file:`.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// A plan does not depend on the values that are bound: else SQLite compiles a statement with `LIMIT $1`
/// anew at every use.
pub(super) fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// SQLite does not wait where two openers of a new file switch it to WAL at the same moment.
fn enter_wal(connection: &Connection) -> Result<(), StoreError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        let mode = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode.map_err(|error| store_error("journal_mode", &error)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let reason = format!("its file system offers journal mode {mode}, and not WAL");
                return Err(StoreError::Unavailable(reason));
            }
            Err(StoreError::Busy(_)) if waited < BUSY_TIMEOUT => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Two programs may find the same migrations pending. All of them are one immediate transaction, so
/// the slower one waits for the faster one, fails on what it made, and at a second look finds
/// nothing to do.
fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    let runner = migrations::runner(Kind::Sqlite)?;
    let applied = runner.run(connection).or_else(|_| runner.run(connection));
    applied.map(drop).map_err(|error| StoreError::Migration(with_causes(&error)))
}
