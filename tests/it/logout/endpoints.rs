//! Which endpoint of the IdP's metadata a message of single logout goes to, by which binding, and whom
//! it names.

use serde_json::json;
use sloop::connection::IdpSettings;
use sloop::paths;
use sloop::saml::binding::soap;
use sloop::saml::{MessageKind, PostForm};
use sloop::xml::sign::sign_enveloped;

use super::{SignedIn, signed_in};
use crate::both;
use crate::saml::ask;
use crate::support::browser::Visit;
use crate::support::forger::Forger;
use crate::support::idp_key::{self, Asked, By, IdpKey};
use crate::support::idp_request::{Answered, send_soap};
use crate::support::world::{On, World};

/// The metadata of `corp` with these endpoints for logout, each `Binding|Location|ResponseLocation`.
fn metadata(metadata: &str, endpoints: &[&str]) -> String {
    let start = metadata.find("<md:SingleLogoutService").unwrap();
    let end = metadata.rfind("<md:NameIDFormat").or_else(|| metadata.find("<md:SingleSignOn"));
    let services = endpoints.iter().map(|endpoint| {
        let mut parts = endpoint.split('|');
        let mut part = || parts.next().unwrap_or_default();
        let (binding, location, answers) = (part(), part(), part());
        let answers = match answers {
            "" => String::new(),
            answers => format!(" ResponseLocation=\"{answers}\""),
        };
        format!(
            "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{binding}\" \
             Location=\"{location}\"{answers}/>"
        )
    });
    format!("{}{}{}", &metadata[..start], services.collect::<String>(), &metadata[end.unwrap()..])
}

const ASK: &str = "https://idp.example/ask";
const ANSWER: &str = "https://idp.example/answer";
const OTHER: &str = "https://idp.example/other";

both!(requests_go_to_the_location_and_answers_to_the_response_location, locations);
async fn locations(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let (redirect, post) = ("HTTP-Redirect", "HTTP-POST");
    let soap = format!("SOAP|{OTHER}");
    for (endpoints, asks, answers, by_form) in [
        (vec![format!("{redirect}|{ASK}")], ASK, ASK, false),
        (vec![format!("{post}|{ASK}")], ASK, ASK, true),
        (vec![format!("{redirect}|{ASK}|{ANSWER}")], ASK, ANSWER, false),
        (vec![format!("{post}|{ASK}|{ANSWER}")], ASK, ANSWER, true),
        // In any order: SOAP is not for a browser, and Redirect goes before POST.
        (vec![soap.clone(), format!("{post}|{ASK}|{ANSWER}")], ASK, ANSWER, true),
        (vec![format!("{post}|{OTHER}"), soap, format!("{redirect}|{ASK}")], ASK, ASK, false),
    ] {
        let listed: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        let metadata = metadata(&key.beside(&world.idp.metadata()), &listed);
        idp_key::connect(&world, IdpSettings::default(), metadata).await;
        // Whatever binding the IdP asks by, the answer goes by one that it takes.
        for by in [By::Redirect, By::Post] {
            let mut ada = signed_in(&world, &app, "ada").await;
            let session = world.idp.sessions().pop().unwrap();
            let page = key.asks(&world, &session).through(&mut ada.browser, by).await;
            assert_eq!(page.location().is_none(), by_form, "{endpoints:?}: {}", page.summary());
            let answer = Answered::of(&world, &page).await;
            assert_eq!((answer.at.as_str(), answer.status().as_str()), (answers, "Success"));
            assert_eq!(answer.response.destination.as_deref(), Some(answers), "{endpoints:?}");
            assert!(!ada.is_in(&world, &app).await);
        }
        let mut ada = signed_in(&world, &app, "ada").await;
        let page = ada.ask(&app, &[]).await;
        assert_eq!(page.location().is_none(), by_form, "{endpoints:?}: {}", page.summary());
        let asked = Asked::of(&page);
        assert_eq!((asked.at.as_str(), asked.request.destination.as_deref()), (asks, Some(asks)));
        assert!(!ada.is_in(&world, &app).await);
    }
}

both!(each_idp_is_asked_for_its_own_session_by_its_own_name, each_idp);
async fn each_idp(on: On) {
    let world = World::on(on).await;
    let app = world.app("app-one").await;
    let forgers =
        ["http://localhost:9", "http://localhost:10"].map(|base| Forger::at(base, &world.clock));
    let mut people = Vec::new();
    for (idp, forger) in ["a", "b"].into_iter().zip(&forgers) {
        assert_eq!(world.add_idp(idp, &forger.metadata(), "").await.status, 201);
        let mut browser = world.browser();
        let attempt = app.begin(&[("idp", idp)]).await;
        let asked = forger.asked(&browser.get(attempt.url.as_str()).await);
        let said = forger.says(&asked, &format!("ada of {idp}"));
        let page = forger.send(&world, &mut browser, &asked, &said).await;
        let tokens = app.finish(&attempt, &page.location().unwrap()).await.unwrap();
        people.push((SignedIn { browser, tokens }, idp, forger));
    }

    let (mut of_a, name, forger) = people.remove(0);
    let asked = Asked::of(&of_a.ask(&app, &[]).await);
    assert_eq!(asked.request.name_id.value, format!("ada of {name}"));
    assert_eq!(asked.at, forger.sso(), "it has no logout URL, so its login URL is asked");
    assert_eq!(world.newest_logout().await.legs.len(), 2, "the app and this IdP");
    assert!(!of_a.is_in(&world, &app).await);
    let (mut of_b, name, forger) = people.remove(0);
    assert!(of_b.is_in(&world, &app).await, "the other IdP's person is another one");
    let asked = Asked::of(&of_b.ask(&app, &[]).await);
    assert_eq!((asked.request.name_id.value, asked.at), (format!("ada of {name}"), forger.sso()));
}

