use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{SLO, SLO_SOAP, SSO};
use crate::saml::name_id::PERSISTENT;
use crate::saml::{Binding, EntityId};
use crate::xml::ns;
use crate::xml::write::{WriteError, Writer};

/// The EntityDescriptor of an IdP below `base` (SAML Metadata 2.4.3), with these certificates and
/// these bindings for single logout. What is encrypted for it is encrypted to `recipient`.
pub(super) fn write(
    base: &str,
    entity_id: &EntityId,
    certificates: &[Vec<u8>],
    recipient: &[u8],
    single_logout: &[Binding],
) -> Result<String, WriteError> {
    let mut writer = Writer::new();
    writer.open(
        "md:EntityDescriptor",
        &[("xmlns:md", ns::MD), ("xmlns:ds", ns::DS), ("entityID", entity_id.as_str())],
    );
    writer.open(
        "md:IDPSSODescriptor",
        &[("WantAuthnRequestsSigned", "true"), ("protocolSupportEnumeration", ns::SAMLP)],
    );
    let signing = certificates.iter().map(|certificate| ("signing", certificate.as_slice()));
    for (usage, certificate) in signing.chain([("encryption", recipient)]) {
        writer
            .open("md:KeyDescriptor", &[("use", usage)])
            .open("ds:KeyInfo", &[])
            .open("ds:X509Data", &[])
            .leaf("ds:X509Certificate", &[], &STANDARD.encode(certificate))
            .close()
            .close()
            .close();
    }
    for &binding in single_logout {
        let path = if binding == Binding::Soap { SLO_SOAP } else { SLO };
        endpoint(&mut writer, "md:SingleLogoutService", binding, &format!("{base}{path}"));
    }
    writer.leaf("md:NameIDFormat", &[], PERSISTENT);
    for binding in [Binding::Redirect, Binding::Post] {
        endpoint(&mut writer, "md:SingleSignOnService", binding, &format!("{base}{SSO}"));
    }
    writer.close().close();
    writer.finish()
}

fn endpoint(writer: &mut Writer, element: &str, binding: Binding, location: &str) {
    writer.leaf(element, &[("Binding", binding.uri()), ("Location", location)], "");
}
