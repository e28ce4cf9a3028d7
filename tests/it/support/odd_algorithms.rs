//! Ways to sign that must count, and ways that must not, with keys that an IdP's metadata holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::X509;

use super::odd_signer::{
    OddKey, RSA_SHA256, Recipe, SHA256, Signature, digest_info, ecdsa, ecdsa_der, hmac, pss, rsa,
    rsa_raw,
};

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const MORE: &str = "http://www.w3.org/2001/04/xmldsig-more#";
const PSS_SHA256: &str = "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1";
const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";

/// Keys of every kind.
pub struct Keys {
    pub rsa: OddKey,
    /// RSA with the exponent 3.
    pub cubic: OddKey,
    pub p256: OddKey,
    pub p384: OddKey,
    /// Too small to count.
    pub small: OddKey,
    /// Of a kind that does not count.
    pub dsa: OddKey,
}

type Named = (String, Recipe);

impl Keys {
    pub fn generate() -> Self {
        Self {
            rsa: OddKey::rsa(2048),
            cubic: OddKey::rsa_with_exponent(2048, 3),
            p256: OddKey::ec(Nid::X9_62_PRIME256V1),
            p384: OddKey::ec(Nid::SECP384R1),
            small: OddKey::rsa(1024),
            dsa: OddKey::dsa(),
        }
    }

    /// `md:KeyDescriptor`s for signing, of all of them.
    pub fn descriptors(&self) -> Vec<String> {
        let all = [&self.rsa, &self.cubic, &self.p256, &self.p384, &self.small, &self.dsa];
        all.iter().map(|key| key.descriptor(Some("signing"))).collect()
    }

    pub fn good(&self) -> Recipe {
        Recipe::new(RSA_SHA256, rsa(&self.rsa, MessageDigest::sha256()))
    }

    /// What is signed like this is believed.
    pub fn accepted(&self) -> Vec<Named> {
        let (sha256, sha384, sha512) =
            (MessageDigest::sha256(), MessageDigest::sha384(), MessageDigest::sha512());
        let more = |name: &str| format!("{MORE}{name}");
        vec![
            ("RSA-SHA256".into(), self.good()),
            ("RSA-SHA384".into(), Recipe::new(&more("rsa-sha384"), rsa(&self.rsa, sha384))),
            ("RSA-SHA512".into(), Recipe::new(&more("rsa-sha512"), rsa(&self.rsa, sha512))),
            ("exponent 3".into(), Recipe::new(RSA_SHA256, rsa(&self.cubic, sha256))),
            ("PSS".into(), Recipe::new(PSS_SHA256, pss(&self.rsa, sha256, sha256, 32))),
            ("P-256".into(), Recipe::new(ECDSA_SHA256, ecdsa(&self.p256, sha256))),
            ("P-384".into(), Recipe::new(&more("ecdsa-sha384"), ecdsa(&self.p384, sha384))),
        ]
    }

    /// What must not be believed, in XML and in a query.
    pub fn refused(&self) -> Vec<Named> {
        let (weak, unnamed, hmac) = (self.weak(), self.unnamed(), self.hmac());
        [weak, unnamed, hmac, self.mismatched(), self.odd_ecdsa(), self.odd_padding()].concat()
    }

    /// What only an XML signature can say.
    pub fn refused_in_xml(&self) -> Vec<Named> {
        let good = self.good();
        let digests = [
            ("SHA-1", format!("{DSIG}sha1"), MessageDigest::sha1()),
            ("MD5", format!("{MORE}md5"), MessageDigest::md5()),
            ("SHA-224", format!("{MORE}sha224"), MessageDigest::sha224()),
            ("SHA-1 under the name of SHA-256", SHA256.to_owned(), MessageDigest::sha1()),
            ("no name", String::new(), MessageDigest::sha256()),
            ("upper case", SHA256.to_uppercase(), MessageDigest::sha256()),
        ];
        let mut all: Vec<Named> = digests
            .into_iter()
            .map(|(what, uri, digest)| {
                (format!("digest {what}"), good.clone().with_digest(&uri, digest))
            })
            .collect();
        // CVE-2009-0217: the attacker says how many bits count.
        let secret = &self.rsa.certificate;
        for (bits, bytes) in [(0, 0), (1, 1), (8, 1), (160, 20)] {
            let length = format!("<ds:HMACOutputLength>{bits}</ds:HMACOutputLength>");
            let sha1 = hmac(secret, MessageDigest::sha1(), bytes);
            let recipe = Recipe::new(&format!("{DSIG}hmac-sha1"), sha1).with_parameters(&length);
            all.push((format!("HMAC cut to {bits} bits"), recipe));
            all.push((format!("RSA and {bits} bits of it"), good.clone().with_parameters(&length)));
        }
        all.push(("no value".into(), good.clone_with(|_| Vec::new())));
        let parameters = "<pss:RSAPSSParams xmlns:pss=\"http://www.w3.org/2007/05/xmldsig-more#\">\
                          </pss:RSAPSSParams>";
        let sha256 = MessageDigest::sha256();
        all.push((
            "PSS with parameters".into(),
            Recipe::new(PSS_SHA256, pss(&self.rsa, sha256, sha256, 32)).with_parameters(parameters),
        ));
        all
    }

