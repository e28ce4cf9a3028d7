//! Answers to an AuthnRequest. Nothing else in the program can write an assertion.

use std::time::Duration;

use super::person::Person;
use super::{Encrypt, Encryption, EncryptionError, Refusal, Sign};
use crate::clock::Timestamp;
use crate::rng::Rng;
use crate::saml::{EntityId, NameId, SessionIndex, Status};
use crate::xml::ns;
use crate::xml::sign::{SigningKey, sign_enveloped, sign_enveloped_at};
use crate::xml::write::{WriteError, Writer};

/// How long an assertion may be on its way.
const LIFETIME: Duration = Duration::from_secs(300);
/// Conditions hold from a little earlier, for clocks that go behind.
const EARLIER: Duration = Duration::from_secs(30);

const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
const URI_NAMES: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri";
/// The person was named in a form without any proof: `unspecified` is the honest class.
const CONTEXT: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";

/// What every answer says of itself.
pub(super) struct Envelope<'a> {
    pub(super) response_id: &'a str,
    pub(super) now: Timestamp,
    pub(super) issuer: &'a EntityId,
    pub(super) acs_url: &'a str,
    pub(super) in_response_to: &'a str,
}

/// What an assertion says of a person.
pub(super) struct Statement<'a> {
    pub(super) assertion_id: &'a str,
    pub(super) audience: &'a EntityId,
    pub(super) person: &'a Person,
    pub(super) name_id: &'a NameId,
    pub(super) session_index: Option<&'a SessionIndex>,
    pub(super) authn_instant: Timestamp,
}

/// A Response with one Assertion (SAML Profiles 4.1.4.2), not signed yet.
pub(super) fn signed_in(
    envelope: &Envelope<'_>,
    statement: &Statement<'_>,
) -> Result<String, WriteError> {
    let mut writer = open(envelope, &Status::success());
    write_assertion(&mut writer, envelope, statement);
    writer.close();
    writer.finish()
}

/// A Response that says why nobody is signed in, not signed yet.
pub(super) fn failed(envelope: &Envelope<'_>, status: &Status) -> Result<String, WriteError> {
    let mut writer = open(envelope, status);
    writer.close();
    writer.finish()
}

/// What becomes of a Response before it is sent.
pub(super) struct Finish<'a> {
    pub(super) sign: Sign,
    pub(super) key: &'a SigningKey,
    pub(super) certificate_der: &'a [u8],
    pub(super) encrypt: Option<Encrypt>,
    /// The service provider's, to encrypt to.
    pub(super) recipient_der: Option<&'a [u8]>,
    pub(super) rng: &'a Rng,
}

impl Finish<'_> {
    /// Signs the Assertion of a Response, the Response itself, or both: the inner one first, because
    /// the outer signature covers it. What is encrypted is covered as it is sent.
    pub(super) fn finish(&self, response: String, assertion_id: &str) -> Result<String, Refusal> {
        let certificate = Some(self.certificate_der);
        let mut xml = response;
        if let Some(encryption) = self.encrypt.and_then(Encrypt::name_id) {
            xml = self.encrypt(encryption, &xml, ("NameID", "EncryptedID"))?;
        }
        if matches!(self.sign, Sign::Assertion | Sign::Both) {
            xml = sign_enveloped_at(&xml, assertion_id, self.key, certificate)?;
        }
        if let Some(encryption) = self.encrypt.and_then(Encrypt::assertion) {
            xml = self.encrypt(encryption, &xml, ("Assertion", "EncryptedAssertion"))?;
        }
        if matches!(self.sign, Sign::Response | Sign::Both) {
            xml = sign_enveloped(&xml, self.key, certificate)?;
        }
        Ok(xml)
    }

    fn encrypt(
        &self,
        encryption: Encryption,
        xml: &str,
        names: (&str, &str),
    ) -> Result<String, Refusal> {
        let to = self.recipient_der.ok_or(EncryptionError::NoKey)?;
        Ok(encryption.replace(xml, names, to, self.rng)?)
    }
}

fn open(envelope: &Envelope<'_>, status: &Status) -> Writer {
    let mut writer = Writer::new();
    writer.open(
        "samlp:Response",
        &[
            ("xmlns:samlp", ns::SAMLP),
            ("xmlns:saml", ns::SAML),
            ("ID", envelope.response_id),
            ("Version", "2.0"),
            ("IssueInstant", &envelope.now.to_string()),
            ("Destination", envelope.acs_url),
            ("InResponseTo", envelope.in_response_to),
        ],
    );
    writer.leaf("saml:Issuer", &[], envelope.issuer.as_str());
    status.write(&mut writer);
    writer
}

fn write_assertion(writer: &mut Writer, envelope: &Envelope<'_>, statement: &Statement<'_>) {
    let now = envelope.now.to_string();
    let earlier = envelope.now.minus(EARLIER).to_string();
    let until = envelope.now.plus(LIFETIME).to_string();
    writer.open(
        "saml:Assertion",
        &[("ID", statement.assertion_id), ("Version", "2.0"), ("IssueInstant", &now)],
    );
    writer.leaf("saml:Issuer", &[], envelope.issuer.as_str());

    writer.open("saml:Subject", &[]);
    statement.name_id.write(writer);
    writer.open("saml:SubjectConfirmation", &[("Method", BEARER)]);
    let confirmation = [
        ("InResponseTo", envelope.in_response_to),
        ("NotOnOrAfter", &until),
        ("Recipient", envelope.acs_url),
    ];
    writer.leaf("saml:SubjectConfirmationData", &confirmation, "").close().close();

    writer
        .open("saml:Conditions", &[("NotBefore", &earlier), ("NotOnOrAfter", &until)])
        .open("saml:AudienceRestriction", &[])
        .leaf("saml:Audience", &[], statement.audience.as_str())
        .close()
        .close();

    let authn_instant = statement.authn_instant.to_string();
    let mut authentication = vec![("AuthnInstant", authn_instant.as_str())];
    authentication.extend(statement.session_index.map(|index| ("SessionIndex", index.as_str())));
    writer
        .open("saml:AuthnStatement", &authentication)
        .open("saml:AuthnContext", &[])
        .leaf("saml:AuthnContextClassRef", &[], CONTEXT)
        .close()
        .close();

    writer.open("saml:AttributeStatement", &[]);
    let person = statement.person;
    for (name, friendly_name, value) in [
        ("urn:oid:0.9.2342.19200300.100.1.3", "mail", person.email()),
        ("urn:oid:2.5.4.42", "givenName", person.given_name()),
        ("urn:oid:2.5.4.4", "sn", person.surname().to_owned()),
    ] {
        let attribute =
            [("Name", name), ("NameFormat", URI_NAMES), ("FriendlyName", friendly_name)];
        writer.open("saml:Attribute", &attribute).leaf("saml:AttributeValue", &[], &value).close();
    }
    writer.close().close();
}
