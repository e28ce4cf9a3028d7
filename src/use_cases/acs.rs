//! The assertion consumer (SAML Profiles 4.1.4): from an IdP's Response to a session and a code.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, PendingAuthnRequest, Relogin, VerifiedSignIn};
use crate::clock::Timestamp;
use crate::connection::Connection;
use crate::oidc::{ErrorCode, OAuthError, Subject, SubjectSource};
use crate::saml::binding::post;
use crate::saml::{Decryption, Expected, Login, Received, Rejection, Status, status};
use crate::secret::Token;
use crate::session::SignedIn;
use crate::store::CommitError;
use crate::use_cases::sign_in::{HeldSignIn, Waiting, by_a_fresh_authentication};
use crate::use_cases::{Browser, CookieChange, Failure, Keys, Reply, UseCases, transaction_name};
use crate::xml;
use crate::xml::decrypt::Cbc;

/// What an IdP had a browser post.
#[derive(Clone, Copy, Debug)]
pub struct PostedResponse<'m> {
    pub saml_response: &'m str,
    pub relay_state: Option<&'m str>,
}

/// Why a Response signs nobody in, and whether the IdP wrote it.
struct Refused {
    rejection: Rejection,
    is_signed: bool,
}

impl UseCases {
    /// `POST /saml/acs`
    ///
    /// # Errors
    /// [`Failure::Idp`] with the reason why the Response signs nobody in, [`Failure::Browser`] if
    /// nothing waits for it.
    pub async fn acs(
        &self,
        posted: PostedResponse<'_>,
        browser: &Browser,
    ) -> Result<Reply, Failure> {
        // (1) Shape. Nothing of it is believed yet.
        let refused = |error: &dyn std::fmt::Display| Failure::Idp {
            code: "saml.unreadable",
            idp: String::new(),
            detail: error.to_string(),
        };
        let limits = &xml::Limits::MESSAGE;
        let bytes =
            post::decode(posted.saml_response, limits.bytes).map_err(|error| refused(&error))?;
        let turn = self.xml_turn(bytes.len()).await?;
        let document = xml::parse(&bytes, limits).map_err(|error| refused(&error))?;
        let received = Received::read(&document).map_err(|error| refused(&error))?;
        drop(turn);

        // (2) Which request does it answer? There is no sign-in without one.
        let unknown = || Failure::browser("unknown_request", "no sign-in waits for this Response");
        let id = received.in_response_to().ok_or_else(unknown)?;
        let read = self.store().authn_request(id, browser.session_hash()).await?;
        let (now, (pending, session)) = (read.now, read.found);
        let pending = pending.ok_or_else(unknown)?;
        let same = |sent: &str| Token::received(sent).hash() == pending.relay_state;
        if !posted.relay_state.is_none_or(same) {
            return Err(Failure::browser("relay_state", "the RelayState is not of this request"));
        }

        // (3) Who wrote it, and is it meant for us, for this request, now?
        let connection = self.asked_idp(&pending, now).await?;
        let expected = self.expected(&pending, &connection);
        let keys = self.keys();
        let decryption = self.decryption(&keys, &connection);
        let turn = self.xml_turn(bytes.len()).await?;
        let mut is_signed = false;
        let login = received.verify(&connection.metadata.signing_keys, &decryption, |signed| {
            is_signed = true;
            signed.accept(&expected, now)
        });
        drop(turn);
        let login = match login {
            Ok(login) => login,
            Err(rejection) => {
                let refused = Refused { rejection, is_signed };
                return self.not_signed_in(pending, &connection, refused, browser, now).await;
            }
        };
        let verified = self.verified(&pending, &connection, login)?;

        // (4) Is it the browser that asked, and whose session has it? Over TLS `Lax` cookies do not
        //     travel on the IdP's cross-site POST, so a GET of ours looks for them, and nothing is
        //     written before: an old session must be continued or ended, never forgotten.
        let all_cookies = browser.session.is_some() || !self.settings().issuer.is_secure();
        if all_cookies && browser.holds(&pending.id, &pending.browser) {
            let waiting = Waiting { pending, connection, held: None };
            return self.complete(waiting, verified, session, browser, false, now).await;
        }
        self.hold(verified, Vec::new(), now).await
    }

