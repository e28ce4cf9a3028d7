use axum::response::Response;

use crate::http::error::PageError;
use crate::http::visit::Visit;
use crate::oidc::{Duplicate, Params};
use crate::secret::Token;
use crate::use_cases::{Failure, PostedResponse};

/// `POST /saml/acs` – SAML Bindings 3.5
pub(super) async fn handle(visit: Visit) -> Result<Response, PageError> {
    let posted = posted(&visit.params).map_err(|failure| visit.refuse(&failure))?;
    let reply = visit.use_cases().acs(posted, &visit.browser).await;
    visit.answer(reply)
}

/// `GET /saml/acs/continue`: the same browser, now with its `Lax` cookies
pub(super) async fn go_on(visit: Visit) -> Result<Response, PageError> {
    let handle = visit.params.single("handle").ok().flatten().unwrap_or_default();
    let reply = visit.use_cases().acs_continue(&Token::received(handle), &visit.browser).await;
    visit.answer(reply)
}

fn posted(params: &Params) -> Result<PostedResponse<'_>, Failure> {
    let refused = |detail: String| Failure::Idp { code: "saml.form", idp: String::new(), detail };
    let repeated = |error: Duplicate| refused(error.to_string());
    // Whoever reads one of two messages may have verified the other.
    if params.flag("SAMLRequest").map_err(repeated)?.is_some() {
        return Err(refused("the form has a SAMLRequest".into()));
    }
    let saml_response = params.single("SAMLResponse").map_err(repeated)?;
    Ok(PostedResponse {
        saml_response: saml_response
            .ok_or_else(|| refused("the form has no SAMLResponse".into()))?,
        relay_state: params.single("RelayState").map_err(repeated)?,
    })
}
