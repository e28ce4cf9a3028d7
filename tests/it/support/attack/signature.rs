//! Attacks on the signature itself: what it holds, how often, and whether it is one at all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use sloop::xml::ns;

use super::{Attack, Target};
use crate::support::mutation::Xml;

/// The message without a signature that counts, saying what the attacker wants.
pub fn exclusions(target: &Target<'_>) -> Vec<Attack> {
    let path = target.at("Signature");
    let spoiled = target.spoiled();
    let value = target.at("Signature/SignatureValue");
    let empty = "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"></ds:Signature>";
    let unsigned = target.code("response.unsigned", "response.unsigned", "unsigned");
    [
        ("no signature", spoiled.without(&path), unsigned),
        ("an empty signature", spoiled.replaced(&path, empty), "sig.signedinfo_count"),
        (
            "a signature in another namespace",
            spoiled.with_attribute(&path, "xmlns:ds", "http://www.w3.org/2000/09/xmldsig"),
            unsigned,
        ),
        (
            "a signature of XML-DSig 1.1's namespace",
            spoiled.with_attribute(&path, "xmlns:ds", "http://www.w3.org/2009/xmldsig11#"),
            unsigned,
        ),
        (
            "a signature without namespace",
            spoiled.replaced(
                &path,
                spoiled
                    .outer(&path)
                    .without_attribute("Signature", "xmlns:ds")
                    .substituted("ds:", ""),
            ),
            unsigned,
        ),
        ("a signature without value", spoiled.without(&value), "sig.structure"),
        ("an empty value", spoiled.with(&value, ""), "sig.invalid"),
        ("an empty value in lines", spoiled.with(&value, "\n  \n"), "sig.invalid"),
        (
            "no SignedInfo",
            spoiled.without(&target.at("Signature/SignedInfo")),
            "sig.signedinfo_count",
        ),
        (
            "a signature in a comment",
            spoiled.replaced(&path, format!("<!--{}-->", target.signature().as_str())),
            unsigned,
        ),
        (
            "a signature as text",
            spoiled.replaced(&path, format!("<x><![CDATA[{}]]></x>", target.signature().as_str())),
            unsigned,
        ),
    ]
    .into_iter()
    .map(|(what, message, code)| target.misleads(what, &message, code))
    .collect()
}

/// More than one of what there must be one of, and the true one is only one of them.
pub fn repetitions(target: &Target<'_>) -> Vec<Attack> {
    let spoiled = target.spoiled();
    let (forged, genuine) = (target.forged_info(), target.signature().outer("SignedInfo"));
    let info = target.at("Signature/SignedInfo");
    let digest = target.at("Signature/SignedInfo/Reference/DigestValue");
    let smuggled =
        format!("<ds:DigestValue>{}</ds:DigestValue>", STANDARD.encode(target.forged_digest()));
    let in_front = |what: &str| {
        let x = format!("<ds:KeyInfo>{what}</ds:KeyInfo>");
        spoiled.without_any(&target.at("Signature/KeyInfo")).first_in(&target.at("Signature"), x)
    };
    let in_key_info = |what: &str| {
        let x = format!("<ds:KeyInfo>{what}</ds:KeyInfo>");
        spoiled.without_any(&target.at("Signature/KeyInfo")).last_in(&target.at("Signature"), x)
    };
    let in_comment = format!("<!--{}-->", STANDARD.encode(target.forged_digest()));
    let mut attacks = [
        // SAMLStorm: one SignedInfo is verified, another is believed.
        (
            "a forged SignedInfo before the true one",
            spoiled.before(&info, &forged),
            "sig.signedinfo_count",
        ),
        (
            "a forged SignedInfo after the true one",
            spoiled.after(&info, &forged),
            "sig.signedinfo_count",
        ),
        (
            "the true SignedInfo one level below, a forged one beside it",
            spoiled.replaced(&info, format!("<x>{}</x>{}", genuine.as_str(), forged.as_str())),
            "sig.structure",
        ),
        (
            "a forged SignedInfo, the true one in an Object",
            spoiled.replaced(&info, &forged).last_in(
                &target.at("Signature"),
                format!("<ds:Object>{}</ds:Object>", genuine.as_str()),
            ),
            "sig.object",
        ),
        (
            "a forged SignedInfo, the true one in the KeyInfo",
            in_key_info(genuine.as_str()).replaced(&info, &forged),
            "sig.invalid",
        ),
        ("a digest before everything", in_front(&smuggled), "sig.structure"),
        ("a digest in the KeyInfo", in_key_info(&smuggled), "sig.digest"),
        // What is in a comment is not signed, and some read it.
        (
            "a digest in a comment before the true one",
            spoiled.first_in(&digest, &in_comment),
            "sig.digest",
        ),
        (
            "a digest in a comment after the true one",
            spoiled.last_in(&digest, &in_comment),
            "sig.digest",
        ),
    ]
    .map(|(what, message, code)| target.deceives(what, &message, code))
    .to_vec();
    if target.signed == "Assertion" {
        // Outside of what is signed, and found by whoever looks for any digest (CVE-2024-45409).
        let detail = format!("<samlp:StatusDetail>{smuggled}</samlp:StatusDetail>");
        let detail =
            detail.replace("<ds:DigestValue", &format!("<ds:DigestValue xmlns:ds=\"{}\"", ns::DS));
        let message = spoiled.last_in("Status", detail);
        attacks.push(target.deceives("a digest in the StatusDetail", &message, "sig.digest"));
    }
    let signature = target.at("Signature");
    let forged = target.signature().replaced("SignedInfo", &forged);
    let without_value = forged.without("SignatureValue");
    for (what, message) in [
        ("a forged signature before the true one", spoiled.before(&signature, &forged)),
        ("a forged signature after the true one", spoiled.after(&signature, &forged)),
        ("a signature without value before it", spoiled.before(&signature, &without_value)),
        ("the true signature twice", spoiled.twice(&signature)),
    ] {
        attacks.push(target.misleads(what, &message, "sig.repeated"));
    }
    attacks
}

