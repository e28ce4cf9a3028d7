//! Whose key counts: exactly those that the metadata of the asked IdP lists for signing, if they are
//! neither too small nor too large. No authority vouches for another.

use openssl::bn::{BigNum, MsbOption};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::x509::X509;
use sloop::clock::Clock;
use sloop::mock_idp::{MockIdp, Options};
use sloop::paths::API_IDENTITY_PROVIDERS;
use sloop::rng::Rng;

use super::algorithm::signed;
use super::{ask, forged};
use crate::both;
use crate::support::forger::{Forger, Sign};
use crate::support::odd_signer::{
    OddKey, Recipe, certificate_of, descriptor, ecdsa, rsa, with_keys,
};
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";

fn by(key: &OddKey) -> Recipe {
    Recipe::new(ECDSA_SHA256, ecdsa(key, MessageDigest::sha256()))
}

fn p256() -> OddKey {
    OddKey::ec(Nid::X9_62_PRIME256V1)
}

/// Connects the forger with these keys before its own, or with these alone.
async fn connect(world: &World, forger: &Forger, descriptors: &[String], alone: bool) {
    let mut metadata = with_keys(&forger.metadata(), descriptors);
    if alone {
        let own = metadata.rfind("<md:KeyDescriptor").unwrap();
        let end = own + metadata[own..].find("</md:KeyDescriptor>").unwrap();
        metadata.replace_range(own..end + "</md:KeyDescriptor>".len(), "");
    }
    let added = world.add_idp("forged", &metadata, "").await;
    assert_eq!(added.status, 200, "{}", added.body);
}

/// Whether a message that is signed like this, in every place, signs ada in.
async fn signs_in(world: &World, forger: &Forger, app: &RelyingParty, recipe: &Recipe) -> bool {
    let mut results = Vec::new();
    for (assertion, response) in
        [(Some(recipe), None), (None, Some(recipe)), (Some(recipe), Some(recipe))]
    {
        let mut browser = world.browser();
        let (attempt, asked) = ask(forger, &mut browser, app).await;
        let said = forger.says(&asked, "ada");
        let xml = signed(&forger.signed(&said, Sign::Nothing), &said, assertion, response);
        let page = forger.post(world, &mut browser, &xml, asked.relay_state.as_deref()).await;
        results.push(match page.location() {
            Some(callback) => app.finish(&attempt, &callback).await.is_ok(),
            None => {
                assert_eq!(page.status, 400, "{}", page.summary());
                assert!(!world.is_signed_in(&mut browser, app).await);
                false
            }
        });
    }
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    results[0]
}

both!(an_authority_vouches_for_no_key, authority);
async fn authority(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let authority = OddKey::rsa(2048);
    // Same issuer, same serial number, same subject: only the key is another.
    let (listed, sibling) = (authority.issues("idp.example"), authority.issues("idp.example"));
    let by_authority = Recipe::new(
        crate::support::odd_signer::RSA_SHA256,
        rsa(&authority, MessageDigest::sha256()),
    );

    // The certificate of the IdP, and after it that of its issuer.
    let chain = descriptor(Some("signing"), &[&listed.certificate, &authority.certificate]);
    connect(&world, &forger, &[chain], false).await;
    assert!(!signs_in(&world, &forger, &app, &by(&sibling)).await, "of the same authority");
    assert!(!signs_in(&world, &forger, &app, &by_authority).await, "the authority itself");
    assert!(signs_in(&world, &forger, &app, &by(&listed)).await);

    // The authority alone: it speaks for itself, not for those whom it certified.
    connect(&world, &forger, &[authority.descriptor(Some("signing"))], true).await;
    assert!(!signs_in(&world, &forger, &app, &by(&listed)).await, "issued by a listed key");
    assert!(!signs_in(&world, &forger, &app, &by(&sibling)).await);
    assert!(signs_in(&world, &forger, &app, &by_authority).await);
}

both!(a_key_for_encryption_signs_nobody_in, usage);
async fn usage(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let key = p256();
    for (usage, counts) in [(Some("encryption"), false), (Some("signing"), true), (None, true)] {
        connect(&world, &forger, &[key.descriptor(usage)], false).await;
        assert_eq!(signs_in(&world, &forger, &app, &by(&key)).await, counts, "{usage:?}");
    }
    // In a document of its own it is no key at all.
    let only = key.descriptor(Some("encryption"));
    let metadata = forger.metadata();
    let start = metadata.find("<md:KeyDescriptor").unwrap();
    let end = metadata.find("</md:KeyDescriptor>").unwrap() + "</md:KeyDescriptor>".len();
    let metadata = format!("{}{only}{}", &metadata[..start], &metadata[end..]);
    let refused = world.add_idp("forged", &metadata, "").await;
    assert_eq!(refused.status, 400, "{}", refused.body);
    assert!(refused.body.contains("no key that can verify"), "{}", refused.body);
}

