//! An IdP's LogoutRequest and the sessions that it means: what it names, what it leaves, and what it
//! ended before.

use serde_json::json;
use sloop::mock_idp::Session;
use sloop::saml::{EntityId, NameId, SessionIndex};

use super::signed_in;
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::forger::{Forger, Said};
use crate::support::idp_key::{By, IdpKey};
use crate::support::idp_request::{Answered, IdpRequest};
use crate::support::rp::RelyingParty;
use crate::support::world::{On, World};

const BEGAN: &str = "confirmed (it began this logout)";
const ANOTHER: &str = "not_sent (it began this logout for another of its sessions)";

/// An IdP that names people and sessions as a story wants, and an app that knows no other.
struct Played {
    forger: Forger,
    key: IdpKey,
    app: RelyingParty,
}

impl Played {
    async fn connect(world: &World, settings: &str) -> Self {
        let forger = Forger::new(&world.clock);
        let settings = format!("&subject=attribute:uid{settings}");
        let added = world.add_idp("forged", &forger.metadata(), &settings).await;
        assert_eq!(added.status, 201, "{}", added.body);
        let app = world.app_with("app-one", json!({"idps": ["forged"]})).await;
        Self { key: IdpKey::of(&forger), forger, app }
    }

    /// Whoever is signed in already signs in once more.
    async fn sign_in(&self, world: &World, browser: &mut Browser, change: impl FnOnce(&mut Said)) {
        let attempt = self.app.begin(&[("prompt", "login")]).await;
        let asked = self.forger.asked(&browser.get(attempt.url.as_str()).await);
        let mut said = self.forger.says(&asked, "ada");
        said.attributes.push(("uid".into(), vec!["ada".into()]));
        change(&mut said);
        let page = self.forger.send(world, browser, &asked, &said).await;
        let callback = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
        self.app.finish(&attempt, &callback).await.unwrap();
    }

    fn asks(&self, world: &World, name: &str, indexes: &[&str]) -> IdpRequest<'_> {
        let name_id = NameId {
            value: name.to_owned(),
            format: None,
            name_qualifier: None,
            sp_name_qualifier: None,
            sp_provided_id: None,
        };
        let authn_instant = world.clock.now();
        let session = Session { user: String::new(), name_id, session_index: None, authn_instant };
        self.key.asks(world, &session).with(|it| {
            it.request.issuer = EntityId::parse(&self.forger.entity_id()).unwrap();
            let parsed = indexes.iter().map(|index| SessionIndex::parse(index).unwrap());
            it.request.session_indexes = parsed.collect();
        })
    }
}

fn named<'n>(name: &'n str, index: &'n str) -> impl FnOnce(&mut Said) {
    move |said: &mut Said| {
        said.name_id = Some(name.into());
        said.session_index = Some(index.into());
    }
}

async fn idp_legs(world: &World) -> Vec<String> {
    let legs = world.newest_logout().await.legs.into_iter();
    legs.filter(|leg| leg.party.starts_with("IdP")).map(|leg| leg.said).collect()
}

both!(it_confirms_the_sessions_that_it_names_and_no_other, confirms);
async fn confirms(on: On) {
    let world = World::on(on).await;
    let idp = Played::connect(&world, "").await;
    for (name, (first, second), indexes, said) in [
        ("ada-at-work", ("_1", "_2"), &["_1"][..], &[BEGAN, ANOTHER][..]),
        ("ada-at-work", ("_3", "_4"), &[], &[BEGAN, ANOTHER]),
        // One sign-in, of which the IdP keeps a part.
        ("ada", ("_5", "_6"), &["_5"], &[ANOTHER]),
        ("ada", ("_7", "_8"), &["_7", "_8"], &[BEGAN]),
        ("ada", ("_9", "_10"), &[], &[BEGAN]),
    ] {
        let mut browser = world.browser();
        idp.sign_in(&world, &mut browser, named("ada", first)).await;
        idp.sign_in(&world, &mut browser, named(name, second)).await;
        let answer = idp.asks(&world, "ada", indexes).by_soap(&world).await;
        let case = format!("{name} {indexes:?}");
        assert_eq!(Answered::in_envelope(&world, &answer).await.status(), "Success", "{case}");
        assert_eq!(idp_legs(&world).await, said, "{case}");
        assert!(!world.is_signed_in(&mut browser, &idp.app).await, "{case}");
        // Times in SAML have seconds.
        world.clock.advance(std::time::Duration::from_secs(2));
    }
}

both!(of_several_devices_the_page_shows_the_one_of_which_least_is_known, least_known);
async fn least_known(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let silent = world.app_with("silent", json!({ "backchannel_logout_uri": null })).await;
    for (first, second, everywhere) in
        [(&silent, &app, false), (&app, &silent, false), (&app, &app, true)]
    {
        let mut one = signed_in(&world, first, "ada").await;
        let mut two = signed_in(&world, second, "ada").await;
        let of_ada = world.idp.sessions().pop().unwrap();
        let request = key.asks(&world, &of_ada).with(|it| {
            it.request.session_indexes.clear();
            it.request.asynchronous = true;
        });
        let page = request.through(&mut two.browser, By::Redirect).await;
        assert_eq!((page.status, page.location()), (200, None), "{}", page.summary());
        assert_eq!(page.text().contains("everywhere"), everywhere, "{}", page.text());
        assert!(page.text().contains("signed out"), "{}", page.text());
        assert!(!one.is_in(&world, first).await && !two.is_in(&world, second).await);
        world.clock.advance(std::time::Duration::from_secs(2));
    }
}