    /// `GET /saml/acs/continue`
    ///
    /// # Errors
    /// [`Failure::Browser`] if this is not the browser that asked.
    pub async fn acs_continue(&self, handle: &Token, browser: &Browser) -> Result<Reply, Failure> {
        let (held, now) = self.held_sign_in(handle, browser).await?;
        self.complete(held.waiting, held.verified, held.session, browser, false, now).await
    }

    /// A sign-in that waits for this browser.
    pub(super) async fn held_sign_in(
        &self,
        handle: &Token,
        browser: &Browser,
    ) -> Result<(HeldSignIn, Timestamp), Failure> {
        let unknown =
            || Failure::browser("unknown_request", "no sign-in is held under this handle");
        let verified = self.store().held_sign_in(handle.hash()).await?.found.ok_or_else(unknown)?;
        let read = self.store().authn_request(&verified.request_id, browser.session_hash()).await?;
        let (pending, session) = read.found;
        let pending = pending.ok_or_else(unknown)?;
        if !browser.holds(&pending.id, &pending.browser) {
            return Err(Failure::browser(
                "other_browser",
                "the sign-in was begun in another browser, or it does not keep our cookies",
            ));
        }
        // It may have been disabled since the Response was verified.
        let connection = self.asked_idp(&pending, read.now).await?;
        let waiting = Waiting { pending, connection, held: Some(handle.clone()) };
        Ok((HeldSignIn { waiting, verified, session }, read.now))
    }

    /// The IdP that was asked, if it may still answer.
    pub(super) async fn asked_idp(
        &self,
        pending: &PendingAuthnRequest,
        now: Timestamp,
    ) -> Result<Arc<Connection>, Failure> {
        self.view().await?.connection(&pending.idp, now).await.map_err(|failure| match failure {
            Failure::Connection { idp, detail } => {
                Failure::Idp { code: "connection_unusable", idp: idp.to_string(), detail }
            }
            other => other,
        })
    }