    /// Algorithms that are not listed, each with a value that is right for it.
    fn weak(&self) -> Vec<Named> {
        let (sha1, sha256) = (MessageDigest::sha1(), MessageDigest::sha256());
        let named = |uri: String, sign: Box<Signature>| (uri.clone(), Recipe::new(&uri, sign));
        vec![
            named(format!("{DSIG}rsa-sha1"), Box::new(rsa(&self.rsa, sha1))),
            named(format!("{MORE}rsa-md5"), Box::new(rsa(&self.rsa, MessageDigest::md5()))),
            named(format!("{MORE}rsa-sha224"), Box::new(rsa(&self.rsa, MessageDigest::sha224()))),
            named(format!("{MORE}ecdsa-sha1"), Box::new(ecdsa(&self.p256, sha1))),
            named(format!("{DSIG}dsa-sha1"), Box::new(rsa(&self.dsa, sha1))),
            named(
                "http://www.w3.org/2009/xmldsig11#dsa-sha256".into(),
                Box::new(rsa(&self.dsa, sha256)),
            ),
            ("RSA with 1024 bits".into(), Recipe::new(RSA_SHA256, rsa(&self.small, sha256))),
        ]
    }

    /// Names that are no names of an algorithm: nothing is assumed in their place.
    fn unnamed(&self) -> Vec<Named> {
        let upper = RSA_SHA256.to_uppercase();
        let names = [
            None,
            Some(""),
            Some(" "),
            Some("none"),
            Some("rsa-sha256"),
            Some("RSA-SHA256"),
            Some("1.2.840.113549.1.1.11"),
            Some(upper.as_str()),
            Some(" http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"),
            Some("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256 "),
            Some("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256#"),
            Some("https://www.w3.org/2001/04/xmldsig-more#rsa-sha256"),
        ];
        let mut all = Vec::new();
        for digest in [MessageDigest::sha1(), MessageDigest::sha256()] {
            for name in names {
                let recipe = Recipe::new("", rsa(&self.rsa, digest)).named(name);
                all.push((format!("{name:?} over {} bytes", digest.size()), recipe));
            }
        }
        all
    }

    /// A key for everybody to know, as a secret (Critical vulnerabilities in JSON Web Token
    /// libraries, 2015; the same in XML).
    fn hmac(&self) -> Vec<Named> {
        let certificate = X509::from_der(&self.rsa.certificate).unwrap();
        let public = self.rsa.public();
        let secrets: [(&str, Vec<u8>); 7] = [
            ("the certificate", self.rsa.certificate.clone()),
            ("the certificate in PEM", certificate.to_pem().unwrap()),
            ("the certificate in Base64", STANDARD.encode(&self.rsa.certificate).into_bytes()),
            ("the public key", self.rsa.public_der()),
            ("the public key in PEM", public.public_key_to_pem().unwrap()),
            ("the modulus", public.rsa().unwrap().n().to_vec()),
            ("nothing", vec![0]),
        ];
        let (sha1, sha256) = (MessageDigest::sha1(), MessageDigest::sha256());
        let mut all = Vec::new();
        for (what, secret) in secrets {
            for (uri, digest) in [
                (format!("{DSIG}hmac-sha1"), sha1),
                (format!("{MORE}hmac-sha256"), sha256),
                (RSA_SHA256.to_owned(), sha256),
            ] {
                let recipe = Recipe::new(&uri, hmac(&secret, digest, digest.size()));
                all.push((format!("HMAC with {what} as {uri}"), recipe));
            }
        }
        all
    }

