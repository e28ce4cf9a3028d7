//! The browser is sent to an IdP with a LogoutRequest (SAML Profiles 4.4.3.1).

use crate::clock::Timestamp;
use crate::connection::BrowserBinding;
use crate::id::{IdpId, LegId};
use crate::keys::keyed_hash;
use crate::logout::{Asked, Logout, Party, Principal, Reason, Rung};
use crate::saml::{LogoutReason, LogoutRequest};
use crate::secret::Token;
use crate::use_cases::idp_request::{IdpRequest, is_too_long, post_location};
use crate::use_cases::{
    CookieChange, Failure, REQUEST_LIFETIME, Reply, UseCases, transaction_name,
};
use crate::xml::encrypt::EncryptError;

impl UseCases {
    /// The LogoutRequest of one leg, by its binding (SAML Profiles 4.4.4.1).
    pub(super) async fn ask_idp(
        &self,
        logout: &Logout,
        leg: LegId,
        handle: Option<&Token>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let broken = |what: &str| Failure::Internal(format!("logout {}: {what}", logout.id));
        let leg = logout.leg(leg).ok_or_else(|| broken("the leg is gone"))?;
        let Party::Idp { idp, rung, .. } = &leg.party else {
            return Err(broken("an app is not asked through the browser"));
        };
        let (binding, location) = match rung {
            Rung::SingleLogout { binding, location }
            | Rung::AsynchronousLogout { binding, location }
            | Rung::LoginUrl { binding, location } => (*binding, location),
            Rung::Url { location } => return Ok(Reply::redirect(location.clone())),
            Rung::Soap { .. } | Rung::Local { .. } => {
                return Err(broken("this leg is not asked through the browser"));
            }
        };
        let asked = leg.asked.as_ref().ok_or_else(|| broken("the leg was not asked"))?;
        let principal = leg.principal.as_ref().ok_or_else(|| broken("the leg has no principal"))?;
        let write = |destination: &str| {
            let request = LogoutRequest {
                asynchronous: matches!(rung, Rung::AsynchronousLogout { .. }),
                ..self.logout_request(logout, principal, &asked.request_id, destination, now)
            };
            self.write_logout_request(&request, principal)
        };
        let relay_state = self.relay_state(&asked.request_id);
        let request = IdpRequest { relay_state: relay_state.expose(), sign: true, write: &write };
        let mut next = self.send_by(binding, location, &request)?;
        if is_too_long(&next)
            && let Some(location) = self.form_instead(idp, rung, now).await?
        {
            next = self.send_by(BrowserBinding::Post, &location, &request)?;
        }
        // The answer may come back without RelayState; then this cookie tells whose logout it is.
        let cookie = handle.map(|handle| CookieChange::SetTransaction {
            name: transaction_name(&asked.request_id),
            value: handle.clone(),
        });
        Ok(Reply::of(next).ending_at(logout.onward()).with_any(cookie))
    }

    /// The request itself, whichever way it goes: the person as asserted (SAML Profiles 4.4.4.1).
    pub(super) fn logout_request(
        &self,
        logout: &Logout,
        principal: &Principal,
        id: &str,
        destination: &str,
        now: Timestamp,
    ) -> LogoutRequest {
        LogoutRequest {
            id: id.to_owned(),
            issue_instant: now,
            not_on_or_after: Some(now.plus(REQUEST_LIFETIME)),
            destination: Some(destination.to_owned()),
            issuer: self.settings().saml_entity_id.clone(),
            name_id: principal.name_id.clone(),
            session_indexes: principal.session_indexes.clone(),
            reason: Some(match logout.document.reason {
                Reason::Admin | Reason::Offboarded => LogoutReason::Admin,
                _ => LogoutReason::User,
            }),
            asynchronous: false,
        }
    }

    /// The message as it is signed; its NameID encrypted if that was settled when the logout began.
    ///
    /// # Errors
    /// [`Failure::Internal`]
    pub(super) fn write_logout_request(
        &self,
        request: &LogoutRequest,
        principal: &Principal,
    ) -> Result<String, Failure> {
        let written = match &principal.encrypt_to {
            Some(recipient) => request.to_encrypted_xml(recipient, self.rng()),
            None => request.to_xml().map_err(EncryptError::Write),
        };
        written.map_err(|error| Failure::Internal(format!("a LogoutRequest: {error}")))
    }

    /// Where the same rung takes a form, for a message that is too long for a URL. `None`: there is no
    /// other way.
    async fn form_instead(
        &self,
        idp: &IdpId,
        rung: &Rung,
        now: Timestamp,
    ) -> Result<Option<String>, Failure> {
        let connection = match self.view().await?.connection(idp, now).await {
            Ok(connection) => connection,
            Err(Failure::Connection { .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        Ok(match rung {
            Rung::SingleLogout { .. } | Rung::AsynchronousLogout { .. } => {
                post_location(&connection.metadata.single_logout)
            }
            Rung::LoginUrl { .. } => post_location(&connection.metadata.single_sign_on),
            Rung::Soap { .. } | Rung::Url { .. } | Rung::Local { .. } => None,
        })
    }

    /// What names a LogoutRequest that is yet to be written.
    pub(super) fn fresh_request(&self) -> Asked {
        let request_id = self.rng().saml_id();
        let relay_state = self.relay_state(&request_id).hash();
        Asked { request_id, relay_state }
    }

    /// The RelayState that goes with a request: nobody can guess it, and the same request always
    /// has the same one, so that it can be sent again.
    fn relay_state(&self, request_id: &str) -> Token {
        let mac = keyed_hash(&self.keys().csrf, &[b"relay_state", request_id.as_bytes()]);
        Token::from_bytes(mac.split_at(16).0)
    }
}
