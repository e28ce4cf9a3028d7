use crate::audit::{AuditEvent, AuditKind};
use crate::change::Change;
use crate::secret::Token;
use crate::use_cases::{Failure, UseCases};

impl UseCases {
    /// A new bearer token for the admin API. It is shown once; the store keeps its hash.
    pub async fn issue_admin_token(&self, name: &str) -> Result<Token, Failure> {
        let token = self.rng().token();
        let changes = vec![
            Change::AddAdminToken { hash: token.hash(), name: name.to_owned() },
            Change::Record(AuditEvent::new(AuditKind::AdminTokenIssued).detail(name)),
        ];
        let now = self.now().await?;
        self.store().commit(now, changes).await.map_err(Failure::commit)?;
        Ok(token)
    }

    pub async fn is_admin(&self, token: &Token) -> Result<bool, Failure> {
        Ok(self.store().is_admin_token(token.hash()).await?)
    }
}
