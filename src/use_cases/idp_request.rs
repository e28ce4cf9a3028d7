//! A request of ours on its way to an IdP through the browser: signed, and by which binding.

use crate::connection::BrowserBinding;
use crate::logout::ladder::browser_endpoint;
use crate::saml::binding::redirect;
use crate::saml::{Endpoint, MessageKind, PostForm};
use crate::use_cases::{Failure, Next, UseCases};
use crate::xml;

/// One request, whichever way it goes.
pub(super) struct IdpRequest<'r> {
    pub relay_state: &'r str,
    pub sign: bool,
    /// The message for this Destination.
    pub write: &'r (dyn Fn(&str) -> Result<String, Failure> + Sync),
}

impl UseCases {
    /// # Errors
    /// [`Failure::Internal`] if the message cannot be signed, and what its writer says.
    pub(super) fn send_by(
        &self,
        binding: BrowserBinding,
        location: &str,
        request: &IdpRequest<'_>,
    ) -> Result<Next, Failure> {
        let broken = |error: &dyn std::fmt::Display| {
            Failure::Internal(format!("a request to {location}: {error}"))
        };
        let key = &self.keys().saml;
        let relay_state = Some(request.relay_state);
        let kind = MessageKind::Request;
        let message = (request.write)(location)?;
        match binding {
            BrowserBinding::Redirect => {
                let key = request.sign.then_some(&key.signing);
                redirect::encode(kind, &message, relay_state, location, key).map(Next::Redirect)
            }
            BrowserBinding::Post if request.sign => {
                xml::sign::sign_enveloped(&message, &key.signing, Some(&key.certificate))
                    .map(|signed| Next::Post(PostForm::new(kind, &signed, relay_state, location)))
            }
            BrowserBinding::Post => {
                Ok(Next::Post(PostForm::new(kind, &message, relay_state, location)))
            }
        }
        .map_err(|error| broken(&error))
    }
}

/// Whether this URL is too long to be sure that it arrives, so that a form is better.
pub(super) fn is_too_long(next: &Next) -> bool {
    matches!(next, Next::Redirect(url) if url.len() > redirect::MAX_URL_BYTES)
}

/// Where the IdP takes messages by POST.
pub(super) fn post_location(offered: &[Endpoint]) -> Option<String> {
    let (binding, location) = browser_endpoint(offered, Some(BrowserBinding::Post))?;
    (binding == BrowserBinding::Post).then_some(location)
}
