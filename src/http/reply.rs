//! What a use case returns, as a response.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::content_policy::{ContentPolicy, form_source};
use super::extract::{Cookies, SameSite};
use super::layer::RequestId;
use super::page;
use crate::language::Language;
use crate::logout::{Ends, relogin_lock};
use crate::paths;
use crate::saml::PostForm;
use crate::secret::Token;
use crate::use_cases::{
    Browser, Choice, CookieChange, FRAMES_WAIT, Frame, Next, Page, REQUEST_LIFETIME,
    ReloginQuestion, Reply, UseCases,
};

const SESSION: &str = "sid";
/// `SameSite=None`, so that it travels on the IdP's cross-site POST.
const TRANSACTION: &str = "tx-";
/// The same value, `SameSite=Lax`: some browsers withhold the other one.
const TRANSACTION_LAX: &str = "txl-";

/// Finds the browser's re-login locks.
const RELOGIN: &str = "relogin";

/// How the request that is answered came to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CameFrom {
    /// A link, a redirect, or another site's form.
    Elsewhere,
    /// A form on a page of ours. Browsers apply our `form-action` to the whole chain of redirects,
    /// so the answer is a page that goes on by itself.
    OurForm,
}

/// The cookies of ours that a request carried.
pub(super) fn browser(app: &App, cookies: &Cookies) -> Browser {
    let session = cookies.get(&app.cookies.name(SESSION)).map(Token::received);
    let transactions = [TRANSACTION, TRANSACTION_LAX]
        .iter()
        .flat_map(|prefix| {
            let prefix = app.cookies.name(prefix);
            let held = cookies.with_prefix(&prefix);
            held.map(|(name, value)| (name.to_owned(), Token::received(value))).collect::<Vec<_>>()
        })
        .collect();
    // What has not the form of our cookie is none.
    let relogin = cookies.get(&app.cookies.name(RELOGIN)).and_then(Token::of_256_bits);
    Browser { session, transactions, relogin }
}

/// What one answer is written with.
pub(super) struct Writer<'a> {
    pub app: &'a App,
    pub reference: &'a RequestId,
    /// What the request wants, where nothing was asked for earlier.
    pub language: Language,
    pub from: CameFrom,
}

impl Writer<'_> {
    pub(super) fn respond(&self, reply: Reply) -> Response {
        let issuer = self.app.issuer();
        let layout = page::Layout::new(issuer, reply.language.unwrap_or(self.language));
        let mut policy = ContentPolicy { framed_by: reply.framed_by, ..ContentPolicy::default() };
        let mut response = match reply.next {
            Next::Redirect(url) => match self.from {
                CameFrom::Elsewhere => redirect(&url),
                CameFrom::OurForm => layout.html(&page::Onward { layout: &layout, url: &url }),
            },
            Next::Post(form) => {
                let ends_at = reply.ends_at.as_deref();
                self.post_form(&layout, &form, ends_at, &mut policy)
            }
            Next::Frames { handle, mark, frames, ends } => {
                let page = self.app.use_cases.settings().logout_page_url(handle.expose());
                let mark = mark.map(|mark| format!("&request={mark}")).unwrap_or_default();
                let onward = format!("{page}?frames=done{mark}");
                self.frames(&layout, &onward, frames, ends, &mut policy)
            }
            Next::Page(page) => show(self.app, &layout, *page),
        };
        if let Some(policy) = policy.header() {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        set_cookies(self.app, reply.cookies, response.headers_mut());
        response
    }

    fn post_form(
        &self,
        layout: &page::Layout,
        form: &PostForm,
        ends_at: Option<&str>,
        policy: &mut ContentPolicy,
    ) -> Response {
        policy.form_action = Some(form_action(self.app.issuer().is_secure(), ends_at));
        let nonce = policy.allow_script(self.reference);
        let (action, fields) = (&form.action, &form.fields);
        layout.html(&page::PostFormPage { layout, action, fields, nonce })
    }

    fn frames(
        &self,
        layout: &page::Layout,
        onward: &str,
        frames: Vec<Frame>,
        ends: Ends,
        policy: &mut ContentPolicy,
    ) -> Response {
        policy.frames = frames.iter().map(|frame| frame.location.clone()).collect();
        let unnamed = || layout.text.unnamed.to_owned();
        let link = |frame: Frame| page::Link {
            name: frame.name.unwrap_or_else(unnamed),
            url: frame.location,
        };
        layout.html(&page::LogoutFrames {
            layout,
            heading: match ends {
                Ends::Session => layout.text.frames.heading,
                Ends::Apps => layout.text.end.heading.chosen_here,
            },
            frames: frames.into_iter().map(link).collect(),
            onward,
            seconds: FRAMES_WAIT.as_secs(),
            nonce: policy.allow_script(self.reference),
        })
    }
}

