//! One browser's request to a page of ours: what it brought, and how it is answered.

use axum::extract::{FromRequest, Request};
use axum::response::Response;

use super::App;
use super::error::{Explain, PageError};
use super::extract::{Cookies, RawParams, language};
use super::layer::RequestId;
use super::reply::{self, CameFrom, Writer};
use crate::language::Language;
use crate::oidc::Params;
use crate::use_cases::{Browser, Failure, Reply, UseCases};

/// Handlers take this and nothing else. A request without usable parameters never gets to them.
pub(super) struct Visit {
    pub app: App,
    pub params: Params,
    /// The query of a GET, exactly as it came; `None` for a form.
    pub raw_query: Option<String>,
    pub browser: Browser,
    /// What the request wants: by `ui_locales`, else by its header.
    language: Language,
    reference: RequestId,
}

impl FromRequest<App> for Visit {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageError> {
        let reference = request.extensions().get::<RequestId>().cloned();
        let reference = reference.expect("the layer around all routes names every request");
        let browser = reply::browser(app, &Cookies::of(request.headers()));
        let language = language::of_header(request.headers());
        let explain = Explain { app, reference: &reference, language };
        let found = RawParams::from_request(request, app).await;
        let RawParams { params, raw_query } = found.map_err(|error| explain.params(error))?;
        let language = language::of_params(&params).unwrap_or(language);
        Ok(Self { app: app.clone(), params, raw_query, browser, language, reference })
    }
}

impl Visit {
    pub(super) fn use_cases(&self) -> &UseCases {
        self.app.use_cases()
    }

    /// What the use case returned, for a browser that came by a link, a redirect, or another
    /// site's form.
    pub(super) fn answer(&self, reply: Result<Reply, Failure>) -> Result<Response, PageError> {
        self.answer_from(reply, CameFrom::Elsewhere)
    }

    /// As above, for a browser that sent a form of ours.
    pub(super) fn answer_form(&self, reply: Result<Reply, Failure>) -> Result<Response, PageError> {
        self.answer_from(reply, CameFrom::OurForm)
    }

    pub(super) fn is_post_without_session(&self) -> bool {
        self.raw_query.is_none() && self.browser.session.is_none()
    }

    /// The same parameters, as a navigation of our own.
    pub(super) fn again_by_get(&self, path: &str) -> Response {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.params.iter());
        reply::redirect(&format!("{}?{}", self.app.issuer().url(path), query.finish()))
    }

    pub(super) fn refuse(&self, failure: &Failure) -> PageError {
        let Self { app, reference, language, .. } = self;
        Explain { app, reference, language: *language }.failure(failure)
    }

    fn answer_from(
        &self,
        reply: Result<Reply, Failure>,
        from: CameFrom,
    ) -> Result<Response, PageError> {
        let reply = reply.map_err(|failure| self.refuse(&failure))?;
        let Self { app, reference, language, .. } = self;
        Ok(Writer { app, reference, language: *language, from }.respond(reply))
    }
}
