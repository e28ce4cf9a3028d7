//! Encrypted assertions over HTTP: good ones sign in and out, and every other one signs nobody in,
//! with the same page whatever was wrong.

use sloop::keys::Certificate;
use sloop::mock_idp::encryption::{Content, KeyPlace, Transport};
use sloop::mock_idp::{Encrypt, Encryption, Entry, Options, Sign as IdpSign};
use sloop::rng::Rng;
use sloop::xml::encryption_algorithm::{ContentAlgorithm, OaepDigest};

use super::waiting::{CBC, HOLDER, Waiting};
use super::{ask, forged};
use crate::both;
use crate::support::encrypted::element_in;
use crate::support::forger::{Forger, Sign};
use crate::support::world::{On, Setting, World};

both!(after_an_encrypted_sign_in_the_idp_is_told_what_it_had_asserted, sign_in_and_out);
async fn sign_in_and_out(on: On) {
    let beside = Encryption { place: KeyPlace::Beside, ..Encryption::COMMON };
    for (encrypt, sign) in [
        (Encrypt::Assertion(Encryption::COMMON), IdpSign::Assertion),
        (Encrypt::NameId(CBC), IdpSign::Both),
        (Encrypt::Both(beside), IdpSign::Response),
    ] {
        let idp = Options { encrypt: Some(encrypt), sign, ..Options::default() };
        let world = Setting::on(on).idp(idp).begin().await;
        let app = world.app("app-one").await;
        let mut browser = world.browser();
        let tokens = world.sign_in(&mut browser, &app, "ada").await;
        let issued = world.idp.sessions();

        let end = world.sign_out(&mut browser, &app, &tokens.id_token).await;

        let home = format!("{}?state=the-state", app.post_logout_redirect_uri());
        assert_eq!(end.url.as_str(), home);
        let journal = world.idp.journal();
        let Some(Entry::LogoutRequest { name_id, session_indexes, ended, .. }) = journal.last()
        else {
            panic!("{journal:#?}");
        };
        assert_eq!(*name_id, issued[0].name_id, "{encrypt:?}");
        let index = issued[0].session_index.clone().unwrap();
        assert_eq!((session_indexes, *ended), (&vec![index], 1), "{encrypt:?}");
        assert_eq!(world.idp.sessions(), []);
        assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
        assert!(!world.is_signed_in(&mut browser, &app).await);
    }
}

both!(every_accepted_way_to_encrypt_signs_in, accepted);
async fn accepted(on: On) {
    let mut waiting = Waiting::on(on, "").await;
    let digests = [OaepDigest::Sha1, OaepDigest::Sha256];
    let older = digests.map(|digest| Transport::OaepMgf1p { digest });
    let newer = digests.map(|digest| digests.map(|mask| Transport::Oaep { digest, mask }));
    for content in [ContentAlgorithm::Aes128Gcm, ContentAlgorithm::Aes256Gcm] {
        for transport in older.into_iter().chain(newer.into_iter().flatten()) {
            let place = match transport {
                Transport::Oaep { .. } => KeyPlace::Inside,
                _ => KeyPlace::Beside,
            };
            let how = Encryption { content: Content::Accepted(content), transport, place };
            let mut browser = waiting.world.browser();
            let (attempt, asked) = ask(&waiting.forger, &mut browser, &waiting.app).await;
            let said = waiting.forger.says(&asked, "ada");
            let xml = waiting.forger.encrypted(&said, Sign::Assertion, how, &waiting.to);
            let relay_state = asked.relay_state.as_deref();
            let page = waiting.forger.post(&waiting.world, &mut browser, &xml, relay_state).await;
            let callback = page.location().unwrap_or_else(|| panic!("{how:?}: {}", page.summary()));
            waiting.app.finish(&attempt, &callback).await.unwrap();
        }
    }
    // The way without encryption stays open beside it.
    let xml = waiting.forger.signed(&waiting.says("ada"), Sign::Assertion);
    waiting.refuses("unsigned", &waiting.forger.signed(&waiting.says("ada"), Sign::Nothing)).await;
    waiting.accepts(&xml).await;
}

