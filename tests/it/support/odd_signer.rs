//! Signatures that our own signer cannot make: weak, truncated, malformed, or with the wrong kind of
//! key. Written on OpenSSL directly, so that nothing but the one oddity is wrong with a message.

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::dsa::Dsa;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use openssl::x509::{X509, X509Name};
use sloop::xml::{Limits, c14n, ns, parse};

pub const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
pub const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
pub const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const DAY: i64 = 86_400;
/// More than the service accepts, so that what is too much can be signed well.
const WIDE: Limits =
    Limits { depth: 1_000, attributes: 1_000, namespaces: 1_000, ..Limits::METADATA };

/// A key pair of any kind with a certificate for it.
pub struct OddKey {
    pub private: PKey<Private>,
    /// DER.
    pub certificate: Vec<u8>,
}

impl OddKey {
    pub fn rsa(bits: u32) -> Self {
        Self::of(Rsa::generate(bits).and_then(PKey::from_rsa).unwrap())
    }

    pub fn rsa_with_exponent(bits: u32, exponent: u32) -> Self {
        let exponent = BigNum::from_u32(exponent).unwrap();
        Self::of(Rsa::generate_with_e(bits, &exponent).and_then(PKey::from_rsa).unwrap())
    }

    pub fn ec(curve: Nid) -> Self {
        Self::of(ec_key(curve))
    }

    pub fn dsa() -> Self {
        Self::of(Dsa::generate(2048).and_then(PKey::from_dsa).unwrap())
    }

    /// A key of its own in a certificate that this key's holder issued.
    pub fn issues(&self, subject: &str) -> Self {
        let private = ec_key(Nid::X9_62_PRIME256V1);
        let issuer = X509::from_der(&self.certificate).unwrap();
        let certificate = certify(&private, subject, issuer.subject_name(), &self.private, DAY);
        Self { private, certificate }
    }

    /// The same key in a certificate that ends so many seconds from now.
    pub fn until(&self, seconds: i64) -> Self {
        let private = self.private.clone();
        let subject = name("the odd key");
        let certificate = certify(&private, "the odd key", &subject, &private, seconds);
        Self { private, certificate }
    }

    fn of(private: PKey<Private>) -> Self {
        let certificate = certify(&private, "the odd key", &name("the odd key"), &private, DAY);
        Self { private, certificate }
    }

    pub fn public_der(&self) -> Vec<u8> {
        self.private.public_key_to_der().unwrap()
    }

    pub fn public(&self) -> PKey<Public> {
        PKey::public_key_from_der(&self.public_der()).unwrap()
    }

    /// `md:KeyDescriptor` with the certificate.
    pub fn descriptor(&self, usage: Option<&str>) -> String {
        descriptor(usage, &[&self.certificate])
    }
}

/// `md:KeyDescriptor` with these certificates in one `ds:X509Data`.
pub fn descriptor(usage: Option<&str>, certificates: &[&[u8]]) -> String {
    let usage = usage.map(|usage| format!(" use=\"{usage}\"")).unwrap_or_default();
    let certificates: String = certificates
        .iter()
        .map(|der| format!("<ds:X509Certificate>{}</ds:X509Certificate>", STANDARD.encode(der)))
        .collect();
    format!(
        "<md:KeyDescriptor{usage}><ds:KeyInfo><ds:X509Data>{certificates}</ds:X509Data>\
         </ds:KeyInfo></md:KeyDescriptor>"
    )
}

/// Metadata with more keys before its own.
pub fn with_keys(metadata: &str, descriptors: &[String]) -> String {
    assert!(metadata.contains("<md:KeyDescriptor"), "{metadata}");
    let all = format!("{}<md:KeyDescriptor", descriptors.concat());
    metadata.replacen("<md:KeyDescriptor", &all, 1)
}

fn ec_key(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    EcKey::generate(&group).and_then(PKey::from_ec_key).unwrap()
}

fn name(common: &str) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, common).unwrap();
    name.build()
}

fn certify(
    subject_key: &PKey<Private>,
    subject: &str,
    issuer: &openssl::x509::X509NameRef,
    issuer_key: &PKey<Private>,
    seconds: i64,
) -> Vec<u8> {
    certificate_of(
        &PKey::public_key_from_der(&subject_key.public_key_to_der().unwrap()).unwrap(),
        subject,
        issuer,
        issuer_key,
        seconds,
    )
}

