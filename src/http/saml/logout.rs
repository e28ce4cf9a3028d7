//! `/logout`: SAML single logout, by Redirect and by POST.

use axum::response::Response;

use crate::http::error::PageError;
use crate::http::reply::redirect;
use crate::http::visit::Visit;
use crate::oidc::Duplicate;
use crate::paths;
use crate::saml::{BindingError, MessageKind, RawQuery};
use crate::use_cases::Failure;

/// `GET /logout` – SAML Bindings 3.4
pub(super) async fn by_redirect(visit: Visit) -> Result<Response, PageError> {
    let message = match RawQuery::new(visit.raw_query.as_deref().unwrap_or_default()).parse() {
        Ok(message) => message,
        // Somebody came by hand, without any message: to sign out.
        Err(BindingError::NoMessage) => {
            return Ok(redirect(&visit.app.issuer().url(paths::END_SESSION)));
        }
        Err(error) => return mangled(&visit, &error).await,
    };
    if message.kind() == MessageKind::Request {
        return Err(visit.refuse(&idp_initiated()));
    }
    let reply = visit.use_cases().logout_response_by_redirect(&message, &visit.browser).await;
    visit.answer(reply)
}

/// `POST /logout` – SAML Bindings 3.5
pub(super) async fn by_post(visit: Visit) -> Result<Response, PageError> {
    let field = |name| {
        let repeated = |error: Duplicate| visit.refuse(&refused("saml.form", &error));
        visit.params.single(name).map_err(repeated)
    };
    let message = match (field("SAMLRequest")?, field("SAMLResponse")?) {
        (None, Some(message)) => message,
        (Some(_), None) => return Err(visit.refuse(&idp_initiated())),
        (None, None) => return mangled(&visit, &BindingError::NoMessage).await,
        (Some(_), Some(_)) => return mangled(&visit, &BindingError::BothKinds).await,
    };
    let relay_state = field("RelayState")?;
    let use_cases = visit.use_cases();
    let reply = use_cases.logout_response_by_post(message, relay_state, &visit.browser).await;
    visit.answer(reply)
}

/// Nothing can be read from what arrived; whoever brought it must not be left standing.
async fn mangled(visit: &Visit, error: &BindingError) -> Result<Response, PageError> {
    let reply = visit.use_cases().unknown_answer(&error.to_string(), &visit.browser).await;
    visit.answer(reply)
}

fn refused(code: &'static str, error: &impl std::fmt::Display) -> Failure {
    Failure::Idp { code, idp: String::new(), detail: error.to_string() }
}

/// Our metadata offers single logout for answers; a logout that an IdP begins is not served.
fn idp_initiated() -> Failure {
    refused("saml.logout_request", &"this service does not serve logouts that an IdP begins")
}
