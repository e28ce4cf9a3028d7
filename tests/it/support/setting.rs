use sloop::config::Config;
use sloop::mock_idp;

use super::world::{On, World};

/// What a story may choose before the world begins.
pub struct Setting {
    pub on: On,
    /// `https://sloop.test` instead of `http://localhost:PORT`: cookies are `__Host-` and `Secure`,
    /// and the IdP is another site.
    pub https: bool,
    /// Path of the issuer, such as `/t1`.
    pub path: &'static str,
    pub idp: mock_idp::Options,
    /// Changes to the configuration.
    pub config: fn(&mut Config),
}

impl Setting {
    pub fn on(on: On) -> Self {
        Self { on, https: false, path: "", idp: mock_idp::Options::default(), config: |_| {} }
    }

    pub fn https(mut self) -> Self {
        self.https = true;
        self
    }

    pub fn path(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }

    pub fn idp(mut self, idp: mock_idp::Options) -> Self {
        self.idp = idp;
        self
    }

    pub fn config(mut self, config: fn(&mut Config)) -> Self {
        self.config = config;
        self
    }

    pub async fn begin(self) -> World {
        World::begin(self).await
    }
}
