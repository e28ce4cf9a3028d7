//! A PostgreSQL database of its own for each test, on the cluster that `make test` starts.

use tokio_postgres::NoTls;
use url::Url;

use sloop::rng::Rng;

/// Names the cluster: a URL of a database on it whose user may create databases.
const CLUSTER: &str = "SLOOP_TEST_POSTGRES";

/// A fresh, empty database. It is dropped with this value, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    cluster: String,
    name: String,
    url: String,
}

impl Database {
    /// Panics when the cluster is not there: a test that needs it must not pass without it.
    pub async fn create() -> Self {
        #[expect(clippy::disallowed_methods, reason = "`make test` hands the cluster over by it")]
        let cluster = std::env::var(CLUSTER).unwrap_or_else(|_| {
            panic!(
                "{CLUSTER} is not set: run `make test`, or `tests/scratch-postgres start DIR` and \
                 set it to the URL that this prints"
            )
        });
        let random: String =
            Rng::system().bytes::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("sloop_{random}");
        let mut url = Url::parse(&cluster).expect("the cluster's URL");
        url.set_path(&name);
        execute(&cluster, &format!("CREATE DATABASE {name}")).await;
        Self { cluster, name, url: url.to_string() }
    }

    /// What `database` in the configuration takes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL beside the service, to look at or to break what it stored.
    pub async fn execute(&self, sql: &str) {
        execute(&self.url, sql).await;
    }

    /// Rows of texts that are not null.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        let driving = tokio::spawn(connection);
        let rows = client.query(sql, &[]).await;
        driving.abort();
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (cluster, name) = (self.cluster.clone(), self.name.clone());
        // A destructor cannot wait on the test's own runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            runtime.expect("a runtime").block_on(execute(&cluster, &drop));
        });
        if dropped.join().is_err() {
            eprintln!("the database {} was left behind", self.name);
        }
    }
}

async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .unwrap_or_else(|error| panic!("{CLUSTER}: cannot connect to {url}: {error}"));
    let driving = tokio::spawn(connection);
    let result = client.batch_execute(sql).await;
    driving.abort();
    result.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_database_is_its_own_and_goes_with_its_value() {
        let (one, two) = (Database::create().await, Database::create().await);
        one.execute("CREATE TABLE t (a INT)").await;
        two.execute("CREATE TABLE t (a INT)").await;
        let gone = one.url().to_owned();
        drop(one);
        assert!(tokio_postgres::connect(&gone, NoTls).await.is_err());
        assert!(tokio_postgres::connect(two.url(), NoTls).await.is_ok());
    }
}
