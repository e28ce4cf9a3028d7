//! `sloop serve` is killed in the middle of logouts, and started again: whatever was promised holds.
//! `make kills` does it more often.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use sloop::mock_idp::{Entry, MockIdp, Options};
use sloop::rng::Rng;

use super::{Place, SECRET, Serving, app, declared, idp, open};
use crate::support::browser::{Browser, LOST};
use crate::support::jwt;
use crate::support::postgres::Database;
use crate::support::rp::{Answer, RelyingParty, Tokens};

/// How often it is killed, unless `SLOOP_KILLS` says so.
const KILLS: usize = 12;

/// How many people sign out at that moment.
const AT_ONCE: usize = 3;

fn kills() -> usize {
    #[expect(clippy::disallowed_methods, reason = "`make kills` says how many")]
    let wanted = std::env::var("SLOOP_KILLS");
    wanted.map_or(KILLS, |kills| kills.parse().expect("a number"))
}

/// An installation with two apps and an IdP, which can be killed and started again.
struct Installation {
    place: Place,
    serving: Serving,
    idp: MockIdp,
    apps: [RelyingParty; 2],
    /// It goes after the service.
    _database: Option<Database>,
}

/// Somebody who is signed in to both apps.
struct Person {
    browser: Browser,
    tokens: [Tokens; 2],
    /// Where the first app sends them to sign out, and where that is to end.
    url: String,
    home: String,
}

