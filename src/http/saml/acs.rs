use axum::response::Response;

use crate::http::error::PageError;
use crate::http::visit::Visit;
use crate::oidc::{Duplicate, Params};
use crate::secret::Token;
use crate::use_cases::{Failure, PostedResponse, ReloginAnswer, ReloginQuestion};

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

/// `POST /saml/acs/continue`: what the person pressed where the IdP signed them in again by itself, or
/// will not ask them
pub(super) async fn answer(visit: Visit) -> Result<Response, PageError> {
    let field = |name| visit.params.single(name).ok().flatten().unwrap_or_default();
    let answer = match field("answer") {
        "yes" => ReloginAnswer::SignInAnyway,
        "no" => ReloginAnswer::StaySignedOut,
        _ => {
            let detail = "the form has no such button".into();
            return Err(visit.refuse(&Failure::Browser { code: "answer", detail }));
        }
    };
    let question = match field("request") {
        "" => ReloginQuestion::Held(Token::received(field("handle"))),
        id => ReloginQuestion::Refused { request_id: id.to_owned() },
    };
    let csrf = field("csrf");
    let reply = visit.use_cases().answer_relogin(&question, answer, csrf, &visit.browser).await;
    visit.answer_form(reply)
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
