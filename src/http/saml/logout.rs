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
    let repeated = |name| move |_: Duplicate| BindingError::Duplicate(name);
    // A message that is there and empty is there: of two kinds, none is chosen.
    let message = |name| visit.params.flag(name).map_err(repeated(name));
    let relay_state = visit.params.single("RelayState").map_err(repeated("RelayState"));
    let fields = [message("SAMLRequest"), message("SAMLResponse"), relay_state];
    let (message, relay_state) = match fields {
        [Ok(None), Ok(Some(message)), Ok(relay_state)] => (message, relay_state),
        [Ok(Some(_)), Ok(None), Ok(_)] => return Err(visit.refuse(&idp_initiated())),
        [Ok(None), Ok(None), _] => return mangled(&visit, &BindingError::NoMessage).await,
        [Ok(Some(_)), Ok(Some(_)), _] => return mangled(&visit, &BindingError::BothKinds).await,
        [Err(error), ..] | [_, Err(error), _] | [.., Err(error)] => {
            return mangled(&visit, &error).await;
        }
    };
    let use_cases = visit.use_cases();
    let reply = use_cases.logout_response_by_post(message, relay_state, &visit.browser).await;
    visit.answer(reply)
}

/// Nothing can be read from what arrived; whoever brought it must not be left standing.
async fn mangled(visit: &Visit, error: &BindingError) -> Result<Response, PageError> {
    let reply = visit.use_cases().unknown_answer(&error.to_string(), &visit.browser).await;
    visit.answer(reply)
}

/// Our metadata offers single logout for answers; a logout that an IdP begins is not served.
fn idp_initiated() -> Failure {
    let detail = "this service does not serve logouts that an IdP begins".into();
    Failure::Idp { code: "saml.logout_request", idp: String::new(), detail }
}
