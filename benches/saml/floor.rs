//! Bare OpenSSL operations, each the floor of some path, with everything prepared that can be.

use std::hint::black_box;

use openssl::md::Md;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::{Padding, Rsa};
use openssl::symm::{self, Cipher};
use openssl::x509::X509;

use crate::measure::Floor;

const DIGEST: [u8; 32] = [7; 32];

/// One RSASSA-PKCS1-v1_5 verification of a SHA-256 digest.
pub(crate) fn rsa_verify(key: &PKey<Private>) -> Floor {
    let mut signer = PkeyCtx::new(key).expect("a key");
    signer.sign_init().expect("it signs");
    prepare(&mut signer);
    let mut signature = Vec::new();
    signer.sign_to_vec(&DIGEST, &mut signature).expect("a signature");
    let mut verifier = PkeyCtx::new(key).expect("a key");
    verifier.verify_init().expect("it verifies");
    prepare(&mut verifier);
    let run = move || {
        assert!(verifier.verify(&DIGEST, &signature).expect("a verdict"));
    };
    Floor { name: "RSA verify", run: Box::new(run) }
}

/// One RSASSA-PKCS1-v1_5 signature over a SHA-256 digest.
pub(crate) fn rsa_sign(key: &PKey<Private>) -> Floor {
    let mut signer = PkeyCtx::new(key).expect("a key");
    signer.sign_init().expect("it signs");
    prepare(&mut signer);
    let mut signature = vec![0; key.size()];
    let run = move || {
        signer.sign(&DIGEST, Some(&mut signature)).expect("a signature");
    };
    Floor { name: "RSA sign", run: Box::new(run) }
}

/// One RSA-OAEP decryption with SHA-1, and AES-256-GCM over `bytes` bytes.
pub(crate) fn decrypt(key: &PKey<Private>, bytes: usize) -> Floor {
    let mut encrypter = PkeyCtx::new(key).expect("a key");
    encrypter.encrypt_init().expect("it encrypts");
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP).expect("OAEP");
    let mut wrapped = Vec::new();
    encrypter.encrypt_to_vec(&DIGEST, &mut wrapped).expect("a ciphertext");
    let (iv, mut tag) = ([1; 12], [0; 16]);
    let cipher = Cipher::aes_256_gcm();
    let content = vec![b'x'; bytes];
    let content = symm::encrypt_aead(cipher, &DIGEST, Some(&iv), &[], &content, &mut tag)
        .expect("a ciphertext");
    let mut decrypter = PkeyCtx::new(key).expect("a key");
    decrypter.decrypt_init().expect("it decrypts");
    decrypter.set_rsa_padding(Padding::PKCS1_OAEP).expect("OAEP");
    let mut opened = vec![0; key.size()];
    let run = move || {
        let length = decrypter.decrypt(&wrapped, Some(&mut opened)).expect("the content's key");
        let key = opened.get(..length).expect("it fits");
        symm::decrypt_aead(cipher, key, Some(&iv), &[], &content, &tag).expect("the content");
    };
    Floor { name: "RSA-OAEP + AES-GCM", run: Box::new(run) }
}

/// Parsing one certificate and its key.
pub(crate) fn certificate(der: Vec<u8>) -> Floor {
    let run = move || {
        X509::from_der(&der).and_then(|parsed| parsed.public_key()).expect("a certificate");
    };
    Floor { name: "X.509 parse", run: Box::new(run) }
}

/// One SHA-256 over so many bytes: whoever believes a file must at least have digested it.
pub(crate) fn sha256(bytes: usize) -> Floor {
    let content = vec![b'x'; bytes];
    let run = move || {
        black_box(openssl::sha::sha256(&content));
    };
    Floor { name: "SHA-256", run: Box::new(run) }
}

pub(crate) fn rsa_key() -> PKey<Private> {
    Rsa::generate(2048).and_then(PKey::from_rsa).expect("a key")
}

fn prepare(context: &mut PkeyCtx<Private>) {
    context.set_rsa_padding(Padding::PKCS1).expect("PKCS #1 v1.5");
    context.set_signature_md(Md::sha256()).expect("SHA-256");
}
