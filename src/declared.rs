//! What files declare – clients and IdPs in `sloop.toml`, IdP metadata in a folder – goes into the
//! store, because requests read the store only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::change::Source;
use crate::config::{Config, DeclaredClient};
use crate::connection::IdpSettings;
use crate::id::IdpId;
use crate::lifecycle::Shutdown;
use crate::metadata_file::{self, FileError};
use crate::secret::Token;
use crate::use_cases::{Existing, Failure, SaveIdp, UseCases};

/// How often the files are looked at while the service runs.
const LOOK: Duration = Duration::from_secs(2);

/// A client secret is generated, or as long as if it were.
const SHORTEST_SECRET: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum DeclaredError {
    #[error("client {client}: {reason}")]
    Client { client: String, reason: String },
    #[error("{path}: {reason}")]
    File { path: PathBuf, reason: String },
    #[error("{path}: {failure}")]
    Refused { path: PathBuf, failure: Failure },
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Writes everything that is declared. What fails is reported and does not stop the rest: one bad
/// metadata file must not keep the other IdPs from working.
pub async fn sync(config: &Config, use_cases: &UseCases) -> Vec<DeclaredError> {
    let mut errors = Vec::new();
    for declared in &config.clients {
        errors.extend(sync_client(declared, use_cases).await.err());
    }
    let found = idp_files(config);
    errors.extend(found.errors);
    // First what is gone: a file that was renamed brings the same entity ID back. A folder that
    // cannot be read says nothing about what is gone.
    if found.readable {
        errors.extend(disable_vanished(&found.files, use_cases).await.err());
    }
    for (id, file) in &found.files {
        errors.extend(sync_idp(id, file, use_cases).await.err());
    }
    errors
}

/// Whether files declare any client or IdP.
pub fn is_anything(config: &Config) -> bool {
    !config.clients.is_empty() || !idp_files(config).files.is_empty()
}

/// Syncs again whenever a metadata file appears, changes or vanishes.
pub async fn watch(config: Config, use_cases: UseCases, shutdown: Shutdown) {
    let mut seen = fingerprint(&config);
    while !shutdown.has_begun() {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = shutdown.begun() => return,
        }
        let now = fingerprint(&config);
        if now != seen {
            tracing::info!("IdP metadata files have changed");
            let errors = sync(&config, &use_cases).await;
            for error in &errors {
                tracing::error!("{error}");
            }
            // A store that was busy is asked again; a bad file waits for its next change.
            let unfinished = |error: &DeclaredError| matches!(error, DeclaredError::Failure(_));
            if !errors.iter().any(unfinished) {
                seen = now;
            }
        }
    }
}

async fn sync_client(declared: &DeclaredClient, use_cases: &UseCases) -> Result<(), DeclaredError> {
    let client = &declared.client;
    let refuse = |reason: &str| DeclaredError::Client {
        client: client.id.to_string(),
        reason: reason.to_owned(),
    };
    let secret = match &declared.secret_file {
        Some(path) => Some(read_secret(path)?),
        None => None,
    };
    let known = match use_cases.client(&client.id).await {
        Ok(found) => found.secret,
        Err(Failure::NotFound { .. }) => None,
        Err(other) => return Err(other.into()),
    };
    if !client.public && secret.is_none() && known.is_none() {
        return Err(refuse("it has no secret; name a secret_file, or set public = true"));
    }
    // The same secret again is no change.
    let secret = secret.filter(|secret| known != Some(secret.hash()));
    let saved = use_cases.save_client(client.settings(), secret, Source::File, Existing::Update);
    saved.await?;
    Ok(())
}

