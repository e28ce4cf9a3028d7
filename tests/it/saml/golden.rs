//! Messages that others signed and encrypted (`fixtures/saml/golden`): each is accepted and says
//! exactly what its template says, and whoever changes one character of what was signed is refused.
//! A file is named TEMPLATE.SIGNED.ALGORITHM, as `make/cases.txt` says.

use std::path::{Path, PathBuf};

use openssl::pkey::PKey;
use openssl::x509::X509;
use sloop::clock::Timestamp;
use sloop::saml::{
    Attribute, Decryption, Login, NameId, Received, Rejection, SessionIndex, name_id,
};
use sloop::xml::decrypt::{Cbc, DecryptionKey};
use sloop::xml::verify::{PublicKey, SignatureError, TrustedKeys};
use sloop::xml::{Limits, parse};

use crate::support::bases::expected;

const IDP: &str = "https://idp.example/metadata";
const SP: &str = "https://sp.example/saml/metadata";
const BASIC: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic";
const URI: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";

/// Everybody who signed, and how many messages.
const SIGNERS: [(&str, usize); 6] = [
    ("java", 17),
    ("pysaml2", 5),
    ("samael", 11),
    ("signxml", 17),
    ("xml-crypto", 11),
    ("xmlsec1", 16),
];

struct Golden {
    path: PathBuf,
    template: String,
    signed: String,
    algorithm: String,
    xml: String,
}