/// The signature holds, and its SignedInfo has a shape that the profile does not allow.
pub fn shapes(target: &Target<'_>) -> Vec<Attack> {
    let info = target.at("Signature/SignedInfo");
    let reference = target.at("Signature/SignedInfo/Reference");
    let message = &target.message;
    let other = "<ds:Reference URI=\"#_x\"/>";
    let copies = |count: usize| other.repeat(count);
    let digest = target.at("Signature/SignedInfo/Reference/DigestValue");
    let forged_digest =
        format!("<ds:DigestValue>{}</ds:DigestValue>", STANDARD.encode(target.forged_digest()));
    let forged =
        message.outer(&reference).with("DigestValue", STANDARD.encode(target.forged_digest()));
    let count = "sig.reference_count";
    let cases: Vec<(&str, Xml, &str)> = vec![
        ("two references", message.after(&reference, other), count),
        ("two references, the true one last", message.before(&reference, other), count),
        ("ten references", message.after(&reference, copies(9)), count),
        ("a thousand references", message.after(&reference, copies(999)), count),
        (
            "a thousand references, the true one last",
            message.before(&reference, copies(999)),
            count,
        ),
        ("the same reference twice", message.twice(&reference), count),
        ("a forged reference first", message.before(&reference, &forged), count),
        ("a forged reference last", message.after(&reference, &forged), count),
        ("no reference", message.without(&reference), count),
        (
            "a reference in a Manifest",
            message.wrapped(&reference, "<ds:Manifest>", "</ds:Manifest>"),
            count,
        ),
        (
            "a forged digest before the true one",
            message.before(&digest, &forged_digest),
            "sig.structure",
        ),
        (
            "a forged digest after the true one",
            message.after(&digest, &forged_digest),
            "sig.structure",
        ),
        ("something more in SignedInfo", message.last_in(&info, "<x/>"), "sig.structure"),
        ("something more in Reference", message.last_in(&reference, "<x/>"), "sig.structure"),
        ("no digest", message.without(&digest), "sig.structure"),
        (
            "the digest in an element of another namespace",
            message.substituted("<ds:DigestValue>", "<ds:DigestValue xmlns:ds=\"urn:evil\">"),
            "sig.structure",
        ),
    ];
    let again = |(what, message, code): (&str, Xml, _)| {
        Attack::new(format!("{what} of the {}", target.signed), target.signed_again(&message), code)
    };
    let mut attacks: Vec<Attack> = cases.into_iter().map(again).collect();
    let deeper = message.wrapped(&info, "<x>", "</x>");
    let what = format!("the SignedInfo one level below, of the {}", target.signed);
    attacks.push(Attack::new(what, deeper, "sig.signedinfo_count"));
    for (what, more, code) in [
        ("an Object", "<ds:Object><x/></ds:Object>", "sig.object"),
        ("an element that nobody knows", "<x/>", "sig.structure"),
        ("a second KeyInfo", "<ds:KeyInfo/><ds:KeyInfo/>", "sig.structure"),
        ("a second value", "<ds:SignatureValue>AAAA</ds:SignatureValue>", "sig.structure"),
    ] {
        let message = message.last_in(&target.at("Signature"), more);
        attacks.push(Attack::new(format!("{what} of the {}", target.signed), message, code));
    }
    attacks
}

/// An ID that somebody else could look up, in the one place which no signature covers.
pub fn duplicate_ids(target: &Target<'_>) -> Vec<Attack> {
    let names = ["ID", "Id", "id", "AssertionID", "xml:id", "samlp:ID", "saml:ID", "evil:id"];
    let attack = |name: &&str| {
        let message = decoy(target, name, target.id());
        Attack::new(format!("its ID as {name}, of the {}", target.signed), message, "id.duplicate")
    };
    names.iter().map(attack).collect()
}

