//! Signed messages to be changed: one Response, signed in each way that there is, and the queries of
//! the Redirect binding. The key is in `fixtures/keys`, so that every run has the same bytes.

use std::time::Duration;

use openssl::pkey::PKey;
use sloop::clock::Timestamp;
use sloop::saml::binding::redirect;
use sloop::saml::{Decryption, EntityId, Expected, Login, MessageKind, RawQuery, Received};
use sloop::xml::decrypt::{Cbc, DecryptionKey};
use sloop::xml::sign::{SigningKey, sign_enveloped, sign_enveloped_at};
use sloop::xml::verify::TrustedKeys;
use sloop::xml::{Limits, parse};

/// What everybody in `fixtures/saml/golden` signs.
pub const RESPONSE: &str = include_str!("../../../fixtures/saml/golden/make/templates/plain.xml");
/// The same, with its Assertion signed, and then encrypted: ciphertext is never the same twice.
pub const SEALED: &str =
    include_str!("../../../fixtures/saml/golden/xmlsec1/plain.sealed.rsa-sha256.xml");
const KEY: &[u8] = include_bytes!("../../../fixtures/keys/idp-rsa.pem");
pub const OUR_KEY: &[u8] = include_bytes!("../../../fixtures/keys/sp-rsa.pem");

pub struct Bases {
    key: SigningKey,
    trusted: TrustedKeys,
    /// What an Assertion is encrypted to.
    ours: Vec<DecryptionKey>,
    /// With the name of what is signed.
    pub responses: Vec<(&'static str, String)>,
    pub queries: Vec<String>,
    /// What each of the responses says.
    pub login: Login,
}

/// What is believed of a query.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Believed {
    kind: &'static str,
    relay_state: Option<String>,
    xml: Vec<u8>,
}

impl Bases {
    pub fn new() -> Self {
        let key = SigningKey::new(PKey::private_key_from_pem(KEY).unwrap()).unwrap();
        let trusted = TrustedKeys::new(vec![key.public_key().clone()]).unwrap();
        let assertion = sign_enveloped_at(RESPONSE, "_assertion", &key, None).unwrap();
        let response = sign_enveloped(RESPONSE, &key, None).unwrap();
        let both = sign_enveloped(&assertion, &key, None).unwrap();
        let sealed_and_signed = sign_enveloped(SEALED, &key, None).unwrap();
        let ours = PKey::private_key_from_pem(OUR_KEY).unwrap().private_key_to_pkcs8().unwrap();
        let ours = vec![DecryptionKey::from_pkcs8_der(&ours).unwrap()];
        let login = judge(&trusted, &ours, both.as_bytes()).expect("it is accepted");
        let query = |kind, relay_state| {
            let url = redirect::encode(kind, RESPONSE, relay_state, "https://x", Some(&key));
            url.unwrap().split_once('?').unwrap().1.to_owned()
        };
        let queries = vec![
            query(MessageKind::Response, Some("the state & more")),
            query(MessageKind::Response, None),
            query(MessageKind::Request, Some("")),
            format!("tenant=a&{}&other=b", query(MessageKind::Request, Some("x"))),
        ];
        let responses = vec![
            ("assertion", assertion),
            ("response", response),
            ("both", both),
            ("sealed", SEALED.to_owned()),
            ("sealed, signed again", sealed_and_signed),
        ];
        Self { key, trusted, ours, responses, queries, login }
    }

    /// What a service makes of a Response, if it accepts it.
    pub fn judge(&self, xml: &[u8]) -> Option<Login> {
        judge(&self.trusted, &self.ours, xml)
    }

    /// As [`Bases::judge`], for whatever the IdP itself signs: the IdP, too, can write anything.
    pub fn sign_and_judge(&self, xml: &str) -> Option<Login> {
        let signed = sign_enveloped_at(xml, "_assertion", &self.key, None).ok()?;
        judge(&self.trusted, &self.ours, signed.as_bytes())
    }

    /// What a service makes of a query, if it believes it.
    pub fn judge_query(&self, query: &[u8]) -> Option<Believed> {
        let message = RawQuery::new(std::str::from_utf8(query).ok()?).parse().ok()?;
        message.verify(&self.trusted).ok()?;
        Some(Believed {
            kind: message.kind().parameter(),
            relay_state: message.relay_state().map(str::to_owned),
            xml: message.inflate(Limits::MESSAGE.bytes).ok()?,
        })
    }
}

/// The time of the Response.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-11-21T12:00:00Z").expect("a time")
}

/// What the Response must say.
pub fn expected() -> Expected {
    let entity = |id| EntityId::parse(id).expect("an entity ID");
    Expected {
        idp: entity("https://idp.example/metadata"),
        sp: entity("https://sp.example/saml/metadata"),
        acs_url: "https://sp.example/saml/acs".into(),
        request_id: "_request".into(),
        clock_skew: Duration::from_secs(60),
        authn_not_before: None,
    }
}

fn judge(trusted: &TrustedKeys, ours: &[DecryptionKey], xml: &[u8]) -> Option<Login> {
    let document = parse(xml, &Limits::MESSAGE).ok()?;
    let decryption = Decryption { keys: ours, cbc: Cbc::Accepted, required: false };
    let received = Received::read(&document).ok()?;
    received.verify(trusted, &decryption, |signed| signed.accept(&expected(), now())).ok()
}