    /// The name says one thing, the value is another.
    fn mismatched(&self) -> Vec<Named> {
        let (sha1, sha256, sha512) =
            (MessageDigest::sha1(), MessageDigest::sha256(), MessageDigest::sha512());
        let sha512_uri = format!("{MORE}rsa-sha512");
        let one =
            |what: &str, uri: &str, sign: Box<Signature>| (what.to_owned(), Recipe::new(uri, sign));
        let mut all = vec![
            one("RSA as ECDSA", ECDSA_SHA256, Box::new(rsa(&self.rsa, sha256))),
            one("ECDSA as RSA", RSA_SHA256, Box::new(ecdsa(&self.p256, sha256))),
            one("SHA-512 as SHA-256", RSA_SHA256, Box::new(rsa(&self.rsa, sha512))),
            one("SHA-256 as SHA-512", &sha512_uri, Box::new(rsa(&self.rsa, sha256))),
            one("SHA-1 as SHA-256", RSA_SHA256, Box::new(rsa(&self.rsa, sha1))),
            one("PSS as PKCS #1", RSA_SHA256, Box::new(pss(&self.rsa, sha256, sha256, 32))),
            one("PKCS #1 as PSS", PSS_SHA256, Box::new(rsa(&self.rsa, sha256))),
            one("PSS with another mask", PSS_SHA256, Box::new(pss(&self.rsa, sha256, sha1, 32))),
            one("PSS by SHA-1", PSS_SHA256, Box::new(pss(&self.rsa, sha1, sha1, 20))),
            one(
                "PSS by SHA-1 under its own name",
                "http://www.w3.org/2007/05/xmldsig-more#sha1-rsa-MGF1",
                Box::new(pss(&self.rsa, sha1, sha1, 20)),
            ),
            one(
                "PSS without a digest in its name",
                "http://www.w3.org/2007/05/xmldsig-more#rsa-pss",
                Box::new(pss(&self.rsa, sha256, sha256, 32)),
            ),
            one("ECDSA by SHA-512 as SHA-256", ECDSA_SHA256, Box::new(ecdsa(&self.p256, sha512))),
        ];
        for salt in [0, 20, 31, 33, 64, 222] {
            let sign = pss(&self.rsa, sha256, sha256, salt);
            all.push((format!("a salt of {salt} bytes"), Recipe::new(PSS_SHA256, sign)));
        }
        all
    }

    /// CVE-2022-21449 and its relatives: numbers that are no signature, and lengths that are none.
    fn odd_ecdsa(&self) -> Vec<Named> {
        let sha256 = MessageDigest::sha256();
        let key = self.p256.private.ec_key().unwrap();
        let mut order = BigNum::new().unwrap();
        key.group().order(&mut order, &mut BigNumContext::new().unwrap()).unwrap();
        let order = order.to_vec_padded(32).unwrap();
        let honest = ecdsa(&self.p256, sha256);
        type Bend = Box<dyn Fn(&[u8], &[u8]) -> Vec<u8>>;
        let (n, m) = (order.clone(), order);
        let bends: [(&str, Bend); 16] = [
            ("r = 0", Box::new(|_, s| [&[0; 32][..], s].concat())),
            ("s = 0", Box::new(|r, _| [r, &[0; 32][..]].concat())),
            ("both 0", Box::new(|_, _| vec![0; 64])),
            ("both 1", Box::new(|_, _| [&[0; 31][..], &[1]].concat().repeat(2))),
            ("r = n", Box::new(move |_, s| [&n[..], s].concat())),
            ("s = n", Box::new(move |r, _| [r, &m[..]].concat())),
            ("all ones", Box::new(|_, _| vec![0xFF; 64])),
            ("swapped", Box::new(|r, s| [s, r].concat())),
            ("a zero before each", Box::new(|r, s| [&[0][..], r, &[0], s].concat())),
            ("a zero before", Box::new(|r, s| [&[0][..], r, s].concat())),
            ("a zero after", Box::new(|r, s| [r, s, &[0][..]].concat())),
            ("a byte less", Box::new(|r, s| [r, &s[..31]].concat())),
            ("r alone", Box::new(|r, _| r.to_vec())),
            ("twice", Box::new(|r, s| [r, s, r, s].concat())),
            ("as wide as P-384", Box::new(|r, s| [&[0; 16][..], r, &[0; 16], s].concat())),
            ("nothing", Box::new(|_, _| Vec::new())),
        ];
        let mut all = vec![(
            "ECDSA in DER".to_owned(),
            Recipe::new(ECDSA_SHA256, ecdsa_der(&self.p256, sha256)),
        )];
        let honest = std::rc::Rc::new(honest);
        for (what, bend) in bends {
            let honest = std::rc::Rc::clone(&honest);
            let sign = move |octets: &[u8]| {
                let made = honest(octets);
                let (r, s) = made.split_at(32);
                bend(r, s)
            };
            all.push((format!("ECDSA: {what}"), Recipe::new(ECDSA_SHA256, sign)));
        }
        all
    }