/// The message with what the attacker wants in its KeyInfo, under an ID.
pub fn decoy(target: &Target<'_>, name: &str, id: &str) -> Xml {
    let mut forged = target.forged();
    if target.signed == "Response" {
        // Its own ID would be a second one too.
        forged = forged.without("Assertion");
    }
    let element = format!(
        "<ds:KeyInfo><x xmlns:evil=\"urn:evil\" xmlns:saml=\"{}\" xmlns:samlp=\"{}\" {name}=\"{id}\">{}</x>\
         </ds:KeyInfo>",
        ns::SAML,
        ns::SAMLP,
        forged.inner(target.signed),
    );
    let message = target.message.without_any(&target.at("Signature/KeyInfo"));
    message.last_in(&target.at("Signature"), element)
}

/// Values that are no signature and no digest, in a SignedInfo that is signed where it can be.
pub fn values(target: &Target<'_>) -> Vec<Attack> {
    let path = target.at("Signature/SignatureValue");
    let message = &target.message;
    let genuine = STANDARD.decode(message.inner(&path)).unwrap();
    let half = genuine.len() / 2;
    let mut flipped = genuine.clone();
    flipped[half] ^= 1;
    let longer = [&genuine[..], b"\0"].concat();
    let swapped = [&genuine[half..], &genuine[..half]].concat();
    let mut ones = vec![0; genuine.len()];
    (ones[half - 1], ones[genuine.len() - 1]) = (1, 1);
    let value = |bytes: &[u8]| message.with(&path, STANDARD.encode(bytes));
    let unpadded = STANDARD.encode(&genuine).trim_end_matches('=').to_owned();
    let cases: Vec<(&str, Xml, &str)> = vec![
        ("no octets", value(b""), "sig.invalid"),
        ("one octet", value(b"\0"), "sig.invalid"),
        ("zeros", value(&vec![0; genuine.len()]), "sig.invalid"),
        ("ones", value(&ones), "sig.invalid"),
        ("all bits", value(&vec![0xff; genuine.len()]), "sig.invalid"),
        ("one octet less", value(&genuine[1..]), "sig.invalid"),
        ("half of it", value(&genuine[..half]), "sig.invalid"),
        ("one octet more", value(&longer), "sig.invalid"),
        ("one bit", value(&flipped), "sig.invalid"),
        ("its halves swapped", value(&swapped), "sig.invalid"),
        ("a DER sequence", value(&[0x30, 6, 2, 1, 1, 2, 1, 1]), "sig.invalid"),
        ("minus one", message.with(&path, "-1"), "sig.base64"),
        ("no padding", message.with(&path, &unpadded), "sig.base64"),
        ("an element in it", message.first_in(&path, "<x/>"), "sig.base64"),
        ("markup around it", message.with(&path, format!("<x>{unpadded}</x>")), "sig.base64"),
    ];
    let named = |(what, message, code): (&str, Xml, _)| {
        Attack::new(format!("the value: {what}, of the {}", target.signed), message, code)
    };
    let mut attacks: Vec<Attack> = cases.into_iter().map(named).collect();
    let digest = target.at("Signature/SignedInfo/Reference/DigestValue");
    let genuine = STANDARD.decode(message.inner(&digest)).unwrap();
    let void = openssl::sha::sha256(b"");
    for (what, octets) in [
        ("nothing", &b""[..]),
        ("a beginning", &genuine[..16]),
        ("zeros", &[0; 32]),
        ("too much", &[&genuine[..], b"\0"].concat()),
        ("the digest of nothing", &void),
    ] {
        let message = target.signed_again(&message.with(&digest, STANDARD.encode(octets)));
        let what = format!("the digest: {what}, of the {}", target.signed);
        attacks.push(Attack::new(what, message, "sig.digest"));
    }
    attacks
}

/// The signature of nothing. A canonicaliser that fails, on a relative namespace for one, may leave
/// nothing behind; then this holds for every document (CVE-2025-66475).
pub fn voids(target: &Target<'_>) -> Vec<Attack> {
    let nothing = STANDARD.encode(openssl::sha::sha256(b""));
    let signed = STANDARD.encode(target.key.sign_octets(b"").unwrap());
    let void = target
        .spoiled()
        .with(&target.at("Signature/SignedInfo/Reference/DigestValue"), nothing)
        .with(&target.at("Signature/SignatureValue"), signed);
    let declared = |path: &str, uri: &str| void.with_attribute(path, "xmlns:x", uri);
    let root = if void.has("Response") { "Response" } else { target.signed };
    let mut attacks = vec![target.misleads("the signature of nothing", &void, "sig.invalid")];
    for uri in ["1", "x/y", "../x", "#x", "?x"] {
        for path in [root, target.signed, &target.at("Signature/SignedInfo")] {
            let what = format!("the signature of nothing, and {uri} in {path},");
            let attack = Attack::new(what, declared(path, uri), "xml.namespace_uri");
            attacks.push(attack);
        }
    }
    attacks
}