/// A certificate for a public key that nobody needs to hold the private one of.
pub fn certificate_of(
    public: &PKey<Public>,
    subject: &str,
    issuer: &openssl::x509::X509NameRef,
    issuer_key: &PKey<Private>,
    seconds: i64,
) -> Vec<u8> {
    let now = sloop::clock::Clock::system().now().as_seconds();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).and_then(|serial| serial.to_asn1_integer()).unwrap();
    certificate.set_serial_number(&serial).unwrap();
    certificate.set_subject_name(&name(subject)).unwrap();
    certificate.set_issuer_name(issuer).unwrap();
    certificate.set_pubkey(public).unwrap();
    certificate.set_not_before(&Asn1Time::from_unix(now - 30 * DAY).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::from_unix(now + seconds).unwrap()).unwrap();
    certificate.sign(issuer_key, MessageDigest::sha256()).unwrap();
    certificate.build().to_der().unwrap()
}

/// From octets to a signature value.
pub type Signature = dyn Fn(&[u8]) -> Vec<u8>;

/// How a signature is made, and what it says of itself.
#[derive(Clone)]
pub struct Recipe {
    /// `ds:SignatureMethod` or `SigAlg`, as it stands there; `None`: the attribute is left out.
    pub method: Option<String>,
    /// What stands in `ds:SignatureMethod`, in canonical form.
    pub parameters: String,
    pub digest_method: String,
    pub digest: MessageDigest,
    sign: Rc<Signature>,
}

impl Recipe {
    /// A signature under the name `method`, over digests by SHA-256.
    pub fn new(method: &str, sign: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Self {
        Self {
            method: Some(method.to_owned()),
            parameters: String::new(),
            digest_method: SHA256.to_owned(),
            digest: MessageDigest::sha256(),
            sign: Rc::new(sign),
        }
    }

    pub fn named(mut self, method: Option<&str>) -> Self {
        self.method = method.map(str::to_owned);
        self
    }

    pub fn with_parameters(mut self, parameters: &str) -> Self {
        parameters.clone_into(&mut self.parameters);
        self
    }

    pub fn with_digest(mut self, method: &str, digest: MessageDigest) -> Self {
        method.clone_into(&mut self.digest_method);
        self.digest = digest;
        self
    }

    pub fn sign(&self, octets: &[u8]) -> Vec<u8> {
        (self.sign)(octets)
    }

    /// Signs the element with this ID, which has a `saml:Issuer` and no signature yet.
    pub fn envelope(&self, xml: &str, id: &str) -> String {
        let document = parse(xml.as_bytes(), &WIDE).unwrap();
        let element = document.elements().find(|e| e.attribute("ID") == Some(id)).unwrap();
        let canonical = c14n::exclusive(element, None, &[]).unwrap();
        self.envelope_canonical(xml, id, &canonical)
    }

    /// As above, where the canonical form of the element is known.
    pub fn envelope_canonical(&self, xml: &str, id: &str, canonical: &[u8]) -> String {
        let references = self.reference(id, canonical);
        let (info, value) = self.signed_info(&references);
        place(xml, id, &signature(&info, &value))
    }

    /// A `ds:Reference` to this ID.
    pub fn reference(&self, id: &str, canonical: &[u8]) -> String {
        let digest = STANDARD.encode(hash(self.digest, canonical).unwrap());
        let (digest_method, exclusive) = (&self.digest_method, ns::EXC_C14N);
        format!(
            "<ds:Reference URI=\"#{id}\"><ds:Transforms>\
             <ds:Transform Algorithm=\"{ENVELOPED}\"></ds:Transform>\
             <ds:Transform Algorithm=\"{exclusive}\"></ds:Transform></ds:Transforms>\
             <ds:DigestMethod Algorithm=\"{digest_method}\"></ds:DigestMethod>\
             <ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
        )
    }

    /// `ds:SignedInfo` as it stands in the signature, and the signature value over it.
    pub fn signed_info(&self, references: &str) -> (String, String) {
        let method = self.method.as_ref().map(|uri| format!(" Algorithm=\"{uri}\""));
        let (method, parameters) = (method.unwrap_or_default(), &self.parameters);
        let inside = format!(
            "<ds:CanonicalizationMethod Algorithm=\"{}\"></ds:CanonicalizationMethod>\
             <ds:SignatureMethod{method}>{parameters}</ds:SignatureMethod>{references}\
             </ds:SignedInfo>",
            ns::EXC_C14N
        );
        let canonical = format!("<ds:SignedInfo xmlns:ds=\"{}\">{inside}", ns::DS);
        let value = STANDARD.encode(self.sign(canonical.as_bytes()));
        (format!("<ds:SignedInfo>{inside}"), value)
    }
}

/// `ds:Signature` around its parts.
pub fn signature(info: &str, value: &str) -> String {
    format!(
        "<ds:Signature xmlns:ds=\"{}\">{info}<ds:SignatureValue>{value}</ds:SignatureValue>\
         </ds:Signature>",
        ns::DS
    )
}

/// Puts a signature right after the Issuer of the element with this ID.
pub fn place(xml: &str, id: &str, signature: &str) -> String {
    const ISSUER: &str = "</saml:Issuer>";
    let element = xml.find(&format!("ID=\"{id}\"")).unwrap();
    let at = element + xml[element..].find(ISSUER).unwrap() + ISSUER.len();
    format!("{}{signature}{}", &xml[..at], &xml[at..])
}

// --- ways to sign

pub fn rsa(key: &OddKey, digest: MessageDigest) -> impl Fn(&[u8]) -> Vec<u8> + use<> {
    let key = key.private.clone();
    move |octets| Signer::new(digest, &key).unwrap().sign_oneshot_to_vec(octets).unwrap()
}

/// RSASSA-PSS with any salt and any digest of the mask.
pub fn pss(
    key: &OddKey,
    digest: MessageDigest,
    mask: MessageDigest,
    salt: i32,
) -> impl Fn(&[u8]) -> Vec<u8> + use<> {
    let key = key.private.clone();
    move |octets| {
        let mut signer = Signer::new(digest, &key).unwrap();
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signer.set_rsa_mgf1_md(mask).unwrap();
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::custom(salt)).unwrap();
        signer.sign_oneshot_to_vec(octets).unwrap()
    }
}