both!(asked_again_under_another_id_it_hears_what_became_of_the_first, asked_again);
async fn asked_again(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let framed = world.framed_app("app-two").await;
    let silent = world.app_with("silent", json!({ "backchannel_logout_uri": null })).await;
    for (app, status) in [(&silent, "Success PartialLogout"), (&app, "Success")] {
        let mut ada = signed_in(&world, app, "ada").await;
        let of_ada = world.idp.sessions().pop().unwrap();
        let count = world.logout_count().await;
        for _ in 0..3 {
            let page = key.asks(&world, &of_ada).through(&mut ada.browser, By::Redirect).await;
            assert_eq!(Answered::of(&world, &page).await.status(), status);
        }
        let answer = key.asks(&world, &of_ada).by_soap(&world).await;
        assert_eq!(Answered::in_envelope(&world, &answer).await.status(), status);
        assert_eq!(world.logout_count().await, count + 1);
        assert!(!ada.is_in(&world, app).await);
        // What it never asked for is no matter of this.
        for other in [
            key.asks(&world, &of_ada).with(|it| it.request.name_id.value.push('x')),
            key.asks(&world, &of_ada).with(|it| {
                it.request.session_indexes = vec![SessionIndex::parse("_another").unwrap()];
            }),
        ] {
            let page = other.through(&mut ada.browser, By::Post).await;
            assert_eq!(Answered::of(&world, &page).await.status(), "Success");
        }
        world.clock.advance(std::time::Duration::from_secs(2));
    }

    // The first one's frames were never shown.
    let mut ada = signed_in(&world, &framed, "ada").await;
    let of_ada = world.idp.sessions().pop().unwrap();
    let first = key.asks(&world, &of_ada).through(&mut ada.browser, By::Redirect).await;
    world.clock.advance(std::time::Duration::from_secs(1));
    let again = key.asks(&world, &of_ada).with(|it| it.relay_state = Some("the second".into()));
    let second = again.through(&mut ada.browser, By::Redirect).await;
    let page = |page: &Page| page.location().map(|url| url[..url::Position::AfterPath].to_owned());
    assert!(page(&first).is_some() && page(&second) == page(&first));
    let page = ada.browser.follow(second).await;
    assert_eq!(page.frames().len(), 1, "{}", page.summary());
    for frame in page.frames() {
        ada.browser.load_frame(&page, frame.as_str()).await;
    }
    let onward = page.refresh().unwrap();
    let answer = ada.browser.click(&page, onward.as_str()).await;
    let answered = Answered::of(&world, &answer).await;
    assert_eq!(answered.status(), "Success PartialLogout");
    assert_eq!(answered.response.in_response_to, again.request.id, "which it waits for");
    assert_eq!(answered.relay_state.as_deref(), Some("the second"));
    assert!(!ada.is_in(&world, &framed).await);
}

both!(a_session_is_found_by_an_index_that_it_has_forgotten, forgotten);
async fn forgotten(on: On) {
    let world = World::on(on).await;
    let idp = Played::connect(&world, "&logout_request_match=session_index").await;
    let mut browser = world.browser();
    for number in 0..17 {
        let index = format!("_{number}");
        idp.sign_in(&world, &mut browser, named("ada", &index)).await;
    }
    for (indexes, is_in) in [(&["_unknown"], true), (&["_0"], false)] {
        let answer = idp.asks(&world, "a-stranger", indexes).by_soap(&world).await;
        assert_eq!(Answered::in_envelope(&world, &answer).await.status(), "Success");
        assert_eq!(world.is_signed_in(&mut browser, &idp.app).await, is_in, "{indexes:?}");
    }
}

both!(an_index_of_several_people_ends_only_who_is_named, reused);
async fn reused(on: On) {
    let world = World::on(on).await;
    let idp = Played::connect(&world, "&logout_request_match=session_index").await;
    let (mut ada, mut bob) = (world.browser(), world.browser());
    idp.sign_in(&world, &mut ada, named("ada", "1")).await;
    let as_bob = |said: &mut Said| {
        named("bob", "1")(said);
        said.attributes = vec![("uid".into(), vec!["bob".into()])];
    };
    idp.sign_in(&world, &mut bob, as_bob).await;
    for (name, ada_is_in) in [("a-stranger", true), ("ada", false), ("ada", false)] {
        let answer = idp.asks(&world, name, &["1"]).by_soap(&world).await;
        assert_eq!(Answered::in_envelope(&world, &answer).await.status(), "Success");
        assert_eq!(world.is_signed_in(&mut ada, &idp.app).await, ada_is_in, "{name}");
        assert!(world.is_signed_in(&mut bob, &idp.app).await, "{name}");
    }
    assert_eq!(world.logout_count().await, 1);
}