/// 303 always: a browser never repeats a POST at the new address (RFC 9700 4.12).
pub(super) fn redirect(url: &str) -> Response {
    match HeaderValue::from_str(url) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(_) => {
            tracing::error!("a URL that was checked cannot stand in a header");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The page may submit itself, to wherever the IdP redirects from there, and so to where that ends.
/// Browsers apply this to the whole chain.
fn form_action(https: bool, ends_at: Option<&str>) -> String {
    let mut sources = match https {
        true => "https:".to_owned(),
        // A loopback installation has loopback IdPs.
        false => "https: http:".to_owned(),
    };
    // A native app is at home on loopback, or has a scheme of its own.
    if let Some(source) = ends_at.and_then(form_source)
        && !source.starts_with("https:")
    {
        sources.push(' ');
        sources.push_str(&source);
    }
    sources
}

fn show(app: &App, layout: &page::Layout, shown: Page) -> Response {
    let page_url = |handle: &Token| app.use_cases.settings().logout_page_url(handle.expose());
    let notice = |said| layout.html(&page::Notice { layout, said });
    match shown {
        Page::ChooseIdp { params, choices } => {
            let link = |choice: Choice| page::Link {
                url: with_idp(app, &params, choice.idp.as_str()),
                name: choice.name,
            };
            let choices = choices.into_iter().map(link).collect();
            layout.html(&page::ChooseIdp { layout, choices })
        }
        Page::ConfirmLogout { handle, app, everywhere, parties, csrf, target_refused } => layout
            .html(&page::LogoutConfirm {
                layout,
                action: &page_url(&handle),
                app: app.as_deref(),
                everywhere,
                parties: parties.into_iter().map(|party| party.name).collect(),
                csrf: &csrf,
                target_refused,
            }),
        Page::PersonPage { page_seed, handle, csrf, parties, nothing_ended } => {
            let action = app.issuer().url(paths::SAML_LOGOUT);
            let secrets = page::FormSecrets { page_seed, handle, csrf };
            let page = page::PersonPage::of(parties, secrets, nothing_ended, &action, layout);
            layout.html(&page)
        }
        Page::KeptSignedIn => notice(layout.text.kept),
        Page::LogoutWaiting { handle, leg, idp } => {
            let (action, leg) = (handle.as_ref().map(page_url), leg.to_string());
            let action = action.as_deref();
            layout.html(&page::LogoutWaiting { layout, idp: &idp, leg: &leg, action })
        }
        Page::LogoutEnd(end) => {
            let own_page = app.issuer().url(paths::SAML_LOGOUT);
            let action = end.handle.as_ref().map(page_url);
            layout.html(&page::LogoutEnd::of(&end, action.as_deref(), &own_page, layout))
        }
        Page::Relogin { question, idp, csrf } => layout.html(&page::Relogin {
            layout,
            said: match &question {
                ReloginQuestion::Held(_) => &layout.text.relogin.signed_in,
                ReloginQuestion::Refused { .. } => &layout.text.relogin.refused,
            },
            action: &app.issuer().url(paths::SAML_ACS_CONTINUE),
            about: match &question {
                ReloginQuestion::Held(handle) => ("handle", handle.expose()),
                ReloginQuestion::Refused { request_id } => ("request", request_id),
            },
            idp: &idp,
            csrf: &csrf,
        }),
        Page::UnknownAnswer => notice(layout.text.unknown_answer),
        Page::NobodySignedIn => notice(layout.text.nobody),
    }
}

/// The same authorization request, with an IdP chosen.
fn with_idp(app: &App, params: &crate::oidc::Params, idp: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in params.iter().filter(|(name, _)| !matches!(*name, "idp" | "connection")) {
        query.append_pair(name, value);
    }
    query.append_pair("idp", idp);
    format!("{}?{}", app.issuer().url(paths::AUTHORIZE), query.finish())
}

fn set_cookies(app: &App, changes: Vec<CookieChange>, headers: &mut HeaderMap) {
    let policy = app.cookies;
    let mut add = |cookie: super::extract::SetCookie| {
        headers.append(header::SET_COOKIE, cookie.header());
    };
    for change in changes {
        match change {
            CookieChange::SetSession(value) => add(policy.set(SESSION, &value)),
            CookieChange::ClearSession => add(policy.remove(SESSION)),
            CookieChange::SetTransaction { name, value } => {
                let cookie = policy.set(&format!("{TRANSACTION}{name}"), &value);
                add(cookie.same_site(SameSite::None).max_age(REQUEST_LIFETIME));
                if app.issuer().is_secure() {
                    let twin = policy.set(&format!("{TRANSACTION_LAX}{name}"), &value);
                    add(twin.max_age(REQUEST_LIFETIME));
                }
            }
            CookieChange::SetRelogin(value) => {
                add(policy.set(RELOGIN, &value).max_age(relogin_lock::LIFETIME));
            }
            CookieChange::ClearRelogin => add(policy.remove(RELOGIN)),
            CookieChange::ClearTransaction { name } => {
                let cookie = policy.remove(&format!("{TRANSACTION}{name}"));
                add(cookie.same_site(SameSite::None));
                if app.issuer().is_secure() {
                    add(policy.remove(&format!("{TRANSACTION_LAX}{name}")));
                }
            }
        }
    }
}

impl App {
    pub(super) fn use_cases(&self) -> &UseCases {
        &self.use_cases
    }
}