/// `r` and `s`, each in as many bytes as the field has.
pub fn ecdsa(key: &OddKey, digest: MessageDigest) -> impl Fn(&[u8]) -> Vec<u8> + use<> {
    let key = key.private.ec_key().unwrap();
    let length = i32::try_from(key.group().degree().div_ceil(8)).unwrap();
    move |octets| {
        let made = EcdsaSig::sign(&hash(digest, octets).unwrap(), &key).unwrap();
        let mut value = made.r().to_vec_padded(length).unwrap();
        value.extend(made.s().to_vec_padded(length).unwrap());
        value
    }
}

/// The same in DER, as TLS and X.509 write it.
pub fn ecdsa_der(key: &OddKey, digest: MessageDigest) -> impl Fn(&[u8]) -> Vec<u8> + use<> {
    let key = key.private.ec_key().unwrap();
    move |octets| EcdsaSig::sign(&hash(digest, octets).unwrap(), &key).unwrap().to_der().unwrap()
}

/// An HMAC, cut after so many bytes.
pub fn hmac(
    secret: &[u8],
    digest: MessageDigest,
    bytes: usize,
) -> impl Fn(&[u8]) -> Vec<u8> + use<> {
    let key = PKey::hmac(secret).unwrap();
    move |octets| {
        let mut mac = Signer::new(digest, &key).unwrap().sign_oneshot_to_vec(octets).unwrap();
        mac.truncate(bytes);
        mac
    }
}

/// RSA on a block of the test's own, as long as the modulus: `pad` makes it from the DigestInfo.
pub fn rsa_raw(
    key: &OddKey,
    pad: fn(&[u8], usize) -> Vec<u8>,
) -> impl Fn(&[u8]) -> Vec<u8> + use<> {
    let key = key.private.rsa().unwrap();
    move |octets| {
        let length = key.size() as usize;
        let block = pad(&digest_info(octets), length);
        assert_eq!(block.len(), length, "a block is as long as the modulus");
        let mut value = vec![0; length];
        key.private_encrypt(&block, &mut value, Padding::NONE).unwrap();
        value
    }
}

/// DigestInfo with SHA-256 (RFC 8017 9.2).
pub fn digest_info(octets: &[u8]) -> Vec<u8> {
    const PREFIX: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    [&PREFIX[..], &hash(MessageDigest::sha256(), octets).unwrap()].concat()
}
