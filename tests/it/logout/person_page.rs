//! `/logout`, opened by a person: everybody in the session by name, to tick which to end.

use serde_json::json;
use sloop::mock_idp::Entry;
use sloop::paths;

use super::{SignedIn, signed_in};
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::forger::Forger;
use crate::support::html::Form;
use crate::support::rp::{Failure, RelyingParty, Tokens};
use crate::support::world::{On, World};

/// Ada in two apps of one session.
pub(super) struct Two {
    pub world: World,
    pub one: RelyingParty,
    pub two: RelyingParty,
    pub ada: SignedIn,
    /// Her tokens of the second app.
    pub at_two: Tokens,
}

impl Two {
    pub async fn begin(on: On) -> Self {
        let world = World::on(on).await;
        let (one, two) = (world.app("app-one").await, world.app("app-two").await);
        let mut ada = signed_in(&world, &one, "ada").await;
        let at_two = world.sign_in(&mut ada.browser, &two, "ada").await;
        Self { world, one, two, ada, at_two }
    }

    pub async fn open(&mut self) -> Page {
        open(&self.world, &mut self.ada.browser).await
    }

    /// Opens the page, takes these ticks out, presses the button, and goes where that leads.
    pub async fn end_all_but(&mut self, unticked: &[(&str, &str)]) -> Page {
        let page = self.open().await;
        send(&mut self.ada.browser, &page, unticked).await
    }

    /// What silent requests say, for both apps.
    pub async fn is_in(&mut self) -> [bool; 2] {
        let Self { world, one, two, ada, .. } = self;
        [ada.is_in(world, one).await, ada.is_in(world, two).await]
    }

    /// Status of userinfo with the access tokens of both apps.
    pub async fn userinfo(&self) -> [u16; 2] {
        let Self { one, two, ada, at_two, .. } = self;
        [
            one.userinfo(&ada.tokens.access_token).await.status,
            two.userinfo(&at_two.access_token).await.status,
        ]
    }

    /// How often each app was told.
    pub fn told(&self) -> [usize; 2] {
        [&self.one, &self.two].map(|app| app.received_logout_tokens().len())
    }

    pub fn idp_was_asked(&self) -> bool {
        let asked = |entry: &Entry| matches!(entry, Entry::LogoutRequest { .. });
        self.world.idp.journal().iter().any(asked)
    }

    /// Nothing has ended, for anybody.
    pub async fn is_untouched(&mut self) {
        assert_eq!((self.is_in().await, self.userinfo().await), ([true; 2], [200; 2]));
        assert_eq!((self.world.logout_count().await, self.told()), (0, [0; 2]));
        assert!(!self.idp_was_asked());
    }
}

pub(super) async fn open(world: &World, browser: &mut Browser) -> Page {
    let page = browser.get(&world.url(paths::SAML_LOGOUT)).await;
    assert_eq!((page.status, page.refresh()), (200, None), "{}", page.summary());
    assert!(page.text().contains("What do you want to sign out of?"), "{}", page.summary());
    page
}

/// The form of the page without these ticks.
pub(super) fn without(page: &Page, unticked: &[(&str, &str)]) -> Form {
    let mut form = page.form();
    for (name, value) in unticked {
        form.untick(name, value);
    }
    form
}

pub(super) async fn send(browser: &mut Browser, page: &Page, unticked: &[(&str, &str)]) -> Page {
    let pressed = browser.submit_form(page, &without(page, unticked)).await;
    // Browsers apply `form-action` to redirects, so a form of ours is answered by a page.
    assert_eq!((pressed.status, pressed.location()), (200, None), "{}", pressed.summary());
    browser.settle(pressed).await
}

/// Name and value of every ticked box.
pub(super) fn ticks(page: &Page) -> Vec<(String, String)> {
    let is_box = |(name, _): &(String, String)| matches!(name.as_str(), "app" | "idp");
    page.form().fields.into_iter().filter(is_box).collect()
}

pub(super) const ONE: (&str, &str) = ("app", "app-one");
pub(super) const TWO: (&str, &str) = ("app", "app-two");
pub(super) const CORP: (&str, &str) = ("idp", "corp");

