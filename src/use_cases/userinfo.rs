use crate::oidc::{BearerError, userinfo};
use crate::secret::Token;
use crate::use_cases::{Failure, UseCases};

impl UseCases {
    /// The claims of whom the access token stands for (OpenID Connect Core 5.3), as long as the
    /// browser session lives.
    pub async fn userinfo(
        &self,
        token: &Token,
    ) -> Result<Result<serde_json::Value, BearerError>, Failure> {
        let read = self.store().access_token(token.hash()).await?;
        Ok(match read.found {
            Some(found) => {
                let claims = &found.signed_in.claims;
                Ok(userinfo::document(&found.subject, claims, &found.scopes))
            }
            None => Err(BearerError::Invalid),
        })
    }
}
