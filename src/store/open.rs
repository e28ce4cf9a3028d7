//! Which database, how its TLS is checked, and which node may serve from it.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use postgres_openssl::MakeTlsConnector;
use tokio_postgres::config::SslMode;

use super::StoreError;

/// `sqlite:PATH` or `postgres://user@host/db?sslmode=verify-full`.
///
/// `Debug` and `Display` leave out the password.
#[derive(Clone, PartialEq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(Box<Server>),
}

/// A PostgreSQL server, or several of which one takes writes.
#[derive(Clone, PartialEq)]
pub struct Server {
    pub(super) config: tokio_postgres::Config,
    tls: Tls,
}

/// How a server proves who it is, in the words of libpq's `sslmode`. The driver knows the first
/// three only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Check {
    /// `disable`, `prefer` and `require`: whoever answers is believed.
    Nobody,
    /// `verify-ca`: its certificate comes from a root that we know.
    Authority,
    /// `verify-full`: and it names the host that we connect to.
    AuthorityAndHost,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Tls {
    mode: SslMode,
    check: Check,
    /// PEM file of roots; the system's where there is none.
    roots: Option<PathBuf>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DatabaseUrlError {
    #[error("`database` begins with `sqlite:` or `postgres://`")]
    Scheme,
    #[error("`sqlite:` is followed by the path of a file; a database in memory is not durable")]
    SqlitePath,
    #[error(
        "sslmode `{0}` is not one of disable, prefer, require, verify-ca, verify-full \
         (an sslrootcert needs one of the last two)"
    )]
    SslMode(String),
    /// The driver's words, without the URL, which may hold a password.
    #[error("the PostgreSQL URL is not usable: {0}")]
    Postgres(String),
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return sqlite_path(path).map(Self::Sqlite);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Server::parse(text).map(|server| Self::Postgres(Box::new(server)));
        }
        Err(DatabaseUrlError::Scheme)
    }
}

/// `sqlite:sloop.db`, `sqlite:/var/lib/sloop/sloop.db` and, as some write it, `sqlite:///var/…`.
fn sqlite_path(path: &str) -> Result<PathBuf, DatabaseUrlError> {
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") || path.ends_with('/') {
        return Err(DatabaseUrlError::SqlitePath);
    }
    Ok(PathBuf::from(path))
}

impl Server {
    fn parse(url: &str) -> Result<Self, DatabaseUrlError> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut roots, mut others) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(decoded(value)),
                Some(("sslrootcert", value)) => roots = Some(decoded(value)),
                _ => others.push(pair),
            }
        }
        let tls = Tls::parse(mode.as_deref(), roots.as_deref())?;
        let mut config = tokio_postgres::Config::from_str(&format!("{base}?{}", others.join("&")))
            .map_err(|error| DatabaseUrlError::Postgres(with_causes(&error)))?;
        config.ssl_mode(tls.mode);
        Ok(Self { config, tls })
    }

    /// # Errors
    /// The file of roots cannot be read.
    pub(super) fn connector(&self) -> Result<MakeTlsConnector, StoreError> {
        let unusable = |error: openssl::error::ErrorStack| {
            StoreError::Unavailable(format!("TLS to PostgreSQL: {error}"))
        };
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(unusable)?;
        match self.tls.check {
            Check::Nobody => builder.set_verify(SslVerifyMode::NONE),
            Check::Authority | Check::AuthorityAndHost => builder.set_verify(SslVerifyMode::PEER),
        }
        if let Some(roots) = &self.tls.roots {
            // Only these: the system's roots vouch for strangers too.
            let store = openssl::x509::store::X509StoreBuilder::new().map_err(unusable)?.build();
            builder.set_cert_store(store);
            builder.set_ca_file(roots).map_err(|error| {
                StoreError::Unavailable(format!("sslrootcert {}: {error}", roots.display()))
            })?;
        }
        let verify_host = self.tls.check == Check::AuthorityAndHost;
        let mut connector = MakeTlsConnector::new(builder.build());
        connector.set_callback(move |connection, _host| {
            connection.set_verify_hostname(verify_host);
            Ok(())
        });
        Ok(connector)
    }
}

impl Tls {
    /// libpq's meanings: no `sslmode` is `prefer`, and `require` with roots checks them.
    fn parse(mode: Option<&str>, roots: Option<&str>) -> Result<Self, DatabaseUrlError> {
        let (driver_mode, check) = match (mode, roots) {
            (Some("disable"), None) => (SslMode::Disable, Check::Nobody),
            (None | Some("prefer"), None) => (SslMode::Prefer, Check::Nobody),
            (Some("require"), None) => (SslMode::Require, Check::Nobody),
            (Some("verify-full"), _) => (SslMode::Require, Check::AuthorityAndHost),
            // Anybody can get a certificate that the system's roots vouch for.
            (None, Some("system")) => (SslMode::Require, Check::AuthorityAndHost),
            (Some(mode), Some("system")) => return Err(DatabaseUrlError::SslMode(mode.to_owned())),
            (Some("require"), Some(_)) => (SslMode::Require, Check::Authority),
            (Some("verify-ca"), _) => (SslMode::Require, Check::Authority),
            (mode, _) => {
                return Err(DatabaseUrlError::SslMode(mode.unwrap_or("prefer").to_owned()));
            }
        };
        let roots = roots.filter(|file| *file != "system").map(PathBuf::from);
        Ok(Self { mode: driver_mode, check, roots })
    }
}

