//! What a value is: all of its text, however it is written, and nothing but that. A reader that
//! stops at a comment, or takes one letter for another, signs in somebody else.

use std::collections::HashMap;

use super::ambush::{Ambush, Base, HONEST};
use crate::both;
use crate::support::attack::Attack;
use crate::support::forger::Sign;
use crate::support::mutation::Xml;
use crate::support::world::On;

/// Ways to write `admin@x.test.evil.test` so that a careless reader finds `admin@x.test`, or some
/// other part. None of them changes what is signed: comments are not part of the canonical form,
/// and characters are characters however they are written.
const SPLIT: [&str; 9] = [
    "admin@x.test<!---->.evil.test",
    "<!---->admin@x.test.evil.test",
    "admin@x.test<!--><!-->.evil.test<!-- -->",
    "admin@x.test<![CDATA[.evil.test]]>",
    "<![CDATA[admin@x.test]]>.evil.test",
    "admin@x.test<![CDATA[]]>.evil.test",
    "admin@x.test&#46;evil.test",
    "admin@x.test&#x2e;evil.test",
    "&#97;dmin<!-- -->@<![CDATA[x.test]]>.e<!-- -->vil.test",
];

both!(a_name_is_all_of_its_text, names);
async fn names(on: On) {
    let ambush = Ambush::on(on).await;
    let whole = "admin@x.test.evil.test";
    let subject = sign_in(&ambush, whole, Base::Both, |xml| xml).await;
    let prefix = sign_in(&ambush, "admin@x.test", Base::Both, |xml| xml).await;
    assert_ne!(subject, prefix);
    for base in Base::ALL {
        for split in SPLIT {
            let read = sign_in(&ambush, whole, base, |xml| xml.with("NameID", split)).await;
            assert_eq!(read, subject, "{base:?}: {split}");
        }
    }
    // An instruction or an element is no text.
    for (split, code) in [
        ("admin@x.test<?evil?>.evil.test", "xml.processing_instruction"),
        ("admin@x.test<x/>.evil.test", "xml.not_text"),
        ("<x>admin@x.test</x>.evil.test", "xml.not_text"),
        ("admin@x.test<b></b>", "xml.not_text"),
    ] {
        let mut waiting = ambush.wait().await;
        let said = ambush.says(&waiting);
        let honest = ambush.forger.signed(&said, Sign::Response);
        let target = ambush.targets(Base::Response, &honest).remove(0);
        // The IdP signs it: what is refused is refused for what it is.
        let bare = target.bare().with("NameID", split);
        let message = match code {
            "xml.not_text" => ambush.forger.signs(bare.as_str()),
            _ => bare.into_string(),
        };
        ambush.refuses(&mut waiting, Base::Response, &Attack::new(split, message, code)).await;
        ambush.signs_in_the_honest(&mut waiting, honest).await;
    }
}

/// Who is signed in by an answer for this name, after something was done to the signed message.
async fn sign_in(ambush: &Ambush, name: &str, base: Base, change: impl Fn(Xml) -> Xml) -> String {
    let mut waiting = ambush.wait().await;
    let mut said = ambush.says(&waiting);
    said.name_id = Some(name.to_owned());
    let message = change(Xml::new(ambush.forger.signed(&said, base.sign())));
    let message = ambush.as_sent(base, message.as_str());
    let tokens = ambush.signs_in(&mut waiting, message).await;
    tokens.claims["sub"].as_str().unwrap().to_owned()
}

both!(an_address_is_all_of_its_text, addresses);
async fn addresses(on: On) {
    let ambush = Ambush::on(on).await;
    for base in Base::ALL {
        let mut waiting = ambush.wait().await;
        let honest = ambush.says(&waiting);
        let ours = honest.audiences[0][0].clone();
        let idp = honest.issuer.clone().unwrap();
        // Each was signed for somebody else whose name begins with ours.
        let longer = |text: &str| format!("{text}.evil.test");
        let split = |text: &str| format!("{text}<!-- -->.evil.test");
        let mut audience = honest.clone();
        audience.audiences = vec![vec![longer(&ours)]];
        let mut assertion_issuer = honest.clone();
        assertion_issuer.assertion_issuer = longer(&idp);
        let mut issuer = honest.clone();
        issuer.issuer = Some(longer(&idp));
        for (path, said, text, code) in [
            ("Audience", audience, &ours, "assertion.audience"),
            ("Assertion/Issuer", assertion_issuer, &idp, "assertion.issuer"),
            ("Response/Issuer", issuer, &idp, "response.issuer"),
        ] {
            let signed = Xml::new(ambush.forger.signed(&said, base.sign()));
            for form in [longer(text), split(text), format!("{text}<![CDATA[.evil.test]]>")] {
                let message = ambush.as_sent(base, signed.with(path, &form).as_str());
                let attack = Attack::new(format!("{path} {form}"), message, code);
                ambush.refuses(&mut waiting, base, &attack).await;
            }
        }
        // And our own name counts however it is written.
        let signed = Xml::new(ambush.forger.signed(&honest, base.sign()));
        let (start, end) = ours.split_at(12);
        let message = signed.with("Audience", format!("{start}<!-- -->{end}"));
        let message = message.with("Assertion/Issuer", idp.replace('h', "&#104;"));
        ambush.signs_in_the_honest(&mut waiting, ambush.as_sent(base, message.as_str())).await;
    }
}

