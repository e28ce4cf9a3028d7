//! Signs the messages of `fixtures/saml/golden/samael`: see the README there. In this folder:
//! `cargo run --example golden --target-dir ../../target`

use std::path::{Path, PathBuf};

use openssl::pkey::PKey;
use samael::crypto::{Crypto, CryptoProvider as _};

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const MORE: &str = "http://www.w3.org/2001/04/xmldsig-more#";

fn main() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let make = fixtures.join("saml/golden/make");
    let pem = std::fs::read(fixtures.join("keys/idp-rsa.pem")).expect("the key");
    let key = PKey::private_key_from_pem(&pem).and_then(|key| key.private_key_to_der());
    let key = key.expect("the key is in PEM");
    let folder = fixtures.join("saml/golden/samael");
    std::fs::create_dir_all(&folder).expect("a folder");
    for line in std::fs::read_to_string(make.join("cases.txt")).expect("the cases").lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(name) = words.next().filter(|_| words.any(|signer| signer == "samael")) else {
            continue;
        };
        let xml = signed(&make, name, &key);
        println!("samael/{name}.xml {}", xml.len());
        std::fs::write(folder.join(format!("{name}.xml")), xml).expect("a written file");
    }
}

fn signed(make: &Path, name: &str, key: &[u8]) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let [template, signed, algorithm, prefixes @ ..] = parts.as_slice() else {
        panic!("{name} is not TEMPLATE.SIGNED.ALGORITHM");
    };
    let path: PathBuf = make.join("templates").join(format!("{template}.xml"));
    let mut xml = std::fs::read_to_string(path).expect("the template");
    // The inner one first: the outer one signs it too.
    let elements = if *signed == "both" { vec!["assertion", "response"] } else { vec![*signed] };
    for element in elements {
        let id = format!("_{element}");
        let start = xml.find(&format!("ID=\"{id}\"")).or_else(|| xml.find(&format!("ID='{id}'")));
        let start = start.expect("the element");
        let ends = ["</saml:Issuer>", "</Issuer>"].into_iter();
        let ends = ends.filter_map(|end| Some(xml[start..].find(end)? + start + end.len()));
        let end = ends.min().expect("its Issuer");
        xml.insert_str(end, &template_of(&id, algorithm, !prefixes.is_empty()));
        // It signs the first signature in the document: the one that was put in last.
        xml = Crypto::sign_xml(xml, key).expect("samael signs");
    }
    xml
}

fn template_of(id: &str, algorithm: &str, prefixes: bool) -> String {
    let listed = if prefixes {
        format!(
            "<ec:InclusiveNamespaces xmlns:ec=\"{EXCLUSIVE}\" PrefixList=\"#default xs xsi saml\"/>"
        )
    } else {
        String::new()
    };
    let digest = match algorithm {
        "rsa-sha384" => format!("{MORE}sha384"),
        "rsa-sha512" => "http://www.w3.org/2001/04/xmlenc#sha512".to_owned(),
        _ => "http://www.w3.org/2001/04/xmlenc#sha256".to_owned(),
    };
    format!(
        "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignedInfo>\
         <CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\">{listed}</CanonicalizationMethod>\
         <SignatureMethod Algorithm=\"{MORE}{algorithm}\"/><Reference URI=\"#{id}\"><Transforms>\
         <Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>\
         <Transform Algorithm=\"{EXCLUSIVE}\">{listed}</Transform></Transforms>\
         <DigestMethod Algorithm=\"{digest}\"/><DigestValue/></Reference></SignedInfo>\
         <SignatureValue/></Signature>"
    )
}
