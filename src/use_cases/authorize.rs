//! The authorization endpoint (OpenID Connect Core 3.1.2): from a client's request to a code, or to
//! the IdP that can give one.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, Code, Grant, PendingAuthnRequest, Relogin, Wanted};
use crate::clock::Timestamp;
use crate::connection::{BrowserBinding, Connection, EmailDomain};
use crate::id::{AppSessionId, BrowserSessionId, IdpId, IdpSessionId};
use crate::logout::ladder::browser_endpoint;
use crate::oidc::authorize::{self, AuthorizeError};
use crate::oidc::{
    AuthorizeRequest, Client, CodeBinding, ErrorCode, IdTokenHint, OAuthError, Params, Prompt,
    Subject,
};
use crate::saml::{AuthnRequest, NameIdPolicy};
use crate::secret::Token;
use crate::session::{BrowserSession, IdpSession};
use crate::store::CommitError;
use crate::use_cases::idp_request::{IdpRequest, is_too_long, post_location};
use crate::use_cases::{
    Browser, Choice, CookieChange, Failure, Page, REQUEST_LIFETIME, Reply, TRIES, UseCases,
    registry, transaction_name,
};

impl UseCases {
    /// # Errors
    /// [`Failure::Client`] while it is not certain that the redirect URI is the client's; after
    /// that, errors go back to the client.
    pub async fn authorize(&self, params: &Params, browser: &Browser) -> Result<Reply, Failure> {
        // (1) Who asks? Until that is known, an error is a page (RFC 9700 4.11.2).
        let refused = |client: &str, code, detail: String| Failure::Client {
            code,
            client: client.to_owned(),
            detail,
        };
        let id = authorize::client_id(params)
            .map_err(|error| refused("", error.code(), error.to_string()))?;
        let view = self.view().await?;
        let registered = view.client(&id).await?;
        let registered = registered
            .ok_or_else(|| refused(id.as_str(), "unknown_client", "no such client".into()))?;
        let client = &registered.client;

        // (2) What for?
        let request = match AuthorizeRequest::parse(params, client) {
            Ok(request) => request,
            Err(AuthorizeError::Redirect { reply, error }) => {
                return Ok(Reply::redirect(reply.error(&self.settings().issuer, &error)));
            }
            Err(page) => return Err(refused(id.as_str(), page.code(), page.to_string())),
        };

        // (3) Is somebody signed in already, well enough for this?
        for _ in 0..TRIES {
            let (held, now) = match browser.session_hash() {
                Some(hash) => {
                    let read = self.store().whole_browser_session(hash).await?;
                    (read.found, read.now)
                }
                None => (None, self.now().await?),
            };
            // Should it be ended while the person is at the IdP: what is begun here is known by it, also
            // where it has lapsed and signs nobody in.
            let in_browser = held.as_ref().map(|session| session.id);
            let session = held.filter(|session| session.is_live(now));
            let usable = session.as_ref().and_then(|session| {
                let sign_in = self.usable(&request, client, session, now)?;
                Some((session, sign_in))
            });
            match usable {
                // Nobody gets in through an IdP that has been disabled.
                Some((session, sign_in)) if view.is_usable(&sign_in.idp, now).await? => {
                    if let Some(reply) = self.sign_on(&request, session, sign_in, now).await? {
                        return Ok(reply);
                    }
                }
                _ => {
                    let sign_in = session.as_ref().and_then(|session| session.sign_in_by(&[], now));
                    let (locked, cookie) = match &session {
                        Some(_) => (self.locked_idps(browser).await?, None),
                        None => self.locked_since_its_end(browser).await?,
                    };
                    let fresh = FreshLogin {
                        stale: sign_in.is_some_and(|sign_in| {
                            request.is_too_old(sign_in.signed_in.authn_instant, now)
                        }),
                        locked,
                        session: in_browser,
                    };
                    let reply = self.sign_in(params, request, client, fresh, &view, now).await?;
                    return Ok(reply.with_any(cookie));
                }
            }
        }
        Err(Failure::Contended)
    }