impl Installation {
    async fn begin(database: Option<Database>) -> Self {
        let (idp, one, two) = tokio::join!(idp(Options::default()), app("wiki"), app("mail"));
        let mut more = String::new();
        if let Some(database) = &database {
            more += &format!("database = \"{}\"\n[keys]\nkek_file = \"kek\"\n", database.url());
        }
        let place = Place::new(&format!("{more}{}{}", declared(&one), declared(&two)));
        place.write("secret", SECRET);
        place.write("metadata/corp.xml", &idp.metadata());
        if database.is_some() {
            let kek = place.path("kek");
            std::fs::write(&kek, Rng::system().bytes::<32>()).unwrap();
            let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o400);
            std::fs::set_permissions(&kek, owner_only).unwrap();
            place.done(&["config", "apply"]);
        }
        let serving = place.serve().await;
        idp.trust(&serving.get("/saml/metadata", &[]).await.body).unwrap();
        let apps = [one, two].map(|app| app.at(serving.provider()));
        Self { place, serving, idp, apps, _database: database }
    }

    async fn start_again(&mut self) {
        self.serving = self.place.serve().await;
        for app in &mut self.apps {
            app.provider_moved(self.serving.provider());
        }
    }

    async fn sign_in(&self, user: &str) -> Person {
        let mut browser = self.serving.browser().that_takes_losses();
        let mut tokens = Vec::new();
        for app in &self.apps {
            let (attempt, page) = open(&mut browser, app, user).await;
            tokens.push(app.finish(&attempt, &page.url).await.unwrap());
        }
        let tokens: [Tokens; 2] = tokens.try_into().unwrap();
        let back = self.apps[0].post_logout_redirect_uri();
        let parameters = [
            ("id_token_hint", tokens[0].id_token.as_str()),
            ("post_logout_redirect_uri", &back),
            ("state", user),
        ];
        let url = self.apps[0].logout_url(&parameters).await.to_string();
        Person { browser, tokens, url, home: format!("{back}?state={user}") }
    }

    /// Whether anything of this person's session still opens something.
    async fn is_signed_in(&self, person: &mut Person) -> bool {
        let mut signed_in = false;
        for (app, tokens) in self.apps.iter().zip(&person.tokens) {
            signed_in |= app.userinfo(&tokens.access_token).await.status == 200;
            let attempt = app.begin(&[("prompt", "none")]).await;
            let page = person.browser.get(attempt.url.as_str()).await;
            let location = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
            signed_in |= location.query_pairs().any(|(name, _)| name == "code");
        }
        signed_in
    }

    /// Waits until every logout is settled; returns their stories.
    async fn settled(&self) -> Vec<Value> {
        for _ in 0..120 {
            let list = self.place.json(&["logout", "list", "--json", "--limit", "100000"]);
            let list = list.as_array().unwrap();
            if list.iter().all(|logout| logout["settled"] == true) {
                let show = |logout: &Value| {
                    self.place.json(&["logout", "show", logout["id"].as_str().unwrap(), "--json"])
                };
                return list.iter().map(show).collect();
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("a logout never settled: {}", self.place.done(&["logout", "list"]));
    }

    /// What each app was told, by its own journal, is what the service says of it.
    async fn journals_agree(&self, people: &[Person]) {
        let stories = self.settled().await;
        assert_eq!(stories.len(), people.len(), "each person has one logout");
        let mut refused = 0;
        for story in &stories {
            let legs = story["legs"].as_array().unwrap();
            let outcomes: Vec<_> =
                legs.iter().map(|leg| (leg["party"].as_str(), leg["outcome"].as_str())).collect();
            let confirmed = ["app wiki", "app mail"].map(|app| (Some(app), Some("confirmed")));
            assert_eq!(outcomes[..2], confirmed, "{story}");
            match outcomes[2..] {
                [(Some("IdP corp"), Some("confirmed"))] => {
                    assert_eq!(story["outcome"], "complete", "{story}");
                }
                // Its answer never arrived. Asked again, it knows nobody any more, and that is told.
                [(Some("IdP corp"), Some("refused"))] => refused += 1,
                _ => panic!("{story}"),
            }
        }
        let (mut ended, mut for_nothing) = (0, 0);
        for entry in self.idp.journal() {
            if let Entry::LogoutRequest { signature_valid, ended: sessions, .. } = entry {
                assert!(signature_valid && sessions <= 1);
                ended += sessions;
                for_nothing += usize::from(sessions == 0);
            }
        }
        assert_eq!(ended, people.len(), "the IdP ended each of them once");
        assert!(refused <= for_nothing, "{refused} were refused, {for_nothing} asked twice");
        let keys = self.serving.get("/jwks.json", &[]).await.json();
        let sid = |tokens: &Tokens| tokens.claims["sid"].as_str().unwrap().to_owned();
        let all: BTreeSet<String> = people.iter().map(|person| sid(&person.tokens[0])).collect();
        assert_eq!(all.len(), people.len());
        for app in &self.apps {
            let told = app.received_logout_tokens().into_iter().map(|token| {
                let claims = jwt::verify(&token, &keys).unwrap().claims;
                claims["sid"].as_str().unwrap().to_owned()
            });
            assert_eq!(told.collect::<BTreeSet<_>>(), all, "nobody is missing, nobody is more");
        }
        assert_eq!(self.idp.sessions(), [], "the IdP has nobody left");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_the_answer_and_the_delivery() {
    let mut all = Installation::begin(None).await;
    let mut ada = all.sign_in("ada").await;
    let mut bob = all.sign_in("bob").await;
    // The apps have the token, and the service will never know.
    for app in &all.apps {
        app.answer_back_channel_with(Answer::Hang);
    }
    let page = ada.browser.get(&ada.url).await;
    assert_eq!(page.status, 303, "{}", page.summary());
    all.serving.kill();
    for app in &all.apps {
        app.answer_back_channel_with(Answer::Status(200));
    }

    all.start_again().await;

    ada.browser = ada.browser.with_host(super::ISSUER, all.serving.address);
    bob.browser = bob.browser.with_host(super::ISSUER, all.serving.address);
    assert!(!all.is_signed_in(&mut ada).await, "what was answered stays true");
    assert!(all.is_signed_in(&mut bob).await, "and nobody else is out");
    // The browser was on its way to the IdP.
    let end = ada.browser.settle(page).await;
    assert_eq!(end.url.as_str(), ada.home, "{}", end.summary());
    let end = bob.browser.open(&bob.url).await;
    assert_eq!(end.url.as_str(), bob.home, "{}", end.summary());
    all.journals_agree(&[ada, bob]).await;
}

/// People sign out, and at some moment of it the service is gone.
async fn at_any_moment(mut all: Installation, kills: usize) {
    // How long it takes when nobody disturbs.
    let mut first = all.sign_in("first").await;
    let begun = std::time::Instant::now();
    let end = first.browser.open(&first.url).await;
    assert_eq!(end.url.as_str(), first.home, "{}", end.summary());
    let whole = begun.elapsed();
    let (mut people, mut answered, mut unanswered) = (vec![first], 0, 0);
    for kill in 0..kills {
        let mut signing_out = Vec::new();
        for number in 0..AT_ONCE {
            let mut person = all.sign_in(&format!("user-{kill}-{number}")).await;
            signing_out.push(tokio::spawn(async move {
                let page = person.browser.open(&person.url).await;
                (person, page)
            }));
        }
        // Rather early than late: when all is over there is nothing to lose.
        let share = f64::from(u16::from_le_bytes(Rng::system().bytes())) / f64::from(u16::MAX);
        let moment = whole.mul_f64(share.powi(3));
        tokio::time::sleep(moment).await;
        all.serving.kill();
        let mut back = Vec::new();
        for person in signing_out {
            back.push(person.await.unwrap());
        }

        all.start_again().await;

        for (mut person, page) in back {
            person.browser = person.browser.with_host(super::ISSUER, all.serving.address);
            // I1: whoever got an answer to the logout can rely on it.
            let was_answered = person
                .browser
                .history()
                .iter()
                .any(|visit| visit.url.as_str() == person.url && visit.status != LOST);
            if was_answered {
                let told = format!("killed after {moment:?}: {}", page.summary());
                assert!(!all.is_signed_in(&mut person).await, "{told}");
                answered += 1;
            } else {
                unanswered += 1;
            }
            // Whoever was cut off clicks again, wherever that was.
            if page.url.as_str() != person.home {
                let end = person.browser.open(&person.url).await;
                assert_eq!(end.url.as_str(), person.home, "{moment:?}: {}", end.summary());
            }
            assert!(!all.is_signed_in(&mut person).await, "killed after {moment:?}");
            people.push(person);
        }
    }
    println!("{kills} kills: {answered} logouts were answered before, {unanswered} were not");
    all.journals_agree(&people).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_any_moment_on_sqlite() {
    at_any_moment(Installation::begin(None).await, kills()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_any_moment_on_postgres() {
    let database = Database::create().await;
    at_any_moment(Installation::begin(Some(database)).await, kills().div_ceil(3)).await;
}
