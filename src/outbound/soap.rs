//! A message by SOAP, and what comes back on the same connection (SAML Bindings 3.2).

use reqwest::header;
use url::Url;

use super::client::{Client, read};
use super::error::SendError;
use crate::saml::binding::soap;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoapAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Client {
    /// Posts an envelope and reads an answer of at most `max` bytes. Redirects are not followed, and
    /// nothing is unpacked. The time limit is that of a POST, and holds for the answer too.
    ///
    /// # Errors
    /// [`SendError`] when there is no whole answer; a status other than 200 is no error here.
    pub async fn post_soap(
        &self,
        url: &Url,
        envelope: String,
        max: usize,
    ) -> Result<SoapAnswer, SendError> {
        #[cfg(test)]
        if let Some(world) = self.world() {
            return world.post_soap(url, envelope).await;
        }
        let (client, place) = self.admit(url).await?;
        let request = client
            .post(url.clone())
            .timeout(self.timeouts().send)
            .header(header::CONTENT_TYPE, "text/xml; charset=utf-8")
            .header("SOAPAction", soap::ACTION)
            .header(header::ACCEPT, "text/xml")
            .header(header::ACCEPT_ENCODING, "identity")
            // SAML Bindings 3.2.3.1: nobody on the way keeps it.
            .header(header::CACHE_CONTROL, "no-cache, no-store")
            .header(header::PRAGMA, "no-cache")
            .body(envelope);
        let response = place.note(request.send().await.map_err(SendError::of))?;
        let status = response.status().as_u16();
        Ok(SoapAnswer { status, body: read(response, max).await? })
    }
}
