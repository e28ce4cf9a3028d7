//! `/logout`: SAML single logout, by Redirect and by POST, and the page for a person who comes without a
//! message.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::http::App;
use crate::http::error::PageError;
use crate::http::extract::TimedBody;
use crate::http::person_page;
use crate::http::visit::Visit;
use crate::oidc::Duplicate;
use crate::saml::{BindingError, MessageKind, RawQuery};
use crate::use_cases::{Failure, PersonForm};

/// `GET /logout` – SAML Bindings 3.4
pub(super) async fn by_redirect(visit: Visit) -> Result<Response, PageError> {
    let message = match RawQuery::new(visit.raw_query.as_deref().unwrap_or_default()).parse() {
        Ok(message) => message,
        // A person came by hand, to see what to sign out of.
        Err(BindingError::NoMessage) => {
            let reply = visit.use_cases().person_page(&visit.browser).await;
            return visit.answer(reply);
        }
        Err(error) => return mangled(&visit, &error).await,
    };
    if message.kind() == MessageKind::Request {
        let reply = visit.use_cases().logout_request_by_redirect(&message, &visit.browser).await;
        return visit.answer(reply);
    }
    let reply = visit.use_cases().logout_response_by_redirect(&message, &visit.browser).await;
    visit.answer(reply)
}

/// `POST /logout` – SAML Bindings 3.5; without any message it may be our own form
pub(super) async fn by_post(visit: Visit) -> Result<Response, PageError> {
    let repeated = |name| move |_: Duplicate| BindingError::Duplicate(name);
    // A message that is there and empty is there: of two kinds, none is chosen.
    let message = |name| visit.params.flag(name).map_err(repeated(name));
    let relay_state = visit.params.single("RelayState").map_err(repeated("RelayState"));
    let fields = [message("SAMLRequest"), message("SAMLResponse"), relay_state];
    let (use_cases, browser) = (visit.use_cases(), &visit.browser);
    let reply = match fields {
        [Ok(None), Ok(Some(response)), Ok(relay_state)] => {
            use_cases.logout_response_by_post(response, relay_state, browser).await
        }
        [Ok(Some(request)), Ok(None), Ok(relay_state)] => {
            use_cases.logout_request_by_post(request, relay_state, browser).await
        }
        [Ok(None), Ok(None), _] => match person_page::form(&visit.params) {
            Some(form) => return by_person(&visit, form).await,
            None => return mangled(&visit, &BindingError::NoMessage).await,
        },
        [Ok(Some(_)), Ok(Some(_)), _] => return mangled(&visit, &BindingError::BothKinds).await,
        [Err(error), ..] | [_, Err(error), _] | [.., Err(error)] => {
            return mangled(&visit, &error).await;
        }
    };
    visit.answer(reply)
}

/// The person ticked what to end.
async fn by_person(
    visit: &Visit,
    form: Result<PersonForm, Failure>,
) -> Result<Response, PageError> {
    let form = form.map_err(|failure| visit.refuse(&failure))?;
    let reply = visit.use_cases().answer_person_page(&form, &visit.browser).await;
    visit.answer_form(reply)
}

/// `POST /logout/soap` – SAML Bindings 3.2
pub(super) async fn by_soap(State(app): State<App>, body: TimedBody) -> Response {
    match app.use_cases().logout_request_by_soap(&body.0).await {
        Ok(envelope) => ([(header::CONTENT_TYPE, SOAP_TYPE)], envelope).into_response(),
        Err(failure) => {
            let code = failure.code();
            tracing::warn!(code, hint = failure.hint(), "{failure}");
            // SAML Bindings 3.2.3.3: a refusal to talk is 403; there is no SAML message to answer with.
            let status = match failure {
                Failure::Idp { code: "saml.unknown_issuer" | "connection_unusable", .. } => {
                    StatusCode::FORBIDDEN
                }
                Failure::Idp { .. } => StatusCode::BAD_REQUEST,
                Failure::Store(_) | Failure::Contended | Failure::Overloaded => {
                    let retry = [(header::RETRY_AFTER, "1")];
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    return (status, retry, format!("{code}\n")).into_response();
                }
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (status, format!("{code}\n")).into_response()
        }
    }
}

/// SOAP 1.1 section 6.
const SOAP_TYPE: &str = "text/xml; charset=utf-8";

/// Nothing can be read from what arrived; whoever brought it must not be left standing.
async fn mangled(visit: &Visit, error: &BindingError) -> Result<Response, PageError> {
    let reply = visit.use_cases().unknown_answer(&error.to_string(), &visit.browser).await;
    visit.answer(reply)
}