both!(an_encrypted_assertion_that_nobody_signed_signs_nobody_in, unsigned);
async fn unsigned(on: On) {
    let mut waiting = Waiting::on(on, "&allow_cbc=true").await;
    let (ada, eve) = (waiting.says("ada"), waiting.says("eve"));
    let stranger = Forger::new(&waiting.world.clock);
    let how = Encryption::COMMON;
    let to = waiting.to.clone();
    let good = waiting.holder(&ada, Sign::Assertion, how);
    let evil = waiting.holder(&eve, Sign::Nothing, how);
    let foreign = element_in(&stranger.encrypted(&eve, Sign::Assertion, how, &to), HOLDER);
    let plain = waiting.forger.assertion(&ada, Sign::Assertion);
    let evil_plain = waiting.forger.assertion(&eve, Sign::Nothing);
    let broken = waiting.forger.assertion(&ada, Sign::Assertion).replace(">ada<", ">eve<");
    let broken = how.element(broken.as_bytes(), HOLDER, &to, &Rng::system()).unwrap();
    let signed_around = waiting.forger.encrypted(&ada, Sign::Response, how, &to);
    let swapped = signed_around.replace(&element_in(&signed_around, HOLDER), &evil);

    for (what, inside) in [
        ("evil alone", evil.clone()),
        ("evil alone, CBC", waiting.holder(&eve, Sign::Nothing, CBC)),
        ("signed by a stranger", foreign.clone()),
        ("signed, then changed", broken.clone()),
        ("evil first", format!("{evil}{good}")),
        ("evil second", format!("{good}{evil}")),
        ("a stranger's first", format!("{foreign}{good}")),
        ("the good one twice", format!("{good}{good}")),
        ("evil first, plain second", format!("{evil}{plain}")),
        ("plain first, evil second", format!("{plain}{evil}")),
        ("evil plain first", format!("{evil_plain}{good}")),
        ("evil plain second", format!("{good}{evil_plain}")),
        ("hidden", format!("{evil}<samlp:Extensions>{good}</samlp:Extensions>")),
    ] {
        let xml = waiting.forger.holding(&ada, Sign::Nothing, &inside);
        waiting.refuses(what, &xml).await;
    }
    let around = waiting.forger.holding(&ada, Sign::Response, &format!("{good}{evil}"));
    waiting.refuses("two under a good signature", &around).await;
    let around = waiting.forger.holding(&ada, Sign::Response, &foreign);
    waiting.refuses("a stranger's under a good signature", &around).await;
    let around = waiting.forger.holding(&ada, Sign::Response, &broken);
    waiting.refuses("a changed one under a good signature", &around).await;
    waiting.refuses("another ciphertext under a good signature", &swapped).await;
    let around = stranger.enveloped(&waiting.forger.holding(&ada, Sign::Nothing, &good));
    waiting.refuses("a stranger's signature around a good one", &around).await;

    let xml = waiting.forger.holding(&ada, Sign::Nothing, &good);
    waiting.accepts(&xml).await;
}

both!(what_was_encrypted_is_read_as_strictly_as_what_was_not, content);
async fn content(on: On) {
    let mut waiting = Waiting::on(on, "").await;
    let ada = waiting.says("ada");
    let good = waiting.forger.assertion(&ada, Sign::Assertion);
    let holder = waiting.holder(&ada, Sign::Assertion, Encryption::COMMON);
    let end = "</saml:Assertion>";
    let nested = good.replace(end, &format!("<saml:Advice>{holder}</saml:Advice>{end}"));
    let to = waiting.to.clone();
    for (what, content) in [
        ("a document type", format!("<!DOCTYPE x [<!ENTITY e 'eve'>]>{good}")),
        ("two roots", format!("{good}{good}")),
        ("a nested one", nested),
        ("one in one", holder),
        ("a Response", waiting.forger.signed(&ada, Sign::Both)),
        ("another element", "<evil/>".into()),
        ("nothing", String::new()),
        ("no XML", "evil".into()),
        ("deep", format!("{}{}", "<a>".repeat(1_000), "</a>".repeat(1_000))),
    ] {
        for sign in [Sign::Nothing, Sign::Response] {
            let xml = waiting.forger.encrypting(&ada, sign, content.as_bytes(), &to);
            waiting.refuses(what, &xml).await;
        }
    }
    let xml = waiting.forger.encrypting(&ada, Sign::Nothing, good.as_bytes(), &to);
    waiting.accepts(&xml).await;
}

