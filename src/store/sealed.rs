//! The store as the rest of the program sees it: changes in, aggregates out, personal data sealed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::Timestamp;
use crate::keys::{Kek, keyed_hash};
use crate::rng::Rng;
use crate::saml::NameId;
use crate::store::{Store, StoreError};

/// A [`Store`] with the key that seals its columns.
#[derive(Clone)]
pub struct SealedStore {
    pub(super) engine: Store,
    pub(super) kek: Kek,
    pub(super) rng: Rng,
    /// When the last audit event of this node happened, in microseconds.
    last_event: Arc<AtomicI64>,
}

impl SealedStore {
    pub fn new(engine: Store, kek: Kek, rng: Rng) -> Self {
        Self { engine, kek, rng, last_event: Arc::default() }
    }

    /// The time of an audit event of this moment. No two events of a node share one, so that a story
    /// reads in the order in which it happened.
    pub(super) fn event_time(&self, now: Timestamp) -> Timestamp {
        /// A clock that was set back by more than this is followed.
        const MOST_AHEAD: i64 = 1_000_000;
        let now = now.as_micros();
        let after = |last: i64| match last.saturating_sub(now) {
            0..=MOST_AHEAD => last.saturating_add(1),
            _ => now,
        };
        let before = self
            .last_event
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(after(last)));
        let (Ok(before) | Err(before)) = before;
        Timestamp::from_micros(after(before))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.engine.ping().await
    }

    /// The database's time.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
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

    pub(in crate::store) fn idp_session(id: impl Display) -> String {
        format!("idp_session.sealed/{id}")
    }

    pub(in crate::store) fn leg(id: impl Display) -> String {
        format!("leg.sealed/{id}")
    }

    pub(in crate::store) fn held_sign_in() -> String {
        "held_sign_in.sealed".to_owned()
    }

    pub(in crate::store) fn signing_key(id: impl Display) -> String {
        format!("signing_key.sealed/{id}")
    }

    pub(in crate::store) fn secret_key(name: impl Display) -> String {
        format!("secret_key.sealed/{name}")
    }
}