pub(super) fn pairs(boxes: &[(&str, &str)]) -> Vec<(String, String)> {
    boxes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

both!(everybody_of_this_browser_is_listed_and_ticked, listed);
async fn listed(on: On) {
    let mut two = Two::begin(on).await;
    let third = two.world.app("app-of-bob").await;
    let mut bob = signed_in(&two.world, &third, "bob").await;

    let page = two.open().await;

    assert_eq!(ticks(&page), pairs(&[ONE, TWO, CORP]));
    let text = page.text();
    assert!(text.contains("Apps app-one app-two Your organisation corp"), "{text}");
    assert!(text.contains("such an app may sign you in again without asking"), "{text}");
    assert!(!text.contains("app-of-bob"), "that is somebody else's session");
    // It works without script, every box has its label, and nobody can frame it.
    assert!(!page.body.contains("<script"));
    assert_eq!(page.body.matches("type=\"checkbox\"").count(), 3);
    assert_eq!(page.body.matches("<label").count(), 3);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert!(page.header("cache-control").unwrap().contains("no-store"));
    // To look changes nothing.
    two.is_untouched().await;
    assert_eq!(
        ticks(&open(&two.world, &mut bob.browser).await),
        pairs(&[("app", "app-of-bob"), CORP])
    );

    let mut nobody = two.world.browser();
    let page = nobody.get(&two.world.url(paths::SAML_LOGOUT)).await;
    assert_eq!((page.status, page.forms().len()), (200, 0));
    assert!(page.text().contains("Nobody was signed in with this browser."), "{}", page.summary());
}

both!(names_are_those_of_metadata_and_each_idp_stands_once, named);
async fn named(on: On) {
    let world = World::on(on).await;
    let mut forger = Forger::new(&world.clock);
    forger.display_name = Some("Corp <b>&\"</b>".into());
    let added = world.add_idp("other", &forger.metadata(), "&subject=attribute:employee").await;
    assert_eq!(added.status, 201, "{}", added.body);
    let app = world.app_with("app-one", json!({ "idps": ["other"] })).await;
    let silent = json!({ "idps": ["other"], "backchannel_logout_uri": null });
    let silent = world.app_with("app-two", silent).await;
    let mut browser = world.browser();
    // Under two names at the IdP, and one person all the same.
    for (app, name) in [(&app, "ada"), (&silent, "ada-as-admin")] {
        let attempt = app.begin(&[("prompt", "login")]).await;
        let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
        let mut said = forger.says(&asked, name);
        said.attributes.push(("employee".into(), vec!["4711".into()]));
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        app.finish(&attempt, &page.location().unwrap()).await.unwrap();
    }

    let page = open(&world, &mut browser).await;

    assert_eq!(ticks(&page), pairs(&[ONE, TWO, ("idp", "other")]));
    let text = page.text();
    let said = "app-one app-two It offers no way to be told: sign out there, too. Your organisation \
                Corp <b>&\"</b> If you";
    assert!(text.contains(said), "{text}");
    // It is asked for each of its sessions, one after the other.
    let pressed = browser.submit_form(&page, &page.form()).await;
    assert!(
        pressed.refresh().unwrap().as_str().starts_with(&forger.sso()),
        "{}",
        pressed.summary()
    );
    let parties = ["app app-one", "app app-two", "IdP other", "IdP other"];
    let story = world.newest_logout().await;
    assert_eq!(story.legs.iter().map(|leg| leg.party.as_str()).collect::<Vec<_>>(), parties);
    assert!(!world.is_signed_in(&mut browser, &app).await);
}

both!(everything_ticked_is_the_whole_logout, everything);
async fn everything(on: On) {
    let mut two = Two::begin(on).await;

    let end = two.end_all_but(&[]).await;

    assert!(end.url.as_str().starts_with(&two.world.url(paths::LOGOUT_PAGE)), "{}", end.url);
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.text());
    let outcomes = ["app app-one: confirmed", "app app-two: confirmed", "IdP corp: confirmed"];
    assert_eq!(two.world.outcomes().await, outcomes);
    let story = two.world.settled().await;
    assert_eq!((story.outcome.as_str(), story.left.len()), ("complete", 0));
    assert_eq!(story.reason, "a person chose what to end on our own page");
    assert_eq!((story.asked_by, story.returns_to), (None, None));
    assert_eq!((two.is_in().await, two.userinfo().await), ([false; 2], [401; 2]));
    assert_eq!((two.told(), two.world.idp.sessions().len()), ([1, 1], 0));
    assert!(two.ada.browser.cookie(&two.world.issuer, "sid").is_none());
    assert_eq!(two.world.logout_count().await, 1);
}

