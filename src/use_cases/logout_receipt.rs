//! `/connect/logout_receipt`: an app asks what became of a logout of its session.

use std::collections::BTreeMap;

use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::logout::{Leg, LegState, Logout, Party, PartyId};
use crate::oidc::{
    Client, ErrorCode, LogoutReceiptClaims, LogoutReceiptRequest, OAuthError, Params, ReceiptIdp,
    ReceiptLeft, ReceiptLeg,
};
use crate::store::LogoutKey;
use crate::use_cases::{Failure, UseCases};

/// What the endpoint answers.
pub enum ReceiptAnswer {
    /// A signed JWT.
    Receipt(String),
    Refused {
        error: OAuthError,
        www_authenticate: Option<&'static str>,
    },
}

impl From<OAuthError> for ReceiptAnswer {
    fn from(error: OAuthError) -> Self {
        Self::Refused { error, www_authenticate: None }
    }
}

impl UseCases {
    /// # Errors
    /// Only when the store fails; what is wrong with the request is an answer.
    pub async fn logout_receipt(
        &self,
        params: &Params,
        authorization: Option<&str>,
    ) -> Result<ReceiptAnswer, Failure> {
        let client = match self.authenticate_client(params, authorization).await? {
            Ok(client) => client,
            Err(error) => {
                let www_authenticate = error.www_authenticate();
                return Ok(ReceiptAnswer::Refused { error: error.into(), www_authenticate });
            }
        };
        if client.public {
            // Anybody can say that they are a public client, and a `sid` is known to every app.
            let text = "a client without a secret gets no receipt";
            return Ok(OAuthError::new(ErrorCode::UnauthorizedClient, text).into());
        }
        let request = match LogoutReceiptRequest::parse(params) {
            Ok(request) => request,
            Err(error) => return Ok(OAuthError::from(error).into()),
        };
        let read = self.store().logout(LogoutKey::EndedSid(request.sid)).await?;
        let (found, now) = (read.found.map(|found| found.logout), read.now);
        // Whether there is such a session is nobody's business who had no part in it.
        match found {
            Some(logout) if self.took_part(&logout, &client.id).await? => {
                Ok(ReceiptAnswer::Receipt(self.receipt(&logout, &client, now).await?))
            }
            _ => {
                let text = "no logout of such a session of this client is known";
                Ok(OAuthError::new(ErrorCode::UnknownSession, text).into())
            }
        }
    }

    /// Whoever was told took part; so did an app that was left alone on purpose.
    async fn took_part(&self, logout: &Logout, client: &ClientId) -> Result<bool, Failure> {
        if logout.legs.iter().any(|leg| is_of(leg, client)) {
            return Ok(true);
        }
        let apps = self.store().apps_of_session(logout.document.browser_session).await?;
        Ok(apps.contains(client))
    }

    async fn receipt(
        &self,
        logout: &Logout,
        client: &Client,
        now: Timestamp,
    ) -> Result<String, Failure> {
        let view = self.view().await?;
        let mut idps = Vec::new();
        let mut other_apps = BTreeMap::new();
        for leg in &logout.legs {
            match &leg.party {
                Party::Idp { idp, .. } => {
                    let name = view.idp_name(idp, now).await?;
                    idps.push(ReceiptIdp { id: idp, name, leg: known(leg) });
                }
                Party::App { .. } if is_of(leg, &client.id) => {}
                Party::App { .. } => *other_apps.entry(known(leg).outcome).or_default() += 1,
            }
        }
        let jti = self.rng().handle();
        let claims = LogoutReceiptClaims {
            iss: self.settings().issuer.as_str(),
            aud: &client.id,
            iat: now,
            jti: jti.expose(),
            sid: &logout.document.sid,
            logout_id: logout.id,
            outcome: logout.outcome().as_str(),
            scope: logout.document.scope,
            begun_at: logout.created_at,
            answered_at: logout.answered_at,
            settled_at: logout.settled_at,
            app: logout.legs.iter().find(|leg| is_of(leg, &client.id)).map(known),
            idps,
            other_apps,
            left: left(&logout.document.left),
        };
        let keys = self.keys();
        let algorithm = client.id_token_alg;
        let key = keys.oidc.signing(algorithm);
        let key =
            key.ok_or_else(|| Failure::Internal(format!("no key for {}", algorithm.as_str())))?;
        Ok(claims.sign(key))
    }
}

fn is_of(leg: &Leg, app: &ClientId) -> bool {
    matches!(&leg.party, Party::App { client, .. } if client == app)
}

fn left(parties: &[PartyId]) -> Option<ReceiptLeft<'_>> {
    let idps: Vec<_> = parties
        .iter()
        .filter_map(|party| match party {
            PartyId::Idp { idp } => Some(idp),
            PartyId::App { .. } => None,
        })
        .collect();
    let apps = parties.len() - idps.len();
    (!parties.is_empty()).then_some(ReceiptLeft { idps, apps })
}

fn known(leg: &Leg) -> ReceiptLeg<'_> {
    match &leg.state {
        LegState::Closed { outcome, detail, at } => ReceiptLeg {
            outcome: outcome.as_str(),
            evidence: Some(detail.as_str()).filter(|detail| !detail.is_empty()),
            at: Some(*at),
        },
        _ => ReceiptLeg { outcome: "open", evidence: None, at: None },
    }
}
