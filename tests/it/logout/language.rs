//! Every page speaks the person's language: what the app asks for, else what the browser prefers.

use serde_json::json;
use sloop::mock_idp::{Options, Slo};
use sloop::paths;

use super::home;
use crate::both;
use crate::support::browser::{Browser, Page};
use crate::support::idp_key::{Asked, By, IdpKey};
use crate::support::rp::RelyingParty;
use crate::support::world::{On, Setting, World};

/// What a page of ours says of its language, in three places that have to agree.
fn language_of(page: &Page) -> String {
    let language = page.header("content-language").expect("a page of ours").to_owned();
    assert!(page.body.contains(&format!("<html lang=\"{language}\">")), "{}", page.body);
    assert_eq!(page.header("vary"), Some("Accept-Language"));
    language
}

fn assert_says(page: &Page, language: &str, text: &str) {
    assert_eq!(language_of(page), language, "{}", page.summary());
    assert!(page.text().contains(text), "{}", page.summary());
}

/// A sign-out that the person is asked about.
async fn question(browser: &mut Browser, app: &RelyingParty, more: &[(&str, &str)]) -> Page {
    let parameters = [&[("client_id", app.client_id.as_str())], more].concat();
    browser.open(app.logout_url(&parameters).await.as_str()).await
}

/// Sentences of one language, page by page.
struct Sentences {
    header: &'static str,
    tag: &'static str,
    choose: &'static str,
    question: &'static str,
    kept: &'static str,
    form: &'static str,
    waiting: &'static str,
    end: &'static str,
    leg: &'static str,
    nobody: &'static str,
    unknown_answer: &'static str,
    missing: &'static str,
    refused: &'static str,
}

const SENTENCES: [Sentences; 4] = [
    Sentences {
        header: "tlh, en-GB;q=0.3, de;q=0.2",
        tag: "en",
        choose: "Where do you sign in?",
        question: "The app app-one asks to sign you out of everything",
        kept: "You are still signed in",
        form: "press the button",
        waiting: "corp has been asked to sign you out too",
        end: "You are signed out here",
        leg: "It did not answer.",
        nobody: "Nobody was signed in with this browser.",
        unknown_answer: "This answer came too late, or twice",
        missing: "There is nothing here",
        refused: "This app sent something we cannot use",
    },
    Sentences {
        header: "de-AT,de;q=0.9,en;q=0.8",
        tag: "de",
        choose: "Wo melden Sie sich an?",
        question: "Die App app-one möchte Sie von allem abmelden",
        kept: "Sie sind weiterhin angemeldet",
        form: "drücken Sie bitte auf den Knopf",
        waiting: "Wir haben corp gebeten, Sie ebenfalls abzumelden.",
        end: "Sie sind hier abgemeldet",
        leg: "Keine Antwort.",
        nobody: "Mit diesem Browser war niemand angemeldet.",
        unknown_answer: "Diese Antwort kam zu spät oder doppelt",
        missing: "Hier gibt es nichts",
        refused: "Diese App hat etwas gesendet, das wir nicht verwenden können",
    },
    Sentences {
        header: "en;q=0.1,fr-CA",
        tag: "fr",
        choose: "Où souhaitez-vous vous connecter ?",
        question: "L’application app-one demande à vous déconnecter de tout",
        kept: "Vous êtes toujours connecté",
        form: "appuyez sur le bouton",
        waiting: "Nous avons demandé à corp de vous déconnecter aussi.",
        end: "Vous êtes déconnecté ici",
        leg: "Elle n’a pas répondu.",
        nobody: "Personne n’était connecté avec ce navigateur.",
        unknown_answer: "Cette réponse est arrivée trop tard, ou deux fois",
        missing: "Il n’y a rien ici",
        refused: "Cette application a envoyé une demande que nous ne pouvons pas utiliser",
    },
    Sentences {
        header: "es-MX",
        tag: "es",
        choose: "¿Dónde inicia sesión?",
        question: "La aplicación app-one pide cerrar su sesión en todo",
        kept: "Su sesión sigue abierta",
        form: "pulse el botón",
        waiting: "Hemos pedido a corp que también cierre su sesión.",
        end: "Su sesión aquí está cerrada",
        leg: "No ha respondido.",
        nobody: "Nadie tenía una sesión abierta con este navegador.",
        unknown_answer: "Esta respuesta ha llegado demasiado tarde o dos veces",
        missing: "Aquí no hay nada",
        refused: "Esta aplicación ha enviado algo que no podemos utilizar",
    },
];