both!(in_one_browser_only_the_idp_of_the_session_that_ends_is_asked, one_browser);
async fn one_browser(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let forger = Forger::new(&world.clock);
    assert_eq!(world.add_idp("first", &forger.metadata(), "").await.status, 201);
    let one = world.app_with("app-one", json!({ "idps": ["first"] })).await;
    let two = world.app_with("app-two", json!({ "idps": ["corp"] })).await;
    let mut browser = world.browser();
    let (attempt, asked) = ask(&forger, &mut browser, &one).await;
    let page = forger.send(&world, &mut browser, &asked, &forger.says(&asked, "ada")).await;
    let at_first = one.finish(&attempt, &page.location().unwrap()).await.unwrap();
    let visits = browser.history().len();

    // The other IdP's person is another one, whatever the name (decision 0005): the session before
    // ends, its app is told, and its IdP, where somebody else may sit by now, is not asked.
    let tokens = world.sign_in(&mut browser, &two, "ada").await;
    let mut at_corp = SignedIn { browser, tokens };
    let former = at_first.claims["sid"].as_str().unwrap();
    assert_ne!(at_corp.sid(), former);
    assert_ne!(at_corp.tokens.claims["sub"], at_first.claims["sub"]);
    let story = world.settled().await;
    assert_eq!(story.reason, "another person signed in with this browser");
    assert_eq!(world.outcomes().await, ["app app-one: confirmed", "IdP first: not_sent"]);
    assert!(!one.is_signed_in(former).await && two.is_signed_in(at_corp.sid()).await);
    assert_eq!(one.userinfo(&at_first.access_token).await.status, 401);

    // The session that is left has one IdP.
    let of_corp = world.idp.sessions().pop().unwrap();
    let asked = Asked::of(&at_corp.ask(&two, &[]).await);
    assert_eq!(asked.at, format!("{}/slo", world.idp_url));
    assert_eq!(asked.request.name_id, of_corp.name_id);
    assert_eq!(asked.session_indexes(), [of_corp.session_index.as_ref().unwrap().as_str()]);
    let back = asked.answer(&world, &key).deliver(&mut at_corp.browser, By::Redirect).await;
    let end = at_corp.browser.settle(back).await;
    assert_eq!(world.outcomes().await, ["app app-two: confirmed", "IdP corp: confirmed"]);
    assert!(!at_corp.is_in(&world, &two).await && !two.is_signed_in(at_corp.sid()).await);
    assert_eq!(one.logouts().await.unwrap().len(), 1, "of its own session, and of no other");
    let at_forger = |visit: &Visit| visit.url.as_str().starts_with(&forger.base);
    assert!(!at_corp.browser.history()[visits..].iter().any(at_forger));
    // The first IdP may still know the person, and the page speaks of this session only.
    let text = end.text();
    assert!(text.contains("This session has ended everywhere"), "{text}");
    assert!(text.contains("app-two") && text.contains("corp"), "{text}");
    assert!(!text.contains("first"), "{text}");
}

both!(extensions_of_a_request_that_nobody_knows_change_nothing, extensions);
async fn extensions(on: On) {
    let world = World::on(on).await;
    let key = IdpKey::connect(&world).await;
    let app = world.app("app-one").await;
    let known = "</saml:Issuer>";
    let strange = format!(
        "{known}<samlp:Extensions><x:Odd xmlns:x=\"urn:x\" a=\"1\">text<x:Deep/></x:Odd>\
         </samlp:Extensions>"
    );
    for soap_too in [false, true] {
        let mut ada = signed_in(&world, &app, "ada").await;
        let session = world.idp.sessions().pop().unwrap();
        let asks = key.asks(&world, &session).with(|it| {
            if soap_too {
                it.request.destination = None;
            }
        });
        let xml = asks.request.to_xml().unwrap();
        assert!(xml.contains(known), "{xml}");
        let signed = sign_enveloped(&xml.replacen(known, &strange, 1), key.key(), None).unwrap();
        let answer = match soap_too {
            true => {
                let answer = send_soap(&world, &soap::envelope(&signed)).await;
                Answered::in_envelope(&world, &answer).await
            }
            false => {
                let at = world.url(paths::SAML_LOGOUT);
                let form = PostForm::new(MessageKind::Request, &signed, None, &at);
                let fields: Vec<(&str, &str)> =
                    form.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let page = ada.browser.post(&at, &fields, Some(&world.idp_url)).await;
                Answered::of(&world, &page).await
            }
        };
        assert_eq!(answer.status(), "Success");
        assert!(!ada.is_in(&world, &app).await);
    }
}
