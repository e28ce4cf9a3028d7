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
    match idp_files(config) {
        Ok(files) => {
            errors.extend(misnamed(config));
            for (id, (path, settings)) in &files {
                errors.extend(sync_idp(id, path, settings, use_cases).await.err());
            }
            errors.extend(disable_vanished(&files, use_cases).await.err());
        }
        Err(error) => errors.push(error),
    }
    errors
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
            seen = now;
            tracing::info!("IdP metadata files have changed");
            for error in sync(&config, &use_cases).await {
                tracing::error!("{error}");
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

async fn sync_idp(
    id: &IdpId,
    path: &Path,
    settings: &IdpSettings,
    use_cases: &UseCases,
) -> Result<(), DeclaredError> {
    let metadata = std::fs::read(path).map_err(|error| DeclaredError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    let wanted =
        SaveIdp { id: id.clone(), settings: settings.clone(), metadata, source: Source::File };
    match use_cases.save_idp(wanted).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(DeclaredError::Refused { path: path.to_owned(), failure }),
    }
}

/// An IdP whose file is gone is disabled, never deleted: its sessions can still be ended, and the
/// file may come back.
async fn disable_vanished(
    files: &BTreeMap<IdpId, (PathBuf, IdpSettings)>,
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

/// Every declared metadata file by its IdP: `[[identity_providers]]`, and each `NAME.xml` of the
/// folder.
fn idp_files(config: &Config) -> Result<BTreeMap<IdpId, (PathBuf, IdpSettings)>, DeclaredError> {
    let mut files: BTreeMap<IdpId, (PathBuf, IdpSettings)> = BTreeMap::new();
    for declared in &config.identity_providers {
        let file = (declared.metadata.clone(), declared.settings.clone());
        files.insert(declared.id.clone(), file);
    }
    let folder = &config.metadata_dir;
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => {
            let (path, reason) = (folder.clone(), error.to_string());
            return Err(DeclaredError::File { path, reason });
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        if let (true, Some(Ok(id))) = (is_metadata(&path), name.map(str::parse)) {
            files.entry(id).or_insert((path, IdpSettings::default()));
        }
    }
    Ok(files)
}

/// Metadata files whose name is no id: they would be left out in silence.
fn misnamed(config: &Config) -> Vec<DeclaredError> {
    let entries = std::fs::read_dir(&config.metadata_dir).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| is_metadata(path));
    let named = |path: &Path| path.file_stem()?.to_str()?.parse::<IdpId>().ok();
    let wrong = files.filter(|path| named(path).is_none());
    let error = |path: PathBuf| DeclaredError::File {
        path,
        reason: "its name is no id of an IdP; rename it to something like corp.xml".to_owned(),
    };
    wrong.map(error).collect()
}

fn is_metadata(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "xml") && path.is_file()
}

/// Name, size and time of every metadata file.
fn fingerprint(config: &Config) -> Vec<(PathBuf, u64, Option<std::time::SystemTime>)> {
    let files = idp_files(config).unwrap_or_default();
    let describe = |path: PathBuf| {
        let metadata = std::fs::metadata(&path).ok();
        let size = metadata.as_ref().map_or(0, std::fs::Metadata::len);
        (path, size, metadata.and_then(|found| found.modified().ok()))
    };
    files.into_values().map(|(path, _)| describe(path)).collect()
}
