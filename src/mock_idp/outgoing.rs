//! Messages of single logout that leave the IdP, well signed or as a fault wants it.

use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use super::fault::Fault;
use super::identity::Identity;
use super::plan::Faults;
use super::{Refusal, pages};
use crate::saml::binding::{PostForm, redirect};
use crate::saml::{Binding, MessageKind};
use crate::xml::sign::{SignError, sign_enveloped};

/// A message on its way, not signed yet.
pub(super) struct Outgoing<'a> {
    pub(super) kind: MessageKind,
    pub(super) xml: String,
    pub(super) relay_state: Option<&'a str>,
    pub(super) location: &'a str,
    pub(super) identity: &'a Identity,
    pub(super) faults: &'a Faults,
}

impl Outgoing<'_> {
    /// Has the browser carry it.
    ///
    /// # Errors
    /// If it cannot be signed, or its address is none.
    pub(super) fn through_browser(&self, binding: Binding) -> Result<Response, Refusal> {
        if binding != Binding::Redirect {
            let xml = self.signed_xml()?;
            let form = PostForm::new(self.kind, &xml, self.relay_state, self.location);
            return Ok(pages::post_form(&form));
        }
        let url = HeaderValue::try_from(self.redirect_url()?).map_err(|_| Refusal::Address)?;
        Ok((StatusCode::FOUND, [(LOCATION, url)]).into_response())
    }

    /// The URL that carries it by the Redirect binding (SAML Bindings 3.4.4.1).
    ///
    /// # Errors
    /// If it cannot be signed.
    pub(super) fn redirect_url(&self) -> Result<String, SignError> {
        let lower = self.faults.has(Fault::LowerCasePercent);
        let escaped = |text: &str| {
            let escaped: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            if lower { lower_case_escapes(&escaped) } else { escaped }
        };
        let unsigned = redirect::encode(self.kind, &self.xml, self.relay_state, "", None)?;
        let mut query = unsigned.trim_start_matches('?').to_owned();
        if lower {
            query = lower_case_escapes(&query);
        }
        if !self.faults.has(Fault::Unsigned) {
            let key = &self.identity.key;
            query = format!("{query}&SigAlg={}", escaped(key.signature_algorithm().uri()));
            let signed = match self.faults.has(Fault::BadlySigned) {
                true => format!("{query}%20"),
                false => query.clone(),
            };
            let signature = STANDARD.encode(key.sign_octets(signed.as_bytes())?);
            query = format!("{query}&Signature={}", escaped(&signature));
        }
        let separator = if self.location.contains('?') { '&' } else { '?' };
        Ok(format!("{}{separator}{query}", self.location))
    }

    /// The message as POST and SOAP carry it.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub(super) fn signed_xml(&self) -> Result<String, SignError> {
        if self.faults.has(Fault::Unsigned) {
            return Ok(self.xml.clone());
        }
        let Identity { key, certificate } = self.identity;
        let signed = sign_enveloped(&self.xml, key, Some(certificate))?;
        Ok(match self.faults.has(Fault::BadlySigned) {
            // Half a second later: it says nothing else, and is no longer what was signed.
            true => signed.replacen("Z\"", ".5Z\"", 1),
            false => signed,
        })
    }
}

/// As AD FS and Entra write them: `%2b` for `%2B`.
fn lower_case_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let mut lower = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        lower.push('%');
        let mut characters = part.chars();
        lower.extend(characters.by_ref().take(2).map(|c| c.to_ascii_lowercase()));
        lower.push_str(characters.as_str());
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_digits_of_an_escape_change() {
        assert_eq!(lower_case_escapes("A%2BB%3DC%"), "A%2bB%3dC%");
        assert_eq!(lower_case_escapes("ABC"), "ABC");
        assert_eq!(lower_case_escapes("%C3%A9É"), "%c3%a9É");
    }
}