both!(an_idp_without_a_tick_is_left_alone, not_the_idp);
async fn not_the_idp(on: On) {
    let mut two = Two::begin(on).await;

    let end = two.end_all_but(&[CORP]).await;

    let text = end.text();
    assert!(text.contains("You are signed out of the apps of this session"), "{text}");
    assert!(text.contains("so the next sign-in may not ask you"), "{text}");
    assert!(text.contains("Organisation corp Left as it is, as you chose."), "{text}");
    assert_eq!(two.world.outcomes().await, ["app app-one: confirmed", "app app-two: confirmed"]);
    let story = two.world.settled().await;
    assert_eq!((story.outcome.as_str(), story.left), ("complete", vec!["IdP corp".to_owned()]));
    assert_eq!(
        (two.is_in().await, two.userinfo().await, two.told()),
        ([false; 2], [401; 2], [1, 1])
    );
    assert!(!two.idp_was_asked());
    assert_eq!(two.world.idp.sessions().len(), 1);
}

both!(an_app_without_a_tick_is_not_told_when_the_session_ends, not_the_app);
async fn not_the_app(on: On) {
    let mut two = Two::begin(on).await;

    let end = two.end_all_but(&[TWO]).await;

    let text = end.text();
    assert!(text.contains("You are signed out here"), "{text}");
    assert!(text.contains("Everybody you chose confirmed it; the others were left"), "{text}");
    assert!(text.contains("App app-two Left as it is, as you chose."), "{text}");
    assert!(!text.contains("everywhere"), "{text}");
    assert_eq!(two.world.outcomes().await, ["app app-one: confirmed", "IdP corp: confirmed"]);
    let story = two.world.settled().await;
    assert_eq!((story.outcome.as_str(), story.left), ("complete", vec!["app app-two".to_owned()]));
    // It was not told; but what it has of ours is worth nothing, because the session is over.
    assert_eq!((two.told(), two.world.idp.sessions().len()), ([1, 0], 0));
    assert_eq!((two.is_in().await, two.userinfo().await), ([false; 2], [401; 2]));
    assert!(two.two.is_signed_in(two.ada.sid()).await, "as far as it knows");
}

both!(some_apps_alone_end_and_the_session_lives_on, apps_alone);
async fn apps_alone(on: On) {
    let mut two = Two::begin(on).await;
    // A code of the app that ends is on its way, and one of the other.
    let (attempt, other) = (two.one.begin(&[]).await, two.two.begin(&[]).await);
    let callback = two.world.at_app(&mut two.ada.browser, &two.one, &attempt, "").await;
    let kept = two.world.at_app(&mut two.ada.browser, &two.two, &other, "").await;
    let cookie = two.ada.browser.cookie(&two.world.issuer, "sid").unwrap().value.clone();

    let end = two.end_all_but(&[TWO, CORP]).await;

    let text = end.text();
    assert!(text.contains("You are signed out of what you chose"), "{text}");
    assert!(text.contains("You are still signed in here"), "{text}");
    assert!(text.contains("App app-one Signed out."), "{text}");
    assert!(text.contains("App app-two Left as it is, as you chose."), "{text}");
    assert!(text.contains("Organisation corp Left as it is, as you chose."), "{text}");
    assert_eq!(two.world.outcomes().await, ["app app-one: confirmed"]);
    let story = two.world.settled().await;
    assert_eq!(story.left, ["app app-two", "IdP corp"]);
    let kinds: Vec<_> = story.events.iter().map(|event| event.kind.as_str()).collect();
    let begun = ["app_session.ended", "logout.begun", "logout.answered", "leg.closed"];
    assert_eq!(kinds, [&begun[..], &["logout.settled"]].concat());
    // Of the app nothing lives on; of the others everything.
    let told = two.one.logouts().await.unwrap();
    assert_eq!((told.len(), told[0]["sid"].as_str()), (1, Some(two.ada.sid())));
    assert_eq!(two.userinfo().await, [401, 200]);
    let dead = two.one.finish(&attempt, &callback).await.unwrap_err();
    assert_eq!(dead, Failure::Token(400, "invalid_grant".into()));
    assert!(two.two.finish(&other, &kept).await.is_ok());
    assert_eq!(two.told(), [1, 0]);
    assert!(!two.idp_was_asked());
    assert_eq!(two.ada.browser.cookie(&two.world.issuer, "sid").unwrap().value, cookie);
    let link = end.links().remove(0);
    let rest = two.ada.browser.open(link.as_str()).await;
    assert_eq!(ticks(&rest), pairs(&[TWO, CORP]));

    // Its next sign-in is a silent one of the living session, and what ended stays ended.
    let again = two.world.sign_in(&mut two.ada.browser, &two.one, "nobody is asked").await;
    assert_eq!(again.claims["sid"], two.ada.tokens.claims["sid"]);
    assert_eq!(again.claims["sub"], two.ada.tokens.claims["sub"]);
    assert_eq!(two.userinfo().await, [401, 200]);
    assert_eq!(two.one.finish(&attempt, &callback).await.unwrap_err(), dead);
    assert_eq!(two.one.userinfo(&again.access_token).await.status, 200);
    assert_eq!(ticks(&two.open().await), pairs(&[TWO, ONE, CORP]));

    // The app has a new part in the session, and is told when that ends.
    let end = two.end_all_but(&[]).await;
    assert!(end.text().contains("This session has ended everywhere"), "{}", end.text());
    two.world.settled().await;
    assert_eq!((two.told(), two.world.logout_count().await), ([2, 1], 2));
    assert_eq!(two.one.userinfo(&again.access_token).await.status, 401);
    assert_eq!(two.is_in().await, [false; 2]);
}

