use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Options, SLO, SSO};
use crate::saml::name_id::PERSISTENT;
use crate::saml::{Binding, EntityId};
use crate::xml::ns;
use crate::xml::write::{WriteError, Writer};

/// The EntityDescriptor of an IdP below `base` (SAML Metadata 2.4.3).
pub(super) fn write(
    base: &str,
    entity_id: &EntityId,
    options: Options,
    certificate_der: &[u8],
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
    writer
        .open("md:KeyDescriptor", &[("use", "signing")])
        .open("ds:KeyInfo", &[])
        .open("ds:X509Data", &[])
        .leaf("ds:X509Certificate", &[], &STANDARD.encode(certificate_der))
        .close()
        .close()
        .close();
    if let Some(binding) = options.slo.binding() {
        endpoint(&mut writer, "md:SingleLogoutService", binding, &format!("{base}{SLO}"));
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
