//! Keys for the tests of this module, made once per run.

use std::sync::LazyLock;

use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

use super::sign::SigningKey;
use super::verify::TrustedKeys;

pub(super) static RSA: LazyLock<SigningKey> = LazyLock::new(|| signing(rsa(2048)));
pub(super) static OTHER_RSA: LazyLock<SigningKey> = LazyLock::new(|| signing(rsa(2048)));
pub(super) static P256: LazyLock<SigningKey> = LazyLock::new(|| signing(ec(Nid::X9_62_PRIME256V1)));
pub(super) static P384: LazyLock<SigningKey> = LazyLock::new(|| signing(ec(Nid::SECP384R1)));
pub(super) static P521: LazyLock<SigningKey> = LazyLock::new(|| signing(ec(Nid::SECP521R1)));

pub(super) fn rsa(bits: u32) -> PKey<Private> {
    Rsa::generate(bits).and_then(PKey::from_rsa).unwrap()
}

pub(super) fn ec(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    EcKey::generate(&group).and_then(PKey::from_ec_key).unwrap()
}

pub(super) fn trusted(keys: &[&SigningKey]) -> TrustedKeys {
    TrustedKeys::new(keys.iter().map(|key| key.public_key().clone()).collect()).unwrap()
}

fn signing(key: PKey<Private>) -> SigningKey {
    SigningKey::new(key).unwrap()
}
