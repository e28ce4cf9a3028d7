//! Signature wrapping: what was signed stays somewhere in the document and what is read is
//! something else (Somorovsky and others, "On Breaking SAML", USENIX Security 2012; the eight
//! permutations are those of SAML Raider).

use super::{Attack, Target};

/// The permutations that any signed element allows.
pub fn permutations(target: &Target<'_>) -> Vec<Attack> {
    let (path, signed) = (target.at("Signature"), target.signed);
    let (original, bare) = (target.original(), target.bare());
    let forged = target.forged_anew();
    let keeping = target.holding(&forged, &target.signature());
    let same_id = target.holding(&target.forged(), &target.signature());
    let nested = |logout_response| {
        target.code("response.nested", "response.misplaced_assertion", logout_response)
    };
    let all = [
        // XSW1 and XSW6
        (
            "the original inside the signature",
            keeping.last_in(&path, &bare),
            nested("sig.structure"),
        ),
        // XSW2
        (
            "the original before the signature",
            keeping.before(&path, &bare),
            nested("sig.ref_not_self"),
        ),
        (
            "the original after the signature",
            keeping.after(&path, &bare),
            nested("sig.ref_not_self"),
        ),
        // XSW4, and for a message: validation of an inner root
        ("a forgery around it, last", forged.last_in(signed, &original), nested("sig.misplaced")),
        (
            "a forgery around it, first",
            forged.before(&target.at("Issuer"), &original),
            nested("sig.misplaced"),
        ),
        // XSW5 as one tree
        (
            "the signature kept and the original at the end",
            keeping.last_in(signed, &bare),
            nested("sig.ref_not_self"),
        ),
        // XSW7
        (
            "a forgery with the same ID around it",
            target.forged().last_in(signed, format!("<x>{}</x>", original.as_str())),
            "id.duplicate",
        ),
        // XSW8, with the ID and without
        (
            "the original in an Object, the ID kept",
            same_id.last_in(&path, format!("<ds:Object>{}</ds:Object>", bare.as_str())),
            "id.duplicate",
        ),
        (
            "the original in an Object",
            keeping.last_in(&path, format!("<ds:Object>{}</ds:Object>", bare.as_str())),
            nested("sig.object"),
        ),
        (
            "the original in the KeyInfo",
            keeping.last_in(&path, format!("<ds:KeyInfo>{}</ds:KeyInfo>", bare.as_str())),
            nested(if keeping.has("KeyInfo") { "sig.structure" } else { "sig.ref_not_self" }),
        ),
    ];
    let attacks = all.into_iter();
    attacks
        .map(|(what, element, code)| target.deceives(what, &target.with(element), code))
        .collect()
}

/// A forged Assertion beside the signed one.
pub fn siblings(target: &Target<'_>) -> Vec<Attack> {
    assert_eq!(target.signed, "Assertion");
    let (message, forged) = (&target.message, target.forged_anew());
    let (original, bare) = (target.original(), target.bare());
    let keeping = target.holding(&forged, &target.signature());
    let many: String = (0..49)
        .map(|number| forged.with_attribute("Assertion", "ID", &format!("_{number}")).into_string())
        .collect();
    let extensions = |content: &str| format!("<samlp:Extensions>{content}</samlp:Extensions>");
    let (several, misplaced) = ("response.several_assertions", "response.misplaced_assertion");
    [
        // XSW3
        ("a forgery before it", message.before("Assertion", &forged), several),
        ("a forgery after it", message.after("Assertion", &forged), several),
        ("49 forgeries before it", message.before("Assertion", &many), several),
        ("49 forgeries after it", message.after("Assertion", &many), several),
        // XSW5
        (
            "a forgery that took the signature, and the original",
            target.with(format!("{}{}", keeping.as_str(), bare.as_str())),
            several,
        ),
        // XSW7
        (
            "a forgery with the same ID in Extensions",
            message.before("Status", extensions(target.forged().as_str())),
            "id.duplicate",
        ),
        (
            "a forgery in Extensions",
            message.before("Status", extensions(forged.as_str())),
            misplaced,
        ),
        (
            "the original in Extensions, a forgery in its place",
            target.with(&forged).before("Status", extensions(original.as_str())),
            misplaced,
        ),
        (
            "a forgery in the StatusDetail",
            message.last_in(
                "Status",
                format!("<samlp:StatusDetail>{}</samlp:StatusDetail>", forged.as_str()),
            ),
            misplaced,
        ),
        (
            "a forgery in the KeyInfo",
            message.last_in(
                "Assertion/Signature",
                format!("<ds:KeyInfo>{}</ds:KeyInfo>", forged.as_str()),
            ),
            misplaced,
        ),
        (
            "the signature at the Response, the Assertion in Extensions, a forgery in its place",
            target
                .with(&forged)
                .before("Status", target.signature())
                .before("Status", extensions(bare.as_str())),
            misplaced,
        ),
        (
            "its Response inside a Response",
            {
                let outer = message.with_attribute("Response", "ID", "_outer");
                let outer = outer.replaced("Assertion", &forged);
                outer.before("Assertion", message)
            },
            "response.nested",
        ),
    ]
    .into_iter()
    .map(|(what, message, code)| target.deceives(what, &message, code))
    .collect()
}

/// Elements that are called like the signed one and are something else.
pub fn namesakes(target: &Target<'_>) -> Vec<Attack> {
    assert_eq!(target.signed, "Assertion");
    let message = &target.message;
    let forged = target.forged_anew();
    let in_namespace = |uri: &str| {
        let forged = forged.with_attribute("Assertion", "xmlns:saml", uri);
        message.before("Assertion", forged)
    };
    let unprefixed = forged.substituted("saml:", "");
    let by_default = |uri: &str| {
        message.before("Assertion", unprefixed.with_attribute("Assertion", "xmlns", uri))
    };
    let other_prefix = forged.substituted("saml:", "p:").with_attribute(
        "Assertion",
        "xmlns:p",
        sloop::xml::ns::SAML,
    );
    let (several, misplaced) = ("response.several_assertions", "response.misplaced_assertion");
    [
        ("its prefix bound to another namespace", in_namespace("urn:evil"), misplaced),
        (
            "its prefix bound to SAML 1",
            in_namespace("urn:oasis:names:tc:SAML:1.0:assertion"),
            misplaced,
        ),
        (
            "its namespace in capitals",
            in_namespace("URN:OASIS:NAMES:TC:SAML:2.0:ASSERTION"),
            misplaced,
        ),
        ("a default namespace", by_default("urn:evil"), misplaced),
        ("its own namespace as the default", by_default(sloop::xml::ns::SAML), several),
        ("no namespace", message.before("Assertion", &unprefixed), misplaced),
        ("another prefix", message.before("Assertion", other_prefix), several),
        (
            "an EncryptedAssertion that holds it in the clear",
            message.before(
                "Assertion",
                format!("<saml:EncryptedAssertion>{}</saml:EncryptedAssertion>", forged.as_str()),
            ),
            misplaced,
        ),
    ]
    .into_iter()
    .map(|(what, message, code)| target.deceives(what, &message, code))
    .collect()
}
