//! Which keys are parsed, and which signatures they verify.

use openssl::bn::BigNumContext;
use openssl::hash::MessageDigest;
use openssl::pkey::Private;
use openssl::sign::Signer;

use super::*;
use crate::xml::test_keys::{self, P256, RSA};

fn public(key: &PKey<Private>) -> Result<PublicKey, KeyError> {
    PublicKey::from_spki_der(&key.public_key_to_der().unwrap())
}

#[test]
fn only_keys_of_the_accepted_kinds_and_sizes_are_parsed() {
    let small = public(&test_keys::rsa(1024)).unwrap_err();
    assert_eq!((small, small.code()), (KeyError::RsaSize { bits: 1024 }, "key.rsa_size"));
    assert_eq!(public(&test_keys::ec(Nid::SECP256K1)), Err(KeyError::Curve));
    assert_eq!(public(&PKey::generate_ed25519().unwrap()), Err(KeyError::Kind));
    assert_eq!(PublicKey::from_spki_der(b""), Err(KeyError::Malformed));
    assert_eq!(PublicKey::from_certificate_der(b"0"), Err(KeyError::Malformed));

    assert_eq!((RSA.public_key().kind(), RSA.public_key().bits()), (KeyKind::Rsa, 2048));
    assert_eq!((P256.public_key().kind(), P256.public_key().bits()), (KeyKind::Ec, 256));
    let p521 = public(&test_keys::ec(Nid::SECP521R1)).unwrap();
    assert_eq!((p521.kind(), p521.bits()), (KeyKind::Ec, 521));
}

#[test]
fn the_thumbprint_is_of_the_whole_subject_public_key_info() {
    let ec = [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1].map(test_keys::ec);
    for key in std::iter::once(test_keys::rsa(2048)).chain(ec) {
        let spki = key.public_key_to_der().unwrap();
        let thumbprint = public(&key).unwrap().thumbprint();
        assert_eq!(thumbprint.as_bytes(), &openssl::sha::sha256(&spki));
    }
}

#[test]
fn a_certificate_gives_its_key() {
    let key = test_keys::rsa(2048);
    let mut certificate = X509::builder().unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&openssl::asn1::Asn1Time::from_unix(0).unwrap()).unwrap();
    certificate.set_not_after(&openssl::asn1::Asn1Time::from_unix(1).unwrap()).unwrap();
    certificate.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
    let der = certificate.build().to_der().unwrap();
    let parsed = PublicKey::from_certificate_der(&der).unwrap();
    assert_eq!(Ok(&parsed), public(&key).as_ref());
    assert_eq!(parsed.thumbprint().to_string().len(), 64);
    let half = der.get(..der.len() / 2).unwrap();
    assert_eq!(PublicKey::from_certificate_der(half), Err(KeyError::Malformed));
}

#[test]
fn rsa_components_are_checked_before_they_are_used() {
    let modulus = |bits: usize| {
        let mut bytes = vec![0xFF; bits / 8];
        bytes[0] = 0x80;
        bytes
    };
    let parse = |bits, exponent: &[u8]| {
        PublicKey::from_rsa_components(&modulus(bits), exponent).map(|key| key.bits())
    };
    assert_eq!(parse(2048, &[1, 0, 1]), Ok(2048));
    assert_eq!(parse(8192, &[3]), Ok(8192));
    assert_eq!(parse(2048, &[0xFF, 0xFF, 0xFF, 0xFF]), Ok(2048));
    assert_eq!(parse(8200, &[1, 0, 1]), Err(KeyError::RsaSize { bits: 8200 }));
    assert_eq!(parse(2040, &[1, 0, 1]), Err(KeyError::RsaSize { bits: 2040 }));
    for exponent in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
        assert_eq!(parse(2048, exponent), Err(KeyError::RsaExponent), "{exponent:?}");
    }
}

/// Signs as `algorithm` says, whatever the key is otherwise used for.
fn sign(key: &PKey<Private>, algorithm: SignatureAlgorithm, data: &[u8]) -> Vec<u8> {
    match key.ec_key() {
        Ok(ec) => {
            let digest = openssl::hash::hash(algorithm.digest(), data).unwrap();
            let signature = EcdsaSig::sign(&digest, &ec).unwrap();
            octets(&ec, signature.r(), signature.s())
        }
        Err(_) => {
            let salt = RsaPssSaltlen::DIGEST_LENGTH;
            sign_rsa(key, algorithm, algorithm.digest(), salt, data)
        }
    }
}

