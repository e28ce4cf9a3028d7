//! IdP metadata and the keys that sign it, as files.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::connection::IdpSettings;
use crate::saml::MetadataKey;
use crate::saml::metadata::aggregate;
use crate::xml::Limits;

#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct FileError {
    pub path: PathBuf,
    pub reason: String,
}

/// The metadata in a file. Of one that is longer than 2 MiB, as federations publish them, only the
/// entity that `settings` name is read out; the rest is passed over.
///
/// # Errors
/// The file cannot be read, or does not have that entity. A long file with a pinned key is refused:
/// its signature is over the whole, which would have to be held whole.
pub fn read(path: &Path, settings: &IdpSettings) -> Result<Vec<u8>, FileError> {
    let refuse = |reason: String| FileError { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
    let length = file.metadata().map_err(|error| refuse(error.to_string()))?.len();
    let most = u64::try_from(Limits::METADATA.bytes).unwrap_or(u64::MAX);
    if length <= most {
        return std::fs::read(path).map_err(|error| refuse(error.to_string()));
    }
    if settings.metadata_key.is_some() {
        return Err(refuse(format!(
            "the file has {length} bytes, and its signature can be checked up to {most}; ask for \
             the metadata of the one entity, as a metadata query service signs it"
        )));
    }
    let source = BufReader::with_capacity(256 * 1024, file);
    let found = aggregate::find(source, settings.entity_id.as_ref());
    found.map(|excerpt| excerpt.xml).map_err(|error| refuse(error.to_string()))
}

/// The key that signs metadata, from PEM of a certificate or of a public key.
pub fn read_key(path: &Path) -> Result<MetadataKey, FileError> {
    let refuse = |reason: String| FileError { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    text.parse().map_err(|error: crate::saml::InvalidMetadataKey| refuse(error.to_string()))
}
