//! The fourth way to send an assertion: signed, encrypted to the service's key, and perhaps signed
//! again around that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::mock_idp::Encryption;
use sloop::paths;
use sloop::rng::Rng;
use sloop::xml::{Limits, ns, parse};

use super::forger::{Forger, Said, Sign};
use super::world::World;

const PLAIN: &str = "Assertion";
const HOLDER: &str = "EncryptedAssertion";

impl Forger {
    /// The Response with its Assertion encrypted. [`Sign::Assertion`] is signed before, and
    /// [`Sign::Response`] is signed around the ciphertext.
    pub fn encrypted(&self, said: &Said, sign: Sign, how: Encryption, to: &[u8]) -> String {
        let xml = how.replace(&self.inner(said, sign), (PLAIN, HOLDER), to, &Rng::system());
        self.outer(&xml.unwrap(), sign)
    }

    /// As [`Forger::encrypted`], with these octets encrypted instead of the Assertion.
    pub fn encrypting(&self, said: &Said, sign: Sign, octets: &[u8], to: &[u8]) -> String {
        let holder = Encryption::COMMON.element(octets, HOLDER, to, &Rng::system()).unwrap();
        self.holding(said, sign, &holder)
    }

    /// The Response with this in the place of its Assertion.
    pub fn holding(&self, said: &Said, sign: Sign, inside: &str) -> String {
        let xml = self.signed(said, Sign::Nothing);
        self.outer(&xml.replace(&assertion_in(&xml), inside), sign)
    }

    /// The Assertion alone, signed or not.
    pub fn assertion(&self, said: &Said, sign: Sign) -> String {
        let assertion = assertion_in(&self.inner(said, sign));
        let declared = format!("<saml:Assertion xmlns:saml=\"{}\" ", ns::SAML);
        assertion.replacen("<saml:Assertion ", &declared, 1)
    }

    fn inner(&self, said: &Said, sign: Sign) -> String {
        let inner = matches!(sign, Sign::Assertion | Sign::Both);
        self.signed(said, if inner { Sign::Assertion } else { Sign::Nothing })
    }

    fn outer(&self, xml: &str, sign: Sign) -> String {
        match sign {
            Sign::Response | Sign::Both => self.enveloped(xml),
            Sign::Nothing | Sign::Assertion => xml.to_owned(),
        }
    }
}

/// The one Assertion of a Response, as it is written.
pub fn assertion_in(xml: &str) -> String {
    element_in(xml, PLAIN)
}

/// The first `saml` element of this name, as it is written.
pub fn element_in(xml: &str, local: &str) -> String {
    let end = format!("</saml:{local}>");
    let start = xml.find(&format!("<saml:{local}")).unwrap_or_else(|| panic!("{local}: {xml}"));
    let length = xml[start..].find(&end).unwrap() + end.len();
    xml[start..start + length].to_owned()
}

impl World {
    /// The certificates, in DER, that our metadata has for this use.
    pub async fn certificates(&self, usage: &str) -> Vec<Vec<u8>> {
        let metadata = self.get(paths::SAML_METADATA).await.body;
        let document = parse(metadata.as_bytes(), &Limits::METADATA).unwrap();
        let role = document.root().required(ns::MD, "SPSSODescriptor").unwrap();
        let keys = role.children(ns::MD, "KeyDescriptor");
        let certificate = |key: sloop::xml::Element<'_>| {
            let info = key.required(ns::DS, "KeyInfo").unwrap();
            let data = info.required(ns::DS, "X509Data").unwrap();
            let base64 = data.required(ns::DS, "X509Certificate").unwrap().text().unwrap();
            STANDARD.decode(base64).unwrap()
        };
        keys.filter(|key| key.attribute("use") == Some(usage)).map(certificate).collect()
    }

    /// What IdPs encrypt to.
    pub async fn encryption_certificate(&self) -> Vec<u8> {
        self.certificates("encryption").await.remove(0)
    }
}
