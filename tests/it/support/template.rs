//! A database with its schema and its keys, made once and copied for every world: making RSA keys takes
//! longer than most stories. The stories of the command line begin with nothing, as an installation does.

use std::path::{Path, PathBuf};

use sloop::clock::Clock;
use sloop::config::Config;
use tokio::sync::OnceCell;

use super::postgres::Database;

/// The key-encryption key, and beside it the SQLite database.
struct Sqlite {
    database: PathBuf,
    kek: PathBuf,
}

static SQLITE: OnceCell<Sqlite> = OnceCell::const_new();
/// It stays until its cluster goes: other tests are made from it.
static POSTGRES: OnceCell<Database> = OnceCell::const_new();

/// Puts a copy of the database at `path`, and its key beside it, where the service looks for it.
pub async fn copy_sqlite(path: &Path) {
    let template = sqlite().await;
    std::fs::copy(&template.database, path).expect("a copy of the database");
    std::fs::copy(&template.kek, path.with_extension("db.kek")).expect("a copy of the key");
}

/// A copy on the cluster; its key is put at `kek`.
pub async fn copy_postgres(kek: &Path) -> Database {
    let template = POSTGRES.get_or_init(async || {
        let database = Database::create().await;
        let key = sqlite().await.kek.clone();
        let url = database.url().to_owned();
        make(&url, Some(key)).await;
        database
    });
    std::fs::copy(&sqlite().await.kek, kek).expect("a copy of the key");
    template.await.copy().await
}

async fn sqlite() -> &'static Sqlite {
    SQLITE
        .get_or_init(async || {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("template-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).expect("a folder");
            let database = folder.join("sloop.db");
            make(&format!("sqlite:{}", database.display()), None).await;
            Sqlite { kek: folder.join("sloop.db.kek"), database }
        })
        .await
}

/// Makes schema and keys, as a first start does.
async fn make(url: &str, kek: Option<PathBuf>) {
    let mut config = Config { database: url.parse().expect("a database"), ..Config::default() };
    config.keys.kek_file = kek;
    let opened = sloop::server::open(&config, &Clock::system()).await.expect("a new database");
    opened.store().clone().close().await;
}
