//! The form that carries a Response: which field counts, and what Base64 is.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sloop::paths;

use super::ambush::{Ambush, Base, is_refused};
use crate::both;
use crate::support::attack::VICTIM;
use crate::support::forger::Said;
use crate::support::query;
use crate::support::world::On;

both!(what_is_sent_twice_is_sent_by_nobody, twice);
async fn twice(on: On) {
    let ambush = Ambush::on(on).await;
    for base in Base::ALL {
        let mut waiting = ambush.wait().await;
        let (said, acs) = (ambush.says(&waiting), ambush.world.url(paths::SAML_ACS));
        let good = ambush.as_sent(base, &ambush.forger.signed(&said, base.sign()));
        let evil = Said { name_id: Some(VICTIM.into()), ..said };
        let evil = ambush.forger.signed(&evil, crate::support::forger::Sign::Nothing);
        let (good, evil) = (STANDARD.encode(good), STANDARD.encode(evil));
        let relay_state = ("RelayState", waiting.asked.relay_state.clone().unwrap());
        let relay_state = (relay_state.0, relay_state.1.as_str());
        let (good, evil) = (("SAMLResponse", good.as_str()), ("SAMLResponse", evil.as_str()));
        for fields in [
            vec![good, evil, relay_state],
            vec![evil, good, relay_state],
            vec![good, good, relay_state],
            vec![good, ("SAMLResponse", ""), relay_state],
            vec![good, relay_state, relay_state],
            vec![good, relay_state, ("RelayState", VICTIM)],
            vec![("SAMLResponse[]", good.1), relay_state],
            vec![("SAMLResponse[0]", good.1), relay_state],
            vec![("samlresponse", good.1), relay_state],
            vec![("SAMLResponse ", good.1), relay_state],
            vec![("SAMLRequest", good.1), relay_state],
            vec![relay_state],
        ] {
            let page = waiting.browser.post(&acs, &fields, Some(&ambush.forger.base)).await;
            is_refused(&page, fields[0].0);
            assert!(!ambush.is_signed_in(&mut waiting).await);
        }
        // What is only in the query is not there.
        let in_query = format!("{acs}?{}", query::form(&[good, relay_state]));
        let page = waiting.browser.post(&in_query, &[relay_state], Some(&ambush.forger.base)).await;
        is_refused(&page, "the query");
        assert!(!ambush.is_signed_in(&mut waiting).await);
        // And what is in both is what the form says.
        let in_query = format!("{acs}?{}", query::form(&[evil, ("RelayState", VICTIM)]));
        let page =
            waiting.browser.post(&in_query, &[good, relay_state], Some(&ambush.forger.base)).await;
        let callback = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
        let tokens = ambush.app.finish(&waiting.attempt, &callback).await.unwrap();
        ambush.is_the_honest(&tokens).await;
    }
}

both!(base64_has_one_reading, base64);
async fn base64(on: On) {
    let ambush = Ambush::on(on).await;
    for base in Base::ALL {
        let mut waiting = ambush.wait().await;
        // As long as it takes for a message whose encoding ends in `=`.
        let xml = ambush.as_sent(base, &ambush.signed(&waiting, base));
        let xml = [&xml[..], &b"\n\n\n"[..(4 - xml.len() % 3) % 3]].concat();
        let encoded = STANDARD.encode(&xml);
        assert!(encoded.ends_with("=="), "{}", &encoded[encoded.len() - 8..]);
        let bare = encoded.trim_end_matches('=');
        let last = bare.chars().last().unwrap();
        let next = char::from(u8::try_from(last).unwrap() + 1);
        let middle = encoded.len() / 2;
        for (what, text) in [
            (
                "the alphabet of URLs",
                URL_SAFE.encode([&xml[..], "<!-- ÿ>ÿ?ÿ -->".as_bytes()].concat()),
            ),
            ("bits after the end", format!("{}{next}==", &bare[..bare.len() - 1])),
            ("data after the padding", format!("{encoded}AAAA")),
            ("one padding too many", format!("{encoded}=")),
            ("padding in the middle", format!("{}={}", &encoded[..middle], &encoded[middle..])),
            ("a letter too few", bare[..bare.len() - 1].to_owned()),
            ("percent signs", format!("%3C{encoded}")),
            ("a zero", format!("{encoded}\0")),
            ("a comma", format!("{encoded},")),
            ("other white space", format!("{}\u{a0}{}", &encoded[..middle], &encoded[middle..])),
            ("a form feed", format!("{}\u{c}{}", &encoded[..middle], &encoded[middle..])),
            ("a data URL", format!("data:text/xml;base64,{encoded}")),
            ("itself twice", encoded.repeat(2)),
            ("Base64 of Base64", STANDARD.encode(&encoded)),
            ("XML", String::from_utf8(xml.clone()).unwrap()),
        ] {
            let page = send(&ambush, &mut waiting, &text).await;
            is_refused(&page, what);
            assert!(!ambush.is_signed_in(&mut waiting).await, "{base:?}: {what}");
        }
        ambush.signs_in_the_honest(&mut waiting, &xml).await;

        // Line breaks, and padding that is left out, say nothing.
        for form in [
            |encoded: &str| encoded.trim_end_matches('=').to_owned(),
            |encoded: &str| lines(encoded, "\r\n"),
            |encoded: &str| lines(encoded, "\n"),
            |encoded: &str| format!(" {encoded}\n"),
        ] {
            let mut waiting = ambush.wait().await;
            let xml = ambush.as_sent(base, &ambush.signed(&waiting, base));
            let page = send(&ambush, &mut waiting, &form(&STANDARD.encode(xml))).await;
            let callback = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
            let tokens = ambush.app.finish(&waiting.attempt, &callback).await.unwrap();
            ambush.is_the_honest(&tokens).await;
        }
    }
}

async fn send(
    ambush: &Ambush,
    waiting: &mut super::ambush::Waiting,
    text: &str,
) -> crate::support::browser::Page {
    let relay_state = waiting.asked.relay_state.clone().unwrap();
    let fields = [("SAMLResponse", text), ("RelayState", &relay_state)];
    let acs = ambush.world.url(paths::SAML_ACS);
    waiting.browser.post(&acs, &fields, Some(&ambush.forger.base)).await
}

fn lines(encoded: &str, end: &str) -> String {
    let lines = encoded.as_bytes().chunks(76).map(String::from_utf8_lossy);
    lines.collect::<Vec<_>>().join(end)
}
