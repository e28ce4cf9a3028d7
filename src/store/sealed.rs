//! The store as the rest of the program sees it: changes in, aggregates out, personal data sealed.

use crate::id::IdpId;
use crate::keys::{Kek, keyed_hash};
use crate::oidc::Subject;
use crate::rng::Rng;
use crate::saml::{NameId, SessionIndex};
use crate::store::{Store, StoreError};

/// A [`Store`] with the key that seals its columns.
#[derive(Clone)]
pub struct SealedStore {
    pub(super) engine: Store,
    pub(super) kek: Kek,
    pub(super) rng: Rng,
}

impl SealedStore {
    pub fn new(engine: Store, kek: Kek, rng: Rng) -> Self {
        Self { engine, kek, rng }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.engine.ping().await
    }

    /// The database's time.
    pub async fn now(&self) -> Result<crate::clock::Timestamp, StoreError> {
        Ok(self.engine.select(Vec::new()).await?.now)
    }

    pub async fn close(self) {
        self.engine.close().await;
    }

    pub fn engine(&self) -> &Store {
        &self.engine
    }

    /// A stored NameID is found by this, never by its text: every part of the element counts, and
    /// an absent attribute differs from an empty one (SAML Core 3.3.4).
    pub(super) fn name_id_hash(&self, idp: &str, name_id: Option<&NameId>) -> [u8; 32] {
        let name = name_id.map(NameId::canonical_bytes).unwrap_or_default();
        keyed_hash(self.kek.index_key(), &[b"name_id", idp.as_bytes(), &name])
    }

    /// A session by the name that its IdP gave it: finds what a LogoutRequest may mean.
    pub(super) fn session_index_hash(&self, idp: &IdpId, index: &SessionIndex) -> [u8; 32] {
        let parts = [&b"session_index"[..], idp.as_str().as_bytes(), index.as_str().as_bytes()];
        keyed_hash(self.kek.index_key(), &parts)
    }

    /// The same person by whatever qualifiers: finds what a LogoutRequest may mean.
    pub(super) fn principal_hash(&self, idp: &str, name: &str) -> [u8; 32] {
        keyed_hash(self.kek.index_key(), &[b"principal", idp.as_bytes(), name.as_bytes()])
    }

    /// A person of this service, among the principals of IdPs: no IdP has the empty id.
    pub(super) fn subject_hash(&self, subject: &Subject) -> [u8; 32] {
        self.principal_hash("", subject.as_str())
    }

    /// Seals JSON for one column of one row; it opens only there.
    pub(super) fn seal(&self, place: &str, value: &impl serde::Serialize) -> Vec<u8> {
        let plain = zeroize::Zeroizing::new(
            serde_json::to_vec(value).expect("our own types always have a JSON form"),
        );
        self.kek.seal(&self.rng, place, &plain)
    }

    pub(super) fn unseal<T: serde::de::DeserializeOwned>(
        &self,
        place: &str,
        sealed: &[u8],
    ) -> Result<T, StoreError> {
        let corrupt = || StoreError::Corrupt(format!("{place} does not open with this key"));
        let plain = self.kek.open(place, sealed).map_err(|_| corrupt())?;
        serde_json::from_slice(&plain).map_err(|_| corrupt())
    }
}

/// The places of sealed columns. A ciphertext that is moved to another row does not open.
pub(super) mod place {
    use std::fmt::Display;

    use crate::secret::TokenHash;

    pub(in crate::store) fn idp_session(id: impl Display) -> String {
        format!("idp_session.sealed/{id}")
    }

    pub(in crate::store) fn leg(id: impl Display) -> String {
        format!("leg.sealed/{id}")
    }

    pub(in crate::store) fn ended_principal(idp: &str, request_id: &str) -> String {
        format!("ended_principal.sealed/{idp}/{request_id}")
    }

    pub(in crate::store) fn relogin_lock(leg: impl Display) -> String {
        format!("relogin_lock.sealed/{leg}")
    }

    pub(in crate::store) fn held_sign_in(handle: TokenHash) -> String {
        format!("held_sign_in.sealed/{handle:?}")
    }

    pub(in crate::store) fn signing_key(id: impl Display) -> String {
        format!("signing_key.sealed/{id}")
    }

    pub(in crate::store) fn secret_key(name: impl Display) -> String {
        format!("secret_key.sealed/{name}")
    }
}