    /// Bleichenbacher's forgery of 2006 and what else a sloppy reader of PKCS #1 v1.5 lets through.
    fn odd_padding(&self) -> Vec<Named> {
        type Pad = fn(&[u8], usize) -> Vec<u8>;
        let pads: [(&str, Pad); 9] = [
            ("garbage after the digest", |info, length| {
                fill(&[&[0, 1][..], &[0xFF; 8], &[0], info].concat(), length)
            }),
            ("short padding, garbage before", |info, length| {
                let tail = [&[0][..], info].concat();
                let mut block = fill(&[&[0, 1][..], &[0xFF; 8], &[0]].concat(), length);
                let at = length - tail.len();
                block[at..].copy_from_slice(&tail);
                block
            }),
            ("padding for encryption", |info, length| padded(2, 0xFF, info, length)),
            ("no block type", |info, length| padded(0, 0xFF, info, length)),
            ("padding of zeros", |info, length| padded(1, 0, info, length)),
            ("no separator", |info, length| {
                let mut block = padded(1, 0xFF, info, length);
                block[length - info.len() - 1] = 0xFF;
                block
            }),
            ("no algorithm", |info, length| padded(1, 0xFF, &info[19..], length)),
            ("no parameters", |info, length| {
                let mut short = [&info[..15], &info[17..]].concat();
                short[1] -= 2;
                short[3] -= 2;
                padded(1, 0xFF, &short, length)
            }),
            ("a long form of a length", |info, length| {
                let long = [&[0x30, 0x81][..], &info[1..]].concat();
                padded(1, 0xFF, &long, length)
            }),
        ];
        let mut all: Vec<Named> = pads
            .into_iter()
            .map(|(what, pad)| {
                let recipe = Recipe::new(RSA_SHA256, rsa_raw(&self.rsa, pad));
                (format!("PKCS #1: {what}"), recipe)
            })
            .collect();
        // The private key is not used for this one.
        let length = self.cubic.private.size();
        let forge = move |octets: &[u8]| cube_root_forgery(octets, length);
        all.push(("PKCS #1: a cube root".into(), Recipe::new(RSA_SHA256, forge)));
        for (what, cut) in [("a byte less", -1_i32), ("a zero before", 1)] {
            let honest = rsa(&self.rsa, MessageDigest::sha256());
            let sign = move |octets: &[u8]| match (honest(octets), cut) {
                (value, -1) => value[1..].to_vec(),
                (value, _) => [&[0][..], &value].concat(),
            };
            all.push((format!("RSA: {what}"), Recipe::new(RSA_SHA256, sign)));
        }
        all
    }
}

impl Recipe {
    /// The same names around another value.
    fn clone_with(&self, sign: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Self {
        Self::new("", sign)
            .named(self.method.as_deref())
            .with_parameters(&self.parameters)
            .with_digest(&self.digest_method, self.digest)
    }
}

/// `00 type padding… 00 content`, as long as the modulus.
fn padded(kind: u8, padding: u8, content: &[u8], length: usize) -> Vec<u8> {
    let mut block = vec![padding; length];
    block[0] = 0;
    block[1] = kind;
    let at = length - content.len();
    block[at - 1] = 0;
    block[at..].copy_from_slice(content);
    block
}

/// `start`, then garbage up to the length of the modulus.
fn fill(start: &[u8], length: usize) -> Vec<u8> {
    let mut block = vec![0x5A; length];
    block[..start.len()].copy_from_slice(start);
    block
}

/// A number whose cube begins with a well-padded digest of `octets`, for a key with the exponent 3
/// (D. Bleichenbacher, rump session of CRYPTO 2006). Whoever does not look at what follows the
/// digest takes it for a signature.
fn cube_root_forgery(octets: &[u8], length: usize) -> Vec<u8> {
    let start = [&[0, 1][..], &[0xFF; 8], &[0], &digest_info(octets)].concat();
    let mut target = start.clone();
    target.resize(length, 0);
    let target = BigNum::from_slice(&target).unwrap();
    let (mut low, mut high) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    high.set_bit(i32::try_from(length * 8 / 3 + 2).unwrap()).unwrap();
    // The smallest number whose cube is not below the target.
    loop {
        let mut middle = &low + &high;
        let mut half = BigNum::new().unwrap();
        half.rshift1(&middle).unwrap();
        std::mem::swap(&mut middle, &mut half);
        if middle == low {
            break;
        }
        match cube(&middle) < target {
            true => low = middle,
            false => high = middle,
        }
    }
    let cubed = cube(&high).to_vec_padded(i32::try_from(length).unwrap()).unwrap();
    assert_eq!(&cubed[..start.len()], start, "the forgery looks right from the front");
    high.to_vec_padded(i32::try_from(length).unwrap()).unwrap()
}

fn cube(number: &BigNumRef) -> BigNum {
    &(number * number) * number
}