    /// The sign-in of this session that answers the request without asking anybody.
    fn usable<'s>(
        &self,
        request: &AuthorizeRequest,
        client: &Client,
        session: &'s BrowserSession,
        now: Timestamp,
    ) -> Option<&'s IdpSession> {
        let wanted = request.idp.as_ref().map(std::slice::from_ref);
        let sign_in = session.sign_in_by(wanted.unwrap_or(&client.idps), now)?;
        let facts = &sign_in.signed_in;
        // acr_values are wishes (Core 3.1.2.1): they are no reason to fail a silent request.
        let context = request.prompt == Prompt::None
            || request.acr_values.is_empty()
            || facts.authn_context.as_ref().is_some_and(|held| request.acr_values.contains(held));
        let usable = client.may_use(&sign_in.idp)
            && !request.forces_login()
            && !matches!(request.prompt, Prompt::Ask { select_account: true, .. })
            && !request.is_too_old(facts.authn_instant, now)
            && context
            && self.hint_allows(request, &session.subject);
        usable.then_some(sign_in)
    }

    /// Core 3.1.2.2: tokens never go to another person than the one that the hint names.
    pub(super) fn hint_allows(&self, request: &AuthorizeRequest, subject: &Subject) -> bool {
        let Some(token) = &request.id_token_hint else { return true };
        let keys = self.keys();
        let find = |kid: &str| keys.oidc.verifying(kid);
        IdTokenHint::parse(token, find, &self.settings().issuer)
            .is_ok_and(|hint| hint.sub == *subject)
    }

    /// Single sign-on: the app joins the session and gets its code. `None` if the session changed.
    async fn sign_on(
        &self,
        request: &AuthorizeRequest,
        session: &BrowserSession,
        sign_in: &IdpSession,
        now: Timestamp,
    ) -> Result<Option<Reply>, Failure> {
        let mut session = session.clone();
        session.touch(self.settings().session, now);
        let mut changes = vec![Change::advance(&session, None)];
        let (code, grant) = self.grant(&mut session, request, sign_in.id, now);
        changes.extend(grant);
        changes.push(Change::Record(
            AuditEvent::new(AuditKind::SignInCompleted)
                .session(session.id)
                .client(&request.client_id)
                .idp(&sign_in.idp)
                .detail("single sign-on"),
        ));
        match self.store().commit(now, changes).await {
            Ok(()) => {
                Ok(Some(Reply::redirect(request.reply.success(&self.settings().issuer, &code))))
            }
            Err(CommitError::Conflict { .. } | CommitError::Unknown) => Ok(None),
            Err(other) => Err(Failure::commit(other)),
        }
    }

    /// A code for the client, and the client's part in the session.
    pub(super) fn grant(
        &self,
        session: &mut BrowserSession,
        request: &AuthorizeRequest,
        sign_in: IdpSessionId,
        now: Timestamp,
    ) -> (Token, Vec<Change>) {
        let id: BrowserSessionId = session.id;
        let app = session.join(AppSessionId::new(now, self.rng()), &request.client_id, now);
        let code = self.rng().token();
        let mut changes: Vec<Change> =
            app.map(|app| Change::AddAppSession { browser_session: id, app }).into_iter().collect();
        changes.push(Change::AddCode(Box::new(Code {
            hash: code.hash(),
            browser_session: id,
            grant: Grant {
                binding: CodeBinding {
                    client_id: request.client_id.clone(),
                    redirect_uri: request.reply.redirect_uri.clone(),
                    code_challenge: request.code_challenge,
                    expires_at: now.plus(self.settings().code_lifetime),
                },
                scopes: request.scopes.clone(),
                nonce: request.nonce.clone(),
                idp_session: sign_in,
            },
        })));
        (code, changes)
    }

    /// Somebody has to sign in: at which IdP?
    async fn sign_in(
        &self,
        params: &Params,
        request: AuthorizeRequest,
        client: &Client,
        fresh: FreshLogin,
        view: &registry::View<'_>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let refuse = |code, text: &str| {
            let error = OAuthError::new(code, text);
            Ok(Reply::redirect(request.reply.error(&self.settings().issuer, &error)))
        };
        if request.prompt == Prompt::None {
            return refuse(ErrorCode::LoginRequired, "nobody is signed in well enough for this");
        }
        let choices = match self.choose(&request, client, view, now).await? {
            Chosen::One(idp) => match view.connection(&idp, now).await {
                Ok(connection) => {
                    return self.ask_idp_to_sign_in(request, &fresh, &connection, now).await;
                }
                Err(Failure::Connection { idp, detail }) => {
                    tracing::error!(idp.id = %idp, "an IdP cannot be used: {detail}");
                    return refuse(ErrorCode::TemporarilyUnavailable, "the IdP cannot be used");
                }
                Err(other) => return Err(other),
            },
            Chosen::NotAllowed => {
                return refuse(ErrorCode::AccessDenied, "this client may not use that IdP");
            }
            Chosen::Among(choices) if choices.is_empty() => {
                return refuse(ErrorCode::TemporarilyUnavailable, "no IdP is configured");
            }
            Chosen::Among(choices) => choices,
        };
        Ok(Reply::page(Page::ChooseIdp { params: params.clone(), choices }))
    }

    /// By `idp`, by the client's only IdP, by the e-mail domain in `login_hint`, or by the person.
    async fn choose(
        &self,
        request: &AuthorizeRequest,
        client: &Client,
        view: &registry::View<'_>,
        now: Timestamp,
    ) -> Result<Chosen, Failure> {
        if let Some(idp) = &request.idp {
            return Ok(match client.may_use(idp) {
                true => Chosen::One(idp.clone()),
                false => Chosen::NotAllowed,
            });
        }
        if let [only] = client.idps.as_slice() {
            return Ok(Chosen::One(only.clone()));
        }
        if let Some(domain) = request.login_hint.as_deref().and_then(EmailDomain::of_address)
            && let Some(idp) = self.store().idp_of_domain(domain.as_str()).await?
            && client.may_use(&idp)
        {
            return Ok(Chosen::One(idp));
        }
        let mut choices: Vec<Choice> = Vec::new();
        for idp in self.store().enabled_idps().await? {
            if client.may_use(&idp)
                && let Ok(connection) = view.connection(&idp, now).await
            {
                choices.push(Choice { idp, name: connection.name() });
            }
        }
        Ok(match choices.as_slice() {
            [only] => Chosen::One(only.idp.clone()),
            _ => Chosen::Among(choices),
        })
    }

    /// Sends the browser to the IdP, with what the client wants of the sign-in.
    async fn ask_idp_to_sign_in(
        &self,
        request: AuthorizeRequest,
        fresh: &FreshLogin,
        connection: &Arc<Connection>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let demanded = fresh.stale || request.forces_login();
        let authn_not_before = match request.max_age {
            _ if demanded => Some(now),
            Some(max_age) => Some(now.minus(Duration::from_secs(max_age.into()))),
            None => None,
        };
        // A re-login lock judges the answer itself: the person may overrule it, and no client.
        let relogin = match fresh.locked.contains(&connection.id) {
            true if !demanded => Relogin::Locked,
            _ => Relogin::Free,
        };
        let force_authn = demanded || relogin == Relogin::Locked;
        let session = fresh.session;
        let wanted = Wanted { request, force_authn, authn_not_before, relogin, session };
        self.send_authn_request(wanted, connection, now).await
    }

    /// A signed AuthnRequest (SAML Profiles 4.1.3.3), remembered until its Response comes.
    pub(super) async fn send_authn_request(
        &self,
        wanted: Wanted,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        let unusable = |detail: &str| Failure::Connection {
            idp: connection.id.clone(),
            detail: detail.to_owned(),
        };
        let offered = &connection.metadata.single_sign_on;
        let endpoint = browser_endpoint(offered, connection.settings.sso_binding);
        let (binding, location) =
            endpoint.ok_or_else(|| unusable("its metadata has no login URL for a browser"))?;
        let (id, relay_state) = (self.rng().saml_id(), self.rng().handle());
        let browser = self.rng().handle();
        let write = |destination: &str| {
            AuthnRequest {
                id: id.clone(),
                issue_instant: now,
                destination: destination.to_owned(),
                issuer: self.settings().saml_entity_id.clone(),
                acs_url: self.settings().acs_url(),
                force_authn: wanted.force_authn,
                is_passive: false,
                name_id_policy: Some(NameIdPolicy { format: None }),
                requested_authn_context: wanted.request.acr_values.clone(),
            }
            .to_xml()
            .map_err(|error| unusable(&format!("an AuthnRequest cannot be written: {error}")))
        };
        let sign = connection.settings.sign_requests.unwrap_or(true)
            || connection.metadata.want_authn_requests_signed;
        let request = IdpRequest { relay_state: relay_state.expose(), sign, write: &write };
        let mut next = self.send_by(binding, &location, &request)?;
        if is_too_long(&next)
            && let Some(location) = post_location(offered)
        {
            next = self.send_by(BrowserBinding::Post, &location, &request)?;
        }
        let pending = PendingAuthnRequest {
            id: id.clone(),
            relay_state: relay_state.hash(),
            browser: browser.hash(),
            idp: connection.id.clone(),
            wanted,
            expires_at: now.plus(REQUEST_LIFETIME),
        };
        let add = Change::AddAuthnRequest(Box::new(pending));
        self.store().commit(now, vec![add]).await.map_err(Failure::commit)?;
        let cookie = CookieChange::SetTransaction { name: transaction_name(&id), value: browser };
        Ok(Reply::of(next).with(cookie))
    }
}

/// Why the IdP's own session may not be enough, besides what the client asks for, and which session the
/// browser has here, live or lapsed.
struct FreshLogin {
    /// The sign-in we know of is older than the client's `max_age`, so the IdP's session will be too.
    stale: bool,
    /// IdPs that have not confirmed a logout of this browser.
    locked: Vec<IdpId>,
    session: Option<BrowserSessionId>,
}

enum Chosen {
    One(IdpId),
    Among(Vec<Choice>),
    NotAllowed,
}