both!(an_app_that_cannot_be_told_ends_here_all_the_same, cannot_be_told);
async fn cannot_be_told(on: On) {
    let world = World::on(on).await;
    let one = world.app_with("app-one", json!({ "backchannel_logout_uri": null })).await;
    let two = world.app("app-two").await;
    let mut ada = signed_in(&world, &one, "ada").await;
    let at_two = world.sign_in(&mut ada.browser, &two, "ada").await;

    let page = open(&world, &mut ada.browser).await;
    let end = send(&mut ada.browser, &page, &[TWO, CORP]).await;

    let text = end.text();
    assert!(
        text.contains("What you chose has ended here No app you chose could be told."),
        "{text}"
    );
    assert_eq!(world.outcomes().await, ["app app-one: not_possible"]);
    assert_eq!(world.newest_logout().await.outcome.as_str(), "local_only");
    assert_eq!(one.userinfo(&ada.tokens.access_token).await.status, 401);
    assert_eq!(two.userinfo(&at_two.access_token).await.status, 200);
    assert!(ada.is_in(&world, &two).await);
}

both!(the_page_and_what_follows_speak_one_language, language);
async fn language(on: On) {
    let mut two = Two::begin(on).await;
    let url = format!("{}?ui_locales=de", two.world.url(paths::SAML_LOGOUT));
    let page = two.ada.browser.get(&url).await;
    assert_eq!(page.header("content-language"), Some("de"));
    assert!(page.text().contains("Wovon möchten Sie sich abmelden?"), "{}", page.text());
    let end = send(&mut two.ada.browser, &page, &[TWO, CORP]).await;
    assert_eq!(end.header("content-language"), Some("de"));
    assert!(end.text().contains("Sie sind hier weiterhin angemeldet"), "{}", end.text());
    let said = "App app-two Bleibt, wie es ist: So haben Sie es gewählt.";
    assert!(end.text().contains(said), "{}", end.text());
}

both!(without_a_tick_nothing_ends, nothing);
async fn nothing(on: On) {
    let mut two = Two::begin(on).await;

    let page = two.end_all_but(&[ONE, TWO, CORP]).await;

    assert!(page.text().contains("Nothing was ticked, so nothing was ended."), "{}", page.text());
    assert_eq!(ticks(&page), []);
    two.is_untouched().await;
    // The page that says so can be used at once.
    let mut form = page.form();
    form.set("app", "app-one");
    let pressed = two.ada.browser.submit_form(&page, &form).await;
    two.ada.browser.settle(pressed).await;
    assert_eq!(two.world.outcomes().await, ["app app-one: confirmed"]);
    assert_eq!(two.userinfo().await, [401, 200]);
}

both!(a_person_with_many_apps_can_tick_them_all, many);
async fn many(on: On) {
    let mut two = Two::begin(on).await;
    let mut ids = Vec::new();
    for number in 0..60 {
        let id = format!("app-number-{number}");
        let settings = json!({ "id": id, "redirect_uris": [two.one.redirect_uri()] });
        assert_eq!(two.world.add_client(settings).await.status, 201);
        let mut attempt = two.one.begin(&[]).await;
        let url = attempt.url.as_str().replace("client_id=app-one", &format!("client_id={id}"));
        attempt.url = url.parse().unwrap();
        two.world.at_app(&mut two.ada.browser, &two.one, &attempt, "").await;
        ids.push(id);
    }
    let kept: Vec<_> = ids.iter().skip(1).map(|id| ("app", id.as_str())).collect();
    let page = two.open().await;
    assert_eq!(ticks(&page).len(), 63);

    let end = two.end_all_but(&[&kept[..], &[ONE, TWO, CORP]].concat()).await;

    assert!(end.text().contains("App app-number-0 It offers no way to be told."), "{}", end.text());
    assert_eq!(ticks(&two.open().await).len(), 62);
    two.end_all_but(&[]).await;
    // The one that could not be told of its end is named again.
    assert_eq!(two.world.newest_logout().await.legs.len(), 63);
    assert_eq!(two.is_in().await, [false; 2]);
}
