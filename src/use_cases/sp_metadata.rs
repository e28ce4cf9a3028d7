use std::time::Duration;

use crate::saml::SpMetadata;
use crate::use_cases::{Failure, UseCases};
use crate::xml;

/// For how long an IdP may keep our metadata. It is made anew at every request.
const VALID: Duration = Duration::from_secs(7 * 24 * 3600);

impl UseCases {
    /// Our SP metadata, signed (SAML Metadata 2.3.2 and 3.1).
    pub async fn sp_metadata(&self) -> Result<String, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::Internal(error.to_string());
        let keys = self.keys();
        let key = &keys.saml;
        let unsigned = SpMetadata {
            id: self.rng().saml_id(),
            entity_id: self.settings().saml_entity_id.clone(),
            acs: vec![self.settings().acs_url()],
            slo: self.settings().slo_url(),
            slo_soap: self.settings().slo_soap_url(),
            signing_certificates: key.published.clone(),
            encryption_certificates: keys.decryption.published().to_vec(),
            valid_until: self.now().await?.plus(VALID),
            // Whatever the IdP prefers is sent back to it as it came.
            name_id_formats: Vec::new(),
        }
        .to_xml()
        .map_err(|error| broken(&error))?;
        xml::sign::sign_enveloped(&unsigned, &key.signing, Some(&key.certificate))
            .map_err(|error| broken(&error))
    }
}