impl Golden {
    fn read(path: PathBuf) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let [template, signed, algorithm, ..] = *name.split('.').collect::<Vec<_>>() else {
            panic!("{name} is not TEMPLATE.SIGNED.ALGORITHM")
        };
        let [template, signed, algorithm] = [template, signed, algorithm].map(str::to_owned);
        let xml = std::fs::read_to_string(&path).unwrap();
        Self { path, template, signed, algorithm, xml }
    }

    /// What becomes of a message in a service that trusts the key of this one, at its own time.
    fn judge(&self, xml: &str) -> Result<Login, Rejection> {
        let document = parse(xml.as_bytes(), &Limits::MESSAGE)
            .unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
        let now = self.now();
        let ours = pem("sp-rsa.pem");
        let ours = PKey::private_key_from_pem(&ours).unwrap().private_key_to_pkcs8().unwrap();
        let keys = [DecryptionKey::from_pkcs8_der(&ours).unwrap()];
        let decryption = Decryption { keys: &keys, cbc: Cbc::Refused, required: false };
        let mut expected = expected();
        expected.request_id = self.request_id().to_owned();
        Received::read(&document)?
            .verify(&self.trusted(), &decryption, |signed| signed.accept(&expected, now))
    }

    fn trusted(&self) -> TrustedKeys {
        let curve = match self.algorithm.as_str() {
            "ecdsa-sha256" => "p256",
            "ecdsa-sha384" => "p384",
            "ecdsa-sha512" => "p521",
            _ => "rsa",
        };
        let certificate = X509::from_pem(&pem(&format!("idp-{curve}.crt"))).unwrap();
        let key = PublicKey::from_certificate_der(&certificate.to_der().unwrap()).unwrap();
        TrustedKeys::new(vec![key]).unwrap()
    }

    fn now(&self) -> Timestamp {
        Timestamp::parse(between(&self.xml, "IssueInstant=\"", "\"")).unwrap()
    }

    fn request_id(&self) -> &str {
        between(&self.xml, "InResponseTo=\"", "\"")
    }

    /// What the template says.
    fn says(&self) -> Login {
        let now = self.now();
        let common = Login {
            assertion_id: "_assertion".into(),
            not_on_or_after: now.shifted(360_000_000),
            name_id: Some(NameId {
                value: "ada".into(),
                format: Some(name_id::PERSISTENT.into()),
                name_qualifier: Some(IDP.into()),
                sp_name_qualifier: Some(SP.into()),
                sp_provided_id: Some("known-here-as".into()),
            }),
            session_indexes: vec![SessionIndex::parse("_session").unwrap()],
            authn_instant: now,
            session_not_on_or_after: Timestamp::parse("2026-11-21T20:00:00Z"),
            authn_context: Some(PASSWORD.into()),
            attributes: vec![
                attribute("mail", Some(BASIC), Some("Mail"), &["ada@example.org"]),
                attribute("groups", Some(BASIC), None, &["engines", "notes"]),
            ],
        };
        match self.template.as_str() {
            "plain" | "attributes" => common,
            "default-namespaces" => Login {
                name_id: Some(named("ada", None)),
                session_not_on_or_after: None,
                attributes: vec![
                    attribute("mail", None, None, &["ada@example.org"]),
                    attribute("markup", None, None, &[]),
                    attribute("prefixed", None, None, &["yes"]),
                ],
                ..common
            },
            "pretty" => {
                let address = "\n          12 St James's Square\n          London\n        ";
                Login {
                    name_id: Some(named("ada", Some(name_id::PERSISTENT))),
                    session_not_on_or_after: None,
                    attributes: vec![
                        attribute("mail", None, None, &["ada@example.org"]),
                        attribute("address", None, None, &[address]),
                    ],
                    ..common
                }
            }
            "text" => Login {
                name_id: Some(NameId {
                    value: "ada & <co> \"é\" 名前 😀".into(),
                    sp_provided_id: Some("\t\n\r <&\"'> é ".into()),
                    ..common.name_id.unwrap()
                }),
                attributes: vec![
                    attribute(
                        "mail",
                        Some(BASIC),
                        Some("\"Mail\" 📧"),
                        &[
                            "ada@exämple.org",
                            "one\r\ntwo\t]]>\nthree",
                            "<saml:NameID>eve</saml:NameID>",
                            "",
                            " ",
                        ],
                    ),
                    attribute("groups", Some(BASIC), None, &["engines", "notes"]),
                ],
                ..common
            },
            // pysaml2 writes its own; the ID is random.
            "own" => Login {
                assertion_id: between(
                    self.xml.split_once("<ns1:Assertion").unwrap().1,
                    " ID=\"",
                    "\"",
                )
                .into(),
                name_id: common.name_id.map(|name_id| NameId { sp_provided_id: None, ..name_id }),
                session_not_on_or_after: None,
                attributes: vec![
                    attribute(
                        "urn:oid:0.9.2342.19200300.100.1.3",
                        Some(URI),
                        Some("mail"),
                        &["ada@exämple.org"],
                    ),
                    attribute("urn:oid:2.5.4.4", Some(URI), Some("sn"), &["Lovelace & <co>"]),
                ],
                ..common
            },
            other => panic!("{other} is not a template"),
        }
    }

    /// With one character changed in what was signed, or in what was encrypted after that.
    fn twins(&self) -> Vec<String> {
        let within = match self.signed.as_str() {
            "sealed" => "</xenc:EncryptedKey>",
            _ => "NameID ",
        };
        let start = self.xml.find(within).or_else(|| self.xml.find("NameID>")).unwrap();
        let (before, signed) = self.xml.split_at(start);
        let changes = match self.signed.as_str() {
            "sealed" => vec![("A", "B"), ("+", "/")],
            _ => vec![
                (">ada", ">adA"),
                ("\"_session\"", "\"_sessioN\""),
                ("@ex", "@eX"),
                ("/saml/metadata", "/saml/metadatA"),
                ("PasswordProtectedTransport<", "PasswordProtectedTransporT<"),
            ],
        };
        let twin = |(from, to): (&str, &str)| {
            let changed = signed.replacen(from, to, 1);
            // In the text of one template the name begins in a CDATA section, or not.
            let cdata = changed == signed && from == ">ada";
            let changed = if cdata { signed.replacen("[ada", "[adA", 1) } else { changed };
            assert_ne!(changed, signed, "{}: no {from}", self.path.display());
            format!("{before}{changed}")
        };
        changes.into_iter().map(twin).collect()
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

fn named(value: &str, format: Option<&str>) -> NameId {
    NameId {
        value: value.into(),
        format: format.map(str::to_owned),
        name_qualifier: None,
        sp_name_qualifier: None,
        sp_provided_id: None,
    }
}

fn attribute(
    name: &str,
    format: Option<&str>,
    friendly: Option<&str>,
    values: &[&str],
) -> Attribute {
    Attribute {
        name: name.into(),
        name_format: format.map(str::to_owned),
        friendly_name: friendly.map(str::to_owned),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn pem(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join("keys").join(name)).unwrap()
}

fn all() -> Vec<Golden> {
    let mut all = Vec::new();
    for (signer, count) in SIGNERS {
        let folder = fixtures().join("saml/golden").join(signer);
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let before = all.len();
        all.extend(files.map(Golden::read));
        assert_eq!(all.len() - before, count, "{signer}");
    }
    all.sort_by(|one, other| one.path.cmp(&other.path));
    all
}

#[test]
fn each_says_exactly_what_its_signer_meant() {
    for golden in all() {
        let path = golden.path.display();
        let login = golden.judge(&golden.xml).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (said, meant) = (login, golden.says());
        assert!(said == meant, "{path}: {:?} {:?}", said.name_id.unwrap().value, said.attributes);
    }
}

#[test]
fn each_is_what_its_name_says() {
    for golden in all() {
        let path = golden.path.display();
        let Golden { signed, algorithm, xml, .. } = &golden;
        let signatures = match signed.as_str() {
            "both" => 2,
            "sealed" => 0,
            _ => 1,
        };
        assert_eq!(xml.matches("SignatureValue>").count(), 2 * signatures, "{path}");
        let (family, digest) = algorithm.rsplit_once('-').unwrap();
        let method = match family {
            "rsa-pss" => format!("2007/05/xmldsig-more#{digest}-rsa-MGF1\""),
            _ => format!("2001/04/xmldsig-more#{algorithm}\""),
        };
        assert_eq!(xml.matches(&method).count(), signatures, "{path}: {method}");
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let mut holders: Vec<_> = document
            .elements()
            .filter(|element| element.is(sloop::xml::ns::DS, "Signature"))
            .map(|signature| signature.parent().unwrap().local_name().to_lowercase())
            .collect();
        holders.sort();
        match signed.as_str() {
            "both" => assert_eq!(holders, ["assertion", "response"], "{path}"),
            "sealed" => assert!(holders.is_empty(), "{path}"),
            one => assert_eq!(holders, [one], "{path}"),
        }
    }
}

#[test]
fn whoever_changes_one_character_is_refused() {
    for golden in all() {
        for twin in golden.twins() {
            assert_eq!(twin.len(), golden.xml.len());
            let refused = golden.judge(&twin);
            let path = golden.path.display();
            match golden.signed.as_str() {
                "sealed" => assert!(refused.is_err(), "{path}"),
                _ => {
                    assert_eq!(refused, Err(Rejection::Signature(SignatureError::Digest)), "{path}")
                }
            }
        }
        // The right one is still right.
        assert!(golden.judge(&golden.xml).is_ok());
    }
}

/// A key of the right kind that is not the signer's.
#[test]
fn nobody_else_has_signed_them() {
    for golden in all() {
        let document = parse(golden.xml.as_bytes(), &Limits::MESSAGE).unwrap();
        let other = X509::from_pem(&pem("sp-rsa.crt")).unwrap().to_der().unwrap();
        let other = TrustedKeys::new(vec![PublicKey::from_certificate_der(&other).unwrap()]);
        let received = Received::read(&document).unwrap();
        let refused = received.verify(&other.unwrap(), &Decryption::NONE, |_| Ok(()));
        assert!(refused.is_err(), "{}", golden.path.display());
    }
}
