//! Which service provider is trusted, and where its metadata comes from.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::service_provider::ServiceProvider;
use super::{MockIdp, PeerError, Refusal, ServiceProviderError};

/// Where the service provider's metadata is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataSource {
    Url(String),
    File(PathBuf),
}

/// Why there is no service provider to be had there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    #[error("nobody said where the service provider's metadata is")]
    NoSource,
    #[error(transparent)]
    Peer(#[from] PeerError),
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    #[error(transparent)]
    Metadata(#[from] ServiceProviderError),
}

impl FetchError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSource => "no_source",
            Self::Peer(error) => error.code(),
            Self::File { .. } => "file",
            Self::Metadata(error) => error.code(),
        }
    }
}

impl FromStr for MetadataSource {
    type Err = Infallible;

    /// What has a scheme of the web is a URL, anything else is a file.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = text.starts_with("http://") || text.starts_with("https://");
        Ok(if is_url { Self::Url(text.to_owned()) } else { Self::File(text.into()) })
    }
}

impl fmt::Display for MetadataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl MockIdp {
    /// Serves the one service provider whose metadata this is, instead of any it served before.
    ///
    /// # Errors
    /// What the metadata lacks: this IdP answers only to signed requests at known addresses.
    pub fn trust(&self, sp_metadata: &str) -> Result<(), ServiceProviderError> {
        let service_provider = ServiceProvider::parse(sp_metadata.as_bytes())?;
        self.state().trust(service_provider);
        Ok(())
    }

    /// As [`MockIdp::trust`], with metadata from there. Where it is stays known: it is looked for
    /// again when somebody asks for it, or comes while nobody is trusted.
    ///
    /// # Errors
    /// If there is none, or none that can be used.
    pub async fn trust_at(&self, source: MetadataSource) -> Result<(), FetchError> {
        self.state().look_at(source);
        self.fetch().await
    }

    /// Looks for the metadata once more.
    ///
    /// # Errors
    /// As above. Who was trusted before still is.
    pub async fn fetch(&self) -> Result<(), FetchError> {
        let source = self.state().source().cloned();
        let metadata = match source.ok_or(FetchError::NoSource)? {
            MetadataSource::Url(url) => self.0.peer.get(&url).await?,
            MetadataSource::File(path) => {
                let read = tokio::fs::read_to_string(&path).await;
                read.map_err(|error| FetchError::File {
                    path: path.display().to_string(),
                    reason: error.to_string(),
                })?
            }
        };
        Ok(self.trust(&metadata)?)
    }

    /// The entity ID of the service provider, if one is trusted.
    pub fn trusts(&self) -> Option<String> {
        self.state().service_provider().map(|sp| sp.entity_id.to_string())
    }

    pub(super) async fn known_service_provider(&self) -> Result<ServiceProvider, Refusal> {
        if let Some(known) = self.state().service_provider().cloned() {
            return Ok(known);
        }
        match self.fetch().await {
            Ok(()) => self.state().service_provider().cloned().ok_or(Refusal::NobodyTrusted),
            Err(FetchError::NoSource) => Err(Refusal::NobodyTrusted),
            Err(error) => Err(Refusal::Fetch(error)),
        }
    }
}
