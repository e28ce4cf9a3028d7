use std::path::{Path, PathBuf};

use super::DemoError;
use crate::rng::Rng;

/// A folder with a random name that is removed when this is dropped.
#[derive(Debug)]
pub(super) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(super) fn create(rng: &Rng) -> Result<Self, DemoError> {
        let path = std::env::temp_dir().join(format!("sloop-demo-{}", rng.handle().expose()));
        match private(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(DemoError::Folder { path: path.display().to_string(), error }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "the temporary folder stays behind");
        }
    }
}

/// It will hold a private key: nobody else may look into it.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_private_and_gone_afterwards() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = TemporaryFolder::create(&Rng::system()).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
