//! What SAML costs, in multiples of the bare OpenSSL operation that each path cannot do without.
//! `make bench`; docs/performance.md explains the rows and keeps the figures.

mod costly;
mod floor;
mod measure;
mod message;

use std::io::{BufReader, Read};

use measure::{Table, allocated};
use message::{Idp, entity_id, expected, logout_request, now};
use sloop::mock_idp::Encryption;
use sloop::rng::Rng;
use sloop::saml::binding::{post, redirect};
use sloop::saml::metadata::aggregate;
use sloop::saml::{
    Decryption, EntityId, Expected, IdpMetadata, Login, MessageKind, PostForm, RawQuery, Received,
    Rejection,
};
use sloop::xml::decrypt::{Cbc, DecryptionKey, decrypt};
use sloop::xml::sign::sign_enveloped;
use sloop::xml::verify::{TrustedKeys, check_ids, verify};
use sloop::xml::{Document, Limits, c14n, ns, parse};

const RESPONSE: usize = 7_200;

fn main() {
    let idp = Idp::new(floor::rsa_key());
    let keys = TrustedKeys::new(vec![idp.key.public_key().clone()]).expect("one key");
    let table = Table::from_args();
    responses(&table, &idp, &keys);
    sizes(&table, &idp, &keys);
    costly_documents(&table, &idp);
    encrypted(&table, &idp, &keys);
    logout(&table, &idp, &keys);
    metadata(&table, &idp);
}

/// What becomes of a posted Response, from its text to the person.
fn receive(xml: &str, keys: &TrustedKeys, expected: &Expected) -> Login {
    let document = parse(xml.as_bytes(), &Limits::MESSAGE).expect("it is well-formed");
    accept(&document, keys, &Decryption::NONE, expected).expect("it is for us")
}

fn accept(
    document: &Document<'_>,
    keys: &TrustedKeys,
    decryption: &Decryption<'_>,
    expected: &Expected,
) -> Result<Login, Rejection> {
    let received = Received::read(document)?;
    received.verify(keys, decryption, |signed| signed.accept(expected, now()))
}

fn responses(table: &Table, idp: &Idp, keys: &TrustedKeys) {
    let xml = idp.response(RESPONSE);
    let twice = idp.response_signed_twice(RESPONSE);
    let expected = expected();
    let mut floor = floor::rsa_verify(&idp.private);
    table.section(&format!("Response, {} bytes, {} with both signed", xml.len(), twice.len()));
    table.row("receive, verify, accept", &mut floor, || receive(&xml, keys, &expected));
    table.row("receive, verify, accept: both signed", &mut floor, || {
        receive(&twice, keys, &expected)
    });

    let read = || parse(xml.as_bytes(), &Limits::MESSAGE).expect("it is well-formed");
    let document = read();
    let assertion = document.root().required(ns::SAML, "Assertion").expect("one Assertion");
    let signature = assertion.required(ns::DS, "Signature").expect("one signature");
    table.row("  parse", &mut floor, read);
    table.row("  check the shape", &mut floor, || Received::read(&document).is_ok());
    table.row("  verify the Assertion's signature", &mut floor, || {
        verify(assertion, signature, keys).is_ok()
    });
    table.row("    canonical form of the Assertion", &mut floor, || {
        c14n::exclusive(assertion, Some(signature), &[]).is_ok()
    });
    table.row("  check the shape, verify, accept", &mut floor, || {
        accept(&document, keys, &Decryption::NONE, &expected).expect("it is for us")
    });
    let form = PostForm::new(MessageKind::Response, &xml, None, "https://login.example.org");
    let field = form.fields.into_iter().next().map(|(_, value)| value).expect("the message");
    table.row("  (before all this) decode the form field", &mut floor, || {
        post::decode(&field, Limits::MESSAGE.bytes).expect("it is base64")
    });
}

fn sizes(table: &Table, idp: &Idp, keys: &TrustedKeys) {
    table.section("receive, verify, accept by size");
    let expected = expected();
    let mut floor = floor::rsa_verify(&idp.private);
    for kilobytes in [4, 8, 16, 32, 64, 128, 255] {
        let xml = idp.response(kilobytes * 1024);
        let name = format!("{} bytes", xml.len());
        table.row(&name, &mut floor, || receive(&xml, keys, &expected));
    }
}