both!(every_page_is_in_the_language_of_the_browser, every_page);
async fn every_page(on: On) {
    let idp = Options { slo: Slo::Post, ..Options::default() };
    let world = Setting::on(on).idp(idp).begin().await;
    let app = world.app_with("app-one", json!({ "idps": ["corp"] })).await;
    let either = world.app("either").await;
    let other = world.idp.metadata().replace(&world.idp_url, "https://other.example");
    assert_eq!(world.add_idp("other", &other, "").await.status, 201);
    for said in &SENTENCES {
        let (tag, mut browser) = (said.tag, world.browser().with_languages(said.header));
        let choose = browser.open(either.begin(&[]).await.url.as_str()).await;
        assert_says(&choose, tag, said.choose);

        let attempt = app.begin(&[]).await;
        let callback = world.at_app(&mut browser, &app, &attempt, "ada").await;
        app.finish(&attempt, &callback).await.unwrap();
        let asked = question(&mut browser, &app, &[]).await;
        assert_says(&asked, tag, said.question);
        let kept = browser.submit(&asked, &[("answer", "no")]).await;
        assert_says(&kept, tag, said.kept);
        assert!(world.is_signed_in(&mut browser, &app).await, "nothing was ended");

        let asked = question(&mut browser, &app, &[]).await;
        let form = browser.submit(&asked, &[("answer", "yes")]).await;
        assert_says(&form, tag, said.form);
        let waiting = browser.get(asked.url.as_str()).await;
        assert_says(&waiting, tag, said.waiting);
        let end = browser.submit(&waiting, &[("answer", "continue")]).await;
        assert_says(&end, tag, said.end);
        assert!(end.text().contains(said.leg), "{}", end.summary());
        assert!(!world.is_signed_in(&mut browser, &app).await);

        let nobody = browser.open(&world.url(paths::END_SESSION)).await;
        assert_says(&nobody, tag, said.nobody);
        let answer = format!("{}?SAMLResponse=x&RelayState=y", paths::SAML_LOGOUT);
        let unknown = world.browser().with_languages(said.header).open(&world.url(&answer)).await;
        assert_says(&unknown, tag, said.unknown_answer);
        let missing = browser.get(&world.url("/nowhere")).await;
        assert_eq!(missing.status, 404);
        assert_says(&missing, tag, said.missing);
        for query in ["", "?client_id=%zz"] {
            let refused = browser.get(&world.url(&format!("{}{query}", paths::AUTHORIZE))).await;
            assert_eq!(refused.status, 400);
            assert_says(&refused, tag, said.refused);
        }
    }
}

both!(ui_locales_is_kept_for_all_pages_of_the_same_logout, kept_language);
async fn kept_language(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let uri = app.post_logout_redirect_uri();
    for (ui_locales, header, expected) in [
        ("de-AT en", "fr", "de"),
        ("xx-YY <b> \"' es", "fr", "es"),
        // What we do not have, or what is no language at all, says nothing.
        ("xx-YY <script>alert(1)</script> %0d%0a", "fr-CH", "fr"),
        ("tlh", "", "en"),
    ] {
        let mut browser = world.browser().with_languages(header);
        let attempt = app.begin(&[("ui_locales", ui_locales)]).await;
        let callback = world.at_app(&mut browser, &app, &attempt, "ada").await;
        app.finish(&attempt, &callback).await.unwrap();
        let more = [
            ("post_logout_redirect_uri", uri.as_str()),
            ("state", "the-state"),
            ("ui_locales", ui_locales),
        ];
        let asked = question(&mut browser, &app, &more).await;
        assert_eq!(language_of(&asked), expected, "{ui_locales:?}");
        let onward = browser.submit(&asked, &[("answer", "yes")]).await;
        assert_eq!(language_of(&onward), expected, "{ui_locales:?}");
        let idp = onward.refresh().unwrap();
        let waiting = browser.get(asked.url.as_str()).await;
        assert_eq!(language_of(&waiting), expected, "{ui_locales:?}");
        // The answer comes back where nobody can tell whose it is: the end page.
        let asked = Asked::of_url(&idp);
        let lost = asked.answer(&world, &key).with(|it| it.relay_state = None);
        let mut elsewhere = world.browser().with_languages("es");
        let end = lost.deliver(&mut elsewhere, By::Redirect).await;
        let kept = if expected == "en" || expected == "fr" { "es" } else { expected };
        assert_eq!(language_of(&end), kept, "{ui_locales:?}");
        assert_eq!(end.links().remove(0).as_str(), home(&app));
        assert!(!world.is_signed_in(&mut browser, &app).await);
        // Another matter of the same browser is in its own language again.
        let missing = browser.get(&world.url("/nowhere")).await;
        let own = if header.is_empty() { "en" } else { "fr" };
        assert_eq!(language_of(&missing), own);
    }
}