both!(an_expired_certificate_still_holds_a_key_and_is_told, expired);
async fn expired(on: On) {
    let world = World::on(on).await;
    let (forger, app) = forged(&world).await;
    let key = p256();
    let advice = async || {
        let path = format!("{API_IDENTITY_PROVIDERS}/forged");
        let shown = world.api("GET", &path, "application/json", "").await.json();
        shown["advice"].to_string()
    };
    const TOLD: &str = "the certificate CN=the odd key expired on";

    connect(&world, &forger, &[key.until(86_400).descriptor(Some("signing"))], true).await;
    assert!(!advice().await.contains(TOLD), "{}", advice().await);
    connect(&world, &forger, &[key.until(-86_400).descriptor(Some("signing"))], true).await;
    assert!(advice().await.contains(TOLD), "{}", advice().await);
    assert!(signs_in(&world, &forger, &app, &by(&key)).await);
    // Another key in the same certificate's clothes does not profit.
    assert!(!signs_in(&world, &forger, &app, &by(&p256())).await);
}

/// A certificate that holds a public key nobody has the private part of.
fn certificate_with(modulus: BigNum, exponent: BigNum) -> Vec<u8> {
    let public: PKey<Public> =
        Rsa::from_public_components(modulus, exponent).and_then(PKey::from_rsa).unwrap();
    let issuer = p256();
    let named = X509::from_der(&issuer.certificate).unwrap();
    certificate_of(&public, "giant", named.subject_name(), &issuer.private, 86_400)
}

fn odd_number(bits: i32) -> BigNum {
    let mut number = BigNum::new().unwrap();
    number.rand(bits, MsbOption::ONE, true).unwrap();
    number
}

both!(a_giant_or_tiny_key_is_not_taken_from_metadata, giant);
async fn giant(on: On) {
    use base64::Engine as _;
    let world = World::on(on).await;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let usual = || BigNum::from_u32(65_537).unwrap();
    let other =
        MockIdp::new("https://other.example", Options::default(), Clock::system(), Rng::system());
    let good = other.unwrap().metadata();
    let start = good.find("<ds:X509Data>").unwrap();
    let end = good.find("</ds:X509Data>").unwrap() + "</ds:X509Data>".len();
    let certificate = |der: &[u8]| {
        format!(
            "<ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data>",
            base64(der)
        )
    };
    let value = |modulus: &BigNum, exponent: &BigNum| {
        format!(
            "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{}</ds:Modulus><ds:Exponent>{}</ds:Exponent>\
             </ds:RSAKeyValue></ds:KeyValue>",
            base64(&modulus.to_vec()),
            base64(&exponent.to_vec())
        )
    };
    let even = BigNum::from_u32(65_536).unwrap();
    let one = BigNum::from_u32(1).unwrap();
    let cases = [
        ("16384 bits", certificate(&certificate_with(odd_number(16_384), usual())), "16384 bits"),
        ("8193 bits", certificate(&certificate_with(odd_number(8193), usual())), "8193 bits"),
        ("1024 bits", certificate(&certificate_with(odd_number(1024), usual())), "1024 bits"),
        (
            "e of 4096 bits",
            certificate(&certificate_with(odd_number(4096), odd_number(4095))),
            "exponent",
        ),
        (
            "e of 33 bits",
            certificate(&certificate_with(odd_number(2048), odd_number(33))),
            "exponent",
        ),
        ("a bare key of 16384 bits", value(&odd_number(16_384), &usual()), "16384 bits"),
        ("a bare key of a megabyte", value(&odd_number(3_200_000), &usual()), "bits"),
        ("a bare e of 4096 bits", value(&odd_number(2048), &odd_number(4096)), "exponent"),
        ("e = 1", value(&odd_number(2048), &one), "exponent"),
        ("an even e", value(&odd_number(2048), &even), "exponent"),
        ("a small curve", certificate(&OddKey::ec(Nid::X9_62_PRIME192V1).certificate), "curve"),
        ("another curve", certificate(&OddKey::ec(Nid::SECP256K1).certificate), "curve"),
        ("DSA", certificate(&OddKey::dsa().certificate), "neither RSA nor EC"),
    ];
    for (what, key, says) in cases {
        let alone = format!("{}{key}{}", &good[..start], &good[end..]);
        let answer = world.add_idp("other", &alone, "").await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.body);
        assert!(answer.body.contains(says), "{what}: {}", answer.body);
        let path = format!("{API_IDENTITY_PROVIDERS}/other");
        assert_eq!(world.api("GET", &path, "application/json", "").await.status, 404, "{what}");
    }
    // Beside a key that is fit, one that is not is left out and told.
    let unfit = format!(
        "<md:KeyDescriptor use=\"signing\"><ds:KeyInfo>{}</ds:KeyInfo></md:KeyDescriptor>",
        value(&odd_number(16_384), &usual())
    );
    let both = world.add_idp("other", &with_keys(&good, &[unfit]), "").await;
    assert_eq!(both.status, 201, "{}", both.body);
    assert_eq!(both.json()["keys"].as_array().map(Vec::len), Some(1), "{}", both.body);
    assert!(both.body.contains("16384 bits"), "{}", both.body);
}
