//! Debian's `xmlsec1` as an outside judge of the XML that we sign.

use std::process::{Command, Output};

/// The elements that may carry a signature here. `xmlsec1` has no schema and must be told where
/// the ID of each stands.
const SIGNED_ELEMENTS: [&str; 6] = [
    "urn:oasis:names:tc:SAML:2.0:protocol:AuthnRequest",
    "urn:oasis:names:tc:SAML:2.0:protocol:LogoutRequest",
    "urn:oasis:names:tc:SAML:2.0:protocol:LogoutResponse",
    "urn:oasis:names:tc:SAML:2.0:protocol:Response",
    "urn:oasis:names:tc:SAML:2.0:assertion:Assertion",
    "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor",
];

/// Verifies the first signature of `xml` with the key of a certificate (PEM). The error is what
/// `xmlsec1` said.
pub fn verify(xml: &str, certificate_pem: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (document, certificate) = (folder.path().join("it.xml"), folder.path().join("it.pem"));
    std::fs::write(&document, xml).expect("a written file");
    std::fs::write(&certificate, certificate_pem).expect("a written file");
    let mut command = Command::new("xmlsec1");
    command.args(["--verify", "--enabled-reference-uris", "same-doc"]);
    command.arg("--pubkey-cert-pem").arg(&certificate);
    for element in SIGNED_ELEMENTS {
        command.args(["--id-attr:ID", element]);
    }
    let output = run(command.arg(&document));
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Puts the Assertion of a Response into an EncryptedAssertion, encrypted by this algorithm with a
/// fresh key of this kind (`aes-256`), which is encrypted to the key of a certificate (PEM).
pub fn encrypt_assertion(xml: &str, algorithm: &str, key: &str, certificate_pem: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [document, template, certificate] =
        ["it.xml", "template.xml", "it.pem"].map(|name| folder.path().join(name));
    let wrapped = xml
        .replacen("<saml:Assertion ", "<saml:EncryptedAssertion><saml:Assertion ", 1)
        .replacen("</saml:Assertion>", "</saml:Assertion></saml:EncryptedAssertion>", 1);
    std::fs::write(&document, wrapped).expect("a written file");
    std::fs::write(&template, ENCRYPTED.replace("CONTENT", algorithm)).expect("a written file");
    std::fs::write(&certificate, certificate_pem).expect("a written file");
    let mut command = Command::new("xmlsec1");
    command.args(["--encrypt", "--session-key", key, "--pubkey-cert-pem"]).arg(&certificate);
    command.arg("--xml-data").arg(&document).args(["--node-xpath", ASSERTION]);
    let output = run(command.arg(&template));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let encrypted = String::from_utf8(output.stdout).expect("UTF-8");
    let (_, root) = encrypted.split_once("?>").expect("an XML declaration");
    root.trim().to_owned()
}

const ASSERTION: &str = "/*/*[local-name()='EncryptedAssertion']/*[local-name()='Assertion']";
const ENCRYPTED: &str = r#"<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"
  xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Type="http://www.w3.org/2001/04/xmlenc#Element">
  <xenc:EncryptionMethod Algorithm="CONTENT"/><ds:KeyInfo><xenc:EncryptedKey>
    <xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>
    <ds:KeyInfo><ds:X509Data/></ds:KeyInfo>
    <xenc:CipherData><xenc:CipherValue/></xenc:CipherData>
  </xenc:EncryptedKey></ds:KeyInfo>
  <xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>"#;

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("xmlsec1 does not run ({error}): tests/setup"))
}

/// A certificate in DER as PEM.
pub fn pem(certificate_der: &[u8]) -> String {
    let certificate = openssl::x509::X509::from_der(certificate_der).expect("a certificate");
    String::from_utf8(certificate.to_pem().expect("PEM")).expect("PEM is ASCII")
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::{PKey, Private};
    use openssl::rsa::Rsa;
    use openssl::x509::X509Builder;

    use super::*;

    const UNSIGNED: &str = r##"<samlp:LogoutRequest
      xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1"><a>text</a>
      <Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>
        <CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
        <SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>
        <Reference URI="#_1"><Transforms>
          <Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
          <Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></Transforms>
          <DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>
          <DigestValue/></Reference></SignedInfo><SignatureValue/></Signature>
      </samlp:LogoutRequest>"##;

    fn key_and_certificate() -> (PKey<Private>, String) {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        (key, pem(&builder.build().to_der().unwrap()))
    }

    #[test]
    fn judges_a_good_a_changed_and_a_foreign_signature() {
        let (key, certificate) = key_and_certificate();
        let folder = tempfile::tempdir().unwrap();
        let (template, pem) = (folder.path().join("it.xml"), folder.path().join("key.pem"));
        std::fs::write(&template, UNSIGNED).unwrap();
        std::fs::write(&pem, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let mut command = Command::new("xmlsec1");
        command.args(["--sign", "--id-attr:ID", SIGNED_ELEMENTS[1], "--privkey-pem"]);
        let output = run(command.arg(&pem).arg(&template));
        let signed = String::from_utf8(output.stdout).unwrap();

        assert_eq!(verify(&signed, &certificate), Ok(()));
        assert!(verify(&signed.replace(">text<", ">test<"), &certificate).is_err());
        assert!(verify(&signed, &key_and_certificate().1).is_err());
        assert!(verify(UNSIGNED, &certificate).is_err());
    }
}