both!(weak_encryption_is_refused_and_cbc_needs_a_signature_or_an_opt_in, weak);
async fn weak(on: On) {
    for (settings, opted_in) in
        [("", false), ("&allow_cbc=true", true), ("&allow_cbc=false", false)]
    {
        let mut waiting = Waiting::on(on, settings).await;
        let ada = waiting.says("ada");
        let to = waiting.to.clone();
        let encrypted =
            |waiting: &Waiting, sign, how| waiting.forger.encrypted(&ada, sign, how, &to);
        for how in [
            Encryption { transport: Transport::RsaV15, ..Encryption::COMMON },
            Encryption { transport: Transport::RsaV15, ..CBC },
            Encryption { content: Content::TripleDesCbc, ..Encryption::COMMON },
        ] {
            for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
                let xml = encrypted(&waiting, sign, how);
                waiting.refuses(&format!("{how:?} {sign:?}"), &xml).await;
            }
        }
        let alone = encrypted(&waiting, Sign::Assertion, CBC);
        if opted_in {
            waiting.accepts(&alone).await;
        } else {
            waiting.refuses("CBC", &alone).await;
            let covered = encrypted(&waiting, Sign::Both, CBC);
            waiting.accepts(&covered).await;
        }
    }
}

both!(an_installation_or_a_connection_can_require_encryption, required);
async fn required(on: On) {
    let setting = Setting::on(on).config(|config| config.saml.require_encryption = true);
    let world = setting.begin().await;
    let (forger, app) = forged(&world).await;
    let to = world.encryption_certificate().await;
    for (settings, plain_works) in
        [("", false), ("&require_encryption=false", true), ("&require_encryption=true", false)]
    {
        world.add_idp("forged", &forger.metadata(), settings).await;
        let mut browser = world.browser();
        let (attempt, asked) = ask(&forger, &mut browser, &app).await;
        let said = forger.says(&asked, "ada");
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        assert_eq!(page.location().is_some(), plain_works, "{settings}: {}", page.summary());
        assert_eq!(world.is_signed_in(&mut browser, &app).await, plain_works, "{settings}");
        if !plain_works {
            let xml = forger.encrypted(&said, Sign::Assertion, Encryption::COMMON, &to);
            let relay_state = asked.relay_state.as_deref();
            let page = forger.post(&world, &mut browser, &xml, relay_state).await;
            app.finish(&attempt, &page.location().unwrap()).await.unwrap();
        }
    }
}

both!(nobody_signs_with_the_key_that_decrypts, two_keys);
async fn two_keys(on: On) {
    let world = World::on(on).await;
    let [signing, encryption] =
        [world.certificates("signing").await, world.certificates("encryption").await];
    assert_eq!((signing.len(), encryption.len()), (1, 1));
    let key = |der: &[u8]| {
        let key = Certificate::parse_der(der).unwrap().public_key().unwrap();
        key.public_key_to_der().unwrap()
    };
    assert_ne!(key(&signing[0]), key(&encryption[0]));
    let any = world.get(sloop::paths::SAML_METADATA).await.body;
    assert_eq!(
        any.matches("<md:KeyDescriptor use=").count(),
        any.matches("<md:KeyDescriptor").count()
    );
}