fn sign_rsa(
    key: &PKey<Private>,
    algorithm: SignatureAlgorithm,
    mask: MessageDigest,
    salt: RsaPssSaltlen,
    data: &[u8],
) -> Vec<u8> {
    let mut signer = Signer::new(algorithm.digest(), key).unwrap();
    if algorithm.is_pss() {
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signer.set_rsa_mgf1_md(mask).unwrap();
        signer.set_rsa_pss_saltlen(salt).unwrap();
    }
    signer.sign_oneshot_to_vec(data).unwrap()
}

/// `r` and `s`, each as long as the field, with the leading octets cut off if they are longer.
fn octets(key: &EcKey<Private>, r: &BigNumRef, s: &BigNumRef) -> Vec<u8> {
    let length = key.group().degree().div_ceil(8) as i32;
    let padded = |number: &BigNumRef| number.to_vec_padded(length).unwrap();
    [padded(r), padded(s)].concat()
}

fn pairs() -> Vec<(&'static str, PKey<Private>)> {
    vec![
        ("RSA", test_keys::rsa(2048)),
        ("P-256", test_keys::ec(Nid::X9_62_PRIME256V1)),
        ("P-384", test_keys::ec(Nid::SECP384R1)),
        ("P-521", test_keys::ec(Nid::SECP521R1)),
    ]
}

#[test]
fn every_algorithm_verifies_with_its_own_kind_of_key_and_under_its_own_name_only() {
    let pairs = pairs();
    for (name, pair) in &pairs {
        let kind = public(pair).unwrap().kind();
        for algorithm in SignatureAlgorithm::ALL.into_iter().filter(|a| a.key_kind() == kind) {
            let signature = sign(pair, algorithm, b"data");
            for (other_name, other) in &pairs {
                let key = public(other).unwrap();
                for claimed in SignatureAlgorithm::ALL {
                    let expected = name == other_name && claimed == algorithm;
                    let verified = key.verifies(claimed, b"data", &signature);
                    assert_eq!(verified, expected, "{name} {algorithm:?} {other_name} {claimed:?}");
                }
            }
            let key = public(pair).unwrap();
            assert!(!key.verifies(algorithm, b"date", &signature), "{algorithm:?}");
        }
    }
}

#[test]
fn a_signature_has_exactly_its_length() {
    for (name, pair) in pairs() {
        let key = public(&pair).unwrap();
        for algorithm in SignatureAlgorithm::ALL.into_iter().filter(|a| a.key_kind() == key.kind())
        {
            let signature = sign(&pair, algorithm, b"data");
            let length = signature.len();
            assert!(key.verifies(algorithm, b"data", &signature));
            let longer = [&[0][..], &signature].concat();
            let trailing = [&signature[..], &[0]].concat();
            let (zeros, ones) = (vec![0; length], vec![0xFF; length]);
            for bad in [
                &[][..],
                &[1],
                &signature[..length - 1],
                &signature[1..],
                &longer,
                &trailing,
                &zeros,
                &ones,
            ] {
                let verified = key.verifies(algorithm, b"data", bad);
                assert!(!verified, "{name} {algorithm:?} {} octets", bad.len());
            }
        }
    }
}

#[test]
fn ecdsa_numbers_are_from_one_to_the_order_and_never_in_der() {
    for (name, pair) in pairs().split_off(1) {
        let (key, ec) = (public(&pair).unwrap(), pair.ec_key().unwrap());
        let algorithm = SignatureAlgorithm::EcdsaSha256;
        let digest = openssl::hash::hash(algorithm.digest(), b"data").unwrap();
        let good = EcdsaSig::sign(&digest, &ec).unwrap();
        let verifies =
            |r: &BigNumRef, s: &BigNumRef| key.verifies(algorithm, b"data", &octets(&ec, r, s));
        assert!(verifies(good.r(), good.s()), "{name}");

        let small = |value| BigNum::from_u32(value).unwrap();
        let plus = |a: &BigNumRef, b: &BigNumRef| {
            let mut sum = BigNum::new().unwrap();
            sum.checked_add(a, b).unwrap();
            sum
        };
        let mut context = BigNumContext::new().unwrap();
        let mut order = BigNum::new().unwrap();
        ec.group().order(&mut order, &mut context).unwrap();
        let [mut field, mut a, mut b] = [(); 3].map(|()| BigNum::new().unwrap());
        ec.group().components_gfp(&mut field, &mut a, &mut b, &mut context).unwrap();
        let [zero, one] = [0, 1].map(small);
        let beyond = plus(&order, &one);
        let edges = [&zero, &one, &order, &beyond, &field];
        for bad in edges {
            assert!(!verifies(bad, good.s()), "{name}: r = {bad:?}");
            assert!(!verifies(good.r(), bad), "{name}: s = {bad:?}");
            for other in edges {
                assert!(!verifies(bad, other), "{name}: r = {bad:?}, s = {other:?}");
            }
        }
        assert!(!verifies(good.s(), good.r()), "{name}: swapped");
        // P-521 has room above its order: the same number modulo the order is not the same.
        if name == "P-521" {
            assert!(!verifies(&plus(good.r(), &order), good.s()));
            assert!(!verifies(good.r(), &plus(good.s(), &order)));
        }

        let der = good.to_der().unwrap();
        assert!(!key.verifies(algorithm, b"data", &der), "{name}: DER");
        let mut cut = der.clone();
        cut.resize(octets(&ec, good.r(), good.s()).len(), 0);
        assert!(!key.verifies(algorithm, b"data", &cut), "{name}: DER of the right length");
    }
}

