use serde::Serialize;

use super::keys::{StagedKey, algorithms, new_key, schedule, staged};
use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, KeyPurpose};
use crate::clock::Timestamp;
use crate::keys::{Certificate, KeyAlgorithm, Stage};
use crate::store::CommitError;
use crate::use_cases::{Failure, UseCases};

/// One key, without its private half.
#[derive(Clone, Serialize, Debug)]
pub struct KeyReport {
    pub id: String,
    pub purpose: KeyPurpose,
    pub algorithm: String,
    /// `None`: it was revoked.
    pub stage: Option<Stage>,
    pub created_at: String,
    pub active_from: String,
    /// When its certificate ends, if it has one.
    pub certificate_until: Option<String>,
}

/// When a new key begins to be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// When everybody has had time to learn of it.
    Announced,
    /// At once. Peers that have not read it yet refuse what it signs.
    Now,
}

impl UseCases {
    pub async fn key_reports(&self) -> Result<Vec<KeyReport>, Failure> {
        let (keys, _) = self.staged_keys().await?;
        Ok(keys.iter().map(report).collect())
    }

    /// Makes a new key for each algorithm of `purpose`, to take over from the one in use. With
    /// [`Begin::Now`], a key that has been announced already begins instead of a new one. Returns
    /// the keys that were added or put into use.
    ///
    /// # Errors
    /// [`Failure::Admin`] if a key is waiting for its time already.
    pub async fn rotate_keys(
        &self,
        purpose: KeyPurpose,
        begin: Begin,
    ) -> Result<Vec<KeyReport>, Failure> {
        let (keys, now) = self.staged_keys().await?;
        let mut changes = Vec::new();
        let mut concerned = Vec::new();
        for algorithm in algorithms(purpose) {
            let waiting = keys
                .iter()
                .find(|key| key.stage == Some(Stage::Next) && is_of(key, purpose, *algorithm));
            match (waiting, begin) {
                (Some(key), Begin::Announced) => return Err(waits_already(key)),
                (Some(key), Begin::Now) => {
                    let id = key.found.key.id.clone();
                    changes.push(Change::ActivateSigningKey { id: id.clone() });
                    changes.push(record(AuditKind::KeyActivated, purpose, &id));
                    concerned.push(id);
                }
                (None, begin) => {
                    let from = match begin {
                        Begin::Announced => now.plus(schedule(purpose).announce),
                        Begin::Now => now,
                    };
                    concerned.push(self.add_key(purpose, *algorithm, now, from, &mut changes)?);
                }
            }
        }
        self.commit_keys(now, changes).await?;
        let keys = self.key_reports().await?;
        Ok(keys.into_iter().filter(|key| concerned.contains(&key.id)).collect())
    }

    /// From now on this key is neither used nor published nor believed. If it was the one in use, a
    /// new one takes its place in the same moment.
    ///
    /// # Errors
    /// [`Failure::NotFound`]
    pub async fn revoke_key(&self, id: &str) -> Result<Vec<KeyReport>, Failure> {
        let (keys, now) = self.staged_keys().await?;
        let found = keys.iter().find(|key| key.found.key.id == id && key.stage.is_some());
        let Some(key) = found else {
            return Err(Failure::NotFound { what: format!("a key {id} that is not revoked") });
        };
        let purpose = key.found.key.purpose;
        let mut changes = vec![
            Change::RevokeSigningKey { id: id.to_owned(), active_from: key.found.key.active_from },
            record(AuditKind::KeyRevoked, purpose, id),
        ];
        if key.stage == Some(Stage::Active) {
            let line = algorithms(purpose).iter().find(|it| is_of(key, purpose, **it));
            if let Some(algorithm) = line {
                self.add_key(purpose, *algorithm, now, now, &mut changes)?;
            }
        }
        self.commit_keys(now, changes).await?;
        self.key_reports().await
    }

    fn add_key(
        &self,
        purpose: KeyPurpose,
        algorithm: KeyAlgorithm,
        now: Timestamp,
        from: Timestamp,
        changes: &mut Vec<Change>,
    ) -> Result<String, Failure> {
        let common_name = self.settings().issuer.as_str();
        let key = new_key(purpose, algorithm, common_name, now, from, self.rng())?;
        let id = key.id.clone();
        changes.push(Change::AddSigningKey(Box::new(key)));
        changes.push(record(AuditKind::KeyAdded, purpose, &id));
        Ok(id)
    }

    async fn commit_keys(&self, now: Timestamp, changes: Vec<Change>) -> Result<(), Failure> {
        match self.store().commit(now, changes).await {
            Ok(()) => self.refresh_keys().await,
            Err(CommitError::Conflict { .. }) => Err(Failure::Contended),
            Err(other) => Err(Failure::commit(other)),
        }
    }

    async fn staged_keys(&self) -> Result<(Vec<StagedKey>, Timestamp), Failure> {
        let now = self.now().await?;
        Ok((staged(self.store().signing_keys().await?, now), now))
    }
}

fn is_of(key: &StagedKey, purpose: KeyPurpose, algorithm: KeyAlgorithm) -> bool {
    key.found.key.purpose == purpose && key.found.key.algorithm == algorithm.as_str()
}

fn record(kind: AuditKind, purpose: KeyPurpose, id: &str) -> Change {
    Change::Record(AuditEvent::new(kind).detail(format!("{} {id}", purpose.as_str())))
}

fn waits_already(key: &StagedKey) -> Failure {
    let (id, from) = (&key.found.key.id, key.found.key.active_from);
    Failure::Admin {
        code: "key_waiting",
        detail: format!(
            "key {id} is announced already and begins at {from}; `--now` puts it into use"
        ),
    }
}

fn report(key: &StagedKey) -> KeyReport {
    let StagedKey { found, stage } = key;
    let certificate = found.key.certificate.as_ref();
    let until = certificate.and_then(|der| Certificate::parse_der(der).ok()?.not_after().ok());
    KeyReport {
        id: found.key.id.clone(),
        purpose: found.key.purpose,
        algorithm: found.key.algorithm.clone(),
        stage: *stage,
        created_at: found.created_at.to_string(),
        active_from: found.key.active_from.to_string(),
        certificate_until: until.map(|end| end.to_string()),
    }
}