/// A secret of at least 32 characters, without the line end of its file.
fn read_secret(path: &Path) -> Result<Token, DeclaredError> {
    let refuse = |reason: String| DeclaredError::File { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.chars().count() < SHORTEST_SECRET {
        return Err(refuse(format!("a client secret has {SHORTEST_SECRET} characters or more")));
    }
    Ok(Token::received(secret))
}

async fn sync_idp(id: &IdpId, file: &IdpFile, use_cases: &UseCases) -> Result<(), DeclaredError> {
    let unreadable = |FileError { path, reason }| DeclaredError::File { path, reason };
    let mut settings = file.settings.clone();
    if let Some(key) = &file.key {
        settings.metadata_key = Some(metadata_file::read_key(key).map_err(unreadable)?);
    }
    let path = &file.path;
    let metadata = metadata_file::read(path, &settings).map_err(unreadable)?;
    let settings = settings.into();
    let wanted = SaveIdp { id: id.clone(), settings, metadata, source: Source::File };
    match use_cases.save_idp(wanted).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(DeclaredError::Refused { path: path.to_owned(), failure }),
    }
}

/// An IdP whose file is gone is disabled, never deleted: the file may come back.
async fn disable_vanished(
    files: &BTreeMap<IdpId, IdpFile>,
    use_cases: &UseCases,
) -> Result<(), DeclaredError> {
    for (id, source, disabled) in use_cases.idp_sources().await? {
        if source == Source::File.as_str() && !disabled && !files.contains_key(&id) {
            tracing::warn!(idp.id = %id, "its metadata file is gone: the IdP is disabled");
            use_cases.disable_idp(&id).await?;
        }
    }
    Ok(())
}

/// What the files say.
struct IdpFiles {
    files: BTreeMap<IdpId, IdpFile>,
    /// Whether all of them could be looked for.
    readable: bool,
    errors: Vec<DeclaredError>,
}

/// One declared IdP.
struct IdpFile {
    path: PathBuf,
    /// The file with the key that must have signed the metadata.
    key: Option<PathBuf>,
    settings: IdpSettings,
}

/// Every declared metadata file by its IdP: `[[identity_providers]]`, and each `NAME.xml` of the
/// folder.
fn idp_files(config: &Config) -> IdpFiles {
    let mut found = IdpFiles { files: BTreeMap::new(), readable: true, errors: Vec::new() };
    let refuse =
        |path: &Path, reason: String| DeclaredError::File { path: path.to_owned(), reason };
    for declared in &config.identity_providers {
        let path = &declared.metadata;
        // One whose file is gone counts as gone itself.
        if path.exists() {
            let (key, settings) = (declared.metadata_key.clone(), declared.settings.clone());
            let file = IdpFile { path: path.clone(), key, settings };
            found.files.insert(declared.id.clone(), file);
        } else {
            found.errors.push(refuse(path, format!("IdP {}: the file is not there", declared.id)));
        }
    }
    let folder = &config.metadata_dir;
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return found,
        Err(error) => {
            found.readable = false;
            found.errors.push(refuse(folder, error.to_string()));
            return found;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_xml = path.extension().is_some_and(|extension| extension == "xml");
        if !is_xml || !path.is_file() {
            continue;
        }
        match path.file_stem().and_then(|name| name.to_str()).map(str::parse) {
            Some(Ok(id)) => {
                let settings = IdpSettings::default();
                found.files.entry(id).or_insert(IdpFile { path, key: None, settings });
            }
            _ => {
                let reason = "its name cannot be the id of an IdP; rename it to 1 to 128 \
                              characters of A-Z a-z 0-9 - . _ ~";
                found.errors.push(refuse(&path, reason.to_owned()));
            }
        }
    }
    found
}

/// Name, size and time of every metadata file and of the keys for them.
fn fingerprint(config: &Config) -> Vec<(PathBuf, u64, Option<std::time::SystemTime>)> {
    let describe = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).ok();
        let size = metadata.as_ref().map_or(0, std::fs::Metadata::len);
        (path, size, metadata.and_then(|found| found.modified().ok()))
    };
    let files = idp_files(config).files.into_values();
    files.flat_map(|file| [Some(file.path), file.key]).flatten().map(describe).collect()
}