fn costly_documents(table: &Table, idp: &Idp) {
    table.section("parse and check IDs: the costliest messages");
    let mut floor = floor::rsa_verify(&idp.private);
    for (name, xml) in costly::documents() {
        table.row(name, &mut floor, || {
            parse(xml.as_bytes(), &Limits::MESSAGE).is_ok_and(|found| check_ids(&found).is_ok())
        });
    }
}

fn encrypted(table: &Table, idp: &Idp, keys: &TrustedKeys) {
    let own = Idp::new(floor::rsa_key());
    let pkcs8 = own.private.private_key_to_pkcs8().expect("an RSA key");
    let own_keys = [DecryptionKey::from_pkcs8_der(&pkcs8).expect("an RSA key")];
    let xml = Encryption::COMMON
        .replace(
            &idp.response(RESPONSE),
            ("Assertion", "EncryptedAssertion"),
            &own.certificate,
            &Rng::system(),
        )
        .expect("it can be encrypted");
    table.section(&format!("Response with an EncryptedAssertion, {} bytes", xml.len()));
    let mut floor = floor::decrypt(&own.private, RESPONSE - 600);
    let decryption = Decryption { keys: &own_keys, ..Decryption::NONE };
    let expected = expected();
    table.row("receive, decrypt, verify, accept", &mut floor, || {
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).expect("it is well-formed");
        accept(&document, keys, &decryption, &expected).expect("it is for us")
    });
    let document = parse(xml.as_bytes(), &Limits::MESSAGE).expect("it is well-formed");
    let holder = document.root().required(ns::SAML, "EncryptedAssertion").expect("one");
    table.row("  decrypt and parse", &mut floor, || {
        decrypt(holder, &own_keys, Cbc::Refused, |_| ()).expect("it is for us")
    });
}

fn logout(table: &Table, idp: &Idp, keys: &TrustedKeys) {
    let request = logout_request();
    let xml = request.to_xml().expect("it can be written");
    let endpoint = "https://idp.example.com/slo";
    let state = Some("AdaLovelaceAdaLovelace");
    let encode = || {
        redirect::encode(MessageKind::Request, &xml, state, endpoint, Some(&idp.key))
            .expect("it can be signed")
    };
    table.section(&format!("LogoutRequest, {} bytes", xml.len()));
    let mut floor = floor::rsa_sign(&idp.private);
    table.row("write and sign, enveloped", &mut floor, || {
        let xml = request.to_xml().expect("it can be written");
        sign_enveloped(&xml, &idp.key, None).expect("it can be signed")
    });
    table.row("compress and sign, redirect query", &mut floor, encode);

    let url = encode();
    let (_, query) = url.split_once('?').expect("a query");
    let mut floor = floor::rsa_verify(&idp.private);
    let verified = |query| {
        let message = RawQuery::new(query).parse().expect("a message");
        message.verify(keys).expect("its signature holds");
        message
    };
    table.row("verify a redirect query", &mut floor, || verified(query).is_signed());
    table.row("verify, inflate and parse a redirect query", &mut floor, || {
        let xml = verified(query).inflate(Limits::MESSAGE.bytes).expect("it is deflated");
        parse(&xml, &Limits::MESSAGE).is_ok()
    });
}

fn metadata(table: &Table, idp: &Idp) {
    let xml = idp.metadata();
    table.section(&format!("Metadata of one IdP, {} bytes", xml.len()));
    let mut floor = floor::certificate(idp.certificate.clone());
    table.row("import", &mut floor, || {
        IdpMetadata::parse(xml.as_bytes(), None, now()).expect("it is metadata")
    });

    table.section("Metadata of a federation, one entity taken out");
    for entities in [1_000, 10_000] {
        let xml = idp.aggregate(entities);
        let wanted = EntityId::parse(&entity_id(entities / 2)).expect("a URI");
        let mut floor = floor::sha256(xml.len());
        let name = format!("import from {entities} entities, {} KiB", xml.len() / 1024);
        table.row(&name, &mut floor, || {
            aggregate::read(xml.as_bytes(), Some(&wanted), now()).expect("it is there")
        });
        let (before, mut most) = (allocated(), 0);
        let source = Watched { source: xml.as_bytes(), on_read: || most = most.max(allocated()) };
        aggregate::read(BufReader::new(source), Some(&wanted), now()).expect("it is there");
        println!("    at most {} KiB held while reading", most.saturating_sub(before) / 1024);
    }
}

/// Tells when more is read.
struct Watched<'x, F> {
    source: &'x [u8],
    on_read: F,
}

impl<F: FnMut()> Read for Watched<'_, F> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        (self.on_read)();
        self.source.read(into)
    }
}