#[test]
fn pss_has_one_mask_and_one_salt_length() {
    use SignatureAlgorithm::{RsaPssSha256, RsaPssSha384, RsaPssSha512};
    let pair = test_keys::rsa(2048);
    let key = public(&pair).unwrap();
    let same = || RsaPssSaltlen::DIGEST_LENGTH;
    for (algorithm, salt) in [(RsaPssSha256, 32), (RsaPssSha384, 48), (RsaPssSha512, 64)] {
        let verifies = |mask, salt| {
            let signature = sign_rsa(&pair, algorithm, mask, salt, b"data");
            key.verifies(algorithm, b"data", &signature)
        };
        let own = algorithm.digest();
        assert!(verifies(own, same()) && verifies(own, RsaPssSaltlen::custom(salt)));
        for other in [0, 20, salt - 1, salt + 1, 100] {
            assert!(!verifies(own, RsaPssSaltlen::custom(other)), "{algorithm:?} {other}");
        }
        assert!(!verifies(MessageDigest::sha1(), same()), "{algorithm:?}");
        let other = if algorithm == RsaPssSha256 {
            MessageDigest::sha512()
        } else {
            MessageDigest::sha256()
        };
        assert!(!verifies(other, same()), "{algorithm:?}");
    }
}

#[test]
fn an_rsa_signature_is_padded_exactly_as_it_is_made() {
    // Bleichenbacher 2006: what stands before the digest is not parsed but compared, so nothing can
    // hide there. Each block is right but for one thing, and raised to the private exponent.
    let pair = test_keys::rsa(2048);
    let (key, rsa) = (public(&pair).unwrap(), pair.rsa().unwrap());
    let digest = openssl::hash::hash(MessageDigest::sha256(), b"data").unwrap();
    let info = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    let verifies = |kind: u8, fill: u8, info: &[u8], tail: &[u8]| {
        let padding = vec![fill; 256 - 3 - info.len() - digest.len() - tail.len()];
        let block = [&[0, kind][..], &padding, &[0], info, &digest, tail].concat();
        let mut signature = vec![0; 256];
        rsa.private_encrypt(&block, &mut signature, Padding::NONE).unwrap();
        key.verifies(SignatureAlgorithm::RsaSha256, b"data", &signature)
    };
    assert!(verifies(1, 0xFF, &info, &[]));
    assert!(!verifies(1, 0xFF, &info, &[0; 8]), "octets after the digest");
    assert!(!verifies(1, 0xFF, &info, &[0; 200]), "short padding, octets after the digest");
    assert!(!verifies(1, 0x00, &info, &[]), "padding of zeros");
    assert!(!verifies(1, 0xAB, &info, &[]), "padding of anything");
    assert!(!verifies(2, 0xFF, &info, &[]), "padding for encryption");
    assert!(!verifies(0, 0xFF, &info, &[]), "another block type");
    assert!(!verifies(1, 0xFF, &[], &[]), "no DigestInfo");
    let mut sha1 = info;
    sha1[14] = 2;
    assert!(!verifies(1, 0xFF, &sha1, &[]), "another digest's name");
    // BER allows a length in more octets than it needs; DER does not.
    let mut longer = info.to_vec();
    longer.splice(15..17, [0x05, 0x81, 0x00]);
    assert!(!verifies(1, 0xFF, &longer, &[]), "a length in two octets");
}