/// Percent-decoding as libpq does it: a plus sign is a plus sign.
fn decoded(value: &str) -> String {
    let pair = format!("v={}", value.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// An error and what lies below it: the driver's own text is often only its kind.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text = format!("{text}: {cause}");
        below = cause.source();
    }
    text
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(server) => server.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            tokio_postgres::config::Host::Tcp(name) => name.clone(),
            tokio_postgres::config::Host::Unix(folder) => folder.display().to_string(),
        });
        let hosts = hosts.collect::<Vec<_>>().join(",");
        write!(f, "postgres://{hosts}/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The right to serve from an SQLite database, held by one `sloop serve` until it is dropped or the
/// process ends. Other commands write beside it without this right. On PostgreSQL many nodes serve
/// from one database, and it is always given.
#[derive(Debug)]
pub struct NodeLock {
    _file: Option<File>,
}

impl NodeLock {
    /// # Errors
    /// [`StoreError::NodeLocked`] names the lock file that another process holds.
    pub fn acquire(database: &DatabaseUrl) -> Result<Self, StoreError> {
        match database {
            DatabaseUrl::Sqlite(path) => lock(&beside(path)).map(|file| Self { _file: Some(file) }),
            DatabaseUrl::Postgres(_) => Ok(Self { _file: None }),
        }
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let unusable = |error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = open.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::NodeLocked(path.display().to_string())),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(url: &str) -> Result<Tls, DatabaseUrlError> {
        match url.parse()? {
            DatabaseUrl::Postgres(server) => Ok(server.tls),
            DatabaseUrl::Sqlite(_) => panic!("{url} is PostgreSQL"),
        }
    }

    #[test]
    fn sqlite_urls_are_paths() {
        for (url, path) in [
            ("sqlite:sloop.db", "sloop.db"),
            ("sqlite:/var/lib/sloop.db", "/var/lib/sloop.db"),
            ("sqlite:///var/lib/sloop.db", "/var/lib/sloop.db"),
            ("sqlite:a?b.db", "a?b.db"),
        ] {
            assert_eq!(url.parse(), Ok(DatabaseUrl::Sqlite(path.into())));
        }
        for bad in ["sqlite:", "sqlite::memory:", "sqlite:/var/lib/"] {
            assert_eq!(bad.parse::<DatabaseUrl>(), Err(DatabaseUrlError::SqlitePath), "{bad}");
        }
        for bad in ["", "sloop.db", "mysql://host/db", "POSTGRES"] {
            assert_eq!(bad.parse::<DatabaseUrl>(), Err(DatabaseUrlError::Scheme), "{bad}");
        }
    }

    #[test]
    fn sslmode_means_what_libpq_means() {
        let expected = |mode, check, roots: Option<&str>| {
            Ok(Tls { mode, check, roots: roots.map(PathBuf::from) })
        };
        for (query, wanted) in [
            ("", expected(SslMode::Prefer, Check::Nobody, None)),
            ("?sslmode=disable", expected(SslMode::Disable, Check::Nobody, None)),
            ("?sslmode=require", expected(SslMode::Require, Check::Nobody, None)),
            ("?sslmode=verify-ca", expected(SslMode::Require, Check::Authority, None)),
            (
                "?sslrootcert=/etc/a%20b+c.pem&sslmode=verify-full",
                expected(SslMode::Require, Check::AuthorityAndHost, Some("/etc/a b+c.pem")),
            ),
            (
                "?sslmode=verify-full&sslrootcert=system",
                expected(SslMode::Require, Check::AuthorityAndHost, None),
            ),
            ("?sslrootcert=system", expected(SslMode::Require, Check::AuthorityAndHost, None)),
            (
                "?sslmode=require&sslrootcert=r.pem",
                expected(SslMode::Require, Check::Authority, Some("r.pem")),
            ),
        ] {
            assert_eq!(tls(&format!("postgres://sloop@db.test/sloop{query}")), wanted, "{query}");
        }
        for bad in [
            "?sslmode=verify_full",
            "?sslrootcert=r.pem",
            "?sslmode=disable&sslrootcert=r.pem",
            "?sslmode=verify-ca&sslrootcert=system",
        ] {
            let refused = tls(&format!("postgres://sloop@db.test/sloop{bad}"));
            assert!(matches!(refused, Err(DatabaseUrlError::SslMode(_))), "{bad}: {refused:?}");
        }
    }

    #[test]
    fn other_parameters_reach_the_driver_and_unknown_ones_are_refused() {
        let url = "postgres://sloop@db.test:5433/sloop?sslmode=disable&application_name=x";
        let Ok(DatabaseUrl::Postgres(server)) = url.parse() else { panic!("{url} is good") };
        assert_eq!(server.config.get_application_name(), Some("x"));
        assert_eq!(server.config.get_ports(), [5433]);
        let unknown = "postgres://sloop@db.test/sloop?sslmode=disable&sslwhatever=1";
        assert!(matches!(unknown.parse::<DatabaseUrl>(), Err(DatabaseUrlError::Postgres(_))));
    }

    #[test]
    fn the_password_is_never_shown() {
        let url: DatabaseUrl = "postgres://sloop:hunter2@db.test/sloop".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://db.test/sloop");
        assert_eq!(format!("{url:?}"), "postgres://db.test/sloop");
    }

    #[test]
    fn roots_that_are_not_there_are_named() {
        let url = "postgres://sloop@db.test/sloop?sslmode=verify-full&sslrootcert=/nowhere.pem";
        let Ok(DatabaseUrl::Postgres(server)) = url.parse() else { panic!("{url} is good") };
        let error = server.connector().err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("sslrootcert /nowhere.pem"), "{error}");
    }

    /// A self-signed certificate for `localhost`, which is also its own root.
    fn certificate() -> (openssl::x509::X509, openssl::pkey::PKey<openssl::pkey::Private>) {
        use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
        let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1);
        let key = openssl::ec::EcKey::generate(&group.unwrap()).unwrap();
        let key = openssl::pkey::PKey::from_ec_key(key).unwrap();
        let mut name = openssl::x509::X509Name::builder().unwrap();
        name.append_entry_by_text("CN", "server").unwrap();
        let name = name.build();
        let mut builder = openssl::x509::X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&key).unwrap();
        let day = |days| openssl::asn1::Asn1Time::days_from_now(days).unwrap();
        builder.set_not_before(&day(0)).unwrap();
        builder.set_not_after(&day(1)).unwrap();
        builder.append_extension(BasicConstraints::new().ca().build().unwrap()).unwrap();
        let names = SubjectAlternativeName::new()
            .dns("localhost")
            .build(&builder.x509v3_context(None, None))
            .unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
        (builder.build(), key)
    }

    /// Speaks just enough of PostgreSQL to offer TLS and then, inside of it, to say "reached".
    fn serve_tls() -> (u16, openssl::x509::X509) {
        use std::io::{Read as _, Write as _};
        let (certificate, key) = certificate();
        let method = SslMethod::tls_server();
        let mut tls = openssl::ssl::SslAcceptor::mozilla_intermediate(method).unwrap();
        tls.set_certificate(&certificate).unwrap();
        tls.set_private_key(&key).unwrap();
        let tls = tls.build();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.read_exact(&mut [0; 8]).unwrap();
                stream.write_all(b"S").unwrap();
                // A client that does not believe the certificate breaks off here.
                let Ok(mut stream) = tls.accept(stream) else { continue };
                let _startup = stream.read(&mut [0; 512]);
                let refusal = b"SFATAL\0C28000\0Mreached\0\0";
                let length = u32::try_from(refusal.len() + 4).unwrap().to_be_bytes();
                stream.write_all(&[b"E".as_slice(), &length, refusal].concat()).unwrap();
            }
        });
        (port, certificate)
    }

    #[tokio::test]
    async fn a_server_must_prove_what_sslmode_asks_for() {
        let (port, root) = serve_tls();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, certificate: &openssl::x509::X509| {
            let path = folder.path().join(name);
            std::fs::write(&path, certificate.to_pem().unwrap()).unwrap();
            path.display().to_string()
        };
        let (right, wrong) = (file("right.pem", &root), file("wrong.pem", &certificate().0));
        for (host, query, reached) in [
            ("localhost", format!("sslmode=verify-full&sslrootcert={right}"), true),
            ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={right}"), false),
            ("localhost", format!("sslmode=verify-full&sslrootcert={wrong}"), false),
            ("localhost", "sslmode=verify-full".to_owned(), false),
            ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={right}"), true),
            ("localhost", format!("sslmode=verify-ca&sslrootcert={wrong}"), false),
            ("127.0.0.1", "sslmode=require".to_owned(), true),
        ] {
            let url = format!("postgres://sloop@{host}:{port}/sloop?{query}");
            let Ok(DatabaseUrl::Postgres(server)) = url.parse() else { panic!("{url} is good") };
            let refused = server.config.connect(server.connector().unwrap()).await.err().unwrap();
            let said = refused.as_db_error().map(|error| error.message() == "reached");
            assert_eq!(said.unwrap_or(false), reached, "{url}: {}", with_causes(&refused));
        }
    }

    #[test]
    fn one_node_serves_from_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = DatabaseUrl::Sqlite(folder.path().join("sloop.db"));
        let held = NodeLock::acquire(&database).unwrap();
        assert!(matches!(NodeLock::acquire(&database), Err(StoreError::NodeLocked(_))));
        drop(held);
        NodeLock::acquire(&database).unwrap();
    }
}
