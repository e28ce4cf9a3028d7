//! Every kind of message that we sign, with every kind of key, judged by signxml: it has its own
//! reading of XML Signature, over libxml2's canonical forms and Python's cryptography.

use std::time::Duration;

use openssl::pkey::PKey;
use openssl::x509::X509;
use serde::{Deserialize, Serialize};
use sloop::saml::{
    AuthnRequest, EntityId, LogoutRequest, LogoutResponse, NameId, NameIdPolicy, SessionIndex,
    Status, name_id,
};
use sloop::xml::sign::{SigningKey, sign_enveloped, sign_enveloped_at};

use crate::support::bases::{RESPONSE, expected, now};
use crate::support::python;

const KEYS: [(&str, &str); 3] = [
    (
        include_str!("../../../fixtures/keys/idp-rsa.pem"),
        include_str!("../../../fixtures/keys/idp-rsa.crt"),
    ),
    (
        include_str!("../../../fixtures/keys/idp-p256.pem"),
        include_str!("../../../fixtures/keys/idp-p256.crt"),
    ),
    (
        include_str!("../../../fixtures/keys/idp-p384.pem"),
        include_str!("../../../fixtures/keys/idp-p384.crt"),
    ),
];
/// In every message, where a person could have written it, and what becomes of it in the twin.
const MARK: (&str, &str) = ("Zoë &amp;", "Zoe &amp;");
const NAME: &str = "Zoë & <\"co\">\r\n\t ]]> 名前 😀";

#[derive(Serialize)]
struct Question<'a> {
    xml: String,
    certificate: &'a str,
}

#[derive(Deserialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Signed(String),
    Error(String),
}

fn messages() -> Vec<String> {
    let issuer: EntityId = expected().sp;
    let endpoint = format!("https://idp.example/?{NAME}");
    let authn_request = AuthnRequest {
        id: "_authn-request".into(),
        issue_instant: now(),
        destination: endpoint.clone(),
        issuer: issuer.clone(),
        acs_url: expected().acs_url,
        force_authn: true,
        is_passive: false,
        name_id_policy: Some(NameIdPolicy { format: Some(name_id::PERSISTENT.into()) }),
        requested_authn_context: Vec::new(),
    };
    let logout_request = LogoutRequest {
        asynchronous: false,
        id: "_logout-request".into(),
        issue_instant: now(),
        not_on_or_after: Some(now().plus(Duration::from_secs(300))),
        destination: Some("https://idp.example/slo".into()),
        issuer: issuer.clone(),
        name_id: NameId {
            value: NAME.into(),
            format: Some(name_id::PERSISTENT.into()),
            name_qualifier: Some(String::new()),
            sp_name_qualifier: Some(NAME.into()),
            sp_provided_id: None,
        },
        session_indexes: ["_one", "_two"].map(|index| SessionIndex::parse(index).unwrap()).into(),
        reason: None,
    };
    let logout_response = LogoutResponse {
        id: "_logout-response".into(),
        issue_instant: now(),
        destination: Some(endpoint.clone()),
        issuer,
        in_response_to: "_request".into(),
        status: Status::partial_logout(),
    };
    vec![
        authn_request.to_xml().unwrap(),
        logout_request.to_xml().unwrap(),
        logout_response.to_xml().unwrap(),
        // What the test IdP says goes through the same signer.
        RESPONSE.replace(">ada<", &format!(">{}ada<", MARK.0)),
    ]
}

/// The message, signed, and the ID of what was signed.
fn signed(key: &SigningKey, certificate: &[u8]) -> Vec<(String, String)> {
    let id = |xml: &str| xml.split_once(" ID=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
    let mut all: Vec<_> = messages()
        .iter()
        .map(|xml| (sign_enveloped(xml, key, Some(certificate)).unwrap(), id(xml)))
        .collect();
    let response = messages().pop().unwrap();
    let inner = sign_enveloped_at(&response, "_assertion", key, None).unwrap();
    all.push((inner.clone(), "_assertion".into()));
    all.push((sign_enveloped(&inner, key, None).unwrap(), "_response".into()));
    all
}

#[test]
fn signxml_verifies_what_we_sign_and_no_changed_twin() {
    let (mut questions, mut meant) = (Vec::new(), Vec::new());
    for (number, (private, certificate)) in KEYS.into_iter().enumerate() {
        let key = SigningKey::new(PKey::private_key_from_pem(private.as_bytes()).unwrap()).unwrap();
        let der = X509::from_pem(certificate.as_bytes()).unwrap().to_der().unwrap();
        let (_, other) = KEYS[(number + 1) % KEYS.len()];
        for (xml, id) in signed(&key, &der) {
            let twin = xml.replacen(MARK.0, MARK.1, 1);
            assert_ne!(twin, xml);
            questions.push(Question { xml: xml.clone(), certificate });
            questions.push(Question { xml: twin, certificate });
            questions.push(Question { xml, certificate: other });
            meant.push(id);
        }
    }

    let answers: Vec<Answer> = python::lines("signxml_verify.py", &questions);

    assert_eq!(answers.len(), 3 * 6 * KEYS.len());
    for (answers, id) in answers.chunks(3).zip(meant) {
        assert_eq!(answers[0], Answer::Signed(id.clone()));
        for refused in &answers[1..] {
            assert!(matches!(refused, Answer::Error(_)), "{id}: {refused:?}");
        }
    }
}
