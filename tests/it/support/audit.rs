//! What the service recorded, read beside it from its own database.

use rusqlite::{Connection, OpenFlags};

use super::world::World;

/// One event of the audit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    pub kind: String,
    pub idp: String,
    pub detail: String,
}

impl World {
    /// Changes what the service has stored, as somebody with the database's password might.
    pub async fn execute(&self, sql: &str) {
        match &self.database {
            Some(database) => database.execute(sql).await,
            None => {
                let database = Connection::open(self.folder().join("sloop.db")).unwrap();
                database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                database.execute_batch(sql).unwrap();
            }
        }
    }

    /// Everything, in the order in which it happened.
    pub async fn audit(&self) -> Vec<Recorded> {
        let sql = "SELECT kind, COALESCE(idp_id, ''), detail FROM audit ORDER BY at, id";
        let rows: Vec<Vec<String>> = match &self.database {
            Some(database) => database.rows(sql).await,
            None => {
                let path = self.folder().join("sloop.db");
                let database =
                    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
                let mut query = database.prepare(sql).unwrap();
                let columns = |row: &rusqlite::Row<'_>| (0..3).map(|at| row.get(at)).collect();
                query.query_map([], columns).unwrap().collect::<Result<_, _>>().unwrap()
            }
        };
        let recorded = |row: Vec<String>| {
            let [kind, idp, detail] = row.try_into().expect("three columns");
            Recorded { kind, idp, detail }
        };
        rows.into_iter().map(recorded).collect()
    }
}
