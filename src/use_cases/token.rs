//! The token endpoint (OpenID Connect Core 3.1.3): a code becomes tokens, once.

use crate::audit::{AuditEvent, AuditKind};
use crate::change::{AccessToken, Change};
use crate::clock::Timestamp;
use crate::oidc::{
    Client, ClientAuthError, ClientCredentials, ErrorCode, IdTokenClaims, OAuthError, Params,
    TokenRequest, TokenResponse, id_token,
};
use crate::secret::Token;
use crate::session::{BrowserSession, IdpSession};
use crate::store::{CommitError, RedeemableCode};
use crate::use_cases::{Failure, TRIES, UseCases};

/// What the endpoint answers.
pub enum TokenAnswer {
    Tokens(TokenResponse),
    /// RFC 6749 5.2; with the header that it demands.
    Refused {
        error: OAuthError,
        www_authenticate: Option<&'static str>,
    },
}

impl From<OAuthError> for TokenAnswer {
    fn from(error: OAuthError) -> Self {
        Self::Refused { error, www_authenticate: None }
    }
}

impl UseCases {
    /// # Errors
    /// Only when the store fails; what is wrong with the request is an answer.
    pub async fn token(
        &self,
        params: &Params,
        authorization: Option<&str>,
    ) -> Result<TokenAnswer, Failure> {
        // (1) Who asks?
        let client = match self.authenticate_client(params, authorization).await? {
            Ok(client) => client,
            Err(error) => {
                let www_authenticate = error.www_authenticate();
                return Ok(TokenAnswer::Refused { error: error.into(), www_authenticate });
            }
        };
        // (2) For what?
        let request = match TokenRequest::parse(params) {
            Ok(request) => request,
            Err(error) => return Ok(error.into()),
        };
        // (3) Is the code good, for this client, in this session?
        let unusable =
            || OAuthError::new(ErrorCode::InvalidGrant, "the code is unknown, used or expired");
        let hash = request.code.hash();
        for _ in 0..TRIES {
            let read = self.store().code(hash).await?;
            let now = read.now;
            let Some(found) = read.found else { return Ok(unusable().into()) };
            let binding = &found.code.grant.binding;
            if found.redeemed && binding.client_id == client.id {
                self.code_reused(&found, now).await?;
                return Ok(unusable().into());
            }
            if let Err(error) = binding.check(&request, &client.id, now) {
                return Ok(OAuthError::from(error).into());
            }
            let Some(session) = &found.session else { return Ok(unusable().into()) };
            let sign_in = found.code.grant.idp_session;
            let sign_in = session.idp_sessions.iter().find(|held| held.id == sign_in);
            let Some(sign_in) = sign_in else { return Ok(unusable().into()) };
            // (4) Used up, and the token exists: in one transaction with the session's version.
            if let Some(tokens) = self.redeem(&client, &found, session, sign_in, now).await? {
                return Ok(TokenAnswer::Tokens(tokens));
            }
        }
        Err(Failure::Contended)
    }

    /// The client behind a request to the token endpoint, or to another that clients authenticate at.
    pub(super) async fn authenticate_client(
        &self,
        params: &Params,
        authorization: Option<&str>,
    ) -> Result<Result<std::sync::Arc<Client>, ClientAuthError>, Failure> {
        let credentials = match ClientCredentials::parse(authorization, params) {
            Ok(credentials) => credentials,
            Err(error) => return Ok(Err(error)),
        };
        let registered = self.view().await?.client(&credentials.client_id).await?;
        let secrets: Vec<_> = registered.iter().filter_map(|found| found.secret).collect();
        let client = registered.map(|found| found.client.clone());
        Ok(credentials.verify(client.as_deref(), &secrets).and_then(|()| {
            // `verify` accepts nobody who is not registered.
            client.ok_or(ClientAuthError::Failed { basic: false })
        }))
    }

    async fn redeem(
        &self,
        client: &Client,
        found: &RedeemableCode,
        session: &BrowserSession,
        sign_in: &IdpSession,
        now: Timestamp,
    ) -> Result<Option<TokenResponse>, Failure> {
        let grant = &found.code.grant;
        let access_token = self.rng().token();
        let lifetime = self.settings().access_token_lifetime;
        let changes = vec![
            Change::advance(session, None),
            Change::RedeemCode { hash: found.code.hash },
            Change::AddAccessToken(Box::new(AccessToken {
                hash: access_token.hash(),
                code: found.code.hash,
                browser_session: session.id,
                client: client.id.clone(),
                idp_session: sign_in.id,
                scopes: grant.scopes.clone(),
                expires_at: now.plus(lifetime),
            })),
        ];
        match self.store().commit(now, changes).await {
            Ok(()) => {}
            // The connection was lost during COMMIT: our own token tells what happened.
            Err(CommitError::Unknown) if self.has_token(&access_token).await? => {}
            Err(CommitError::Conflict { .. } | CommitError::Unknown) => return Ok(None),
            Err(other) => return Err(Failure::commit(other)),
        }
        let id_token = self.id_token(client, found, session, sign_in, &access_token, now)?;
        Ok(Some(TokenResponse::new(&access_token, lifetime, id_token, &grant.scopes)))
    }

    async fn has_token(&self, token: &Token) -> Result<bool, Failure> {
        Ok(self.store().access_token(token.hash()).await?.found.is_some())
    }

    fn id_token(
        &self,
        client: &Client,
        found: &RedeemableCode,
        session: &BrowserSession,
        sign_in: &IdpSession,
        access_token: &Token,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let algorithm = client.id_token_alg;
        let keys = self.keys();
        let key = keys.oidc.signing(algorithm);
        let key =
            key.ok_or_else(|| Failure::Internal(format!("no key for {}", algorithm.as_str())))?;
        let acr = sign_in.signed_in.authn_context.as_deref();
        let claims = IdTokenClaims {
            iss: &self.settings().issuer,
            sub: &session.subject,
            aud: &client.id,
            exp: now.plus(self.settings().id_token_lifetime),
            iat: now,
            auth_time: sign_in.signed_in.authn_instant,
            nonce: found.code.grant.nonce.as_deref(),
            acr,
            amr: acr.map_or(&[], id_token::methods_of),
            sid: &session.sid,
            idp: &sign_in.idp,
            at_hash: Some(id_token::at_hash(algorithm, access_token)),
        };
        Ok(claims.sign(key))
    }

    /// RFC 6749 4.1.2: a code that comes twice was stolen, or its tokens were; they end.
    async fn code_reused(&self, found: &RedeemableCode, now: Timestamp) -> Result<(), Failure> {
        let record = AuditEvent::new(AuditKind::CodeReused)
            .session(found.code.browser_session)
            .client(&found.code.grant.binding.client_id);
        let changes =
            vec![Change::RevokeAccessTokensOf { code: found.code.hash }, Change::Record(record)];
        self.store().commit(now, changes).await.map_err(Failure::commit)
    }
}