    fn decryption<'k>(&self, keys: &'k Keys, connection: &Connection) -> Decryption<'k> {
        let settings = &connection.settings;
        Decryption {
            keys: keys.decryption.all(),
            cbc: if settings.allow_cbc { Cbc::Accepted } else { Cbc::Refused },
            required: settings.require_encryption.unwrap_or(self.settings().require_encryption),
        }
    }

    fn expected(&self, pending: &PendingAuthnRequest, connection: &Connection) -> Expected {
        let skew = self.settings().clock_skew;
        // A login that was demanded may bear the time of a slow clock. A session that the IdP had
        // already is measured exactly: one that is too old becomes a demand.
        let leeway = if pending.wanted.force_authn { Duration::ZERO } else { skew };
        Expected {
            idp: connection.metadata.entity_id.clone(),
            sp: self.settings().saml_entity_id.clone(),
            acs_url: self.settings().acs_url(),
            request_id: pending.id.clone(),
            clock_skew: skew,
            authn_not_before: pending.wanted.authn_not_before.map(|from| from.plus(leeway)),
        }
    }

    fn verified(
        &self,
        pending: &PendingAuthnRequest,
        connection: &Connection,
        login: Login,
    ) -> Result<VerifiedSignIn, Failure> {
        let subject = self.subject(connection, &login)?;
        let attributes: Vec<(String, Vec<String>)> = login
            .attributes
            .into_iter()
            .map(|attribute| (attribute.name, attribute.values))
            .collect();
        Ok(VerifiedSignIn {
            request_id: pending.id.clone(),
            idp: pending.idp.clone(),
            assertion_id: login.assertion_id,
            remember_until: login.not_on_or_after,
            subject,
            facts: SignedIn {
                name_id: login.name_id,
                session_indexes: login.session_indexes,
                authn_instant: login.authn_instant,
                authn_context: login.authn_context,
                session_not_on_or_after: login.session_not_on_or_after,
                claims: connection.claims.claims(&attributes),
            },
            refused: false,
        })
    }

    /// The stable, opaque `sub`: accounts of two IdPs are never joined.
    fn subject(&self, connection: &Connection, login: &Login) -> Result<Subject, Failure> {
        let refused = |code, detail: &str| Failure::Idp {
            code,
            idp: connection.id.to_string(),
            detail: detail.to_owned(),
        };
        let source = &connection.settings.subject;
        let value = match source {
            SubjectSource::NameId => {
                let name_id = login.name_id.as_ref().ok_or_else(|| {
                    refused("subject_missing", "there is no NameID, and `subject = name_id`")
                })?;
                &name_id.value
            }
            SubjectSource::Attribute(name) => {
                let found = login.attributes.iter().find(|attribute| attribute.name == *name);
                let values = found.map(|attribute| attribute.values.as_slice());
                match values {
                    Some([value]) if !value.is_empty() => value,
                    _ => {
                        let detail = format!("the attribute {name:?} has not exactly one value");
                        return Err(refused("subject_missing", &detail));
                    }
                }
            }
        };
        let entity_id = connection.metadata.entity_id.as_str();
        Ok(Subject::derive(&self.keys().subject, entity_id, source, value))
    }

    /// The Response signs nobody in. What the IdP reports goes back to the client in OAuth's words;
    /// what is not acceptable is between us and the IdP.
    async fn not_signed_in(
        &self,
        pending: PendingAuthnRequest,
        connection: &Connection,
        refused: Refused,
        browser: &Browser,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let Refused { rejection, is_signed } = refused;
        let request = &pending.wanted.request;
        let record = AuditEvent::new(AuditKind::SignInRefused)
            .client(&request.client_id)
            .idp(&pending.idp)
            .detail(format!("{}: {rejection}", rejection.code()));
        let record = Change::Record(record);
        let ours = browser.holds(&pending.id, &pending.browser);
        if ours && rejection == Rejection::StaleAuthentication && !pending.wanted.force_authn {
            // The IdP relied on an older session than `max_age` allows: ask for a fresh one.
            let changes = vec![Change::TakeAuthnRequest { id: pending.id.clone() }, record];
            self.store().commit(now, changes).await.map_err(used)?;
            let wanted = by_a_fresh_authentication(pending.wanted, now);
            return self.ask_instead(&pending.id, wanted, connection, now).await;
        }
        let status = match &rejection {
            Rejection::Status(status) => Some(status),
            _ => None,
        };
        if let (true, Relogin::Locked, Some(status)) = (ours, pending.wanted.relogin, status) {
            return self.cannot_be_asked(pending, connection, status, now).await;
        }
        if ours && let Some(error) = oauth_error(&rejection) {
            let changes = vec![Change::TakeAuthnRequest { id: pending.id.clone() }, record];
            self.store().commit(now, changes).await.map_err(used)?;
            let url = request.reply.error(&self.settings().issuer, &error);
            let name = transaction_name(&pending.id);
            return Ok(Reply::redirect(url).with(CookieChange::ClearTransaction { name }));
        }
        // Anybody may have written the others. The log says so; the audit is not filled by strangers.
        if is_signed || ours {
            self.store().commit(now, vec![record]).await.map_err(Failure::commit)?;
        }
        Err(Failure::Idp {
            code: rejection.code(),
            idp: pending.idp.to_string(),
            detail: rejection.to_string(),
        })
    }
}

/// A request and an assertion are good for one sign-in.
pub(super) fn used(error: CommitError) -> Failure {
    match error {
        CommitError::Conflict { what } => {
            let detail = format!("the Response has been used already ({what})");
            Failure::Browser { code: "replay", detail }
        }
        other => Failure::commit(other),
    }
}

/// What a client can be told of an IdP's refusal (OpenID Connect Core 3.1.2.6).
fn oauth_error(rejection: &Rejection) -> Option<OAuthError> {
    match rejection {
        Rejection::Status(status) => Some(status_error(status)),
        Rejection::StaleAuthentication => Some(OAuthError::new(
            ErrorCode::LoginRequired,
            "the IdP did not authenticate the person anew",
        )),
        _ => None,
    }
}

fn status_error(found: &Status) -> OAuthError {
    let (code, text) = if found.says(status::NO_PASSIVE) {
        (ErrorCode::LoginRequired, "the IdP must ask the person")
    } else {
        (ErrorCode::AccessDenied, "the IdP did not sign the person in")
    };
    OAuthError::new(code, text)
}