/// Names that look alike, or that some program would take for the same, each in its own group.
const ALIKE: [&[&str]; 9] = [
    // White space is part of a name.
    &["admin", " admin", "admin ", "admin\n", "\tadmin", "admin\r", "ad min", "admin\u{a0}"],
    // Case, and what case folding makes of it.
    &["Admin", "ADMIN", "adm\u{131}n", "adm\u{130}n", "straße", "strasse", "STRASSE"],
    // Composed and decomposed, and compatibility forms.
    &["caf\u{e9}", "cafe\u{301}", "\u{fb01}n", "fin", "\u{2460}", "1", "K", "\u{212a}"],
    &["\u{ff41}dmin", "\u{1d41a}dmin", "\u{24d0}dmin"],
    // Letters of other scripts.
    &["\u{430}dmin", "\u{251}dmin", "pаypal", "paypal"],
    // What nobody sees.
    &["adm\u{200b}in", "adm\u{ad}in", "adm\u{2060}in", "admin\u{feff}", "\u{202e}nimda"],
    &["a@x.test", "a@x.test.", "a@X.test", "a@xn--x.test", "a+b@x.test", "a@x\u{3002}test"],
    &["a;b", "a,b", "a|b", "a'b", "a\"b", "a\\b", "a%20b", "a b"],
    &["0", "00", "0x0", "null", "undefined", "true", "-0"],
];

both!(names_that_look_alike_are_different_people, alike);
async fn alike(on: On) {
    let ambush = Ambush::on(on).await;
    let mut people: HashMap<String, &str> = HashMap::new();
    for name in ALIKE.concat() {
        let subject = sign_in(&ambush, name, Base::Both, |xml| xml).await;
        if let Some(other) = people.insert(subject, name) {
            panic!("{name:?} and {other:?} are one person");
        }
    }
    assert!(people.len() > 40);
    // The same octets are the same person, whoever signs what of it.
    let (_, &name) = people.iter().next().unwrap();
    for base in Base::ALL {
        let subject = sign_in(&ambush, name, base, |xml| xml).await;
        assert_eq!(people.get(&subject), Some(&name), "{base:?}");
    }
    assert!(!people.contains_key(HONEST));
}

both!(white_space_within_an_address_makes_it_another, white_space);
async fn white_space(on: On) {
    let ambush = Ambush::on(on).await;
    let mut waiting = ambush.wait().await;
    let honest = ambush.says(&waiting);
    let (ours, idp) = (honest.audiences[0][0].clone(), honest.issuer.clone().unwrap());
    for space in ["\u{a0}", "\u{200b}", "\u{feff}", "\u{3000}", "\u{85}", "\u{2028}"] {
        for form in [[&ours, space].concat(), [space, &ours].concat()] {
            let mut said = honest.clone();
            said.audiences = vec![vec![form]];
            let message = ambush.forger.signed(&said, Sign::Both);
            let attack = Attack::new(format!("{space:?}"), message, "assertion.audience");
            ambush.refuses(&mut waiting, Base::Both, &attack).await;
        }
        for form in [[&idp, space].concat(), [space, &idp].concat()] {
            let mut said = honest.clone();
            // What nobody sees is no white space; at the end it makes another entity ID.
            let code = match space.trim().is_empty() || form.starts_with(space) {
                true => "saml.issuer_malformed",
                false => "assertion.issuer",
            };
            said.assertion_issuer = form;
            let message = ambush.forger.signed(&said, Sign::Both);
            let attack = Attack::new(format!("{space:?}"), message, code);
            ambush.refuses(&mut waiting, Base::Both, &attack).await;
        }
    }
    for within in [" ", "\n", "\t"] {
        let mut said = honest.clone();
        said.audiences = vec![vec![format!("{}{within}{}", &ours[..10], &ours[10..])]];
        let message = ambush.forger.signed(&said, Sign::Both);
        let attack = Attack::new(format!("{within:?}"), message, "assertion.audience");
        ambush.refuses(&mut waiting, Base::Both, &attack).await;
    }
    // Around an xs:anyURI it has no meaning (XML Schema 2, 3.2.17): pretty-printers put it there.
    let mut said = honest.clone();
    said.audiences = vec![vec![format!("\n  {ours}\n  ")]];
    said.assertion_issuer = format!(" {idp}\t");
    let message = ambush.forger.signed(&said, Sign::Both);
    ambush.signs_in_the_honest(&mut waiting, message).await;
}
